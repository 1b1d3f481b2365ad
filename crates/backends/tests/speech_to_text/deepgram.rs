//! A recognizer behind a WebSocket as Deepgram's: what goes over the wire, and what comes back.

use std::time::Duration;

use antiphon_backends::http::{ApiKey, Endpoint};
use antiphon_backends::speech_to_text::deepgram::{DeepgramTranscriber, Settings};
use antiphon_backends::speech_to_text::{Overheard, Piece, Request, Speech, SpeechToText};
use antiphon_engine::input::Transcription;
use futures::stream::BoxStream;
use futures::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request as Handshake, Response};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

use crate::line::{Flaw, Line};
use crate::live;
use crate::remote::{Kind, WORDS};
use crate::{KEY, request, words};

/// What the server does with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Finds words where there is sound, as the vendor's does.
    Listens,
    /// The same, but answers no wish for what is left where nothing is, as the vendor's documentation has it.
    IsBrief,
    /// Takes until the next wish to say what does not change any more.
    IsLate,
    /// Says that something is wrong with the key.
    Objects,
    /// Closes with a code and a reason.
    Closes,
    /// Goes away in the middle.
    Breaks,
    /// Says nothing and stays.
    Hangs,
    /// Sends what is no result.
    Babbles,
}

/// What the server was sent.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// A handshake: its target, and the header with the key.
    Handshake(String),
    /// A message that is no audio.
    Message(String),
    /// The end of the connection, and how much audio came before it.
    Left(usize),
}

struct Server {
    base: String,
    seen: mpsc::UnboundedReceiver<Seen>,
}

/// What such a recognizer is to the suite of all behind a network.
pub(crate) fn kind() -> Kind {
    let serve = || async { Server::start(Act::Listens).await.base }.boxed();
    Kind { recognizer: |base, timeout| Box::new(transcriber(base, timeout)), serve, is_socket: true }
}

fn transcriber(base: &str, timeout: Duration) -> DeepgramTranscriber {
    DeepgramTranscriber::new(
        Endpoint::new(base, Some(ApiKey::new(KEY))).unwrap(),
        Settings {
            model: "ears".into(),
            language: Some("de".into()),
            live: true,
            extra: vec![("keyterm".to_owned(), "Bäckerei & Co".to_owned())],
            connect: timeout,
            timeout,
        },
    )
}

impl Server {
    async fn start(act: Act) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let (see, seen) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, act, see.clone()));
            }
        });
        Self { base, seen }
    }

    fn recognizer(&self) -> DeepgramTranscriber {
        transcriber(&self.base, Duration::from_secs(30))
    }

    async fn seen(&mut self) -> Seen {
        self.seen.recv().await.expect("the server runs")
    }

    /// Waits until a client has left, and says how much audio had come.
    async fn left(&mut self) -> usize {
        loop {
            if let Seen::Left(audio) = self.seen().await {
                return audio;
            }
        }
    }
}

/// A stream as the server hears it.
#[derive(Default)]
struct Stream {
    /// Bytes in all, and up to where results do not change any more.
    bytes: usize,
    settled: usize,
    /// Whether there was sound since.
    loud: bool,
    /// Whether something was said of that.
    told: bool,
    /// Whether what is left was asked for.
    asked: bool,
}

impl Stream {
    fn result(&self, text: &str, is_final: bool, from_finalize: bool) -> Message {
        let seconds = |bytes: usize| bytes as f64 / 32_000.0;
        let (start, duration) = (seconds(self.settled), seconds(self.bytes - self.settled));
        let place = |text: &str| match text {
            "" => serde_json::json!([]),
            word => serde_json::json!([{"word": word, "start": start, "end": start + duration}]),
        };
        Message::text(
            serde_json::json!({
                "type": "Results", "channel_index": [0, 1], "duration": duration, "start": start,
                "is_final": is_final, "speech_final": is_final, "from_finalize": from_finalize,
                "channel": {"alternatives": [{"transcript": text, "confidence": 0.99, "words": place(text)}]},
                "metadata": {"request_id": "x"},
            })
            .to_string(),
        )
    }

    /// What is left to say of what came so far: in two pieces, and one of silence, if there was sound.
    fn rest(&mut self, from_finalize: bool) -> Vec<Message> {
        let text = if self.loud { WORDS } else { "" };
        let (one, other) = text.split_at(text.len() / 3);
        let mut messages = Vec::new();
        if self.loud {
            messages.push(self.result(one, false, false));
            let whole = self.bytes;
            self.bytes = self.settled + (whole - self.settled) / 2;
            messages.push(self.result(one, true, false));
            (self.settled, self.bytes) = (self.bytes, whole);
        }
        messages.push(self.result(other, true, from_finalize));
        *self = Self { bytes: self.bytes, settled: self.bytes, ..Self::default() };
        messages
    }
}

