//! What a call makes of bad input: each gets a clear answer, and the server is healthy after it.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::caller::{Caller, Seen};
use crate::speech::spoken;
use crate::stand::Stand;

/// A server that still holds a whole call is healthy.
async fn is_healthy(stand: &Stand) {
    let (call, mut caller) = stand.call(json!({"firstSpeakerSettings": {"agent": {"text": "Hi."}}})).await;
    assert_eq!(caller.until_final("agent").await, "Hi.");
    caller.hang_up().await;
    assert_eq!(stand.ended(&call).await["endReason"], "hangup");
}

/// The code with which a join is closed.
async fn refused(url: &str) -> u16 {
    Caller::join(url).await.until_closed().await
}

#[tokio::test]
async fn joins_that_cannot_work_are_closed_with_a_code_that_says_why() {
    let stand = Stand::hearing(&[]).await;
    let (call, mut caller) = stand.call(json!({"firstSpeakerSettings": {"user": {}}})).await;
    caller.until_state("listening").await;
    let url = call["joinUrl"].as_str().unwrap();
    assert_eq!(refused(url).await, 4409, "a second joiner");
    assert_eq!(refused(&format!("{url}?apiVersion=2")).await, 4400, "another version");
    let unknown = url.replace(call["callId"].as_str().unwrap(), "00000000-0000-4000-8000-000000000000");
    assert_eq!(refused(&unknown).await, 4404, "an unknown call");
    assert_eq!(refused(&url.replace(call["callId"].as_str().unwrap(), "nonsense")).await, 4404);
    // The one who is connected does not notice any of it.
    caller.write("hm").await;
    assert_eq!(caller.until_final("agent").await, "Pardon?");
    caller.hang_up().await;
    stand.ended(&call).await;
    assert_eq!(refused(url).await, 4410, "an ended call");
    is_healthy(&stand).await;
}

#[tokio::test]
async fn unknown_parameters_of_a_join_are_tolerated() {
    let stand = Stand::hearing(&[]).await;
    let call = stand.create(json!({"firstSpeakerSettings": {"user": {}}})).await;
    let url = call["joinUrl"].as_str().unwrap();
    let mut caller = Caller::join(&format!(
        "{url}?additionalMessages=x&experimentalMessages=&clientVersion=web_0.4.1:app&apiVersion=1"
    ))
    .await;
    caller.until_state("listening").await;
    caller.hang_up().await;
    assert_eq!(stand.ended(&call).await["clientVersion"], "web_0.4.1:app");
}

#[tokio::test]
async fn malformed_messages_are_ignored_until_there_are_too_many() {
    let stand = Stand::hearing(&[]).await;
    let (_, mut caller) = stand.call(json!({"firstSpeakerSettings": {"user": {}}})).await;
    let deep = "[".repeat(100_000);
    for text in ["", "{", "[]", "null", "{\"type\":7}", "{\"type\":\"user_text_message\"}", &deep] {
        caller.send(Message::text(text.to_owned())).await;
    }
    caller.say(json!({"type": "what_is_this", "with": ["anything"]})).await;
    caller.write("hm").await;
    assert_eq!(caller.until_final("agent").await, "Pardon?");
    for _ in 0..60 {
        caller.try_send(Message::text("{")).await;
    }
    assert_eq!(caller.until_closed().await, 1008);
    is_healthy(&stand).await;
}

#[tokio::test]
async fn a_message_larger_than_a_mebibyte_closes_the_connection() {
    let stand = Stand::hearing(&[]).await;
    let (call, mut caller) = stand.call(json!({"firstSpeakerSettings": {"user": {}}})).await;
    caller.until_state("listening").await;
    caller.try_send(Message::text("x".repeat(1024 * 1024 + 1))).await;
    assert_eq!(caller.until_closed().await, 1009);
    assert_eq!(stand.ended(&call).await["endReason"], "connection_error");
    is_healthy(&stand).await;
}

#[tokio::test]
async fn empty_and_odd_frames_are_part_of_the_stream() {
    let stand = Stand::hearing(&["tell me a story"]).await;
    let (_, mut caller) = stand.call(json!({"firstSpeakerSettings": {"user": {}}})).await;
    caller.until_state("listening").await;
    let samples = spoken("Tell me a story.").await;
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    for frame in bytes.chunks(3) {
        caller.send(Message::binary(Vec::new())).await;
        caller.send(Message::binary(frame.to_vec())).await;
    }
    assert_eq!(caller.until_final("user").await, "tell me a story");
}

