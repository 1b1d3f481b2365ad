//! `antiphon talk` against a server that the test scripts message by message, and against the real one.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

#[path = "support/app.rs"]
mod app;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use antiphon_audio::{Channels, SampleRate, Wav, WavWriter, signal};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_async};

/// `antiphon talk` with nothing in its environment but what is given.
fn talk(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_antiphon"));
    command
        .arg("talk")
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// A place for a file of this test.
fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn write_wav(name: &str, rate: SampleRate, samples: &[i16]) -> PathBuf {
    let path = path(name);
    let mut wav = WavWriter::new(File::create(&path).unwrap(), rate, Channels::Mono).unwrap();
    wav.write(samples).unwrap();
    wav.finish().unwrap();
    path
}

fn read_wav(path: &Path) -> Wav {
    Wav::read(File::open(path).unwrap()).unwrap()
}

fn lines(output: &Output) -> Vec<String> {
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(|line| line.trim().to_owned()).collect()
}

/// One call of a scripted server.
struct Call {
    socket: WebSocketStream<TcpStream>,
    /// Samples of the user in each frame that came.
    frames: Vec<usize>,
    /// Data messages that came.
    messages: Vec<Value>,
}

impl Call {
    async fn say(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn sound(&mut self, samples: &[i16]) {
        let mut bytes = Vec::new();
        antiphon_audio::write_pcm(samples, &mut bytes);
        self.socket.send(Message::binary(bytes)).await.unwrap();
    }

    /// Takes one message; false when the client has left.
    async fn hear(&mut self) -> bool {
        match self.socket.next().await {
            Some(Ok(Message::Binary(bytes))) => self.frames.push(bytes.len() / 2),
            Some(Ok(Message::Text(text))) => self.messages.push(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Close(_))) | None => return false,
            Some(other) => panic!("{other:?}"),
        }
        true
    }

    async fn hear_frames(&mut self, count: usize) {
        let enough = self.frames.len() + count;
        while self.frames.len() < enough {
            assert!(self.hear().await, "the client left");
        }
    }

    async fn end(&mut self) {
        let normal = CloseFrame { code: 1000.into(), reason: "".into() };
        self.socket.close(Some(normal)).await.unwrap();
        while self.hear().await {}
    }
}

/// A server of one call, and its join URL.
async fn server() -> (String, impl Future<Output = Call>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/calls/1/server_web_socket", listener.local_addr().unwrap());
    (url, async move {
        let (socket, _) = listener.accept().await.unwrap();
        Call { socket: accept_async(socket).await.unwrap(), frames: Vec::new(), messages: Vec::new() }
    })
}

fn state(state: &str) -> Value {
    json!({"type": "state", "state": state})
}

fn transcript(role: &str, text: &str, is_final: bool, ordinal: u32) -> Value {
    json!({"type": "transcript", "role": role, "medium": "voice", "text": text, "final": is_final, "ordinal": ordinal})
}

#[tokio::test]
async fn a_recording_is_said_and_what_was_heard_is_written() {
    let rate = SampleRate::new(8_000).unwrap();
    let question = write_wav("question.wav", rate, &[7; 8_000 / 5]);
    let answer = path("answer.wav");
    let (url, call) = server().await;
    let files = [question.to_str().unwrap(), answer.to_str().unwrap()];
    let client =
        talk(&["--join", &url, "--input", files[0], "--output", files[1], "--stereo", "--linger", "1"]);
    let (output, call) = tokio::join!({ client }.output(), async {
        let mut call = call.await;
        call.say(json!({"type": "call_started", "callId": "11111111-2222-4333-8444-555555555555"})).await;
        call.say(state("listening")).await;
        call.hear_frames(15).await;
        call.say(transcript("user", "Seven?", true, 0)).await;
        call.say(state("speaking")).await;
        // Ahead of the playout, as a large buffer permits, and cleared in the middle of it.
        call.say(transcript("agent", "Nine", false, 1)).await;
        call.sound(&vec![9; 8_000 * 5]).await;
        call.hear_frames(20).await;
        call.say(json!({"type": "playback_clear_buffer"})).await;
        call.say(transcript("agent", "Nine tens", true, 1)).await;
        call.say(state("listening")).await;
        // Until the client has had enough of the silence.
        while call.hear().await {}
        call
    });
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        lines(&output)[..6],
        [
            "(listening)",
            "user  Seven?",
            "(speaking)",
            "agent  Nine tens -- [interrupted]",
            "(listening)",
            "the call has ended: this side hung up"
        ]
    );

    assert!(call.frames.iter().all(|samples| *samples == 160), "frames have 20 ms");
    let recorded = read_wav(&answer);
    assert_eq!((recorded.rate_hz, recorded.channels), (8_000, 2));
    let (user, agent) = (recorded.channel(0), recorded.channel(1));
    assert_eq!(user[..1_600], [7; 1_600]);
    assert!(user[1_600..].iter().all(|sample| *sample == 0));
    let heard = agent.iter().filter(|sample| **sample == 9).count();
    assert!((1..8_000 * 5).contains(&heard), "{heard} samples were heard of what was cleared");
    let last = agent.iter().rposition(|sample| *sample == 9).unwrap();
    assert!(agent.len() - last >= 8_000, "a second of silence follows");
}

