//! What clients get wrong: each has one clear answer, and the server is as well as before.

use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{KEY, Server, answer};

/// Refused with 400, a `detail` that begins with the field, and the field among `errors`.
async fn refused(server: &Server, body: Value, field: &str) {
    let answer = server.post("/api/calls", body.to_string()).await;
    let detail = answer.detail(400);
    assert!(detail.starts_with(&format!("{field}: ")), "{body}: {detail}");
    assert!(answer.json()["errors"][field].is_array(), "{body}: {}", answer.text);
}

#[tokio::test]
async fn a_field_at_fault_is_named() {
    let server = Server::start().await;
    for (body, field) in [
        (json!({"systemPrompt": 7}), "systemPrompt"),
        (json!({"temperature": "warm"}), "temperature"),
        (json!({"temperature": 1.5}), "temperature"),
        (json!({"temperature": -0.1}), "temperature"),
        (json!({"recordingEnabled": "maybe"}), "recordingEnabled"),
        (json!({"metadata": {"number": 1}}), "metadata.number"),
        (json!({"metadata": []}), "metadata"),
        (json!({"initialMessages": {}}), "initialMessages"),
        (json!({"maxDuration": "30m"}), "maxDuration"),
        (json!({"maxDuration": "0s"}), "maxDuration"),
        (json!({"maxDuration": "-5s"}), "maxDuration"),
        (json!({"maxDuration": 60}), "maxDuration"),
        (json!({"maxDuration": "999999s"}), "maxDuration"),
        (json!({"joinTimeout": "5 minutes"}), "joinTimeout"),
        (json!({"languageHint": "a language tag that is too long"}), "languageHint"),
        (json!({"medium": {"serverWebSocket": {}}}), "medium.serverWebSocket.inputSampleRate"),
        (
            json!({"medium": {"serverWebSocket": {"inputSampleRate": 11025}}}),
            "medium.serverWebSocket.inputSampleRate",
        ),
        (
            json!({"medium": {"serverWebSocket": {"inputSampleRate": 16000, "outputSampleRate": 96000}}}),
            "medium.serverWebSocket.outputSampleRate",
        ),
        (
            json!({"medium": {"serverWebSocket": {"inputSampleRate": 16000, "clientBufferSizeMs": 0.5}}}),
            "medium.serverWebSocket.clientBufferSizeMs",
        ),
        (json!({"medium": {"serverWebSocket": {"inputSampleRate": 16000}, "webRtc": {}}}), "medium"),
        (json!({"voice": "Mark", "externalVoice": {"lmnt": {"voiceId": "x"}}}), "externalVoice"),
    ] {
        refused(&server, body, field).await;
    }
    assert_eq!(server.post("/api/calls", "").await.status, 201, "the server is well");
    server.stop().await;
}

#[tokio::test]
async fn all_faults_of_a_request_are_told_at_once() {
    let server = Server::start().await;
    let answer = server.post("/api/calls", r#"{"temperature": 2, "joinTimeout": "soon", "voice": {}}"#).await;
    assert!(answer.detail(400).ends_with("(and 2 more problems)"), "{}", answer.text);
    let errors = answer.json()["errors"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(errors, ["joinTimeout", "temperature", "voice"]);
    server.stop().await;
}

#[tokio::test]
async fn two_media_are_named_both() {
    let server = Server::start().await;
    let body = json!({"medium": {"serverWebSocket": {"inputSampleRate": 16000}, "twilio": {}}});
    let detail = server.post("/api/calls", body.to_string()).await.detail(400);
    assert!(detail.contains("serverWebSocket") && detail.contains("twilio"), "{detail}");
    server.stop().await;
}

#[tokio::test]
async fn broken_json_is_told_with_its_place() {
    let server = Server::start().await;
    for (body, place) in [
        ("{\"systemPrompt\": \"Hi\",\n  }", "line 2 column 3"),
        ("{", "line 1 column 1"),
        ("\u{feff}{}", "line 1 column 1"),
    ] {
        let detail = server.post("/api/calls", body).await.detail(400);
        assert!(detail.contains("JSON") && detail.contains(place), "{body:?}: {detail}");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(server.post("/api/calls", deep).await.detail(400).contains("recursion limit"));
    for body in ["[]", "7", "\"text\"", "null"] {
        let answer = server.post("/api/calls", body).await;
        assert!(!answer.detail(400).is_empty(), "{body}");
    }
    let latin =
        server.request(Method::POST, "/api/calls").header("X-API-Key", KEY).body(vec![b'"', 0xFF, b'"']);
    assert!(!answer(latin).await.detail(400).is_empty());
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_and_the_next_one_is_not() {
    let server = Server::start_with(|config| config.server.max_body_bytes = 2048).await;
    let body = json!({"systemPrompt": "x".repeat(3000)}).to_string();
    let detail = server.post("/api/calls", body).await.detail(413);
    assert_eq!(detail, "the body is larger than 2048 bytes, which is the most this server takes");
    assert_eq!(server.post("/api/calls", "").await.status, 201);
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_says_it_is_no_json_is_refused() {
    let server = Server::start().await;
    let post = |kind: &'static str| {
        let request = server.request(Method::POST, "/api/calls").header("X-API-Key", KEY);
        answer(request.header("Content-Type", kind).body("{}"))
    };
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        let detail = post(kind).await.detail(415);
        assert_eq!(
            detail, "the body must be JSON; send it with \"Content-Type: application/json\"",
            "{kind}"
        );
    }
    for kind in ["application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json"] {
        assert_eq!(post(kind).await.status, 201, "{kind}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_query_that_cannot_be_read_is_refused() {
    let server = Server::start().await;
    let refused = server.post("/api/calls?enableGreetingPrompt=perhaps", "").await;
    assert!(refused.detail(400).starts_with("enableGreetingPrompt: "), "{}", refused.text);
    for value in ["true", "false"] {
        assert_eq!(server.post(&format!("/api/calls?enableGreetingPrompt={value}"), "").await.status, 201);
    }
    server.stop().await;
}
