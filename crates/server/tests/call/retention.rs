//! Files of calls that are over go when they are old enough.

use std::fs::File;
use std::time::{Duration, SystemTime};

use antiphon_server::storage::{Severity, Storage};
use serde_json::json;

use crate::stand::{Stand, backends};

const HOUR: Duration = Duration::from_secs(60 * 60);

#[tokio::test]
async fn a_recording_and_a_journal_that_are_old_enough_are_removed_and_the_call_stays() {
    let directory = std::env::temp_dir().join(format!("antiphon-call-{}", uuid::Uuid::new_v4()));
    let start = || {
        Stand::start_with(backends(&[]), directory.clone(), |config| {
            config.recordings.keep = Some(HOUR);
            config.journal.keep = Some(HOUR);
        })
    };
    let stand = start().await;
    let mut calls = Vec::new();
    for _ in 0..2 {
        let (call, mut caller) = stand.call(json!({"recordingEnabled": true})).await;
        caller.until_final("agent").await;
        caller.hang_up().await;
        calls.push(stand.ended(&call).await);
    }
    stand.stop().await;

    // Two hours pass for the first call, half an hour for the second.
    let id = |index: usize| calls[index]["callId"].as_str().unwrap();
    let files = |index| {
        [format!("journals/{}.journal", id(index)), format!("recordings/{}.wav", id(index))]
            .map(|file| directory.join(file))
    };
    for (index, age) in [(0, 2 * HOUR), (1, HOUR / 2)] {
        for path in files(index) {
            let file = File::options().write(true).open(path).unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
        }
    }

    let stand = start().await;
    while files(0).iter().any(|file| file.exists()) {
        tokio::task::yield_now().await;
    }
    let recording = |index| format!("/api/calls/{}/recording", id(index));
    assert_eq!(stand.fetch(&recording(0), None).await.0, 404);
    assert_eq!(stand.fetch(&recording(1), None).await.0, 200);
    assert!(!stand.messages(&calls[0]).await.is_empty(), "the call's record stays");
    assert!(files(1).iter().all(|file| file.exists()));

    let storage = Storage::open_sqlite(&directory.join("antiphon.db")).await.unwrap();
    let told = async || {
        let events = storage.calls.events(id(0).parse().unwrap(), Severity::Info, 100).await.unwrap();
        events.iter().any(|event| event.kind == "recording.removed")
    };
    while !told().await {
        tokio::task::yield_now().await;
    }
    storage.close().await;
    stand.stop().await;
}
