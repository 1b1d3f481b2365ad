//! From the disk of a node to object storage.

use std::time::Duration;

use antiphon_server::call::recording::{Side, Unreadable};
use antiphon_server::jobs::hand_over::Round;
use futures::TryStreamExt as _;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::stand::Stand;
use crate::weather::Weather;

const MINUTE: Duration = Duration::from_secs(60);

fn done(done: usize) -> Round {
    Round { done, ..Round::default() }
}

#[tokio::test(start_paused = true)]
async fn what_a_call_left_goes_to_object_storage_and_every_node_reads_it_from_there() {
    let here = Stand::new().await;
    let call = here.ended().await;
    let neighbour = here.neighbour().await;
    let before = here.heard(call).await.unwrap();
    assert_eq!(neighbour.heard(call).await, None, "it lies with another node");

    assert_eq!(here.hand_over().round().await, done(2));
    assert!(here.files().is_empty(), "{:?}", here.files());
    let names = [format!("a/journals/{call}.journal"), format!("a/recordings/{call}.wav")];
    assert_eq!(here.store.names().await, names);
    for node in [&here, &neighbour] {
        assert!(node.heard(call).await.unwrap() == before);
    }
    assert_eq!(here.figure("antiphon_objects_handed_over_total"), Some(2));
    assert_eq!(here.figure("antiphon_objects_waiting"), Some(0));
    assert_eq!(here.hand_over().round().await, done(0));
}

#[tokio::test(start_paused = true)]
async fn parts_and_single_sides_are_read_from_there_as_from_the_disk() {
    let stand = Stand::new().await;
    let call = stand.ended().await;
    let read = async || {
        let open = async || stand.recordings.open(call).await.unwrap().unwrap();
        let bytes: Vec<_> = open().await.bytes(101..50_003).await.unwrap().try_collect().await.unwrap();
        let stretch = Duration::from_millis(250)..Duration::from_millis(900);
        let (length, side) = open().await.side(Side::Agent, stretch).await.unwrap();
        let side: Vec<_> = side.try_collect().await.unwrap();
        assert_eq!(side.concat().len() as u64, length);
        let beyond: Vec<_> =
            open().await.bytes(9_999_999..u64::MAX).await.unwrap().try_collect().await.unwrap();
        assert!(beyond.concat().is_empty());
        (bytes.concat(), side.concat(), open().await.duration(), open().await.size())
    };
    let from_disk = read().await;
    stand.hand_over().round().await;
    assert!(stand.files().is_empty());
    assert!(read().await == from_disk);
    assert_eq!(from_disk.0.len(), 50_003 - 101);
}

