//! Every example of the SDK, run against the real server.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

#[expect(dead_code, reason = "its main function is not called")]
#[path = "../../client/examples/agent_call.rs"]
mod agent_call;
#[expect(dead_code, reason = "its main function is not called")]
#[path = "../../client/examples/bridge_wav.rs"]
mod bridge_wav;
#[expect(dead_code, reason = "its main function is not called")]
#[path = "../../client/examples/data_connection.rs"]
mod data_connection;
#[expect(dead_code, reason = "its main function is not called")]
#[path = "../../client/examples/talk.rs"]
mod talk;
#[expect(dead_code, reason = "its main function is not called")]
#[path = "../../client/examples/text_chat.rs"]
mod text_chat;
#[expect(dead_code, reason = "its main function is not called")]
#[path = "../../client/examples/tool.rs"]
mod tool;

#[path = "support/app.rs"]
mod app;

use std::fs::File;
use std::path::{Path, PathBuf};

use antiphon_audio::{Wav, signal};
use antiphon_client::rest::Client;
use antiphon_client::transcript::Transcripts;
use antiphon_server::app::Running;

/// The real server with everything offline, and a client of it.
async fn server(name: &str) -> (Running, Client) {
    let name = format!("examples_{name}");
    let (running, url, key) = app::start(&name, |config| config.outbound.allow_private = true).await;
    (running, Client::builder().url(url).key(key).build().unwrap())
}

fn question() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/hours.wav")
}

fn answer(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn is_audible(path: &Path) -> bool {
    signal::level(&Wav::read(File::open(path).unwrap()).unwrap().samples) > -50.0
}

fn said(transcripts: &Transcripts) -> Vec<String> {
    let line = |said: &antiphon_client::transcript::Utterance| format!("{}: {}", said.role, said.text.trim());
    transcripts.utterances().map(line).collect()
}

const GREETING: &str = "agent: Hello, this is Antiphon Bakery. How can I help you?";

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_in_writing() {
    let (server, client) = server("text_chat").await;
    let said = said(&text_chat::chat(&client, ["When are you open?".to_owned()]).await.unwrap());
    assert_eq!(said[..2], [GREETING, "user: When are you open?"]);
    assert!(said[2].starts_with("agent: We are open from seven"), "{said:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool() {
    let (server, client) = server("tool").await;
    let said = said(&tool::ask(&client, "Where is my order?").await.unwrap());
    let told =
        |line: &String| line.starts_with("agent: ") && line.contains("Two loaves of sourdough are ready.");
    assert!(said.iter().any(told), "{said:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_talk() {
    let (server, client) = server("talk").await;
    let answer = answer("examples_talk.wav");
    let said = said(&talk::talk(&client, &question(), &answer).await.unwrap());
    assert!(said.iter().any(|line| line.starts_with("agent: ")), "{said:?}");
    assert!(is_audible(&answer));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridged_file() {
    let (server, client) = server("bridge_wav").await;
    let answer = answer("examples_bridge_wav.wav");
    let happened = bridge_wav::bridge(&client, &question(), &answer).await.unwrap();
    assert_eq!(happened[..2], ["HTTPResponse", "ConnectorInformation"]);
    for event in ["State", "Transcript", "WebSocketMediaStarted", "WebSocketMediaEnded"] {
        assert!(happened.contains(&event), "{event} is not among {happened:?}");
    }
    assert_eq!(happened.last(), Some(&"WebSocketClose"));
    assert!(is_audible(&answer));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observed_call() {
    let (server, client) = server("data_connection").await;
    let observed = data_connection::observe(&client).await.unwrap();
    for message in ["call_started", "state", "transcript"] {
        assert!(observed.messages.iter().any(|kind| kind == message), "{message}: {observed:?}");
    }
    assert!(observed.samples > 16_000, "{observed:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_and_its_call() {
    let (server, client) = server("agent_call").await;
    assert_eq!(agent_call::greeted(&client, "Ada").await.unwrap().trim(), "Hello Ada, how are you?");
    server.stop().await;
}
