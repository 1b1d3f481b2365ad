//! A call is served where it is joined, and by one node only.

use std::time::Duration;

use antiphon_api::CallId;
use antiphon_engine::output::EndReason;
use antiphon_server::call::Join;
use antiphon_server::call::leg::CloseCode;
use serde_json::json;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::client::Client;
use crate::nodes::{Node, nodes};

async fn join(node: &Node, call: CallId) -> Result<Client, CloseCode> {
    node.stand.calls.join(call, Join::default()).await.map(Client::new)
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_where_it_is_joined_and_only_that_node_ends_it() {
    let [a, b, c] = nodes().await;
    let call = a.stand.create(json!({"joinTimeout": "20s"})).await;
    let began = Instant::now();
    let mut client = join(&b, call).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!([&a, &b, &c].map(|node| node.is_live(call)), [false, true, false]);
    client.write("one").await;
    assert_eq!(client.until_final("agent").await, "You said one.");
    // The join timeout of the node that had it means nothing any more.
    sleep(Duration::from_secs(60)).await;
    assert!(a.stand.stored(call).await.ended.is_none() && b.is_live(call));
    client.say(&json!({"type": "hang_up"})).await;
    assert_eq!(client.until_closed().await, CloseCode::Normal);
    assert_eq!(c.stand.ended(call).await, EndReason::AgentHangUp);
    assert!(c.stand.stored(call).await.joined.is_some());
    assert_eq!(c.stand.messages(call).await, ["one", "You said one."]);
    assert_eq!(c.stand.troubles(call).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn of_joins_at_several_nodes_at_once_one_wins_and_the_others_hear_that_it_is_in_use() {
    for round in 0..6 {
        let nodes = nodes::<3>().await;
        let call = nodes[round % 3].stand.create(json!({})).await;
        let order: Vec<&Node> = (0..3).map(|place| &nodes[(round / 2 + place) % 3]).collect();
        let twice = order.iter().chain(&order).map(|node| join(node, call));
        let joined = futures::future::join_all(twice).await;
        let refused: Vec<CloseCode> =
            joined.iter().filter_map(|joined| joined.as_ref().err()).copied().collect();
        assert_eq!(refused, [CloseCode::InUse; 5], "round {round}");
        assert_eq!(nodes.iter().filter(|node| node.is_live(call)).count(), 1, "round {round}");
        let mut client = joined.into_iter().find_map(Result::ok).unwrap();
        client.write("one").await;
        assert_eq!(client.until_final("agent").await, "You said one.");
    }
}

#[tokio::test(start_paused = true)]
async fn a_join_at_the_end_of_its_time_wins_or_comes_too_late_and_nothing_between() {
    let (mut won, mut late) = (0, 0);
    let [a, b] = nodes().await;
    for offset in 0..40 {
        let call = a.stand.create(json!({"joinTimeout": "5s"})).await;
        let begin = Instant::now();
        sleep(Duration::from_micros(4_980_000 + 1_000 * offset)).await;
        match join(&b, call).await {
            Ok(client) => {
                won += 1;
                sleep(Duration::from_secs(10)).await;
                assert!(b.is_live(call) && b.stand.stored(call).await.ended.is_none());
                client.hang_up();
                assert_eq!(b.stand.ended(call).await, EndReason::HangUp);
            }
            Err(code) => {
                late += 1;
                assert_eq!(code, CloseCode::Ended, "{:?}", begin.elapsed());
                assert_eq!(a.stand.ended(call).await, EndReason::Unjoined);
            }
        }
        assert!(!a.is_live(call));
    }
    assert!(won > 5 && late > 5, "{won} {late}");
}

#[tokio::test(start_paused = true)]
async fn a_second_join_hears_at_any_node_what_it_hears_at_that_of_the_call() {
    let [a, b, c] = nodes().await;
    let call = a.stand.create(json!({})).await;
    let client = join(&b, call).await.unwrap();
    for node in [&a, &b, &c] {
        assert_eq!(join(node, call).await.err(), Some(CloseCode::InUse));
    }
    client.hang_up();
    a.stand.ended(call).await;
    for node in [&a, &b, &c] {
        assert_eq!(join(node, call).await.err(), Some(CloseCode::Ended));
        let unknown = CallId::new(Uuid::from_u128(4));
        assert_eq!(join(node, unknown).await.err(), Some(CloseCode::UnknownCall));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_is_told_from_the_node_of_its_call_alone_that_it_is_there() {
    let [a, b, c] = nodes().await;
    let elsewhere = async |call| {
        let mut found = Vec::new();
        for node in [&a, &b, &c] {
            found.push(node.stand.calls.is_at_another_node(call).await);
        }
        found
    };
    let call = a.stand.create(json!({})).await;
    assert_eq!(elsewhere(call).await, [false, true, true]);
    let client = join(&b, call).await.unwrap();
    assert_eq!(elsewhere(call).await, [true, false, true]);
    // Where its node is out of reach, nobody knows better; where the store is, nothing is known.
    c.line.cut();
    assert_eq!(elsewhere(call).await, [true, false, false]);
    c.line.mend();
    client.hang_up();
    a.stand.ended(call).await;
    assert_eq!(elsewhere(call).await, [false; 3], "it is over everywhere");
}

#[tokio::test(start_paused = true)]
async fn a_join_waits_for_a_call_whose_node_is_lost_or_slow() {
    let [a, b, c] = nodes().await;
    let call = a.stand.create(json!({"joinTimeout": "60s"})).await;
    a.line.cut();
    let began = Instant::now();
    let mut client = join(&b, call).await.unwrap();
    let waited = began.elapsed();
    assert!((Duration::from_secs(8)..Duration::from_secs(15)).contains(&waited), "{waited:?}");
    client.write("one").await;
    assert_eq!(client.until_final("agent").await, "You said one.");

    // One that is away for a moment only lets it go when it is back.
    let call = c.stand.create(json!({})).await;
    c.line.cut();
    let (joined, ()) = tokio::join!(join(&b, call), async {
        sleep(Duration::from_secs(5)).await;
        c.line.mend();
    });
    let client = joined.unwrap();
    assert!(b.is_live(call) && !c.is_live(call));
    client.hang_up();
    assert_eq!(b.stand.ended(call).await, EndReason::HangUp);
}
