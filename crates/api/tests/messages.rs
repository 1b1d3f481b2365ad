//! Data messages: what clients send, in all their spellings, and what the server sends, in exactly one.

use antiphon_api::json::{Source, from_request, from_value};
use antiphon_api::realtime::{
    AgentReaction, AgentState, ClientMessage, ForcedUrgency, InjectedMessage, InputTextMessage, Medium, Pong,
    ResponseType, SendToThread, ServerMessage, SideThreadMessage, Speaker, State, ToolErrorType, ToolResult,
    Transcript, TranscriptText, Urgency, UserTextMessage,
};
use antiphon_api::rest::calls::{ConnectionKind, EnabledDataMessages};
use serde_json::{Value, json};

/// The message that `json` is to a server, nothing in it being ignored.
fn received(json: &Value) -> ClientMessage {
    let parsed = ClientMessage::parse(&json.to_string()).expect("a client sends this");
    assert_eq!(parsed.ignored, Vec::<String>::new(), "{json}");
    parsed.value
}

fn tool_result(json: &Value) -> ToolResult {
    let ClientMessage::ClientToolResult(result) = received(json) else { panic!("{json}") };
    result
}

#[test]
fn every_client_message_goes_both_ways() {
    for text in [
        r#"{"type":"ping","timestamp":1763628300123.5}"#,
        r#"{"type":"user_text_message","text":"Hi","urgency":"soon","threadId":"UI"}"#,
        r#"{"type":"input_text_message","text":"Hi","deferResponse":true}"#,
        r#"{"type":"set_output_medium","medium":"text"}"#,
        r#"{"type":"client_tool_result","invocationId":"call_1","result":"ok","responseType":"tool-response"}"#,
        r#"{"type":"data_connection_tool_result","invocationId":"call_1","responseType":"tool-response","errorType":"undefined","errorMessage":"no"}"#,
        r#"{"type":"forced_agent_message","content":"Hi","toolCalls":[{"id":"1","name":"t","arguments":{}}],"knownToolResults":[{"invocationId":"1","result":"ok","responseType":"hang-up"}],"uninterruptible":true,"urgency":"immediate","threadId":"UI"}"#,
        r#"{"type":"hang_up","message":"Bye"}"#,
        r#"{"type":"spawn_thread","newThreadId":"t","parentThreadId":"UI","ifExists":"replace","additionalMessages":[{"type":"user_text_message","text":"Hi","urgency":"soon","threadId":"UI"}],"toolFilter":{"allowedTools":[],"disallowedTools":["a"]},"limits":{"generationLimit":0}}"#,
        r#"{"type":"brand_new","anything":[1,{"a":null}]}"#,
    ] {
        let parsed = ClientMessage::parse(text).unwrap();
        assert_eq!(parsed.value.to_text(), text);
        assert_eq!(parsed.ignored, Vec::<String>::new());
    }
}

#[test]
fn every_server_message_goes_both_ways() {
    for text in [
        r#"{"type":"call_started","callId":"11111111-2222-4333-8444-555555555555"}"#,
        r#"{"type":"state","state":"listening"}"#,
        r#"{"type":"transcript","role":"agent","medium":"voice","text":"Hello","final":false,"ordinal":0}"#,
        r#"{"type":"transcript","role":"user","medium":"text","delta":" you","final":false,"ordinal":1}"#,
        r#"{"type":"client_tool_invocation","toolName":"lookup","invocationId":"call_1","parameters":{}}"#,
        r#"{"type":"data_connection_tool_invocation","toolName":"lookup","invocationId":"call_1","parameters":{"a":1}}"#,
        r#"{"type":"playback_clear_buffer"}"#,
        r#"{"type":"pong","timestamp":1.0}"#,
        r#"{"type":"debug","message":"LLM response"}"#,
        r#"{"type":"thread_spawned","threadId":"t"}"#,
        r#"{"type":"thread_rejected","threadId":"t","reason":"exists"}"#,
        r#"{"type":"thread_terminated","threadId":"t","reason":"limit"}"#,
        r#"{"type":"side_generation_delta","threadId":"t","delta":"a"}"#,
        r#"{"type":"side_generation_completed","threadId":"t","text":"a","toolCalls":[]}"#,
        r#"{"type":"room_info","roomUrl":"wss://room.example","token":"jwt"}"#,
        r#"{"type":"user_started_speaking"}"#,
        r#"{"type":"user_stopped_speaking","callTimestamp":"1.5s"}"#,
        r#"{"type":"call_event","severity":"warning","eventType":"audio.underflow","text":"late"}"#,
        r#"{"type":"invoking_tool","toolName":"t","invocationId":"1","parameters":{}}"#,
        r#"{"type":"tool_used","toolName":"t","invocationId":"1","result":"ok"}"#,
        r#"{"type":"error","error":"out of order"}"#,
        r#"{"type":"state","state":"dreaming"}"#,
        r#"{"type":"brand_new","anything":1}"#,
    ] {
        assert_eq!(ServerMessage::parse(text).unwrap().value.to_text(), text);
    }
}

