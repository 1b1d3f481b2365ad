//! Creating, reading, speaking into and deleting a call.

use antiphon_api::{CallId, Timestamp};
use antiphon_engine::output::EndReason;
use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Server, answer};

/// The request of protocol.md 11.
fn worked_example() -> Value {
    json!({
        "systemPrompt": "Be brief.", "voice": "Mark", "temperature": 0.3,
        "firstSpeakerSettings": {"user": {"fallback": {"delay": "6s", "text": "Hello?"}}},
        "medium": {"serverWebSocket": {"inputSampleRate": 16000, "outputSampleRate": 24000, "clientBufferSizeMs": 30000}},
        "selectedTools": [
            {"toolName": "hangUp"},
            {"temporaryTool": {"modelToolName": "lookup", "description": "Find an order", "timeout": "5s",
                "dynamicParameters": [{"name": "orderId", "location": "PARAMETER_LOCATION_BODY",
                    "schema": {"type": "string"}, "required": true}],
                "automaticParameters": [{"name": "call", "location": "PARAMETER_LOCATION_BODY",
                    "knownValue": "KNOWN_PARAM_CALL_ID"}],
                "client": {}}}],
        "inactivityMessages": [{"duration": "30s", "message": "Still there?"},
            {"duration": "10s", "message": "Goodbye.", "endBehavior": "END_BEHAVIOR_HANG_UP_SOFT"}],
        "metadata": {"source": "fixture"}
    })
}

