//! A call that goes on while its server takes up another configuration: it keeps its model, and the next call has the new one.

use serde_json::json;

use crate::stand::{Stand, config};

#[tokio::test]
async fn a_live_call_keeps_its_model_and_the_next_one_has_another() {
    let mut stand = Stand::hearing(&[]).await;
    let (call, mut caller) = stand.call(json!({"initialOutputMedium": "MESSAGE_MEDIUM_TEXT"})).await;
    assert_eq!(caller.until_final("agent").await, "Hello, who is there?");
    // The built-in script is all that this configuration has.
    let taken_up = stand.reload(config(&stand.directory)).await;
    assert!(taken_up.is_empty(), "{taken_up:?}");

    caller.until_state("listening").await;
    caller.write("what?").await;
    assert_eq!(caller.until_final("agent").await, "Pardon?", "its own script goes on");
    let (next, mut other) = stand.call(json!({"initialOutputMedium": "MESSAGE_MEDIUM_TEXT"})).await;
    let greeting = other.until_final("agent").await;
    assert_ne!(greeting, "Hello, who is there?");

    for (call, caller) in [(call, caller), (next, other)] {
        caller.hang_up().await;
        assert_eq!(stand.ended(&call).await["endReason"], "hangup");
    }
    stand.stop().await;
}
