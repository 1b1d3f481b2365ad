//! `antiphon scenario` as those meet it who write scenarios: the log, the exit codes, the sound, the rules for what is outside.

#![cfg(feature = "scenario")]
#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

#[path = "support/app.rs"]
mod app;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use antiphon_audio::Wav;
use tokio::process::Command;

/// `antiphon scenario` with nothing in its environment but what is given.
fn scenario(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_antiphon"));
    command
        .arg("scenario")
        .args(args)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// A scenario in a file of this name.
fn write(name: &str, source: &str) -> String {
    let path = path(name);
    std::fs::write(&path, source).unwrap();
    path.to_str().unwrap().to_owned()
}

fn asset(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(name).to_str().unwrap().to_owned()
}

fn example(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/scenarios")
        .join(name)
        .to_str()
        .unwrap()
        .to_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What was logged, without the times.
fn log(output: &Output) -> Vec<String> {
    text(&output.stdout)
        .lines()
        .map(|line| line.split_once("  ").map_or("", |(_, text)| text).to_owned())
        .collect()
}

async fn run(args: &[&str]) -> Output {
    scenario(args).output().await.unwrap()
}

#[tokio::test]
async fn the_log_has_times_and_the_end_has_a_code() {
    for (name, source, code, last) in [
        ("ends.js", "setTimeout(VoxEngine.terminate, 100); Logger.write('one\\ntwo \\u001b[2J');", 0, ""),
        (
            "throws.js",
            "Logger.write('one'); undefined.x;",
            3,
            "error: the scenario was ended by an error that it did not catch",
        ),
        (
            "rejects.js",
            "Promise.reject(new Error('x')); setTimeout(VoxEngine.terminate, 100);",
            3,
            "error: the scenario had an error that it did not catch",
        ),
        ("loops.js", "for (;;);", 4, "error: the scenario was ended: a callback ran for longer than one may"),
        (
            "grows.js",
            "const all = []; for (;;) all.push(new Array(100).fill('x'));",
            4,
            "error: the scenario was ended: the scenario wanted more memory than a session may have",
        ),
    ] {
        let output = run(&[&write(name, source), "--start"]).await;
        assert_eq!(output.status.code(), Some(code), "{name}: {output:?}");
        assert_eq!(text(&output.stderr).trim(), last, "{name}");
    }
    let output = run(&[path("ends.js").to_str().unwrap(), "--start"]).await;
    let out = text(&output.stdout);
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("00:00.") && lines[0].ends_with("  one"), "{out}");
    assert_eq!(lines[1], "               two  [2J");
    assert!(lines[2].ends_with("-- the session ends: the scenario called VoxEngine.terminate()"), "{out}");
}

#[tokio::test]
async fn a_session_lasts_no_longer_than_it_is_given() {
    let output = run(&[&write("waits.js", ""), "--start", "--time-limit", "1"]).await;
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(
        text(&output.stderr).trim(),
        "error: the scenario was ended: it has lasted as long as a session may"
    );
}

#[tokio::test]
async fn a_wrong_command_line_is_told_before_anything_runs() {
    let good = write("good.js", "Logger.write('ran');");
    let wav = asset("hours.wav");
    for (args, complaint) in [
        (vec!["nowhere.js", "--start"], "cannot read the scenario nowhere.js: No such file"),
        (vec![&good], "--call"),
        (vec![&good, "--call", "nowhere.wav"], "cannot use nowhere.wav: No such file"),
        (vec![&good, "--call", &good], "not a WAV file"),
        (
            vec![&good, "--start", "--secret", "KEY=NOT_SET"],
            "the environment variable for --secret KEY is not set",
        ),
        (vec![&good, "--start", "--secret", "hunter2"], "--secret needs NAME=VARIABLE"),
        (vec![&good, "--call", &wav, "--header", "X-A"], "--header needs NAME=VALUE, not \"X-A\""),
        (vec![&good, "--call", &wav, "--press", "1=x"], "--press needs SECONDS=KEY"),
        (vec![&good, "--start", "--url", "nonsense"], "URL"),
        (vec![&good, "--call", &wav, "--output", "/nowhere/heard.wav"], "cannot write /nowhere/heard.wav"),
        #[cfg(not(feature = "audio-devices"))]
        (vec![&good, "--call", "sound-card"], "this build has no microphone and speaker"),
    ] {
        let output = run(&args).await;
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.contains(complaint), "{args:?}: {error}");
        assert!(output.stdout.is_empty() && !error.contains("hunter2"), "{args:?}: {error}");
    }
}

