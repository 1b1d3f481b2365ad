//! What a whole conversation looks like on the wire (protocol.md 3.3, 3.6, 4, 5.3).

use serde_json::{Value, json};

use crate::caller::{Caller, Seen};
use crate::speech::{spoken, words};
use crate::stand::Stand;

#[tokio::test]
async fn a_spoken_conversation_from_join_to_hang_up() {
    let stand = Stand::hearing(&["tell me a story", "bye"]).await;
    let (call, mut caller) = stand
        .call(json!({"selectedTools": [{"toolName": "hangUp"}], "firstSpeakerSettings": {"agent": {}}}))
        .await;

    assert_eq!(caller.until_final("agent").await, "Hello, who is there?");
    caller.until_state("listening").await;
    caller.audio(&spoken("Tell me a story, please.").await).await;
    assert_eq!(caller.until_final("user").await, "tell me a story");
    let story = caller.until_final("agent").await;
    assert!(story.starts_with("Once upon a time") && story.ends_with("before the sun was up."), "{story}");
    caller.until_state("listening").await;
    caller.audio(&spoken("Good bye.").await).await;
    assert_eq!(caller.until_closed().await, 1000);

    let outline = caller.outline();
    assert_eq!(outline[..4], ["call_started", "thinking", "speaking", "audio"]);
    assert_eq!(outline[outline.len() - 1], "closed 1000");
    transcripts_follow_the_rules(&caller);
    audio_only_while_speaking(&caller);

    let ended = stand.ended(&call).await;
    assert_eq!(ended["endReason"], "agent_hangup");
    assert_eq!(
        stand.messages(&call).await,
        [
            "agent: Hello, who is there?",
            "user: tell me a story",
            &format!("agent: {story}"),
            "user: bye",
            "agent: Goodbye then.",
            r#"tool_call: {"reason":"the conversation is over"}"#,
            "tool_result: OK",
        ]
    );
}

#[tokio::test]
async fn an_interruption_clears_then_finishes_the_transcript_then_listens() {
    let stand = Stand::hearing(&["tell me a story", "wait"]).await;
    let (call, mut caller) = stand.call(json!({"firstSpeakerSettings": {"user": {}}})).await;
    caller.until_state("listening").await;
    caller.audio(&spoken("Tell me a story.").await).await;
    caller
        .until("a few words", |message| message["type"] == "transcript" && message["delta"] == " time")
        .await;
    caller.audio(&words("Wait, wait a moment.").await).await;
    caller.until_type("playback_clear_buffer").await;

    let cleared = caller.seen.len();
    let heard = caller.until_final("agent").await;
    caller.until_state("listening").await;
    let after: Vec<&Seen> = caller.seen[cleared - 1..].iter().collect();
    assert!(
        !after.iter().any(|seen| matches!(seen, Seen::Audio(_))),
        "audio after the buffer was cleared:\n{}",
        caller.story()
    );
    let outline = caller.outline();
    let at = outline.iter().position(|word| word == "playback_clear_buffer").unwrap();
    assert_eq!(outline[at..at + 3], ["playback_clear_buffer", "agent final", "listening"]);
    assert!("Once upon a time there was a baker. He had a very old oven.".starts_with(&heard), "{heard}");

    caller.hang_up().await;
    let ended = stand.ended(&call).await;
    assert_eq!(ended["endReason"], "hangup");
    let messages = stand.messages(&call).await;
    assert_eq!(messages[..2], ["user: tell me a story", &format!("agent: {}", heard.trim())]);
}

#[tokio::test]
async fn a_text_agent_sends_no_audio_and_never_speaks() {
    let stand = Stand::hearing(&["tell me a story"]).await;
    let (_, mut caller) = stand
        .call(json!({"initialOutputMedium": "MESSAGE_MEDIUM_TEXT", "firstSpeakerSettings": {"agent": {}}}))
        .await;
    assert_eq!(caller.until_final("agent").await, "Hello, who is there?");
    caller.until_state("listening").await;
    caller.write("a story").await;
    caller.until_final("agent").await;
    caller.until_state("listening").await;
    caller.audio(&spoken("Tell me a story.").await).await;
    assert_eq!(caller.until_final("user").await, "tell me a story");
    caller.until_final("agent").await;
    caller.until_state("listening").await;
    assert!(!caller.seen.iter().any(|seen| matches!(seen, Seen::Audio(_))), "{}", caller.story());
    assert!(!caller.outline().contains(&"speaking".to_owned()), "{}", caller.story());
    transcripts_follow_the_rules(&caller);
}

