//! What a recorded call leaves behind (protocol.md 7.8, A-53). Both sides have the recording's rate, so that every sample can be
//! compared with what was sent.

use std::ops::Range;

use antiphon_audio::Wav;
use reqwest::Method;
use serde_json::{Value, json};

use crate::speech::{spoken, words};
use crate::stand::{Stand, backends};

/// Samples in a duration as messages spell it.
fn samples(duration: &Value) -> usize {
    let seconds: f64 = duration.as_str().unwrap().trim_end_matches('s').parse().unwrap();
    (seconds * 1e6).round() as usize * 16_000 / 1_000_000
}

/// Where in the recording a message says it is.
fn stretch(message: &Value) -> Range<usize> {
    let span = &message["metadata"]["antiphon.recordedTimespan"];
    samples(&span["start"])..samples(&span["end"])
}

fn contains(side: &[i16], sound: &[i16]) -> bool {
    side.windows(sound.len()).any(|window| window == sound)
}

/// Speech without the silence around it, and without its fading sounds, which the detector does not count.
fn trimmed(speech: &[i16]) -> &[i16] {
    let loud = |sample: &i16| sample.unsigned_abs() > 1_000;
    let (from, to) = (speech.iter().position(loud).unwrap(), speech.iter().rposition(loud).unwrap());
    &speech[from..=to]
}

async fn wav(stand: &Stand, path: &str) -> Wav {
    let (status, headers, bytes) = stand.fetch(path, None).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&bytes));
    assert_eq!(headers["content-type"], "audio/wav");
    assert_eq!(headers["content-length"], bytes.len().to_string().as_str());
    Wav::read(&bytes[..]).unwrap()
}

#[tokio::test]
async fn a_recorded_call_can_be_heard_as_it_was_heard_and_message_by_message() {
    let stand = Stand::hearing(&["tell me a story", "wait"]).await;
    let fields = json!({"recordingEnabled": true, "firstSpeakerSettings": {"user": {}}});
    let (call, mut caller) = stand.call(fields).await;
    let path = format!("/api/calls/{}", call["callId"].as_str().unwrap());
    let recording = format!("{path}/recording");

    caller.until_state("listening").await;
    let (question, interruption) = (spoken("Tell me a story.").await, words("Wait, wait a moment.").await);
    caller.audio(&question).await;
    caller
        .until("a few words", |message| message["type"] == "transcript" && message["delta"] == " time")
        .await;
    let (early, _, _) = stand.fetch(&recording, None).await;
    assert_eq!(early, 425);
    caller.audio(&interruption).await;
    caller.until_type("playback_clear_buffer").await;
    caller.hang_up().await;
    stand.ended(&call).await;

    let whole = wav(&stand, &recording).await;
    assert_eq!((whole.rate_hz, whole.channels), (16_000, 2));
    let (user, agent) = (whole.channel(0), whole.channel(1));
    assert!(contains(&user, trimmed(&question)) && contains(&user, trimmed(&interruption)));

    let page = stand.get(&format!("{path}/messages")).await;
    let messages = page["results"].as_array().unwrap();
    assert_eq!(messages[0]["text"], "tell me a story");
    assert_eq!(messages[1]["role"], "MESSAGE_ROLE_AGENT");
    let audio = |message: &Value| {
        let (stage, index) =
            (message["callStageId"].as_str().unwrap(), message["callStageMessageIndex"].as_u64().unwrap());
        format!("{path}/stages/{stage}/messages/{index}/audio")
    };
    let asked = wav(&stand, &audio(&messages[0])).await;
    assert_eq!((asked.rate_hz, asked.channels), (16_000, 1));
    assert!(contains(&asked.samples, trimmed(&question)), "the user's message is the user's voice");
    assert!(asked.samples.len() < question.len(), "and nothing else");

    // The agent is heard from the first sample of its message to the cut, and never else.
    let said = stretch(&messages[1]);
    assert!(said.len() > 1_600 && said.end <= agent.len(), "{said:?} of {}", agent.len());
    let heard = agent.iter().position(|sample| *sample != 0).unwrap();
    let silent = agent.iter().rposition(|sample| *sample != 0).unwrap();
    assert!(heard >= said.start && heard < said.start + 160, "{heard} in {said:?}");
    assert!(silent < said.end && silent + 1_600 > said.end, "{silent} in {said:?}");
    assert_eq!(wav(&stand, &audio(&messages[1])).await.samples, agent[said]);

    let (status, headers, header) = stand.fetch(&recording, Some("bytes=0-3")).await;
    assert_eq!((status.as_u16(), header.as_slice()), (206, &b"RIFF"[..]));
    let size = whole.samples.len() * 2 + 44;
    assert_eq!(headers["content-range"], format!("bytes 0-3/{size}").as_str());
    let (status, headers, _) = stand.fetch(&recording, Some("bytes=99999999-")).await;
    assert_eq!(status, 416);
    assert_eq!(headers["content-range"], format!("bytes */{size}").as_str());

    assert_eq!(stand.request(Method::DELETE, &path, None).await.0, 204);
    assert_eq!(stand.fetch(&recording, None).await.0, 404);
    assert_eq!(std::fs::read_dir(stand.directory.join("recordings")).unwrap().count(), 0);
}