#[tokio::test]
async fn the_worked_example_gives_the_whole_resource() {
    let server = Server::start_with(|config| {
        config.server.public_url = Some("https://voice.example.com/base".parse().unwrap());
    })
    .await;
    let created = server.post("/api/calls?enableGreetingPrompt=false", worked_example().to_string()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let mut call = created.json();

    let id = call["callId"].as_str().unwrap().to_owned();
    assert!(id.parse::<CallId>().is_ok(), "{id}");
    assert_eq!(server.get(&format!("/api/calls/{id}")).await.json(), call, "it reads as it was created");
    assert!(call["created"].as_str().unwrap().parse::<Timestamp>().is_ok());
    call["callId"] = Value::Null;
    call["created"] = Value::Null;
    assert_eq!(
        call,
        json!({
            "callId": null, "clientVersion": null, "created": null, "joined": null, "ended": null, "endReason": null,
            "billedDuration": null, "billedSideInputTokens": null, "billedSideOutputTokens": null,
            "billingStatus": "BILLING_STATUS_PENDING",
            "firstSpeaker": "FIRST_SPEAKER_USER",
            "firstSpeakerSettings": {"user": {"fallback": {"delay": "6s", "text": "Hello?"}}},
            "inactivityMessages": [{"duration": "30s", "message": "Still there?"},
                {"duration": "10s", "message": "Goodbye.", "endBehavior": "END_BEHAVIOR_HANG_UP_SOFT"}],
            "initialOutputMedium": "MESSAGE_MEDIUM_VOICE", "joinTimeout": "30s",
            "joinUrl": format!("wss://voice.example.com/base/calls/{id}/server_web_socket"),
            "languageHint": null, "maxDuration": "3600s",
            "medium": {"serverWebSocket":
                {"inputSampleRate": 16000, "outputSampleRate": 24000, "clientBufferSizeMs": 30000}},
            "model": "ultravox-v0.7", "recordingEnabled": false, "retentionPolicy": null,
            "systemPrompt": "Be brief.", "temperature": 0.3, "timeExceededMessage": null, "voice": "Mark",
            "externalVoice": null, "voiceOverrides": null, "transcriptOptional": true, "vadSettings": null,
            "shortSummary": null, "summary": null, "agent": null, "agentId": null, "experimentalSettings": null,
            "metadata": {"source": "fixture"}, "initialState": {}, "requestContext": null,
            "dataConnectionConfig": null, "callbacks": null, "sipDetails": null
        })
    );
    server.stop().await;
}

#[tokio::test]
async fn an_empty_body_is_a_call_with_all_defaults() {
    let server = Server::start().await;
    for body in ["", "{}", "  ", r#"{"model": null, "voice": null, "systemPrompt": null}"#] {
        let created = server.post("/api/calls", body).await;
        assert_eq!(created.status, 201, "{body:?}: {}", created.text);
        let call = created.json();
        let id = call["callId"].as_str().unwrap();
        assert_eq!(call["joinUrl"], format!("ws://{}/calls/{id}", server.running.local_addr()));
        assert_eq!(call["firstSpeaker"], "FIRST_SPEAKER_AGENT");
    }
    // Not even a content type is needed.
    let bare = server.request(Method::POST, "/api/calls").header("X-API-Key", crate::server::KEY);
    assert_eq!(answer(bare).await.status, 201);
    server.stop().await;
}

#[tokio::test]
async fn secrets_of_a_request_are_not_returned() {
    let server = Server::start().await;
    // Kept beside the server, which need not be able to run what a later one can.
    let id = server
        .keep(json!({
            "sharedSecrets": ["s3cret-s3cret-s3cret"],
            "callbacks": {"ended": {"url": "https://example.com/ended", "secrets": ["s3cret-of-callback"]}},
            "dataConnection": {"websocketUrl": "wss://example.com/data", "headers": {"Authorization": "s3cret-header"}},
            "externalVoice": {"generic": {"url": "https://example.com/say", "headers": {"X-Key": "s3cret-voice"},
                "body": {"text": "{text}"}, "responseSampleRate": 16000}},
            "medium": {"sip": {"outgoing": {"to": "sip:a@example.com", "username": "u", "password": "s3cret-sip"}}},
        }))
        .await;
    let call = server.get(&format!("/api/calls/{id}")).await;
    assert!(!call.text.contains("s3cret"), "{}", call.text);
    let call = call.json();
    assert_eq!(call["callbacks"]["ended"]["url"], "https://example.com/ended");
    assert_eq!(call["externalVoice"]["generic"]["url"], "https://example.com/say");
    assert_eq!(call["dataConnectionConfig"]["websocketUrl"], "wss://example.com/data");
    assert_eq!(call["medium"]["sip"]["outgoing"]["to"], "sip:a@example.com");
    assert_eq!(call["joinUrl"], Value::Null, "nobody joins over SIP");
    server.stop().await;
}

#[tokio::test]
async fn every_medium_has_its_own_join_url() {
    let server = Server::start().await;
    for (medium, place) in [
        (json!({"webRtc": {}}), ""),
        (json!({"serverWebSocket": {"inputSampleRate": 48000}}), "/server_web_socket"),
        (json!({"twilio": {}}), "/telephony"),
        (json!({"telnyx": {}}), "/telephony"),
        (json!({"plivo": {}}), "/telephony"),
        (json!({"exotel": {}}), "/telephony"),
    ] {
        let id = server.keep(json!({"medium": medium})).await;
        let call = server.get(&format!("/api/calls/{id}")).await.json();
        assert_eq!(call["joinUrl"], format!("ws://{}/calls/{id}{place}", server.running.local_addr()));
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_spelled_otherwise_is_understood_and_what_is_unknown_is_ignored() {
    let server = Server::start().await;
    let call = server
        .create(json!({
            "system_prompt": "Hi", "initialOutputMedium": "text", "maxDuration": "180.000000s", "noSuchField": 1,
            "medium": {"serverWebSocket": {"input_sample_rate": 8000, "clientBufferSizeMs": "60"}, "webRtc": null},
        }))
        .await;
    assert_eq!(call["systemPrompt"], "Hi");
    assert_eq!(call["initialOutputMedium"], "MESSAGE_MEDIUM_TEXT");
    assert_eq!(call["maxDuration"], "180s");
    assert_eq!(
        call["medium"],
        json!({"serverWebSocket": {"inputSampleRate": 8000, "clientBufferSizeMs": 60}})
    );
    server.stop().await;

    let strict = Server::start_with(|config| config.server.strict_fields = true).await;
    let refused = strict.post("/api/calls", r#"{"noSuchField": 1, "medium": {"webRtc": {"nor": 2}}}"#).await;
    assert_eq!(refused.detail(400), "medium.webRtc.nor, noSuchField: does not exist; leave it out");
    assert_eq!(refused.json()["errors"]["noSuchField"], json!(["does not exist; leave it out"]));
    assert_eq!(strict.post("/api/calls", r#"{"systemPrompt": "Hi"}"#).await.status, 201);
    strict.stop().await;
}

#[tokio::test]
async fn an_unknown_throttle_and_an_unknown_prior_call_are_refused() {
    let server = Server::start().await;
    let refused = server.post("/api/calls?throttle=busy", "").await;
    assert_eq!(refused.detail(400), "throttle: \"busy\" names no throttle");
    assert_eq!(refused.json()["errors"], json!({"throttle": ["\"busy\" names no throttle"]}));

    let refused = server.post("/api/calls?priorCallId=11111111-2222-4333-8444-555555555555", "").await;
    assert_eq!(refused.detail(404), "there is no call with the id priorCallId");
    let refused = server.post("/api/calls?priorCallId=yesterday", "").await;
    assert!(refused.detail(400).starts_with("priorCallId: "), "{}", refused.text);
    server.stop().await;
}

#[tokio::test]
async fn a_call_that_does_not_exist_is_not_found_whatever_is_wanted_of_it() {
    let server = Server::start().await;
    for id in ["11111111-2222-4333-8444-555555555555", "not-an-id", "%FF"] {
        let call = format!("/api/calls/{id}");
        let found = [
            server.get(&call).await,
            server.get(&format!("{call}/messages")).await,
            server.delete(&call).await,
            server.post(&format!("{call}/send_data_message"), r#"{"type": "hang_up"}"#).await,
        ];
        for answer in found {
            assert!(!answer.detail(404).is_empty(), "{id}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_message_for_a_call_that_nobody_joined_is_unprocessable() {
    let server = Server::start().await;
    let call = server.create(json!({})).await;
    let path = format!("/api/calls/{}/send_data_message", call["callId"].as_str().unwrap());
    for body in [r#"{"type": "hang_up"}"#, r#"{"type": "user_text_message", "text": "Hello"}"#] {
        let refused = server.post(&path, body).await;
        assert_eq!(refused.detail(422), "the call is not active: nobody has joined it, or it has ended");
    }
    for body in
        [r#"{"type": "ping", "timestamp": 1}"#, r#"{"type": "no_such_type"}"#, "{}", "[]", "", "nonsense"]
    {
        let refused = server.post(&path, body).await;
        assert!(!refused.detail(400).is_empty(), "{body}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_call_that_has_not_ended_is_too_early_to_delete() {
    let server = Server::start().await;
    let call = server.create(json!({})).await;
    let path = format!("/api/calls/{}", call["callId"].as_str().unwrap());
    let refused = server.delete(&path).await;
    assert_eq!(refused.detail(425), "the call has not ended; end it first, or try again when it has");
    assert_eq!(server.get(&path).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn an_ended_call_says_how_it_went_and_can_be_deleted() {
    let server = Server::start().await;
    let id = server.keep(json!({})).await;
    let path = format!("/api/calls/{id}");
    let (storage, _) = server.storage().await;
    let at = |micros| Timestamp::from_unix_micros(micros).unwrap();
    storage.calls.mark_joined(id, at(1_000_000), Some("web_0.4.1")).await.unwrap();
    storage.calls.mark_ended(id, at(7_000_001), EndReason::AgentHangUp).await.unwrap();
    storage.close().await;
    let ended = server.get(&path).await.json();
    assert_eq!(ended["joined"], "1970-01-01T00:00:01.000000Z");
    assert_eq!(ended["ended"], "1970-01-01T00:00:07.000001Z");
    assert_eq!(ended["endReason"], "agent_hangup");
    assert_eq!(ended["clientVersion"], "web_0.4.1");
    assert_eq!(ended["billedDuration"], "12s", "units of six seconds, rounded up");
    assert_eq!(ended["billingStatus"], "BILLING_STATUS_FREE_OTHER");

    let deleted = server.delete(&path).await;
    assert_eq!((deleted.status.as_u16(), deleted.text.as_str()), (204, ""));
    assert_eq!(server.get(&path).await.status, 404);
    assert_eq!(server.delete(&path).await.status, 404);
    server.stop().await;
}

#[tokio::test]
async fn a_call_that_nobody_joined_is_billed_nothing() {
    let server = Server::start().await;
    let id = server.keep(json!({})).await;
    let (storage, _) = server.storage().await;
    let at = Timestamp::from_unix_micros(40_000_000).unwrap();
    storage.calls.mark_ended(id, at, EndReason::Unjoined).await.unwrap();
    storage.close().await;
    let ended = server.get(&format!("/api/calls/{id}")).await.json();
    assert_eq!((&ended["endReason"], &ended["billedDuration"]), (&json!("unjoined"), &json!("0s")));
    assert_eq!(ended["billingStatus"], "BILLING_STATUS_FREE_ZERO_EFFECTIVE_DURATION");
    server.stop().await;
}

#[tokio::test]
async fn a_hundred_creations_at_once_give_a_hundred_calls() {
    let server = Server::start().await;
    let creations = (0..100).map(|number| server.create(json!({"metadata": {"number": number.to_string()}})));
    let calls = futures::future::join_all(creations).await;
    let ids: std::collections::BTreeSet<&str> =
        calls.iter().map(|call| call["callId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 100);
    assert_eq!(server.get("/api/calls?pageSize=1").await.json()["total"], 100);
    server.stop().await;
}
