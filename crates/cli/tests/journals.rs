//! What `antiphon replay` and `antiphon explain` make of a call that was cut off: a real server is killed in the middle of one.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use antiphon_api::SampleRate;
use antiphon_api::endpoint::{NoBody, NoQuery};
use antiphon_api::rest::calls::{
    CallMedium, CreateCall, CreateCallQuery, ReadCall, ServerWebSocketMedium, StartCallRequest,
};
use antiphon_client::rest::Client;
use antiphon_server::call::journal::{Decision, path_in, read};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

/// A directory of this name without anything in it.
fn scratch(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn antiphon(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_antiphon"));
    command
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("ANTIPHON_LOG", "error")
        .env("ANTIPHON_JOURNAL__FLUSH_INTERVAL", "5ms")
        .current_dir(directory)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// A server in this directory, its URL and the key it made, if it did.
async fn serve(directory: &Path) -> (Child, String, Option<String>) {
    let mut process =
        antiphon(directory, &["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let (mut url, mut key) = (None, None);
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some(found) = line.strip_prefix("Antiphon listens at ") {
            url = Some(found.to_owned());
        }
        if let Some(found) = line.trim().strip_prefix("export ANTIPHON_API_KEY=") {
            key = Some(found.to_owned());
        }
        if line.starts_with("Clients of") {
            break;
        }
    }
    (process, url.unwrap(), key)
}

async fn output(directory: &Path, arguments: &[&str]) -> (Output, String) {
    let output = antiphon(directory, arguments).output().await.unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    (output, text)
}

fn request() -> StartCallRequest {
    let medium = ServerWebSocketMedium {
        input_sample_rate: SampleRate::new(16_000).unwrap(),
        output_sample_rate: None,
        client_buffer_size_ms: None,
        data_messages: None,
        media_idle_timeout: None,
    };
    StartCallRequest { medium: Some(CallMedium::ServerWebSocket(medium)), ..StartCallRequest::default() }
}

#[tokio::test]
async fn a_killed_server_leaves_a_call_that_can_be_replayed_and_explained_and_has_an_end() {
    let directory = scratch("journals");
    let (mut server, url, key) = serve(&directory).await;
    let key = key.unwrap();
    let client = Client::builder().url(&url).key(&key).build().unwrap();
    let call = client.send(CreateCall, &(), &CreateCallQuery::default(), &request()).await.unwrap();
    let (mut socket, _) = connect_async(call.join_url.as_deref().unwrap()).await.unwrap();
    let question = json!({"type": "user_text_message", "text": "Hello?", "urgency": "immediate"});
    socket.send(Message::text(question.to_string())).await.unwrap();

    // In the middle of the agent's answer, and once its beginning is in the journal.
    let path = path_in(&directory.join("journals"), call.call_id);
    let speaks = |decision: &Decision| matches!(decision, Decision::Play { .. });
    let mut kill = false;
    while !kill {
        socket.next().await.unwrap().unwrap();
        kill = read(&path)
            .is_ok_and(|journal| journal.entries.iter().any(|entry| entry.decisions.iter().any(speaks)));
    }
    server.kill().await.unwrap();

    let id = call.call_id.to_string();
    for (arguments, remedy) in [
        (&["replay", &id, "--set", "frameActivationThreshold=0.4"][..], "add --audio"),
        (&["replay", &id, "--audio"], "was not recorded"),
        (&["replay", &id, "--recordings", "."], "--audio"),
    ] {
        let (refused, _) = output(&directory, arguments).await;
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(remedy), "{arguments:?}: {said}");
    }
    let (replayed, text) = output(&directory, &["replay", &id]).await;
    assert!(replayed.status.success(), "{replayed:?}");
    assert!(text.starts_with("same") && text.contains("cut off by a crash"), "{text}");
    let (explained, text) =
        output(&directory, &["explain", path.to_str().unwrap(), "--json", "--svg", "call.svg"]).await;
    assert!(explained.status.success(), "{explained:?}");
    let explained: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(explained["complete"], false);
    assert!(explained["turns"][0]["marksMs"]["firstHeard"].is_number(), "{explained:#}");
    assert!(std::fs::read_to_string(directory.join("call.svg")).unwrap().ends_with("</svg>\n"));

    // The next start hands what was left to object storage, if there is one by then.
    let shared = directory.join("shared");
    std::fs::write(
        directory.join("antiphon.toml"),
        format!("[objects]\nurl = \"file://{}\"\n", shared.display()),
    )
    .unwrap();
    let (_server, url, _) = serve(&directory).await;
    let client = Client::builder().url(&url).key(&key).build().unwrap();
    let ended = client.send(ReadCall, &call.call_id, &NoQuery, &NoBody).await.unwrap();
    assert!(ended.ended.is_some() && ended.end_reason.is_some(), "{ended:?}");
    while path.exists() {
        tokio::task::yield_now().await;
    }
    assert!(path_in(&shared.join("journals"), call.call_id).exists());
    for arguments in [&["replay", &id][..], &["explain", &id]] {
        let (from_there, text) = output(&directory, arguments).await;
        assert!(from_there.status.success() && text.contains(&id), "{from_there:?}");
    }
    let (missing, _) = output(&directory, &["replay", &id, "--audio"]).await;
    let said = String::from_utf8(missing.stderr).unwrap();
    assert!(said.contains(&format!("nor in file://{}", shared.display())), "{said}");
    let other = "11111111-2222-4333-8444-555555555555";
    let (missing, _) = output(&directory, &["explain", other]).await;
    let said = String::from_utf8(missing.stderr).unwrap();
    assert!(missing.status.code() == Some(2) && said.contains("nor in file://"), "{said}");
}

#[tokio::test]
async fn what_cannot_be_replayed_is_named_with_what_to_do() {
    let directory = scratch("journals_missing");
    std::fs::write(directory.join("notes.txt"), "no journal").unwrap();
    for (arguments, code, complaint) in [
        (&["replay", "nonsense"][..], 2, "neither a call's id nor a file nor a directory"),
        (&["replay", "11111111-2222-4333-8444-555555555555"], 2, "left no journal at"),
        (&["replay", "."], 2, "there are no .journal files"),
        (&["explain", "notes.txt"], 1, "is no journal of a call"),
    ] {
        let (output, _) = output(&directory, arguments).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(complaint), "{arguments:?}: {said}");
    }
    let (output, text) = output(&directory, &["replay", "notes.txt"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("unreadable notes.txt: notes.txt is no journal"), "{text}");
}
