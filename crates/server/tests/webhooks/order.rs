//! Every event reaches its receiver, those of a call one after the other, whatever happens in between.

use std::collections::HashMap;
use std::time::Duration;

use antiphon_api::CallId;
use antiphon_api::rest::calls::StartCallRequest;
use antiphon_server::storage::DeliveryState;
use serde_json::Value;

use crate::stand::Stand;
use crate::town::{Manner, Post, hours, seconds};

const LIFE: [&str; 4] = ["call.started", "call.joined", "call.ended", "call.billed"];

/// The events that were taken, call by call, in the order in which they were taken.
fn taken(posts: &[Post]) -> HashMap<CallId, Vec<String>> {
    let mut taken: HashMap<CallId, Vec<String>> = HashMap::new();
    for post in posts.iter().filter(|post| post.taken) {
        taken.entry(post.call()).or_default().push(post.event());
    }
    taken
}

#[tokio::test(start_paused = true)]
async fn a_call_is_told_from_its_creation_to_its_bill() {
    let stand = Stand::new().await;
    stand.webhook("receiver").await;
    let call = stand.create(StartCallRequest::default()).await;
    stand.until(seconds(5)).await;
    stand.join(call.id).await;
    stand.until(seconds(65)).await;
    stand.end(call.id).await;
    stand.until(seconds(66)).await;
    let posts = stand.posts("receiver");
    assert_eq!(posts.iter().map(Post::event).collect::<Vec<_>>(), LIFE);
    let whole = posts[3].body()["call"].clone();
    for (post, event) in posts.iter().zip(LIFE) {
        assert_eq!(post.request.headers["content-type"], "application/json");
        let body = post.body();
        assert_eq!(body.as_object().unwrap().len(), 2);
        let call = &body["call"];
        assert_eq!(call["joined"].is_null(), event == "call.started");
        assert_eq!(call["clientVersion"].is_null(), event == "call.started");
        assert_eq!(call["ended"].is_null(), event == "call.started" || event == "call.joined");
        let keys = |call: &Value| call.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(call), keys(&whole), "every key is there every time");
    }
    assert_eq!(posts[1].body()["call"]["billingStatus"], "BILLING_STATUS_PENDING");
    assert_eq!(
        (&whole["billingStatus"], &whole["billedDuration"], &whole["endReason"]),
        (&"BILLING_STATUS_FREE_OTHER".into(), &"60s".into(), &"hangup".into())
    );
    assert_eq!(whole["joinUrl"], format!("wss://voice.example.com/calls/{}", call.id));
}