#[tokio::test]
async fn tools_are_run_and_what_the_server_said_last_is_heard_out() {
    let rate = SampleRate::new(16_000).unwrap();
    let question = write_wav("tools.wav", rate, &[0; 160]);
    let answer = path("tools_answer.wav");
    let (url, call) = server().await;
    let client = talk(&[
        "--join",
        &url,
        "--input",
        question.to_str().unwrap(),
        "--output",
        answer.to_str().unwrap(),
        "--tool",
        "shout=tr a-z A-Z",
        "--tool",
        "fail=echo no luck >&2; exit 1",
    ]);
    let (output, call) = tokio::join!({ client }.output(), async {
        let mut call = call.await;
        for (id, name) in [("1", "shout"), ("2", "fail"), ("3", "unheard-of")] {
            let invocation = json!({"type": "client_tool_invocation", "toolName": name, "invocationId": id,
                "parameters": {"word": "hi"}});
            call.say(invocation).await;
            let enough = call.messages.len() + 1;
            while call.messages.len() < enough {
                assert!(call.hear().await, "the client left");
            }
        }
        call.say(state("speaking")).await;
        call.sound(&[5; 3_200]).await;
        call.end().await;
        call
    });
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        call.messages,
        [
            json!({"type": "client_tool_result", "invocationId": "1", "result": "{\"WORD\":\"HI\"}", "responseType": "tool-response"}),
            json!({"type": "client_tool_result", "invocationId": "2", "responseType": "tool-response",
                "errorType": "implementation-error", "errorMessage": "no luck"}),
            json!({"type": "client_tool_result", "invocationId": "3", "responseType": "tool-response",
                "errorType": "undefined", "errorMessage": "this client has no tool \"unheard-of\""}),
        ]
    );
    let heard = read_wav(&answer).samples.iter().filter(|sample| **sample == 5).count();
    assert_eq!(heard, 3_200);
}

#[tokio::test]
async fn a_call_that_is_declined_says_why_and_fails() {
    let (url, call) = server().await;
    let client = talk(&["--join", &url, "--text"]);
    let (output, ()) = tokio::join!({ client }.output(), async {
        let mut call = call.await;
        let gone = CloseFrame { code: 4410.into(), reason: "".into() };
        call.socket.close(Some(gone)).await.unwrap();
        while call.hear().await {}
    });
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: the call is over, or was not joined in time; create another\n"
    );
}

