//! Three servers with one Postgres, as an operator runs them: calls that are created at one, joined at another and told something at
//! the third; one that is killed, one that drains, and the database gone for a while.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod caller;
mod database;
mod node;
mod receiver;

use std::time::{Duration, Instant};

use serde_json::json;

use caller::Caller;
use database::Database;
use node::Node;
use receiver::Receiver;

/// How long the end of a call whose node is killed may take to be known, with its webhook.
const LOST_WITHIN: Duration = Duration::from_secs(15);
/// How long the database is away: longer than a node may be silent.
const OUTAGE: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_on_whatever_becomes_of_a_node_or_of_the_database() {
    let mut database = Database::start();
    let receiver = Receiver::start().await;
    let (mut a, mut b, c) = tokio::join!(
        Node::start("a", &database.url),
        Node::start("b", &database.url),
        Node::start("c", &database.url)
    );
    for node in [&a, &b, &c] {
        node.until_ready(200).await;
    }
    let hook = json!({"url": receiver.url, "events": ["call.joined", "call.ended"]});
    a.post("/api/webhooks", hook, 201).await;

    // Created at one node, joined at another, told something at the third, read at the first.
    let call = a.create().await;
    let mut caller = Caller::join(&b, &call).await;
    for node in [&a, &b, &c] {
        assert_eq!(Caller::refusal(node, &call).await, 4409);
    }
    let message = json!({"type": "user_text_message", "text": "Hello?", "urgency": "immediate"});
    c.post(&format!("/api/calls/{call}/send_data_message"), message, 204).await;
    caller.until_final("agent").await;
    assert!(!a.get(&format!("/api/calls/{call}")).await["joined"].is_null());
    receiver.until("call.joined", &call).await;

    // A client that lost its connection comes back at the node of its call, and is told at others to try again.
    let returning = a.create().await;
    Caller::join_to_return(&b, &returning).await.drop_connection();
    for node in [&a, &c] {
        assert_eq!(Caller::return_to(node, &returning).await.err(), Some((503, "1".to_owned())));
    }
    let mut back = Caller::return_to(&b, &returning).await.unwrap_or_else(|refused| panic!("{refused:?}"));
    back.say("Hello?").await;
    back.until_final("agent").await;
    back.hang_up().await;
    assert_eq!(c.ended(&returning).await["endReason"], "hangup");

    // A node is killed: its call ends in the record, with an event and a webhook; what waited there is joined elsewhere.
    let (cut_off, waiting) = (a.create().await, a.create().await);
    let mut lost = Caller::join(&a, &cut_off).await;
    lost.say("Hello?").await;
    lost.until_final("agent").await;
    receiver.until("call.joined", &cut_off).await;
    let killed = Instant::now();
    a.kill().await;
    let mut late = Caller::join(&c, &waiting).await;
    println!("a call that waited at a killed node was joined elsewhere after {:.1?}", killed.elapsed());
    let ended = c.ended(&cut_off).await;
    assert_eq!(ended["endReason"], "system_error", "{ended}");
    receiver.until("call.ended", &cut_off).await;
    let took = killed.elapsed();
    println!(
        "the end of a call of a killed node and its webhook came after {took:.1?} (bound: {LOST_WITHIN:?})"
    );
    let events = c.get(&format!("/api/calls/{cut_off}/events")).await;
    assert!(events.to_string().contains("call.node_lost"), "{events}");
    for caller in [&mut caller, &mut late] {
        caller.say("Are you there?").await;
        caller.until_final("agent").await;
    }

    // Another node stops: what waits there is joined elsewhere, what goes on goes on, and others do its work.
    let mut a = Node::start("a", &database.url).await;
    a.until_ready(200).await;
    let waiting = b.create().await;
    b.signal("-TERM").await;
    b.until_ready(503).await;
    b.post("/api/calls", json!({}), 503).await;
    let mut elsewhere = Caller::join(&c, &waiting).await;
    elsewhere.hang_up().await;
    receiver.until("call.ended", &waiting).await;
    caller.say("Are you there?").await;
    caller.until_final("agent").await;
    caller.hang_up().await;
    assert_eq!(b.exited().await, Some(0));
    assert_eq!(a.ended(&call).await["endReason"], "hangup");
    receiver.until("call.ended", &call).await;

    // The database goes: calls go on, and end; what is new is refused.
    let ending = a.create().await;
    let mut ending_caller = Caller::join(&a, &ending).await;
    let gone = Instant::now();
    database.stop();
    c.until_ready(503).await;
    let refused = c.post("/api/calls", json!({}), 503).await;
    assert!(refused.to_lowercase().contains("retry-after"), "{refused}");
    let mut said = 0;
    while gone.elapsed() < OUTAGE || said < 2 {
        for caller in [&mut late, &mut ending_caller] {
            caller.say("Are you still there?").await;
            caller.until_final("agent").await;
        }
        said += 1;
    }
    ending_caller.hang_up().await;
    database.start_again();
    println!("the database was away for {:.1?}, in which each call had {said} turns", gone.elapsed());

    // The record catches up, and nobody took anybody for lost.
    assert_eq!(c.ended(&ending).await["endReason"], "hangup");
    receiver.until("call.ended", &ending).await;
    let wanted = said * 2;
    assert!(c.messages(&ending).await >= wanted, "nothing that was said is missing");
    for node in [&a, &c] {
        node.until_ready(200).await;
    }
    late.say("Are you there?").await;
    late.until_final("agent").await;
    late.hang_up().await;
    assert_eq!(a.ended(&late.call).await["endReason"], "hangup");
    assert!(a.messages(&late.call).await >= wanted + 4);
    receiver.until("call.ended", &late.call).await;
    for call in [&ending, &late.call, &call] {
        let events = a.get(&format!("/api/calls/{call}/events")).await;
        assert!(!events.to_string().contains("call.node_lost"), "{events}");
    }
    a.signal("-TERM").await;
    assert_eq!(a.exited().await, Some(0));
}
