//! A recording that is heard again gives the turns that the call had. The user is people, recorded (Debian's
//! `pocketsphinx-testdata`), speaking to an agent for most of a minute.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use antiphon_audio::{SampleRate, Wav};
use antiphon_backends::registry::config::{
    ScriptedTurnDetectionConfig, TurnDetectionConfig, VoiceActivityConfig,
};
use antiphon_backends::voice_activity::earshot::Earshot;
use antiphon_engine::Input;
use antiphon_server::call::journal::rehearing::{EdgePair, Listeners, Rehearing, rehear};
use antiphon_server::call::journal::what_if::{Change, ChangeKind, WhatIf, what_if_heard};
use antiphon_server::call::journal::{self, EarSettings, Journal, Journals, UserText};
use antiphon_server::call::live::Files;
use antiphon_server::call::recording::Recordings;
use antiphon_server::storage::Storage;
use serde_json::json;

use crate::client::{Client, silence};
use crate::stand::{Stand, backends};

const DATA: &str = "/usr/share/pocketsphinx/test/data";

fn person(file: &str) -> Vec<i16> {
    let path = Path::new(DATA).join(file);
    let bytes = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; apt install pocketsphinx-testdata", path.display()));
    let mut samples = match Wav::read(&bytes[..]) {
        Ok(wav) => wav.channel(0),
        Err(_) => bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect(),
    };
    // Whole frames, since a client's microphone knows no other.
    samples.resize(samples.len().next_multiple_of(320), 0);
    samples
}

/// What a call left.
struct Left {
    journal: Journal,
    recording: Wav,
}