async fn serve(stream: TcpStream, act: Act, see: mpsc::UnboundedSender<Seen>) {
    stream.set_nodelay(true).unwrap();
    let mut head = String::new();
    #[expect(clippy::result_large_err, reason = "the library's own type")]
    let callback = |request: &Handshake, response: Response| {
        let key = request.headers().get("authorization").map_or("", |value| value.to_str().unwrap());
        head = format!("{} {key}", request.uri());
        Ok(response)
    };
    let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, callback).await else { return };
    // The test may be over, here and below.
    let _ = see.send(Seen::Handshake(head.clone()));
    let mut stream = Stream::default();
    let interim = head.contains("interim_results=true");
    let _ = converse(socket, act, interim, &mut stream, &see).await;
    let _ = see.send(Seen::Left(stream.bytes));
}

/// Listens until it is over; nothing when the client has left.
async fn converse(
    mut socket: WebSocketStream<TcpStream>,
    act: Act,
    interim: bool,
    stream: &mut Stream,
    see: &mpsc::UnboundedSender<Seen>,
) -> Option<()> {
    loop {
        let answers = match socket.next().await?.ok()? {
            Message::Binary(bytes) => {
                stream.bytes += bytes.len();
                stream.loud |= bytes.iter().any(|byte| *byte != 0);
                let tells = interim && stream.loud && !std::mem::replace(&mut stream.told, stream.loud);
                if tells && matches!(act, Act::Listens | Act::IsBrief | Act::IsLate) {
                    vec![stream.result("what are", false, false)]
                } else {
                    Vec::new()
                }
            }
            Message::Text(text) => {
                let _ = see.send(Seen::Message(text.to_string()));
                let (finalize, over) = (text.contains("Finalize"), text.contains("CloseStream"));
                match act {
                    Act::Hangs => Vec::new(),
                    _ if !finalize && !over => Vec::new(),
                    Act::IsBrief if finalize && !stream.loud => Vec::new(),
                    Act::IsLate if !std::mem::replace(&mut stream.asked, true) => Vec::new(),
                    Act::Listens | Act::IsBrief | Act::IsLate => {
                        let mut answers = stream.rest(finalize);
                        if over {
                            answers.push(Message::text(
                                r#"{"type":"Metadata","transaction_key":"deprecated","duration":1.0}"#,
                            ));
                        }
                        answers
                    }
                    Act::Objects => {
                        let error =
                            serde_json::json!({"type": "Error", "description": format!("no key {KEY}")});
                        vec![Message::text(error.to_string())]
                    }
                    Act::Closes => {
                        let reason = "NET-0001".into();
                        vec![Message::Close(Some(CloseFrame { code: CloseCode::Error, reason }))]
                    }
                    Act::Breaks => {
                        let _ = socket.send(stream.result("what are", true, false)).await;
                        return Some(());
                    }
                    Act::Babbles => vec![Message::text("<html>")],
                }
            }
            Message::Close(_) => return None,
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Vec::new(),
        };
        for answer in answers {
            socket.send(answer).await.ok()?;
        }
    }
}