#[tokio::test]
async fn a_client_tool_is_asked_once_and_its_result_is_spoken() {
    let stand = Stand::hearing(&[]).await;
    let lookup = json!({"temporaryTool": {
        "modelToolName": "lookup", "description": "Find an order", "timeout": "5s", "client": {},
        "dynamicParameters": [
            {"name": "request", "location": "PARAMETER_LOCATION_BODY", "schema": {"type": "string"}, "required": true}],
        "automaticParameters": [
            {"name": "call", "location": "PARAMETER_LOCATION_BODY", "knownValue": "KNOWN_PARAM_CALL_ID"}],
        "staticParameters": [{"name": "shop", "location": "PARAMETER_LOCATION_BODY", "value": 7}],
    }});
    let (call, mut caller) =
        stand.call(json!({"selectedTools": [lookup], "firstSpeakerSettings": {"user": {}}})).await;
    caller.write("my order").await;
    let asked = caller.until_type("client_tool_invocation").await;
    assert_eq!(asked["toolName"], "lookup");
    assert_eq!(asked["parameters"], json!({"request": "my order", "shop": 7, "call": call["callId"]}));
    let id = asked["invocationId"].as_str().unwrap().to_owned();
    assert!(id.starts_with("call_") && id.len() == 29, "{id}");
    // Another client's spelling, and then the same again, which nobody waits for any more.
    let result = json!({"type": "client_tool_result", "invocation_id": id, "result": "two loaves"});
    caller.say(result.clone()).await;
    assert_eq!(caller.until_final("agent").await, "Found: two loaves.");
    caller.say(result).await;
    caller.say(json!({"type": "ping", "timestamp": 1.0})).await;
    let pong = caller.until_type("pong").await;
    assert_eq!(pong["timestamp"].to_string(), "1.0");
    caller.hang_up().await;
    stand.ended(&call).await;
    assert_eq!(
        stand.messages(&call).await,
        [
            "user: my order",
            "agent: One moment.",
            r#"tool_call: {"request":"my order"}"#,
            "tool_result: two loaves",
            "agent: Found: two loaves.",
        ]
    );
}

#[tokio::test]
async fn a_client_that_holds_30_seconds_gets_them_at_once_and_is_cleared_at_once() {
    let stand = Stand::hearing(&[]).await;
    let medium = json!({"serverWebSocket":
        {"inputSampleRate": 16000, "outputSampleRate": 24000, "clientBufferSizeMs": 30000}});
    let (_, mut caller) = stand.call(json!({"medium": medium, "firstSpeakerSettings": {"user": {}}})).await;
    caller.write("a story").await;
    caller.until_state("speaking").await;
    // The whole story is some seconds of audio at 24 kHz; its beginning has not been heard when the end is there.
    let mut bytes = 0;
    while bytes < 3 * 48_000 {
        if let Seen::Audio(more) = caller.next().await {
            bytes += more;
        }
    }
    assert!(!caller.outline().contains(&"agent final".to_owned()), "{}", caller.story());
    caller.say(json!({"type": "user_text_message", "text": "", "urgency": "immediate"})).await;
    caller.until_type("playback_clear_buffer").await;
    caller.until_state("listening").await;
}

#[tokio::test]
async fn text_is_echoed_and_messages_are_injected_over_rest() {
    let stand = Stand::hearing(&[]).await;
    let (call, mut caller) = stand.call(json!({"firstSpeakerSettings": {"user": {}}})).await;
    caller.until_state("listening").await;
    let path = format!("/api/calls/{}/send_data_message", call["callId"].as_str().unwrap());
    let (status, _) = stand.post(&path, json!({"type": "user_text_message", "text": "hm"})).await;
    assert_eq!(status, 204);
    let echo = caller.until_type("transcript").await;
    assert_eq!(
        echo,
        json!({"type": "transcript", "role": "user", "medium": "text", "text": "hm", "final": true, "ordinal": 0})
    );
    assert_eq!(caller.until_final("agent").await, "Pardon?");
    let (status, _) = stand.post(&path, json!({"type": "hang_up", "message": "That is all."})).await;
    assert_eq!(status, 204);
    assert_eq!(caller.until_final("agent").await, "That is all.");
    assert_eq!(caller.until_closed().await, 1000);
    assert_eq!(stand.ended(&call).await["endReason"], "agent_hangup");
    let (status, _) = stand.post(&path, json!({"type": "user_text_message", "text": "hm"})).await;
    assert_eq!(status, 422);
}