#[tokio::test]
async fn audio_much_faster_than_real_time_is_dropped_and_reported() {
    let stand = Stand::hearing(&[]).await;
    let medium = json!({"serverWebSocket": {"inputSampleRate": 16000, "dataMessages": {"callEvent": true}}});
    let (_, mut caller) = stand.call(json!({"medium": medium, "firstSpeakerSettings": {"user": {}}})).await;
    caller.until_state("listening").await;
    // A minute of silence at once.
    caller.audio(&vec![0; 16_000 * 60]).await;
    let event = caller.until_type("call_event").await;
    assert_eq!((&event["eventType"], &event["severity"]), (&json!("audio.overflow"), &json!("warning")));
    caller.write("hm").await;
    assert_eq!(caller.until_final("agent").await, "Pardon?");
}

#[tokio::test]
async fn a_joiner_who_leaves_at_once_ends_the_call() {
    let stand = Stand::hearing(&[]).await;
    let (call, caller) = stand.call(json!({})).await;
    drop(caller);
    assert_eq!(stand.ended(&call).await["endReason"], "hangup");
    is_healthy(&stand).await;
}

#[tokio::test]
async fn audio_that_stops_in_the_middle_of_speech_still_ends_the_turn() {
    let stand = Stand::hearing(&["tell me a story"]).await;
    let (_, mut caller) = stand.call(json!({"firstSpeakerSettings": {"user": {}}})).await;
    caller.until_state("listening").await;
    let samples = spoken("Tell me a story about bread and butter.").await;
    caller.audio(&samples[..16_000]).await;
    assert_eq!(caller.until_final("user").await, "tell me a story");
}

#[tokio::test]
async fn requests_that_make_no_sense_name_their_field() {
    let stand = Stand::hearing(&[]).await;
    let socket = |fields: Value| json!({"medium": {"serverWebSocket": fields}});
    let cases = [
        (socket(json!({"inputSampleRate": 7000})), "medium.serverWebSocket.inputSampleRate"),
        (socket(json!({})), "medium.serverWebSocket.inputSampleRate"),
        (json!({"medium": {"twilio": {}}}), "medium.twilio"),
        (json!({"medium": {"twilio": {}, "telnyx": {}}}), "medium"),
        (json!({"joinTimeout": "5 minutes"}), "joinTimeout"),
        (json!({"maxDuration": "-5s"}), "maxDuration"),
        (json!({"maxDuration": "90000s"}), "maxDuration"),
        (json!({"temperature": 7}), "temperature"),
        (json!({"model": "gpt-17"}), "model"),
        (json!({"vadSettings": {"turnEndpointDelay": "900s"}}), "vadSettings.turnEndpointDelay"),
        (json!({"vadSettings": {"frameActivationThreshold": 0}}), "vadSettings.frameActivationThreshold"),
        (
            json!({"firstSpeakerSettings": {"agent": {"text": "a", "prompt": "b"}}}),
            "firstSpeakerSettings.agent",
        ),
        (
            json!({"selectedTools": [{"toolName": "queryCorpus", "parameterOverrides": {"corpus_id": "x"}}]}),
            "selectedTools[0].parameterOverrides.corpus_id",
        ),
        (json!({"selectedTools": [{"toolName": "hangUp"}, {"toolName": "hangUp"}]}), "selectedTools[1]"),
        (json!({"systemPrompt": 7}), "systemPrompt"),
    ];
    for (body, field) in cases {
        let (status, error) = stand.post("/api/calls", body.clone()).await;
        assert_eq!(status, 400, "{body} was answered {error}");
        assert!(error["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{body}: {error}");
        let fields: Vec<&String> = error["errors"].as_object().unwrap().keys().collect();
        assert_eq!(fields, [field], "{body}: {error}");
    }
    is_healthy(&stand).await;
}

#[tokio::test]
async fn fields_that_mean_nothing_are_told_and_do_no_harm() {
    let stand = Stand::hearing(&[]).await;
    let medium = json!({"serverWebSocket": {"inputSampleRate": "16000", "dataMessages": {"debug": true}}});
    let (_, mut caller) = stand
        .call(json!({"medium": medium, "system_prompt": "Hi", "noSuchField": 1, "voice": "Mark", "model": "fixie-ai/ultravox"}))
        .await;
    let first = caller.next().await;
    assert!(matches!(first, Seen::Text(message) if message["type"] == "call_started"));
}
