//! What is sent into a call reaches it at whichever node it is.

use std::time::Duration;

use antiphon_api::CallId;
use antiphon_api::realtime::ClientMessage;
use antiphon_server::call::RequestError;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::nodes::{Node, nodes};

async fn send(node: &Node, call: CallId, message: Value) -> Result<(), RequestError> {
    let message = ClientMessage::parse(&message.to_string()).unwrap().value;
    node.stand.calls.request(call, message).await
}

fn text(text: &str) -> Value {
    json!({"type": "user_text_message", "text": text})
}

#[tokio::test(start_paused = true)]
async fn a_message_from_any_node_is_heard_and_one_that_makes_no_sense_is_refused() {
    let [a, b, c] = nodes().await;
    let call = a.stand.create(json!({})).await;
    for node in [&a, &b, &c] {
        let refused = send(node, call, text("early")).await;
        assert!(matches!(refused, Err(RequestError::NotActive(_))), "nobody has joined: {refused:?}");
    }
    let mut client = b.stand.join(call).await;
    for (node, said) in [(&a, "one"), (&b, "two"), (&c, "three")] {
        send(node, call, text(said)).await.unwrap();
        assert_eq!(client.until_final("agent").await, format!("You said {said}."));
        client.until_state("listening").await;
    }
    let long = "very long ".repeat(30_000);
    send(&c, call, text(&long)).await.unwrap();
    client.until_state("thinking").await;
    for node in [&a, &b, &c] {
        match send(node, call, json!({"type": "ping", "timestamp": 1})).await {
            Err(RequestError::Refused(why)) => assert!(why.contains("client"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    send(&c, call, json!({"type": "hang_up"})).await.unwrap();
    client.until_closed().await;
    a.stand.ended(call).await;
    for node in [&a, &b, &c] {
        assert!(matches!(send(node, call, text("late")).await, Err(RequestError::NotActive(_))));
        let unknown = CallId::new(Uuid::from_u128(4));
        assert!(matches!(send(node, unknown, text("?")).await, Err(RequestError::NotActive(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_not_answered_in_time_is_not_heard_later() {
    let [a, b] = nodes().await;
    let (call, mut client) = a.stand.call(json!({})).await;
    a.line.cut();
    let began = Instant::now();
    assert!(matches!(send(&b, call, text("lost")).await, Err(RequestError::Unanswered)));
    assert_eq!(began.elapsed().as_secs(), 2);
    sleep(Duration::from_secs(1)).await;
    a.line.mend();
    sleep(Duration::from_secs(5)).await;
    send(&b, call, text("again")).await.unwrap();
    assert_eq!(client.until_final("agent").await, "You said again.");

    a.line.cut();
    sleep(Duration::from_secs(20)).await;
    let lost = send(&b, call, text("too late")).await;
    assert!(matches!(lost, Err(RequestError::NotActive(_))), "its node is lost: {lost:?}");
}