#[tokio::test(start_paused = true)]
async fn a_delivery_is_retried_by_the_published_schedule_and_then_given_up() {
    let stand = Stand::new().await;
    let webhook = stand.webhook("receiver").await;
    stand.has_manner("receiver", Manner::Answers(500));
    let call = stand.create(StartCallRequest::default()).await.id;
    stand.join(call).await;
    stand.until(hours(8)).await;
    let before = stand.deliveries(webhook).await;
    assert_eq!(before[0].attempts.len(), 10);
    assert_eq!(before[0].state, DeliveryState::Waiting);
    // What follows waits until the one before it is given up, 30,690 s after the first attempt.
    assert!(stand.posts("receiver").iter().all(|post| post.event() == "call.started"));
    stand.has_manner("receiver", Manner::Answers(200));
    stand.until(hours(9)).await;

    let posts = stand.posts("receiver");
    let times: Vec<u64> = posts.iter().map(|post| post.at.as_secs()).collect();
    assert_eq!(
        times,
        [0, 30, 90, 210, 450, 930, 1_890, 3_810, 7_650, 15_330, 30_690, 30_690],
        "ten retries, the first after half a minute, each further one after twice as long"
    );
    // The last attempt is taken, and at once what waited for it.
    assert_eq!((posts[10].event(), posts[11].event()), (LIFE[0].to_owned(), LIFE[1].to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_is_seen_and_what_follows_is_told() {
    let stand = Stand::new().await;
    let webhook = stand.webhook("receiver").await;
    stand.has_manner("receiver", Manner::Hangs);
    let call = stand.create(StartCallRequest::default()).await.id;
    stand.until(seconds(1)).await;
    stand.join(call).await;
    // Each of eleven attempts takes ten seconds of patience.
    stand.until(seconds(30_690 + 109)).await;
    assert_eq!(stand.deliveries(webhook).await[0].state, DeliveryState::Waiting);
    stand.has_manner("receiver", Manner::Answers(200));
    stand.until(seconds(30_690 + 111)).await;
    let deliveries = stand.deliveries(webhook).await;
    let states: Vec<DeliveryState> = deliveries.iter().map(|delivery| delivery.state).collect();
    assert_eq!(states, [DeliveryState::GivenUp, DeliveryState::Delivered]);
    assert_eq!(deliveries[0].attempts.len(), 11);
    for attempt in &deliveries[0].attempts {
        assert_eq!((attempt.status, attempt.latency), (None, seconds(10).into()));
        assert_eq!(attempt.failure.as_deref(), Some("there was no answer within 10s"));
    }
    let health = stand.storage.webhooks.find_webhook(webhook).await.unwrap().unwrap().health;
    assert!(!health.unhealthy, "it was given up and took the next");
    assert_eq!(health.recent.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_down_for_hours_is_told_everything_in_order() {
    let stand = Stand::new().await;
    stand.webhook("receiver").await;
    stand.has_manner("receiver", Manner::DownUntil(hours(4)));
    let mut calls = Vec::new();
    for minute in 0..200 {
        stand.until(seconds(60 * minute)).await;
        calls.push(stand.whole_call().await);
    }
    stand.until(hours(9)).await;
    let taken = taken(&stand.posts("receiver"));
    assert_eq!(taken.len(), calls.len());
    for call in calls {
        assert_eq!(taken[&call], LIFE, "{call}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_at_any_moment_loses_nothing_and_mixes_nothing_up() {
    // From before the first attempt until behind the last one.
    for moment in [0, 1, 999, 1_000, 1_001, 2_500, 30_000, 31_500, 33_000, 60_000, 95_000] {
        let mut stand = Stand::new().await;
        stand.webhook("receiver").await;
        stand.webhook("other").await;
        stand.has_manner("receiver", Manner::Slow(seconds(1)));
        stand.has_manner("other", Manner::DownUntil(seconds(32)));
        let calls = [stand.whole_call().await, stand.whole_call().await];
        stand.until(Duration::from_millis(moment)).await;
        stand.crash().await;
        let late = stand.whole_call().await;
        stand.until(seconds(100)).await;
        stand.start();
        stand.until(seconds(1_000)).await;
        for host in ["receiver", "other"] {
            let mut taken = taken(&stand.posts(host));
            for call in calls.iter().chain([&late]) {
                // What was under way comes twice, since nobody recorded that it was taken.
                let events = taken.get_mut(call).unwrap();
                events.dedup();
                assert_eq!(events, &LIFE, "{host}, {moment} ms");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_lets_posts_under_way_come_to_an_end() {
    let mut stand = Stand::new().await;
    stand.webhook("receiver").await;
    stand.has_manner("receiver", Manner::Slow(seconds(1)));
    let call = stand.whole_call().await;
    stand.until(Duration::from_millis(500)).await;
    stand.stop().await;
    assert_eq!(taken(&stand.posts("receiver"))[&call], LIFE, "five seconds suffice for all four");
    stand.start();
    stand.until(seconds(60)).await;
    assert_eq!(stand.posts("receiver").len(), 4, "nothing is told twice");
}

#[tokio::test(start_paused = true)]
async fn a_late_attempt_still_tells_what_was() {
    let stand = Stand::new().await;
    stand.webhook("receiver").await;
    stand.has_manner("receiver", Manner::DownUntil(seconds(20)));
    let call = stand.create(StartCallRequest::default()).await.id;
    stand.until(seconds(10)).await;
    stand.join(call).await;
    stand.end(call).await;
    stand.until(seconds(31)).await;
    let posts = stand.posts("receiver");
    let first = posts.iter().find(|post| post.taken).unwrap().body();
    assert_eq!(first["event"], "call.started");
    assert_eq!((&first["call"]["joined"], &first["call"]["ended"]), (&Value::Null, &Value::Null));
    let stamps: Vec<&str> = posts[..2]
        .iter()
        .map(|post| post.request.headers["x-ultravox-webhook-timestamp"].to_str().unwrap())
        .collect();
    assert_ne!(stamps[0], stamps[1], "each attempt is signed anew");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_of_a_deleted_call_nor_to_a_deleted_webhook() {
    let stand = Stand::new().await;
    let (staying, leaving) = (stand.webhook("staying").await, stand.webhook("leaving").await);
    for host in ["staying", "leaving"] {
        stand.has_manner(host, Manner::DownUntil(seconds(20)));
    }
    let (kept, deleted) = (stand.whole_call().await, stand.whole_call().await);
    stand.until(seconds(10)).await;
    let account = stand.storage.calls.find(deleted).await.unwrap().unwrap().account;
    stand.storage.calls.delete(account, deleted, stand.now()).await.unwrap();
    assert!(stand.storage.webhooks.delete_webhook(account, leaving).await.unwrap());
    stand.until(hours(1)).await;
    let told = taken(&stand.posts("staying"));
    assert_eq!((told.len(), &told[&kept][..]), (1, &LIFE.map(str::to_owned)[..]));
    assert!(taken(&stand.posts("leaving")).is_empty());
    for delivery in stand.deliveries(staying).await {
        let expected = if delivery.call == kept { DeliveryState::Delivered } else { DeliveryState::Canceled };
        assert_eq!(delivery.state, expected);
    }
    let canceled = stand.deliveries(leaving).await;
    assert!(canceled.iter().all(|it| it.state == DeliveryState::Canceled), "none of it waits");
}