#[tokio::test]
async fn what_was_written_has_no_sound_and_what_was_not_recorded_has_no_file() {
    let stand = Stand::hearing(&[]).await;
    let text = json!({
        "recordingEnabled": true, "initialOutputMedium": "MESSAGE_MEDIUM_TEXT",
        "firstSpeakerSettings": {"agent": {}},
    });
    for (fields, status) in [(text, 200), (json!({"firstSpeakerSettings": {"agent": {}}}), 404)] {
        let (call, mut caller) = stand.call(fields).await;
        caller.until_final("agent").await;
        caller.hang_up().await;
        stand.ended(&call).await;
        let path = format!("/api/calls/{}", call["callId"].as_str().unwrap());
        assert_eq!(stand.fetch(&format!("{path}/recording"), None).await.0, status);
        let page = stand.get(&format!("{path}/messages")).await;
        let stage = page["results"][0]["callStageId"].as_str().unwrap();
        for index in [0, 7] {
            let audio = format!("{path}/stages/{stage}/messages/{index}/audio");
            let (status, _, body) = stand.fetch(&audio, None).await;
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert!(status == 404 && body["detail"].is_string(), "{status} {body}");
        }
    }
    let recordings = std::fs::read_dir(stand.directory.join("recordings")).unwrap();
    assert_eq!(recordings.count(), 1, "only the call that asked for it is recorded");
}

#[tokio::test]
async fn a_recording_in_object_storage_is_heard_like_one_that_lies_here() {
    let directory = std::env::temp_dir().join(format!("antiphon-call-{}", uuid::Uuid::new_v4()));
    let stand = Stand::start_with(backends(&[]), directory.clone(), |config| {
        config.objects.url = Some(format!("file://{}/shared", directory.display()));
    })
    .await;
    let fields = json!({"recordingEnabled": true, "firstSpeakerSettings": {"agent": {}}});
    let (call, mut caller) = stand.call(fields).await;
    caller.until_final("agent").await;
    caller.hang_up().await;
    let id = call["callId"].as_str().unwrap();
    let files = [format!("recordings/{id}.wav"), format!("journals/{id}.journal")];
    let (here, there) = (files.each_ref().map(|file| directory.join(file)), directory.join("shared"));
    while here.iter().any(|file| file.exists()) || files.iter().any(|file| !there.join(file).exists()) {
        tokio::task::yield_now().await;
    }

    let path = format!("/api/calls/{id}");
    let whole = wav(&stand, &format!("{path}/recording")).await;
    let page = stand.get(&format!("{path}/messages")).await;
    let message = &page["results"][0];
    let stage = message["callStageId"].as_str().unwrap();
    let said = wav(&stand, &format!("{path}/stages/{stage}/messages/0/audio")).await;
    assert_eq!(said.samples, whole.channel(1)[stretch(message)]);
    assert!(said.samples.iter().any(|sample| *sample != 0));

    assert_eq!(stand.request(Method::DELETE, &path, None).await.0, 204);
    assert!(files.iter().all(|file| !there.join(file).exists()));
    assert_eq!(stand.fetch(&format!("{path}/recording"), None).await.0, 404);
    stand.stop().await;
}