#[tokio::test]
async fn a_call_without_a_medium_is_joined_by_a_plain_websocket() {
    let stand = Stand::hearing(&[]).await;
    let (status, call) =
        stand.post("/api/calls", json!({"firstSpeakerSettings": {"agent": {"text": "Hi."}}})).await;
    assert_eq!(status, 201, "{call}");
    let mut caller = Caller::join(call["joinUrl"].as_str().unwrap()).await;
    assert_eq!(caller.next().await, Seen::Text(json!({"type": "call_started", "callId": call["callId"]})));
    assert_eq!(caller.until_final("agent").await, "Hi.");
}

#[tokio::test]
async fn a_new_call_goes_on_where_a_prior_one_stopped() {
    let stand = Stand::hearing(&[]).await;
    let (first, mut caller) =
        stand.call(json!({"firstSpeakerSettings": {"agent": {}}, "metadata": {"a": "b"}})).await;
    caller.until_final("agent").await;
    caller.hang_up().await;
    stand.ended(&first).await;
    let path = format!("/api/calls?priorCallId={}", first["callId"].as_str().unwrap());
    let (status, second) = stand.post(&path, json!({"firstSpeakerSettings": {"user": {}}})).await;
    assert_eq!(status, 201, "{second}");
    assert_eq!(second["metadata"], json!({"a": "b"}));
    assert_eq!(second["medium"], first["medium"]);
    let mut caller = Caller::join(second["joinUrl"].as_str().unwrap()).await;
    caller.write("hm").await;
    assert_eq!(caller.until_final("agent").await, "Pardon?");
    caller.hang_up().await;
    stand.ended(&second).await;
    assert_eq!(stand.messages(&second).await, ["agent: Hello, who is there?", "user: hm", "agent: Pardon?"]);
}

/// Rules 1 to 6 of protocol.md 3.3.
fn transcripts_follow_the_rules(caller: &Caller) {
    let mut texts: std::collections::BTreeMap<u64, (String, bool)> = std::collections::BTreeMap::new();
    let transcripts = caller.seen.iter().filter_map(|seen| match seen {
        Seen::Text(message) if message["type"] == "transcript" => Some(message),
        Seen::Text(_) | Seen::Audio(_) | Seen::Closed(_) => None,
    });
    for message in transcripts {
        let ordinal = message["ordinal"].as_u64().unwrap();
        let (text, delta) = (message["text"].as_str(), message["delta"].as_str());
        assert!(matches!(message["medium"].as_str(), Some("voice" | "text")), "{message}");
        assert!(text.is_some() != delta.is_some(), "one of text and delta: {message}");
        assert!(!text.or(delta).unwrap().is_empty(), "{message}");
        assert!(!message.as_object().unwrap().values().any(Value::is_null), "{message}");
        let is_final = message["final"] == true;
        if message["role"] == "user" {
            assert!(is_final && text.is_some(), "the user's transcripts are final only: {message}");
            assert!(
                texts.insert(ordinal, (text.unwrap().to_owned(), true)).is_none(),
                "used twice: {message}"
            );
            continue;
        }
        match texts.get_mut(&ordinal) {
            None => {
                assert!(!is_final && text.is_some(), "an agent's transcript begins with text: {message}");
                texts.insert(ordinal, (text.unwrap().to_owned(), false));
            }
            Some((so_far, ended)) => {
                assert!(!*ended, "goes on after its end: {message}");
                if is_final {
                    assert_eq!(text.unwrap().trim_end(), so_far.trim_end());
                    *ended = true;
                } else {
                    so_far.push_str(delta.expect("only the first one has text"));
                }
            }
        }
    }
    assert!(texts.values().all(|(_, ended)| *ended), "every transcript ends: {texts:?}");
    let ordinals: Vec<u64> = texts.keys().copied().collect();
    assert_eq!(ordinals, (0..ordinals.len() as u64).collect::<Vec<_>>());
}

/// Rule 7, and no filler: audio comes only between `speaking` and the final transcript.
fn audio_only_while_speaking(caller: &Caller) {
    let mut speaking = false;
    for seen in &caller.seen {
        match seen {
            Seen::Audio(bytes) => {
                assert!(speaking, "audio outside of speech:\n{}", caller.story());
                assert!(bytes % 2 == 0 && *bytes > 0 && *bytes < 1 << 20);
            }
            Seen::Text(message) if message["type"] == "state" => speaking = message["state"] == "speaking",
            Seen::Text(message) if message["role"] == "agent" && message["final"] == true => speaking = false,
            Seen::Text(_) | Seen::Closed(_) => {}
        }
    }
}