#[tokio::test]
async fn a_streaming_recognizer_is_sent_the_whole_turn_with_its_key_and_parameters() {
    let mut server = Server::start(Act::Listens).await;
    let recognizer = server.recognizer();
    let heard = recognizer.transcribe(request(vec![7; 40_001])).await;
    assert_eq!((heard.transcription, &*heard.by), (words(WORDS), "ears"));
    let head = format!(
        "/v1/listen?model=ears&encoding=linear16&sample_rate=16000&channels=1&interim_results=false\
         &punctuate=true&language=en-US&keyterm=B%C3%A4ckerei+%26+Co Token {KEY}"
    );
    assert_eq!(server.seen().await, Seen::Handshake(head));
    assert_eq!(server.seen().await, Seen::Message(r#"{"type":"CloseStream"}"#.to_owned()));
    assert_eq!(server.left().await, 80_002);
    let plain = Request { language: None, ..request(vec![7; 16]) };
    recognizer.transcribe(plain).await;
    let Seen::Handshake(head) = server.seen().await else { panic!("a handshake") };
    assert!(head.contains("&language=de&"), "{head}");
}

#[tokio::test]
async fn a_streaming_recognizer_that_fails_says_why() {
    for (act, wanted) in FAILURES {
        let server = Server::start(act).await;
        let heard = server.recognizer().transcribe(request(vec![7; 16])).await;
        let Transcription::Failed(reason) = heard.transcription else { panic!("{act:?}") };
        let begins = reason.starts_with("the transcription model \"ears\" ");
        assert!(begins && reason.contains(wanted) && !reason.contains(KEY), "{act:?}: {reason}");
    }
}

const FAILURES: [(Act, &str); 4] = [
    (Act::Objects, "no key [key]"),
    (Act::Closes, "closed the connection: 1011 NET-0001"),
    (Act::Breaks, "broke off"),
    (Act::Babbles, "sent what is no result: <html>"),
];

#[tokio::test]
async fn a_streaming_recognizer_that_falls_silent_is_given_up() {
    let mut server = Server::start(Act::Hangs).await;
    let heard = transcriber(&server.base, Duration::from_millis(200)).transcribe(request(vec![7; 16])).await;
    let Transcription::Failed(reason) = heard.transcription else { panic!("a failure") };
    assert!(reason.contains("did not answer in time"), "{reason}");
    assert_eq!(server.left().await, 32);
}

#[tokio::test]
async fn dropping_a_streamed_turn_closes_the_connection() {
    let mut server = Server::start(Act::Hangs).await;
    let hanging = tokio::spawn(server.recognizer().transcribe(request(vec![7; 16])));
    while !matches!(server.seen().await, Seen::Message(_)) {}
    hanging.abort();
    server.left().await;
}

/// Somebody who is listened to.
struct Speaker {
    speech: mpsc::Sender<Speech>,
    told: BoxStream<'static, Overheard>,
}

impl Speaker {
    fn before(recognizer: &DeepgramTranscriber) -> Self {
        let (speech, hears) = mpsc::channel(8);
        let listener = recognizer.listen(hears, Some("en-US".into())).expect("it is live");
        assert_eq!(&*listener.by, "ears");
        Self { speech, told: listener.told }
    }

    async fn speaks(&self, at: u64, samples: usize, loudness: i16) {
        self.speech.send(Speech::Audio { at, samples: vec![loudness; samples] }).await.unwrap();
    }

    async fn pauses(&self) {
        self.speech.send(Speech::Pause).await.unwrap();
    }

    async fn told(&mut self) -> Overheard {
        self.told.next().await.expect("more is told")
    }

    /// The next thing that is told but for words that may change.
    async fn surely_told(&mut self) -> Overheard {
        loop {
            match self.told().await {
                Overheard::Interim(_) => {}
                other @ (Overheard::Piece(_) | Overheard::CaughtUp { .. } | Overheard::Failed(_)) => {
                    return other;
                }
            }
        }
    }

    /// The words up to the next pause, where they lie, and where the pause is.
    async fn settled(&mut self) -> (String, u64, u64, u64) {
        let (mut said, mut from, mut to) = (String::new(), u64::MAX, 0);
        loop {
            match self.surely_told().await {
                Overheard::Piece(Piece { from: begins, to: ends, words }) => {
                    said.push_str(&words);
                    (from, to) = (from.min(begins), to.max(ends));
                }
                Overheard::CaughtUp { to: pause, surely: true } => return (said, from, to, pause),
                other @ (Overheard::Interim(_) | Overheard::CaughtUp { .. } | Overheard::Failed(_)) => {
                    panic!("{other:?}")
                }
            }
        }
    }
}

/// The words as two pieces without the blanks between them.
fn in_pieces() -> String {
    let (one, other) = WORDS.split_at(WORDS.len() / 3);
    format!("{}{}", one.trim(), other.trim())
}

#[tokio::test]
async fn while_the_user_speaks_words_come_and_are_complete_at_the_pause() {
    let mut server = Server::start(Act::Listens).await;
    let mut speaker = Speaker::before(&server.recognizer());
    speaker.speaks(1_000, 4_000, 7).await;
    assert_eq!(speaker.told().await, Overheard::Interim("what are".into()), "before anybody asks");
    speaker.speaks(5_000, 4_000, 7).await;
    speaker.pauses().await;
    assert_eq!(speaker.settled().await, (in_pieces(), 1_001, 9_000, 9_000));
    // The silence between is not sent, and yet words lie where they were said.
    speaker.speaks(50_000, 3_200, 0).await;
    speaker.speaks(53_200, 3_200, 7).await;
    speaker.pauses().await;
    assert_eq!(speaker.settled().await, (in_pieces(), 50_001, 56_400, 56_400));
    // Nobody said anything.
    speaker.speaks(80_000, 3_200, 0).await;
    speaker.pauses().await;
    assert_eq!(speaker.surely_told().await, Overheard::CaughtUp { to: 83_200, surely: true });
    drop(speaker.speech);
    assert_eq!(speaker.told.next().await, None);
    let Seen::Handshake(head) = server.seen().await else { panic!("a handshake") };
    assert!(head.contains("interim_results=true") && head.contains("language=en-US"), "{head}");
    let message = |kind: &str| Seen::Message(format!(r#"{{"type":"{kind}"}}"#));
    for kind in ["Finalize", "Finalize", "Finalize", "CloseStream"] {
        assert_eq!(server.seen().await, message(kind));
    }
    assert_eq!(server.left().await, 2 * (8_000 + 6_400 + 3_200), "one connection for all");
}

#[tokio::test]
async fn a_live_stream_may_be_cut_anywhere() {
    let server = Server::start(Act::Listens).await;
    let line = Line::to(&server.base, vec![Flaw::CutEverywhere]).await;
    let mut speaker = Speaker::before(&transcriber(&line.base, Duration::from_secs(30)));
    for turn in 0..3 {
        speaker.speaks(turn * 10_000, 1_600, 7).await;
        speaker.pauses().await;
        let at = turn * 10_000;
        assert_eq!(speaker.settled().await, (in_pieces(), at + 1, at + 1_600, at + 1_600));
    }
}

#[tokio::test]
async fn an_idle_stream_is_kept_alive() {
    let mut server = Server::start(Act::Listens).await;
    let mut speaker = Speaker::before(&server.recognizer());
    speaker.speaks(0, 4_000, 7).await;
    speaker.pauses().await;
    speaker.settled().await;
    tokio::time::pause();
    let kept = async { while server.seen().await != Seen::Message(r#"{"type":"KeepAlive"}"#.to_owned()) {} };
    tokio::select! {
        told = speaker.told() => panic!("{told:?}"),
        () = kept => {}
    }
}

#[tokio::test]
async fn where_nothing_is_left_to_say_no_answer_is_needed() {
    let server = Server::start(Act::IsBrief).await;
    let mut speaker = Speaker::before(&server.recognizer());
    speaker.speaks(0, 8_000, 7).await;
    speaker.pauses().await;
    speaker.settled().await;
    // All that was sent is settled.
    speaker.pauses().await;
    assert_eq!(speaker.surely_told().await, Overheard::CaughtUp { to: 8_000, surely: true });
    // This is not, but it is little, and nothing is found in it.
    speaker.speaks(8_000, 8_000, 0).await;
    speaker.pauses().await;
    tokio::time::pause();
    assert_eq!(speaker.surely_told().await, Overheard::CaughtUp { to: 16_000, surely: true });
}

#[tokio::test]
async fn words_that_were_taken_as_they_were_do_not_come_twice() {
    let server = Server::start(Act::IsLate).await;
    let mut speaker = Speaker::before(&server.recognizer());
    speaker.speaks(0, 8_000, 7).await;
    speaker.pauses().await;
    // Nothing better comes in time.
    assert_eq!(speaker.settled().await, ("what are".to_owned(), 1, 8_000, 8_000));
    // What was meant comes with the next pause; the same audio is in it.
    speaker.pauses().await;
    assert_eq!(speaker.settled().await, (String::new(), u64::MAX, 0, 8_000));
}

#[tokio::test]
async fn what_is_not_answered_in_time_is_unsure() {
    let server = Server::start(Act::Hangs).await;
    let mut speaker = Speaker::before(&server.recognizer());
    speaker.speaks(0, 16_000, 7).await;
    speaker.pauses().await;
    assert_eq!(speaker.surely_told().await, Overheard::CaughtUp { to: 16_000, surely: false });
}

#[tokio::test]
async fn a_live_stream_that_fails_says_why() {
    for (act, wanted) in FAILURES {
        let server = Server::start(act).await;
        let mut speaker = Speaker::before(&server.recognizer());
        speaker.speaks(0, 160, 7).await;
        speaker.pauses().await;
        let why = loop {
            if let Overheard::Failed(why) = speaker.told().await {
                break why;
            }
        };
        assert!(
            why.starts_with("the transcription model \"ears\" ") && why.contains(wanted),
            "{act:?}: {why}"
        );
        assert!(!why.contains(KEY), "{why}");
        assert_eq!(speaker.told.next().await, None);
    }
}

#[tokio::test]
async fn whoever_does_not_listen_any_more_hangs_up() {
    let mut server = Server::start(Act::Hangs).await;
    let speaker = Speaker::before(&server.recognizer());
    speaker.speaks(0, 160, 7).await;
    let Speaker { speech, mut told } = speaker;
    tokio::select! {
        told = told.next() => panic!("{told:?}"),
        _ = server.seen() => {}
    }
    drop(told);
    server.left().await;
    assert!(speech.is_closed());
}

#[tokio::test]
async fn a_recognizer_that_listens_keeps_the_promises_of_those_that_do() {
    let server = Server::start(Act::Listens).await;
    live::keeps_the_contract(&server.recognizer(), 8_000).await;
}