#[tokio::test]
async fn programs_get_every_message_as_json() {
    let (url, call) = server().await;
    let client = talk(&["--join", &url, "--text", "--json"]);
    let (output, ()) = tokio::join!({ client }.output(), async {
        let mut call = call.await;
        call.say(json!({"type": "weather", "sun": true})).await;
        call.socket.send(Message::text("{")).await.unwrap();
        call.end().await;
    });
    let seen: Vec<Value> =
        lines(&output.unwrap()).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(seen[0]["received"], json!({"type": "weather", "sun": true}));
    assert_eq!(seen[1]["unreadable"], "{");
    assert_eq!(seen.last().unwrap()["normal"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_written_conversation_with_the_real_server() {
    let (server, url, key) = app::start("written", |_| {}).await;
    let tool = "lookupOrder=echo Two rolls are ready.";
    let mut client = talk(&["--url", &url, "--text", "--tool", tool, "--may-hang-up"])
        .env("ANTIPHON_API_KEY", key)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut typed = client.stdin.take().unwrap();
    typed.write_all(b"When are you open?\nWhere is my order?\nGoodbye\n").await.unwrap();
    // Not the end of what is typed: the agent is to end the call.
    let output = client.wait_with_output().await.unwrap();
    drop(typed);
    server.stop().await;

    let said: Vec<String> = lines(&output).into_iter().filter(|line| !line.starts_with('(')).collect();
    assert!(output.status.success(), "{said:#?} {}", String::from_utf8_lossy(&output.stderr));
    let expected = [
        "agent  Hello, this is Antiphon Bakery. How can I help you?",
        "user  When are you open?",
        "agent  We are open from seven in the morning until six in the evening, every day but Monday.",
        "user  Where is my order?",
        "agent  One moment, I will look up your order.",
        "tool  lookupOrder({})",
        "tool  lookupOrder = Two rolls are ready.",
        "agent  Here is what I found. Two rolls are ready. Is there anything else?",
        "user  Goodbye",
        "agent  Thank you for calling Antiphon Bakery. Goodbye!",
    ];
    for (line, expected) in said.iter().zip(expected) {
        let line = if line.starts_with("tool  lookupOrder(") { "tool  lookupOrder({})" } else { line };
        assert_eq!(line, expected, "{said:#?}");
    }
    assert!(said.len() > expected.len(), "the end is shown: {said:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoken_question_is_answered_aloud_at_every_telephone_and_studio_rate() {
    let (server, url, key) = app::start("spoken", |_| {}).await;
    let question = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/hours.wav");
    let calls = [8_000, 16_000, 24_000, 48_000].map(|rate| {
        let (url, key, question) = (url.clone(), key.clone(), question.clone());
        async move {
            let answer = path(&format!("spoken_{rate}.wav"));
            let files = [question.to_str().unwrap(), answer.to_str().unwrap()];
            let rate_arg = rate.to_string();
            let args = [
                "--url",
                &url,
                "--rate",
                &rate_arg,
                "--input",
                files[0],
                "--output",
                files[1],
                "--user-first",
            ];
            let output = talk(&args).env("ULTRAVOX_API_KEY", key).output().await.unwrap();
            (rate, output, answer)
        }
    });
    for (rate, output, answer) in futures::future::join_all(calls).await {
        let said = lines(&output);
        assert!(output.status.success(), "{rate}: {said:#?} {}", String::from_utf8_lossy(&output.stderr));
        // Pocketsphinx makes little of telephone speech, so there the agent may have to ask again.
        let begins = if rate == 8_000 { "agent  " } else { "agent  We are open from seven" };
        assert!(said.iter().any(|line| line.starts_with(begins)), "{rate}: {said:#?}");
        let recorded = read_wav(&answer);
        assert_eq!((recorded.rate_hz, recorded.channels), (rate, 1));
        assert!(signal::level(&recorded.samples) > -40.0, "{rate}: {} dB", signal::level(&recorded.samples));
    }
    server.stop().await;
}
