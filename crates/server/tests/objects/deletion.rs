//! A call that is deleted leaves nothing in object storage, wherever its files are on their way.

use std::sync::Arc;
use std::time::Duration;

use antiphon_server::call::live::DeleteError;
use antiphon_server::call::summary::Summarizer;
use antiphon_server::config::Summaries;
use antiphon_server::jobs::endings::Endings;
use antiphon_server::storage::Deletion;
use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::stand::{Stand, at};
use crate::weather::Weather;

#[tokio::test(start_paused = true)]
async fn a_deleted_call_leaves_nothing_there_and_nothing_here() {
    let stand = Stand::new().await;
    let (handed_over, waiting) = (stand.ended().await, stand.ended().await);
    stand.hand_over().round().await;
    let other = stand.ended().await;
    for call in [handed_over, other] {
        assert_eq!(stand.calls.delete(stand.account, call, at(9)).await.unwrap(), Deletion::Deleted);
    }
    assert!(stand.files().is_empty());
    let left = [format!("a/journals/{waiting}.journal"), format!("a/recordings/{waiting}.wav")];
    assert_eq!(stand.store.names().await, left);
}

#[tokio::test(start_paused = true)]
async fn while_the_storage_is_away_no_call_is_said_to_be_deleted() {
    let stand = Stand::new().await;
    let call = stand.ended().await;
    stand.hand_over().round().await;
    for weather in [Weather::Away, Weather::Silent] {
        stand.store.turn(weather);
        let refused = stand.calls.delete(stand.account, call, at(9)).await.unwrap_err();
        assert!(matches!(refused, DeleteError::Objects(_)), "{refused}");
        assert!(stand.storage.calls.find(call).await.unwrap().is_some());
    }
    stand.store.turn(Weather::Fine);
    assert_eq!(stand.calls.delete(stand.account, call, at(9)).await.unwrap(), Deletion::Deleted);
    assert!(stand.store.names().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_was_on_its_way_while_another_node_deleted_its_call_is_deleted_on_arrival() {
    let stand = Stand::new().await;
    let neighbour = stand.neighbour().await;
    let call = stand.ended().await;
    stand.store.turn(Weather::Gated);
    let hand_over = stand.hand_over();
    let round = tokio::spawn(async move { hand_over.round().await });
    // Both files have got to the gate.
    let _both = stand.store.knocked.acquire_many(2).await.unwrap();
    assert_eq!(neighbour.calls.delete(stand.account, call, at(9)).await.unwrap(), Deletion::Deleted);
    stand.store.turn(Weather::Fine);
    stand.store.gate.add_permits(2);
    round.await.unwrap();
    assert!(stand.store.names().await.is_empty(), "{:?}", stand.store.names().await);
    assert!(stand.files().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_still_lies_with_a_node_of_a_call_that_another_deleted_is_removed_and_not_handed_over() {
    let stand = Stand::new().await;
    let neighbour = stand.neighbour().await;
    let call = stand.ended().await;
    assert_eq!(neighbour.calls.delete(stand.account, call, at(9)).await.unwrap(), Deletion::Deleted);
    assert_eq!(stand.files().len(), 2);
    assert_eq!(stand.hand_over().round().await.done, 2);
    assert!(stand.files().is_empty() && stand.store.names().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_files_of_a_call_that_the_database_never_knew_are_kept_there() {
    let stand = Stand::new().await;
    let stranger = antiphon_api::CallId::new(uuid::Uuid::from_u128(8));
    stand.record(stranger, "wav", 1);
    assert_eq!(stand.hand_over().round().await.done, 1);
    assert_eq!(stand.store.names().await, [format!("a/recordings/{stranger}.wav")]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_asked_to_be_deleted_is_when_the_storage_is_back() {
    let stand = Stand::new().await;
    let request = serde_json::from_value(json!({"retentionPolicy": "auto_delete"})).unwrap();
    let call = stand.asking(request).await;
    stand.end(call).await;
    stand.record(call, "wav", 1);
    stand.hand_over().round().await;
    stand.store.turn(Weather::Away);
    let before = stand.store.attempts();

    let summarizer = Summarizer::new(Arc::clone(&stand.backends), stand.storage.clone(), None, |_| false);
    let endings = Endings::new(
        stand.calls.clone(),
        stand.storage.clone(),
        Arc::new(summarizer),
        Summaries::default(),
        Arc::new(|| at(1_000)),
    );
    let stop = CancellationToken::new();
    let running = tokio::spawn(endings.run(stop.clone()));
    sleep(Duration::from_secs(10 * 60)).await;
    assert!(stand.storage.calls.find(call).await.unwrap().is_some());
    let attempts = stand.store.attempts() - before;
    assert!((5..=11).contains(&attempts), "{attempts} attempts in ten minutes");

    stand.store.turn(Weather::Fine);
    sleep(Duration::from_secs(2 * 60)).await;
    assert!(stand.storage.calls.find(call).await.unwrap().is_none());
    assert!(stand.store.names().await.is_empty());
    stop.cancel();
    running.await.unwrap();
}
