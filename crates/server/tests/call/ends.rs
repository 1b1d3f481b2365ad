//! How calls end, and what a server that starts anew makes of those that did not.

use antiphon_server::config::Summarizing;
use serde_json::json;

use crate::caller::Caller;
use crate::stand::{Stand, backends};

#[tokio::test]
async fn stopping_the_server_ends_its_calls_and_says_so() {
    let stand = Stand::hearing(&[]).await;
    let (call, mut caller) = stand.call(json!({"firstSpeakerSettings": {"user": {}}})).await;
    caller.until_state("listening").await;
    let directory = stand.stop().await;
    assert_eq!(caller.until_closed().await, 1001);
    let stand = Stand::start(backends(&[]), directory).await;
    assert_eq!(stand.ended(&call).await["endReason"], "system_error");
}

#[tokio::test]
async fn a_deadline_for_joining_ends_the_call_unjoined() {
    let stand = Stand::hearing(&[]).await;
    let call = stand.create(json!({"joinTimeout": "0.05s"})).await;
    let ended = stand.ended(&call).await;
    assert_eq!((&ended["endReason"], &ended["joined"]), (&json!("unjoined"), &json!(null)));
    let mut late = Caller::join(call["joinUrl"].as_str().unwrap()).await;
    assert_eq!(late.until_closed().await, 4410);
}

#[tokio::test]
async fn the_maximum_duration_ends_with_its_message() {
    let stand = Stand::hearing(&[]).await;
    let (call, mut caller) = stand
        .call(json!({"maxDuration": "0.2s", "timeExceededMessage": "Time is up.",
            "firstSpeakerSettings": {"user": {}}}))
        .await;
    assert_eq!(caller.until_final("agent").await, "Time is up.");
    assert_eq!(caller.until_closed().await, 1000);
    assert_eq!(stand.ended(&call).await["endReason"], "timeout");
}

#[tokio::test]
async fn a_silent_user_is_spoken_to_and_then_left() {
    let stand = Stand::hearing(&[]).await;
    let (call, mut caller) = stand
        .call(json!({"firstSpeakerSettings": {"user": {}}, "inactivityMessages": [
            {"duration": "0.1s", "message": "Still there?"},
            {"duration": "0.1s", "message": "Bye.", "endBehavior": "END_BEHAVIOR_HANG_UP_SOFT"}]}))
        .await;
    assert_eq!(caller.until_final("agent").await, "Still there?");
    assert_eq!(caller.until_final("agent").await, "Bye.");
    assert_eq!(caller.until_closed().await, 1000);
    assert_eq!(stand.ended(&call).await["endReason"], "agent_hangup");
}

#[tokio::test]
async fn a_call_is_summed_up_by_its_model_when_it_has_ended() {
    let directory = std::env::temp_dir().join(format!("antiphon-call-{}", uuid::Uuid::new_v4()));
    let always =
        |config: &mut antiphon_server::config::Config| config.summaries.enabled = Summarizing::Always;
    let stand = Stand::start_with(backends(&[]), directory, always).await;
    let (call, mut caller) = stand.call(json!({"firstSpeakerSettings": {"agent": {"text": "Hello."}}})).await;
    assert_eq!(caller.until_final("agent").await, "Hello.");
    stand
        .post(
            &format!("/api/calls/{}/send_data_message", call["callId"].as_str().unwrap()),
            json!({"type": "hang_up"}),
        )
        .await;
    assert_eq!(stand.ended(&call).await["endReason"], "agent_hangup");
    let path = format!("/api/calls/{}", call["callId"].as_str().unwrap());
    let summed_up = loop {
        let call = stand.get(&path).await;
        if !call["summary"].is_null() {
            break call;
        }
        tokio::task::yield_now().await;
    };
    // The script answers whatever it is asked; a real model would sum up.
    assert_eq!((&summed_up["shortSummary"], &summed_up["summary"]), (&json!("Pardon?"), &json!("Pardon?")));
    assert_eq!(stand.request(reqwest::Method::DELETE, &path, None).await.0, 204);
    let stone = stand.get(&path.replace("/calls/", "/deleted_calls/")).await;
    assert_eq!(stone["hadSummary"], true);
    stand.stop().await;
}
