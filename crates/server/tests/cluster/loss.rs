//! A node that is lost: others end its calls, take over those that wait, and tell the world. The node itself, if it comes back, goes on
//! as another one.

use std::sync::Arc;
use std::time::Duration;

use antiphon_api::WebhookId;
use antiphon_api::rest::webhooks::WebhookEvent;
use antiphon_engine::output::EndReason;
use antiphon_server::call::leg::CloseCode;
use antiphon_server::jobs::Clock;
use antiphon_server::jobs::webhooks::{Courier, Dispatcher};
use antiphon_server::storage::{AccountId, StoredWebhook, WebhookHealth};
use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::nodes::{JOB, Node, nodes};
use crate::town::{Town, at};

const HOST: &str = "receiver";

/// A webhook that is told of joins and ends.
async fn webhook(node: &Node) {
    let webhook = StoredWebhook {
        id: WebhookId::new(Uuid::new_v4()),
        account: AccountId(Uuid::nil()),
        created: at(0),
        agent: None,
        url: format!("https://{HOST}/hook"),
        secrets: Vec::new(),
        events: vec![WebhookEvent::Joined, WebhookEvent::Ended],
        naive_timestamps: false,
        health: WebhookHealth::default(),
        version: 0,
    };
    assert!(node.stand.storage.webhooks.insert_webhook(&webhook, 10).await.unwrap());
}

/// The clock that calls have their times from.
fn clock() -> Clock {
    Arc::new(|| jiff::Timestamp::now().into())
}

/// Delivers at whichever node has the lease.
fn deliver(node: &Node, town: &Arc<Town>) {
    let courier: Arc<dyn Courier> = Arc::clone(town) as _;
    let public_url = "https://voice.example.com".parse().unwrap();
    let dispatcher = Dispatcher::new(node.stand.storage.clone(), courier, public_url, clock());
    let lease = node.leases.clone();
    tokio::spawn(lease.run(JOB, CancellationToken::new(), move |stop| dispatcher.clone().run(stop)));
}

#[tokio::test(start_paused = true)]
async fn its_calls_end_within_15_seconds_with_a_reason_an_event_and_webhooks_and_all_others_go_on() {
    let nodes = nodes::<3>().await;
    let [a, b, c] = &nodes;
    let town = Town::new();
    nodes.iter().for_each(|node| deliver(node, &town));
    webhook(b).await;
    let (cut_off, _client) = a.stand.call(json!({})).await;
    let waiting = a.stand.create(json!({"joinTimeout": "300s"})).await;
    let (other, mut other_client) = b.stand.call(json!({})).await;
    sleep(Duration::from_secs(3)).await;
    a.line.cut();
    sleep(Duration::from_secs(15)).await;

    let stored = b.stand.stored(cut_off).await;
    assert_eq!(stored.ended.map(|(_, reason)| reason), Some(EndReason::SystemError));
    assert_eq!(b.stand.troubles(cut_off).await, ["call.node_lost"], "one node says so, and once");
    // What is told waits for no summary once somebody says that there is none.
    b.stand.storage.endings.finish_ending(cut_off, None, clock()()).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    let told: Vec<_> =
        town.posts(HOST).iter().filter(|post| post.call() == cut_off).map(|post| post.event()).collect();
    assert_eq!(told, ["call.joined", "call.ended"]);

    other_client.write("one").await;
    assert_eq!(other_client.until_final("agent").await, "You said one.");
    assert!(b.is_live(other));
    let mut client = c.stand.join(waiting).await;
    client.write("two").await;
    assert_eq!(client.until_final("agent").await, "You said two.");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_comes_back_ends_what_it_had_and_goes_on_as_another_one() {
    let [a, b] = nodes().await;
    let (call, mut client) = a.stand.call(json!({})).await;
    let waiting = a.stand.create(json!({"joinTimeout": "300s"})).await;
    sleep(Duration::from_secs(1)).await;
    a.line.cut();
    client.write("one").await;
    assert_eq!(client.until_final("agent").await, "You said one.", "the call does not notice");
    sleep(Duration::from_secs(30)).await;
    assert!(a.is_live(call) && a.is_live(waiting) && b.is_live(waiting));
    a.line.mend();
    assert_eq!(client.until_closed().await, CloseCode::GoingAway);
    sleep(Duration::from_secs(30)).await;
    assert!(!a.is_live(call) && !a.is_live(waiting) && b.is_live(waiting));
    assert_eq!(a.stand.ended(call).await, EndReason::SystemError);
    assert!(b.stand.stored(waiting).await.ended.is_none());

    // It can be lost again, and others see it.
    let (_, mut client) = a.stand.call(json!({})).await;
    client.write("two").await;
    assert_eq!(client.until_final("agent").await, "You said two.");
    let mut client = a.stand.join(waiting).await;
    client.write("three").await;
    assert_eq!(client.until_final("agent").await, "You said three.");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_leaves_properly_is_not_missed() {
    let [a, b] = nodes().await;
    let (call, client) = a.stand.call(json!({})).await;
    let waiting = a.stand.create(json!({"joinTimeout": "300s"})).await;
    a.begin_to_leave();
    client.hang_up();
    assert_eq!(a.stand.ended(call).await, EndReason::HangUp);
    // One that waits is joined elsewhere, and the node is free to go.
    let mut client = b.stand.join(waiting).await;
    assert_eq!(a.stand.calls.count(), 0);
    a.stand.calls.drain(Duration::from_secs(60)).await;
    a.leave().await;
    sleep(Duration::from_secs(30)).await;
    client.write("one").await;
    assert_eq!(client.until_final("agent").await, "You said one.");
    assert_eq!(b.stand.troubles(call).await, [""; 0]);
}
