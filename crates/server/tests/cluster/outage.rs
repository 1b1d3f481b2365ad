//! The database is away for everybody: no node judges another one, calls go on, and the record catches up.

use std::time::Duration;

use antiphon_engine::output::EndReason;
use antiphon_server::call::leg::CloseCode;
use antiphon_server::call::{CreateError, CreateOptions, Join};
use antiphon_server::storage::AccountId;
use serde_json::json;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::client::Client;
use crate::nodes::nodes;

#[tokio::test(start_paused = true)]
async fn a_minute_without_a_database_ends_no_call_and_loses_nothing_of_any() {
    let nodes = nodes::<3>().await;
    let [a, b, _] = &nodes;
    let (through, mut through_client) = a.stand.call(json!({})).await;
    let (ending, mut ending_client) = b.stand.call(json!({})).await;
    let waiting = a.stand.create(json!({"joinTimeout": "300s"})).await;
    sleep(Duration::from_secs(1)).await;
    nodes.iter().for_each(|node| node.line.cut());

    // Some begin, some end, all are heard.
    for client in [&mut through_client, &mut ending_client] {
        client.write("one").await;
        assert_eq!(client.until_final("agent").await, "You said one.");
    }
    ending_client.say(&json!({"type": "hang_up"})).await;
    assert_eq!(ending_client.until_closed().await, CloseCode::Normal);
    let mut late = Client::new(a.stand.calls.join(waiting, Join::default()).await.unwrap());
    late.write("two").await;
    assert_eq!(late.until_final("agent").await, "You said two.");
    let account = AccountId(Uuid::nil());
    let refused = a.stand.calls.create(account, Default::default(), CreateOptions::default()).await;
    assert!(matches!(refused, Err(CreateError::Storage(_))), "{refused:?}");
    sleep(Duration::from_secs(60)).await;
    nodes.iter().for_each(|node| node.line.mend());
    sleep(Duration::from_secs(40)).await;

    assert_eq!(b.stand.ended(ending).await, EndReason::AgentHangUp);
    assert_eq!(b.stand.messages(ending).await, ["one", "You said one."]);
    assert!(b.stand.stored(waiting).await.joined.is_some());
    assert_eq!(b.stand.messages(waiting).await, ["two", "You said two."]);
    for (call, client) in [(through, &mut through_client), (waiting, &mut late)] {
        assert!(b.stand.stored(call).await.ended.is_none() && a.is_live(call));
        client.write("three").await;
        assert_eq!(client.until_final("agent").await, "You said three.");
        assert_eq!(b.stand.troubles(call).await, [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stops_meanwhile_does_not_wait_for_ever() {
    let [a, b] = nodes().await;
    let (call, client) = a.stand.call(json!({})).await;
    sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    a.line.cut();
    a.begin_to_leave();
    client.hang_up();
    a.stand.calls.drain(Duration::from_secs(20)).await;
    a.stand.calls.shut_down(Duration::from_secs(5)).await;
    a.leave().await;
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    // It could not say how the call ended, so that the others do.
    sleep(Duration::from_secs(20)).await;
    assert_eq!(b.stand.ended(call).await, EndReason::SystemError);
}
