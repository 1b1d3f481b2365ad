//! A server that is killed in the middle of a recorded call: what was recorded plays, and the next start serves it.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use antiphon_api::endpoint::{NoBody, NoQuery, WavFile};
use antiphon_api::rest::calls::{
    CreateCall, CreateCallQuery, EndReason, ReadCall, ReadCallRecording, StartCallRequest,
};
use antiphon_audio::Wav;
use antiphon_client::rest::Client;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

/// How much has to be on the disk before the server is killed.
const ENOUGH: usize = 16_000;

fn scratch(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// A server in this directory, and its URL. The key is shown by the first one only.
async fn serve(directory: &Path, key: &mut Option<String>) -> (Child, Client) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_antiphon"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("ANTIPHON_LOG", "error")
        .env("ANTIPHON_TRANSCRIPTION__TYPE", "none")
        .current_dir(directory)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut url = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some(at) = line.strip_prefix("Antiphon listens at ") {
            url = at.to_owned();
        }
        if let Some(made) = line.trim().strip_prefix("export ANTIPHON_API_KEY=") {
            *key = Some(made.to_owned());
        }
        if line.starts_with("Clients of") {
            break;
        }
    }
    let client = Client::builder().url(url).key(key.clone().unwrap()).build().unwrap();
    (process, client)
}

fn read(path: &Path) -> Wav {
    Wav::read(File::open(path).unwrap()).unwrap()
}

#[tokio::test]
async fn a_killed_server_leaves_a_recording_that_plays() {
    let directory = scratch("killed");
    let mut key = None;
    let (mut server, client) = serve(&directory, &mut key).await;
    let request: StartCallRequest = serde_json::from_value(json!({
        "recordingEnabled": true,
        "medium": {"serverWebSocket": {"inputSampleRate": 16_000}},
        "firstSpeakerSettings": {"agent": {"uninterruptible": true, "text":
            "Good morning, this is the bakery. We have rye bread, wheat bread, rolls with and without seeds, and cakes \
             for every day of the week. What would you like to order today, and when will you fetch it?"}},
    }))
    .unwrap();
    let call = client.send(CreateCall, &(), &CreateCallQuery::default(), &request).await.unwrap();
    let (mut socket, _) = connect_async(call.join_url.unwrap()).await.unwrap();
    let partial = directory.join("recordings").join(format!("{}.partial.wav", call.call_id));

    // The user's microphone runs with the agent's voice, which comes in real time.
    let frame: Vec<u8> = [7, 0].repeat(320);
    let mut on_disk = 0;
    while on_disk < ENOUGH {
        match socket.next().await.expect("the agent speaks long enough").unwrap() {
            Message::Binary(_) => socket.send(Message::binary(frame.clone())).await.unwrap(),
            Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            Message::Close(_) => panic!("the call ended before it was recorded"),
        }
        let so_far = File::open(&partial).ok().and_then(|file| Wav::read(file).ok());
        on_disk = so_far.map_or(0, |wav| wav.samples.len() / 2);
    }
    // SIGKILL: nothing is tidied up.
    server.kill().await.unwrap();

    let left_behind = read(&partial);
    assert_eq!((left_behind.rate_hz, left_behind.channels), (16_000, 2));
    assert!(left_behind.samples.len() >= 2 * ENOUGH);
    assert!(left_behind.channel(0).iter().filter(|sample| **sample == 7).count() > ENOUGH / 2, "the user");
    assert!(left_behind.channel(1).iter().any(|sample| sample.unsigned_abs() > 1_000), "the agent");

    let (_server, client) = serve(&directory, &mut key).await;
    let ended = client.send(ReadCall, &call.call_id, &NoQuery, &NoBody).await.unwrap();
    assert_eq!(ended.end_reason, Some(EndReason::SystemError));
    let WavFile(served) = client.send(ReadCallRecording, &call.call_id, &NoQuery, &NoBody).await.unwrap();
    assert_eq!(Wav::read(&served[..]).unwrap(), left_behind);
    assert!(!partial.exists(), "it has its name now");

    // And it can be heard again, at other settings.
    let replay = Command::new(env!("CARGO_BIN_EXE_antiphon"))
        .args(["replay", &call.call_id.to_string(), "--audio", "--set", "frameActivationThreshold=0.4"])
        .env_clear()
        .current_dir(&directory)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8(replay.stdout).unwrap();
    assert!(replay.status.success(), "{said}{}", String::from_utf8_lossy(&replay.stderr));
    assert!(said.contains("nothing changes") && said.contains("speech: 0 edges as in the call"), "{said}");
}
