//! A server that is told to stop: no new calls, and those there are go on as long as they may.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::stand::{Stand, backends};

async fn start(deadline: Duration) -> Stand {
    let directory = std::env::temp_dir().join(format!("antiphon-call-{}", uuid::Uuid::new_v4()));
    Stand::start_with(backends(&[]), directory, |config| config.server.drain_deadline = deadline).await
}

/// Waits until the server says that nothing new should come.
async fn until_unready(stand: &Stand) {
    while stand.fetch("/readyz", None).await.0 != StatusCode::SERVICE_UNAVAILABLE {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn while_it_drains_no_call_begins_and_those_there_are_go_on_and_can_be_joined() {
    let mut stand = start(Duration::from_secs(3_600)).await;
    let (_, agent) = stand.post("/api/agents", json!({"name": "Support"})).await;
    let agent_calls = format!("/api/agents/{}/calls", agent["agentId"].as_str().unwrap());
    let hangs_up = json!({"selectedTools": [{"toolName": "hangUp"}]});
    let (first, mut caller) = stand.call(hangs_up.clone()).await;
    let second = stand.create(hangs_up).await;
    let unwanted = stand.create(json!({"joinTimeout": "0.2s"})).await;
    caller.until_final("agent").await;
    let stopping = stand.begin_to_stop();
    until_unready(&stand).await;

    for path in ["/api/calls".to_owned(), format!("/api/calls?priorCallId={}", id(&first)), agent_calls] {
        let (status, headers, body) = stand.refusal(&path).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {body}");
        assert_eq!(body["detail"], "the server is stopping; try again");
        assert_eq!(headers["retry-after"], "5");
    }
    let listed = stand.get("/api/calls").await;
    assert_eq!(listed["total"], 3, "what is refused leaves no call, and what is no call is served");
    assert_eq!(stand.fetch("/healthz", None).await.0, 200, "it lives");

    // A conversation goes on, one that was created before begins, and each ends in its own way.
    caller.until_state("listening").await;
    caller.write("story").await;
    assert!(caller.until_final("agent").await.starts_with("Once upon a time"));
    let mut late = Caller::join(second["joinUrl"].as_str().unwrap()).await;
    assert_eq!(late.until_final("agent").await, "Hello, who is there?");
    let (status, said) = stand
        .request(
            Method::POST,
            &format!("/api/calls/{}/send_data_message", id(&second)),
            Some(json!({"type": "user_text_message", "text": "bye"})),
        )
        .await;
    assert_eq!(status, 204, "{said}");
    assert_eq!(late.until_closed().await, 1000);
    assert_eq!(stand.ended(&second).await["endReason"], "agent_hangup");
    assert_eq!(stand.ended(&unwanted).await["endReason"], "unjoined");
    assert!(!stopping.is_finished());
    caller.hang_up().await;
    stopping.await.unwrap();

    let storage =
        antiphon_server::storage::Storage::open_sqlite(&stand.directory.join("antiphon.db")).await.unwrap();
    let kept = storage.calls.find(id(&first).parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(kept.ended.unwrap().1, antiphon_engine::output::EndReason::HangUp);
    storage.close().await;
    std::fs::remove_dir_all(&stand.directory).unwrap();
}

#[tokio::test]
async fn calls_that_go_on_beyond_the_deadline_are_ended_and_recorded() {
    let mut stand = start(Duration::from_millis(50)).await;
    let (call, mut caller) = stand.call(json!({})).await;
    caller.until_final("agent").await;
    let stopping = stand.begin_to_stop();
    assert_eq!(caller.until_closed().await, 1001);
    stopping.await.unwrap();
    let storage =
        antiphon_server::storage::Storage::open_sqlite(&stand.directory.join("antiphon.db")).await.unwrap();
    let kept = storage.calls.find(id(&call).parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(kept.ended.unwrap().1, antiphon_engine::output::EndReason::SystemError);
    storage.close().await;
    std::fs::remove_dir_all(&stand.directory).unwrap();
}

fn id(call: &Value) -> &str {
    call["callId"].as_str().unwrap()
}