#[tokio::test]
async fn a_scenario_is_given_what_the_command_line_says() {
    let source = "const greet = (name) => Logger.write(`hello ${name}`);";
    let (tools, main) = (write("tools.js", source), write(
        "given.js",
        "VoxEngine.addEventListener(AppEvents.CallAlerting, ({call, destination, callerid, displayName, headers}) => {
            greet(VoxEngine.getSecretValue('NAME'));
            Logger.write([destination, callerid, displayName, headers['X-A'], VoxEngine.customData()].join(' '));
            call.handleTones(true);
            call.addEventListener(CallEvents.ToneReceived, ({tone}) => { Logger.write(tone); if (tone === '#') VoxEngine.terminate(); });
            call.answer();
        });",
    ));
    let args = [
        &tools,
        &main,
        "--call",
        &asset("hours.wav"),
        "--number",
        "1",
        "--callerid",
        "2",
        "--display-name",
        "Ada",
        "--header",
        "X-A=b=c",
        "--custom-data",
        "{}",
        "--secret",
        "NAME=WHO",
        "--press",
        "0.3=#",
        "--press",
        "0.1=7",
    ];
    let output = scenario(&args).env("WHO", "you").output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said: Vec<String> = log(&output).into_iter().filter(|line| !line.starts_with("-- ")).collect();
    assert_eq!(said, ["hello you", "1 2 Ada b=c {}", "7", "#"], "{output:?}");
}

/// A server that answers one request, and its URL.
fn answering() -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook?a=1", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut piece = [0; 4096];
        while !request.ends_with(b"k=v+w") {
            let count = stream.read(&mut piece).unwrap();
            request.extend_from_slice(&piece[..count]);
        }
        stream.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nX-Found: yes\r\n\r\nok").unwrap();
        text(&request)
    });
    (url, serving)
}

#[tokio::test]
async fn requests_reach_private_addresses_only_where_that_is_allowed() {
    let source = "Net.httpRequestAsync(VoxEngine.customData(), {method: 'POST', headers: ['X-Key: secret'], params: {b: '2 3'}, postData: {k: 'v w'}})
        .then(({code, text, error, headers}) => {
            Logger.write([code, text, error, headers.find(({key}) => key === 'x-found')?.value].join('|')); VoxEngine.terminate();
        });";
    let source = write("requests.js", source);
    let (url, serving) = answering();
    let output = run(&[&source, "--start", "--custom-data", &url]).await;
    let said = log(&output);
    assert!(said[0].starts_with("0||127.0.0.1 is at 127.0.0.1, a loopback address, which scenarios may only reach with --allow-private"), "{said:?}");

    let output = run(&[&source, "--start", "--custom-data", &url, "--allow-private"]).await;
    assert_eq!(log(&output)[0], "201|ok||yes", "{output:?}");
    let request = serving.join().unwrap();
    assert!(request.starts_with("POST /hook?a=1&b=2+3 HTTP/1.1\r\n"), "{request}");
    assert!(
        request.contains("x-key: secret") && request.contains("application/x-www-form-urlencoded"),
        "{request}"
    );

    for (url, error) in [
        ("http://169.254.169.254/latest/meta-data", "where a cloud keeps a machine's credentials"),
        ("file:///etc/passwd", "cannot be dialled"),
        ("nonsense", "the URL cannot be read"),
    ] {
        let output = run(&[&source, "--start", "--custom-data", url, "--allow-private"]).await;
        assert!(log(&output)[0].contains(error), "{url}: {output:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_speaks_with_the_server_and_both_are_heard() {
    let (server, url, key) = app::start("scenario", |_| {}).await;
    let heard = path("scenario_heard.wav");
    let args = [
        &example("incoming.js"),
        "--url",
        &url,
        "--call",
        &asset("hours.wav"),
        "--output",
        heard.to_str().unwrap(),
        "--secret",
        "ULTRAVOX_API_KEY=THE_KEY",
        "--linger",
        "3",
    ];
    let output = scenario(&args)
        .env("THE_KEY", &key)
        .env("PATH", std::env::var_os("PATH").unwrap())
        .output()
        .await
        .unwrap();
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out} {}", text(&output.stderr));
    // The caller speaks over the greeting, and interrupts the agent by being heard.
    for event in ["HTTPResponse", "ConnectorInformation", "State", "Transcript", "PlaybackClearBuffer"] {
        assert!(out.contains(&format!("\"customEvent\":\"{event}\"")), "{event}: {out}");
    }
    let recorded = Wav::read(File::open(&heard).unwrap()).unwrap();
    let loud = recorded.samples.iter().filter(|sample| sample.unsigned_abs() > 500).count();
    assert!(loud > 800, "{loud} samples of the agent");

    // A key that is not the scenario's: this command's own, from the environment.
    let args = [
        &example("incoming.js"),
        "--url",
        &url,
        "--call",
        &asset("hours.wav"),
        "--secret",
        "ULTRAVOX_API_KEY=WRONG",
        "--linger",
        "3",
    ];
    let command = |own: &[&str]| {
        let mut command = scenario(&[&args, own].concat());
        command.env("WRONG", "wrong.key").env("ANTIPHON_API_KEY", &key);
        command
    };
    let output = command(&[]).output().await.unwrap();
    assert!(text(&output.stdout).contains("there is no agent: Error: "), "{output:?}");
    assert!(!text(&output.stdout).contains("wrong.key"), "{output:?}");
    let output = command(&["--own-key"]).output().await.unwrap();
    assert!(text(&output.stdout).contains("\"customEvent\":\"ConnectorInformation\""), "{output:?}");
    server.stop().await;
}
