//! What a data connection hears: the same as a recording of the call, sample by sample.

use std::time::Duration;

use antiphon_audio::{SampleRate, Wav, signal};
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::participant::Participant;
use crate::speech::{spoken, words};
use crate::stand::{Stand, backends};

fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
}

async fn stand() -> Stand {
    let directory = std::env::temp_dir().join(format!("antiphon-data-{}", uuid::Uuid::new_v4()));
    Stand::start_with(backends(&["tell me a story", "wait"]), directory, |config| {
        config.outbound.allow = vec!["127.0.0.1".parse().unwrap()];
    })
    .await
}

/// A call in which the user asks, is answered and interrupts the answer, with a marker tone ahead of the question: what the
/// data connection heard, the recording, and the tone.
async fn heard(audio: Value) -> (Vec<i16>, Wav, Vec<i16>) {
    let stand = stand().await;
    let participant = Participant::listen().await;
    let request = json!({
        "dataConnection": participant.config(json!({"audioConfig": audio})),
        "recordingEnabled": true,
        "firstSpeakerSettings": {"user": {}},
    });
    let ((call, mut caller), peer) = tokio::join!(stand.call(request), participant.accept());
    let listening = tokio::spawn(listen(peer));
    caller.until_state("listening").await;
    let marker = signal::sine(SampleRate::EAR, 1_000.0, 0.5, Duration::from_millis(40));
    caller.audio(&marker).await;
    caller.audio(&spoken("Tell me a story.").await).await;
    caller
        .until("a few words", |message| message["type"] == "transcript" && message["delta"] == " time")
        .await;
    caller.audio(&words("Wait, wait a moment.").await).await;
    caller.until_type("playback_clear_buffer").await;
    caller.until_state("listening").await;
    caller.hang_up().await;
    let peer = listening.await.unwrap();
    let path = format!("/api/calls/{}/recording", stand.ended(&call).await["callId"].as_str().unwrap());
    let (status, _, bytes) = stand.fetch(&path, None).await;
    assert_eq!(status, 200);
    (samples(&peer.heard), Wav::read(&bytes[..]).unwrap(), marker)
}

async fn listen(mut peer: Caller) -> Caller {
    assert_eq!(peer.until_closed().await, 1000);
    peer
}

fn position(side: &[i16], sound: &[i16]) -> Option<usize> {
    side.windows(sound.len()).position(|window| window == sound)
}

#[tokio::test]
async fn both_sides_apart_are_the_recording_sample_by_sample() {
    let (heard, recording, marker) = heard(json!({})).await;
    assert_eq!((recording.rate_hz, recording.channels), (16_000, 2));
    let left: Vec<i16> = heard.iter().step_by(2).copied().collect();
    let right: Vec<i16> = heard.iter().skip(1).step_by(2).copied().collect();
    let at = position(&left, &marker).expect("the marker is on the left");
    assert_eq!(position(&recording.channel(0), &marker), Some(at));
    assert!(position(&right, &marker).is_none(), "and not on the right");
    assert!(right.iter().any(|sample| *sample != 0), "the agent is on the right");
    assert_eq!(heard.len(), recording.samples.len());
    assert!(heard == recording.samples, "every sample is where the recording has it");
}

#[tokio::test]
async fn mixed_is_the_sum_of_both_sides() {
    let (heard, recording, marker) = heard(json!({"channelMode": "CHANNEL_MODE_MIXED"})).await;
    let (user, agent) = (recording.channel(0), recording.channel(1));
    let sum: Vec<i16> = user.iter().zip(&agent).map(|(user, agent)| user.saturating_add(*agent)).collect();
    assert!(position(&heard, &marker).is_some());
    assert_eq!(heard.len(), sum.len());
    assert!(heard == sum);
}

#[tokio::test]
async fn another_rate_keeps_everything_in_its_place() {
    let (heard, recording, marker) = heard(json!({"sampleRate": 8000})).await;
    let left: Vec<i16> = heard.iter().step_by(2).copied().collect();
    let at = position(&recording.channel(0), &marker).unwrap() / 2;
    let loud = |sample: &i16| sample.unsigned_abs() > 8_000;
    let from = left.iter().position(loud).unwrap();
    // A tone of 1 kHz is loud within a quarter of its period; the filter blurs no more than that.
    assert!(from.abs_diff(at) <= 4, "{from} {at}");
    assert_eq!(heard.len().div_ceil(2), recording.samples.len().div_ceil(4));
}