#[tokio::test(start_paused = true)]
async fn while_the_storage_is_away_everything_is_read_from_here_and_tried_ever_less_often() {
    let stand = Stand::new().await;
    let call = stand.ended().await;
    stand.store.turn(Weather::Away);
    let stop = CancellationToken::new();
    let running = tokio::spawn(stand.hand_over().run(stop.clone()));
    sleep(10 * MINUTE).await;
    assert!(stand.heard(call).await.is_some());
    assert_eq!(stand.files().len(), 2);
    assert_eq!(stand.figure("antiphon_objects_waiting"), Some(2));
    let attempts = stand.store.attempts();
    assert!((16..60).contains(&attempts), "{attempts} attempts");
    assert_eq!(stand.figure("antiphon_object_failures_total{operation=\"get\"}"), Some(attempts as u64));

    stand.store.turn(Weather::Fine);
    sleep(2 * MINUTE).await;
    assert!(stand.files().is_empty());
    assert_eq!(stand.figure("antiphon_objects_waiting"), Some(0));

    // From then on a call that ends is handed over at once.
    stand.ended().await;
    stand.objects.ring();
    sleep(Duration::from_secs(2)).await;
    assert!(stand.files().is_empty());

    // One that ends while the node stops goes with it.
    stand.ended().await;
    stop.cancel();
    running.await.unwrap();
    assert!(stand.files().is_empty());
    assert_eq!(stand.store.names().await.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_does_not_answer_costs_its_patience_and_an_error() {
    let stand = Stand::new().await;
    let call = stand.ended().await;
    stand.hand_over().round().await;
    stand.store.turn(Weather::Silent);
    let began = Instant::now();
    let failed = stand.recordings.open(call).await.unwrap_err();
    assert!(matches!(failed, Unreadable::Store(_)), "{failed}");
    assert_eq!(
        failed.to_string(),
        "the object storage memory does not do its work: it does not answer in time"
    );
    assert_eq!(began.elapsed(), Duration::from_secs(10));
    // What lies here does not ask it.
    let began = Instant::now();
    let other = stand.ended().await;
    assert!(stand.heard(other).await.is_some());
    assert_eq!(began.elapsed(), Duration::ZERO);
    let round = stand.hand_over().round().await;
    assert_eq!((round.done, round.failed), (0, 2));
    stand.store.turn(Weather::Fine);
    assert!(stand.heard(call).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn half_an_upload_is_taken_back_and_made_anew() {
    let stand = Stand::new().await;
    let call = stand.going_on().await;
    stand.end(call).await;
    // Five minutes are 19 MB: three parts, of which one arrives.
    stand.record(call, "wav", 300);
    let before = stand.heard(call).await.unwrap();
    stand.store.turn(Weather::Parts(1));
    let round = stand.hand_over().round().await;
    assert_eq!((round.done, round.failed), (0, 1));
    assert!(stand.store.names().await.is_empty());
    assert!(stand.heard(call).await.unwrap() == before);

    stand.store.turn(Weather::Fine);
    assert_eq!(stand.hand_over().round().await, done(1));
    assert!(stand.store.bytes(&format!("a/recordings/{call}.wav")).await == before);
    assert!(stand.heard(call).await.unwrap() == before);
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_process_left_is_handed_over_by_the_next() {
    let stand = Stand::new().await;
    let (cut_off, hardly_begun) = (stand.going_on().await, stand.going_on().await);
    stand.record(cut_off, "partial.wav", 2);
    std::fs::write(stand.directory.join(format!("recordings/{hardly_begun}.partial.wav")), "RIFF").unwrap();
    // The next start gives both their ends first.
    assert_eq!(stand.hand_over().round().await, done(0));
    assert_eq!(stand.files().len(), 2, "calls that have not ended keep their files");
    stand.end(cut_off).await;
    stand.end(hardly_begun).await;
    assert_eq!(stand.hand_over().round().await, done(2));
    assert_eq!(stand.store.names().await, [format!("a/recordings/{cut_off}.wav")]);
    assert_eq!(stand.heard(cut_off).await.unwrap().len(), 44 + 2 * 64_000);
    assert_eq!(stand.heard(hardly_begun).await, None);
    assert!(stand.files().is_empty());
}

#[tokio::test(start_paused = true)]
async fn files_that_are_none_of_ours_stay_and_what_voices_were_cloned_from_goes() {
    let stand = Stand::new().await;
    let voice = uuid::Uuid::from_u128(5);
    for file in ["recordings/notes.wav", "journals/old.journal", "voices/readme.sample"] {
        std::fs::write(stand.directory.join(file), "mine").unwrap();
    }
    std::fs::write(stand.directory.join(format!("voices/{voice}.sample")), "RIFF").unwrap();
    std::fs::write(stand.directory.join(format!("voices/{voice}.partial")), "RI").unwrap();
    assert_eq!(stand.hand_over().round().await, done(1));
    assert_eq!(stand.store.names().await, [format!("a/voices/{voice}.sample")]);
    assert_eq!(stand.files().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_beginning_of_a_journal_does_not_take_the_place_of_the_whole() {
    let stand = Stand::new().await;
    let call = stand.ended().await;
    // The call waited at another node, which was killed, before it went on here.
    let killed = stand.neighbour().await;
    let beginning = format!("journals/{call}.journal");
    std::fs::write(killed.directory.join(&beginning), "what").unwrap();
    // Whichever comes first, the whole is what stays.
    for node in [&killed, &stand] {
        node.hand_over().round().await;
    }
    std::fs::write(killed.directory.join(&beginning), "what").unwrap();
    assert_eq!(killed.hand_over().round().await, done(1));
    assert_eq!(stand.store.bytes(&format!("a/{beginning}")).await, "what happened");
    assert!(killed.files().is_empty());
}