#[test]
fn a_timestamp_comes_back_digit_by_digit() {
    for number in ["1.0", "1", "-0.0", "1e3", "123456789012345678901234567890", "0.10000000000000000001"] {
        for key in ["timestamp", r"time\u0073tamp"] {
            let text = format!(r#"{{"type":"ping","{key}":{number}}}"#);
            let ClientMessage::Ping(ping) = ClientMessage::parse(&text).unwrap().value else {
                panic!("{text}")
            };
            let pong = ServerMessage::Pong(Pong { timestamp: ping.timestamp }).to_text();
            assert_eq!(pong, format!(r#"{{"type":"pong","timestamp":{number}}}"#));
        }
    }
    let endless = format!(r#"{{"type":"ping","timestamp":1.{}}}"#, "0".repeat(100_000));
    assert_eq!(
        ClientMessage::parse(&endless).unwrap_err().to_string(),
        "timestamp: is too long; send at most 64 characters"
    );
}

#[test]
fn a_text_message_is_as_urgent_as_its_newest_field_says() {
    for (fields, urgency) in [
        (json!({}), Urgency::Soon),
        (json!({"urgency": null}), Urgency::Soon),
        (json!({"urgency": "later"}), Urgency::Later),
        (json!({"deferResponse": true}), Urgency::Later),
        (json!({"deferResponse": false}), Urgency::Soon),
        (json!({"deferResponse": true, "urgency": "immediate"}), Urgency::Immediate),
        (json!({"defer_response": true}), Urgency::Later),
    ] {
        let mut message = json!({"type": "user_text_message", "text": ""});
        message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let ClientMessage::UserText(text) = received(&message) else { panic!("{message}") };
        assert_eq!(text.urgency, urgency, "{message}");
    }
}

#[test]
fn the_older_text_message_says_whether_it_is_deferred() {
    let older = |defer_response| InputTextMessage { text: "Hi".into(), defer_response };
    assert_eq!(older(Some(true)).into_user_text(Urgency::Soon).urgency, Urgency::Later);
    assert_eq!(older(Some(false)).into_user_text(Urgency::Soon).urgency, Urgency::Soon);
    assert_eq!(older(None).into_user_text(Urgency::Immediate).urgency, Urgency::Immediate);
}

#[test]
fn tool_results_are_taken_as_real_clients_send_them() {
    // jambonz: snake_case, and parts from its MCP bridge.
    let jambonz = tool_result(&json!({
        "type": "client_tool_result", "invocation_id": "call_1", "error_message": null,
        "result": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    }));
    assert_eq!(jambonz.result.unwrap().0, "one\ntwo");

    // The Python SDK: every field, unset ones as null.
    let python = tool_result(&json!({
        "type": "client_tool_result", "invocationId": "call_1", "result": "42", "responseType": "tool-response",
        "agentReaction": "speaks", "updateCallState": null
    }));
    assert_eq!((python.agent_reaction, python.update_call_state), (Some(AgentReaction::Speaks), None));

    // ultravox-cli: a class name of its language.
    let cli =
        tool_result(&json!({"type": "client_tool_result", "invocationId": "1", "errorType": "KeyError"}));
    assert_eq!(cli.error_type, Some(ToolErrorType::Other("KeyError".into())));
    assert_eq!((cli.result, cli.response_type), (None, ResponseType::ToolResponse));

    for (result, text) in [
        (json!({"a": 1}), r#"{"a":1}"#),
        (json!(5), "5"),
        (json!([1, 2]), "[1,2]"),
        (json!([]), "[]"),
        (json!([{"type": "image"}]), r#"[{"type":"image"}]"#),
    ] {
        let read = tool_result(&json!({"type": "client_tool_result", "invocationId": "1", "result": result}));
        assert_eq!(read.result.unwrap().0, text);
    }
}

#[test]
fn a_state_update_that_is_no_object_is_ignored() {
    let text = r#"{"type":"client_tool_result","invocationId":"1","updateCallState":[1]}"#;
    let parsed = ClientMessage::parse(text).unwrap();
    assert_eq!(parsed.ignored, ["updateCallState"]);
    assert!(
        matches!(parsed.value, ClientMessage::ClientToolResult(result) if result.update_call_state.is_none())
    );
}

#[test]
fn forced_messages_are_taken_in_every_documented_form() {
    let ClientMessage::ForcedAgentMessage(message) = received(&json!({
        "type": "forced_agent_message",
        "toolCalls": [{"toolName": "slow", "parameters": {"q": "x"}}, {"id": "7", "name": "fast"}],
        "knownToolResults": [{"invocationId": "7", "result": {"status": "done"}}]
    })) else {
        panic!("it is another message")
    };
    assert_eq!((message.content.as_str(), message.urgency), ("", ForcedUrgency::Soon));
    assert_eq!(
        (message.tool_calls[0].name.as_str(), message.tool_calls[0].arguments["q"].as_str()),
        ("slow", Some("x"))
    );
    assert!(message.tool_calls[1].arguments.is_empty());
    assert_eq!(message.known_tool_results[0].result.as_ref().unwrap().0, r#"{"status":"done"}"#);
}

#[test]
fn a_slow_tool_answers_into_a_thread() {
    let result = tool_result(&json!({
        "type": "client_tool_result", "invocationId": "call_x", "responseType": "send-to-thread",
        "agentReaction": "speaks",
        "result": "{\"callingThreadResultText\":\"Started in the background.\",\"dataMessage\":{\"type\":\"spawn_thread\",\
                   \"newThreadId\":\"job-1\",\"additionalMessages\":[{\"type\":\"forced_agent_message\",\"toolCalls\":\
                   [{\"name\":\"slowLookup\",\"arguments\":{\"q\":\"x\"}}]}],\"limits\":{\"generationLimit\":0}}}"
    }));
    assert_eq!(result.response_type, ResponseType::SendToThread);
    let sent = from_request::<SendToThread>(result.result.unwrap().0.as_bytes()).unwrap().value;
    assert_eq!(sent.calling_thread_result_text, "Started in the background.");
    let SideThreadMessage::SpawnThread(spawned) = sent.data_message else { panic!("it is another message") };
    assert_eq!(spawned.new_thread_id.as_deref(), Some("job-1"));
    assert_eq!(
        (spawned.parent_thread_id.as_str(), spawned.limits.unwrap().generation_limit),
        ("UI", Some(0))
    );
}

#[test]
fn every_bad_message_is_named_with_its_remedy() {
    for (text, problem) in [
        ("", "the JSON text cannot be parsed: EOF while parsing a value at line 1 column 0"),
        ("[]", "the JSON text must be an object, not a list"),
        ("{}", "type: is missing"),
        (r#"{"type":7}"#, "type: must be a string, not a number"),
        (r#"{"type":"ping"}"#, "timestamp: is missing"),
        (r#"{"type":"ping","timestamp":"1"}"#, "timestamp: must be a number"),
        (r#"{"type":"user_text_message"}"#, "text: is missing"),
        (
            r#"{"type":"user_text_message","text":"","urgency":"now"}"#,
            r#"urgency: "now" is not known; choose one of immediate, soon, later"#,
        ),
        (
            r#"{"type":"forced_agent_message","urgency":"later"}"#,
            r#"urgency: "later" is not known; choose one of immediate, soon"#,
        ),
        (
            r#"{"type":"set_output_medium","medium":"smell"}"#,
            r#"medium: "smell" is not known; choose one of text, voice"#,
        ),
        (r#"{"type":"client_tool_result","result":"x"}"#, "invocationId: is missing"),
        (
            r#"{"type":"spawn_thread","additionalMessages":[{"type":"hang_up"}]}"#,
            r#"additionalMessages[0].type: "hang_up" cannot be sent here; send one of forced_agent_message, user_text_message"#,
        ),
    ] {
        assert_eq!(ClientMessage::parse(text).unwrap_err().to_string(), problem);
    }
}

#[test]
fn only_three_messages_are_sent_over_rest() {
    let injected = |json: Value| from_value::<InjectedMessage>(&json, Source::RequestBody);
    let text = injected(json!({"type": "user_text_message", "text": "Hi"})).unwrap().value;
    assert_eq!(text, InjectedMessage::UserText(UserTextMessage::new("Hi")));
    assert_eq!(ClientMessage::from(text), ClientMessage::UserText(UserTextMessage::new("Hi")));
    assert!(injected(json!({"type": "hang_up"})).is_ok());
    assert!(injected(json!({"type": "forced_agent_message", "content": "Hi"})).is_ok());
    assert_eq!(
        injected(json!({"type": "ping", "timestamp": 1})).unwrap_err().to_string(),
        r#"type: "ping" cannot be sent here; send one of forced_agent_message, hang_up, user_text_message"#
    );
}

#[test]
fn transcripts_are_read_in_every_form_that_servers_send() {
    for (words, text) in [
        (json!({"text": "Hi"}), TranscriptText::Text("Hi".into())),
        (json!({"text": "Hi", "delta": null}), TranscriptText::Text("Hi".into())),
        (json!({"text": "", "delta": ","}), TranscriptText::Delta(",".into())),
        (json!({"text": null, "delta": " how"}), TranscriptText::Delta(" how".into())),
        (json!({}), TranscriptText::Text(String::new())),
    ] {
        let mut json = json!({"type": "transcript", "role": "agent", "final": false, "ordinal": 0});
        json.as_object_mut().unwrap().extend(words.as_object().unwrap().clone());
        let read = ServerMessage::parse(&json.to_string()).unwrap().value;
        let (role, medium) = (Speaker::Agent, Medium::Voice);
        let expected = Transcript { role, medium, text, is_final: false, ordinal: 0 };
        assert_eq!(read, ServerMessage::Transcript(expected));
    }
}

#[test]
fn connections_are_sent_what_their_kind_needs_unless_told_otherwise() {
    let clear = ServerMessage::PlaybackClearBuffer;
    let state = ServerMessage::State(State { state: AgentState::Listening });
    let debug = ServerMessage::parse(r#"{"type":"debug","message":""}"#).unwrap().value;
    let invocation =
        r#"{"type":"data_connection_tool_invocation","toolName":"t","invocationId":"1","parameters":{}}"#;
    let invocation = ServerMessage::parse(invocation).unwrap().value;
    let default = EnabledDataMessages::default();
    for (kind, expected) in [
        (ConnectionKind::WebRtc, [true, false, false, false]),
        (ConnectionKind::ServerWebSocket, [true, false, true, false]),
        (ConnectionKind::DataConnection { audio: false }, [true, false, false, true]),
        (ConnectionKind::DataConnection { audio: true }, [true, false, true, true]),
    ] {
        let allowed = [&state, &debug, &clear, &invocation].map(|message| default.allow(message, kind));
        assert_eq!(allowed, expected, "{kind:?}");
    }
    let told = EnabledDataMessages { state: Some(false), debug: Some(true), ..default };
    assert!(!told.allow(&state, ConnectionKind::WebRtc));
    assert!(told.allow(&debug, ConnectionKind::WebRtc));
}
