//! A scheduled batch as a whole: its receiver is told of each call, joins it, and talks; what is left goes on after a restart
//! (protocol.md 7.9).

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::caller::Caller;
use crate::endpoint::Endpoint;
use crate::stand::{Stand, backends};

const TAKEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const SECRET: &str = "s3cret-s3cret-s3cret";

async fn start(directory: std::path::PathBuf) -> Stand {
    Stand::start_with(backends(&[]), directory, |config| {
        config.outbound.allow = vec!["127.0.0.1".parse().unwrap()];
    })
    .await
}

/// The call that a receiver was told of in its post with this number, counted from 1, once it is told. Whoever told it knew the secret.
async fn told(receiver: &Endpoint, number: usize) -> Value {
    let post = loop {
        match receiver.requests().into_iter().nth(number - 1) {
            Some(post) => break post,
            None => tokio::task::yield_now().await,
        }
    };
    let (head, body) = post.split_once("\r\n\r\n").unwrap();
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    mac.update(header("x-ultravox-webhook-timestamp").as_bytes());
    let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(header("x-ultravox-webhook-signature"), expected);
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["event"], "call.started");
    body["call"].clone()
}

/// Joins a call, is greeted, and says goodbye.
async fn talk(call: &Value) -> String {
    let mut caller = Caller::join(call["joinUrl"].as_str().unwrap()).await;
    let greeting = caller.until_final("agent").await;
    caller.until_state("listening").await;
    caller.write("bye").await;
    assert_eq!(caller.until_closed().await, 1000);
    greeting
}

/// A batch, once it is over.
async fn over(stand: &Stand, path: &str) -> Value {
    loop {
        let batch = stand.get(path).await;
        if !batch["endedAt"].is_null() {
            return batch;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_receiver_joins_the_calls_of_a_batch_that_outlasts_a_restart() {
    let directory = std::env::temp_dir().join(format!("antiphon-call-{}", uuid::Uuid::new_v4()));
    let stand = start(directory.clone()).await;
    let receiver = Endpoint::answering([TAKEN; 4]).await;
    let template = json!({
        "medium": {"serverWebSocket": {"inputSampleRate": 16000}},
        "selectedTools": [{"toolName": "hangUp"}], "firstSpeakerSettings": {"agent": {"text": "Hello {{name}}."}}, "initialOutputMedium": "MESSAGE_MEDIUM_TEXT",
    });
    let (status, agent) =
        stand.post("/api/agents", json!({"name": "Support", "callTemplate": template})).await;
    assert_eq!(status, 201, "{agent}");
    let batches = format!("/api/agents/{}/scheduled_batches", agent["agentId"].as_str().unwrap());
    let schedule = async |stand: &Stand, start: Value, names: &[&str]| {
        let calls: Vec<Value> = names.iter().map(|name| json!({"templateContext": {"name": name}})).collect();
        let body = json!({
            "webhookUrl": receiver.url("/"), "webhookSecret": SECRET, "windowStart": start, "calls": calls,
        });
        let (status, batch) = stand.post(&batches, body).await;
        assert_eq!(status, 201, "{batch}");
        format!("{batches}/{}", batch["batchId"].as_str().unwrap())
    };
    let some_day = schedule(&stand, json!("2099-01-01T00:00:00Z"), &["Jack", "Jill"]).await;
    let now = schedule(&stand, Value::Null, &["Jane", "Joe"]).await;
    let mut met = Vec::new();
    for number in 1..=2 {
        let call = told(&receiver, number).await;
        assert_eq!(talk(&call).await, format!("Hello {}.", ["Jane", "Joe"][number - 1]));
        met.push(stand.ended(&call).await);
    }
    assert_eq!(over(&stand, &now).await["completedCount"], 2);
    let created = stand.get(&format!("{now}/created_calls")).await;
    assert_eq!(created["results"], json!(met));
    assert!(met.iter().all(|call| call["endReason"] == "agent_hangup"), "{met:?}");
    assert_eq!(
        stand.messages(&met[0]).await[..3],
        ["agent: Hello Jane.", "user: bye", "agent: Goodbye then."]
    );
    stand.stop().await;

    let stand = start(directory).await;
    assert_eq!(receiver.requests().len(), 2, "nothing is told twice");
    let (status, moved) = stand.request(Method::PATCH, &some_day, Some(json!({"windowStart": null}))).await;
    assert_eq!(status, 200, "{moved}");
    for number in 3..=4 {
        let call = told(&receiver, number).await;
        assert_eq!(talk(&call).await, format!("Hello {}.", ["Jack", "Jill"][number - 3]));
    }
    let ended = over(&stand, &some_day).await;
    assert_eq!((&ended["totalCount"], &ended["completedCount"]), (&json!(2), &json!(2)));
    let scheduled = stand.get(&format!("{some_day}/scheduled_calls")).await;
    for call in scheduled["results"].as_array().unwrap() {
        assert_eq!((&call["status"], &call["error"]), (&json!("SUCCESS"), &Value::Null));
    }
    let directory = stand.stop().await;
    std::fs::remove_dir_all(directory).unwrap();
}