/// A call that is recorded at this rate. `speak` is the user.
async fn call(rate: u32, speak: impl AsyncFnOnce(&mut Client)) -> Left {
    let directory = std::env::temp_dir().join(format!("antiphon-rehearing-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&directory).unwrap();
    let journals = Journals {
        directory: directory.clone(),
        flush_interval: Duration::from_millis(100),
        user_text: UserText::Keep,
    };
    let recordings = Recordings::new(directory.clone(), SampleRate::new(rate).unwrap());
    let files = Files { journals: Some(journals.clone()), recordings: Some(recordings), ..Files::default() };
    let mut backends = backends();
    backends.voice_activity = Arc::new(Earshot);
    let stand = Stand::with_files(backends, files, Storage::in_memory());
    let (call, mut client) = stand.call(json!({"recordingEnabled": true})).await;
    speak(&mut client).await;
    client.hang_up();
    stand.ended(call).await;
    let journal = loop {
        match journal::read(&journals.path(call)) {
            Ok(journal) if journal.is_complete() => break journal,
            Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    };
    let recording = Wav::read(File::open(directory.join(format!("{call}.wav"))).unwrap()).unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    Left { journal, recording }
}

fn listeners() -> Listeners {
    Listeners::build(VoiceActivityConfig::Earshot, &TurnDetectionConfig::None).unwrap()
}

fn again(left: &Left, ear: EarSettings) -> (Rehearing, WhatIf) {
    let rehearing = rehear(&left.journal, &left.recording, &listeners(), ear).unwrap();
    let what_if = what_if_heard(&left.journal, left.journal.header.config.clone(), &rehearing, &listeners());
    (rehearing, what_if)
}

/// Several people, with pauses between them in which the agent answers, and one who speaks over it.
async fn conversation(client: &mut Client) {
    client.speak(&silence(Duration::from_millis(740))).await;
    for file in ["goforward.raw", "cards/001.wav", "cards/002.wav", "cards/003.wav"] {
        client.speak(&person(file)).await;
        client.speak(&silence(Duration::from_millis(2_500))).await;
    }
    client.speak(&person("cards/004.wav")).await;
    client.speak(&silence(Duration::from_millis(600))).await;
    client.speak(&person("librivox/sense_and_sensibility_01_austen_64kb-0870.wav")).await;
    client.speak(&silence(Duration::from_millis(3_000))).await;
}

fn most_moved(edges: &[EdgePair]) -> Duration {
    edges.iter().filter_map(EdgePair::moved).max().unwrap_or_default()
}

fn unmatched(edges: &[EdgePair]) -> Vec<&EdgePair> {
    edges.iter().filter(|pair| pair.moved().is_none()).collect()
}

#[tokio::test(start_paused = true)]
async fn with_the_same_settings_the_turns_are_the_same() {
    for (rate, most) in [(16_000, 0), (24_000, 16), (48_000, 16)] {
        let left = call(rate, conversation).await;
        let (Rehearing { edges, .. }, what_if) = again(&left, left.journal.header.ear);
        println!(
            "{rate} Hz: {} edges, off by at most {:?}, {:?}",
            edges.len(),
            most_moved(&edges),
            unmatched(&edges)
        );
        assert!(edges.len() >= 12, "{edges:#?}");
        assert_eq!(unmatched(&edges), [&EdgePair { border: edges[0].border, before: None, after: None }; 0]);
        assert!(most_moved(&edges) <= Duration::from_millis(most), "{rate} Hz: {edges:#?}");
        assert!(what_if.before.len() >= 5, "{:#?}", what_if.before);
        assert_eq!(what_if.after.len(), what_if.before.len());
        assert_eq!(what_if.changes, []);
        assert_eq!(what_if.unknown, [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_network_that_jitters_moves_edges_a_little_and_changes_no_turn() {
    let left = call(16_000, async |client| {
        let mut speech = silence(Duration::from_millis(500));
        for file in ["goforward.raw", "cards/001.wav", "cards/002.wav"] {
            speech.extend(person(file));
            speech.extend(silence(Duration::from_millis(2_000)));
        }
        for (frame, wait) in speech.chunks(320).zip([5, 41, 3, 20, 31].into_iter().cycle()) {
            client.send(frame).await;
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
    })
    .await;
    let (Rehearing { edges, .. }, what_if) = again(&left, left.journal.header.ear);
    println!("jitter: {} edges, off by at most {:?}", edges.len(), most_moved(&edges));
    assert_eq!(unmatched(&edges).len(), 0, "{edges:#?}");
    assert!(most_moved(&edges) <= Duration::from_millis(52), "{edges:#?}");
    assert_eq!(what_if.after.len(), what_if.before.len());
    assert_eq!(what_if.changes, []);
}

#[tokio::test(start_paused = true)]
async fn a_turn_detector_can_be_tried_on_a_call_that_had_none() {
    let left = call(16_000, conversation).await;
    let patient = TurnDetectionConfig::Scripted(ScriptedTurnDetectionConfig { until_ms: 60_000 });
    let patient = Listeners::build(VoiceActivityConfig::Earshot, &patient).unwrap();
    let rehearing = rehear(&left.journal, &left.recording, &patient, left.journal.header.ear).unwrap();
    let config = left.journal.header.config.clone();
    let what_if = what_if_heard(&left.journal, config, &rehearing, &patient);
    let later =
        |change: &&Change| matches!(change.kind, ChangeKind::TurnLater(by) if by > Duration::from_secs(1));
    let later = what_if.changes.iter().filter(later).count();
    assert!(later >= 3, "it gives every turn the longest delay: {:#?}", what_if.changes);
}

#[tokio::test(start_paused = true)]
async fn a_deafer_ear_hears_less_and_its_turns_change() {
    let left = call(16_000, conversation).await;
    let deaf = EarSettings { threshold: 1.0, ..left.journal.header.ear };
    let (rehearing, what_if) = again(&left, deaf);
    let speech = |inputs: &[(_, Input)]| {
        inputs.iter().filter(|(_, input)| matches!(input, Input::SpeechStarted { .. })).count()
    };
    let in_call: Vec<_> =
        left.journal.entries.iter().filter_map(|e| Some((e.at, e.input.clone()?))).collect();
    assert!(speech(&in_call) > 0);
    assert_ne!(speech(&rehearing.inputs), speech(&in_call));
    let changed =
        |change: &Change| matches!(change.kind, ChangeKind::TurnRemoved | ChangeKind::TurnEarlier(_));
    assert!(what_if.changes.iter().any(changed), "{:#?}", what_if.changes);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_nothing_while_nobody_speaks_is_heard_as_in_the_call() {
    // It stops in the middle of a word, and goes on seconds later.
    let left = call(16_000, async |client| {
        let speech = person("goforward.raw");
        client.speak(&silence(Duration::from_millis(300))).await;
        client.speak(&speech[..20_000]).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        client.speak(&speech).await;
        client.speak(&silence(Duration::from_millis(2_000))).await;
    })
    .await;
    let (Rehearing { edges, .. }, what_if) = again(&left, left.journal.header.ear);
    assert!(most_moved(&edges) <= Duration::from_millis(32), "{edges:#?}");
    assert_eq!(unmatched(&edges).len(), 0, "{edges:#?}");
    assert_eq!(what_if.changes, []);
}
