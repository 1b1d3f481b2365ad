//! The bodies that real clients send (protocol.md 8.2 to 8.12), and what they need to find in the answer.

use antiphon_api::endpoint::{Endpoint, PathArguments, Payload};
use antiphon_api::json::{from_query, from_request, from_response, to_query};
use antiphon_api::rest::calls::{
    AgentBasic, BillingStatus, Call, CallMedium, CallSort, CreateCall, CreateCallQuery, DateOrTime,
    FirstSpeaker, FirstSpeakerSettings, ListCallEvents, ListCalls, ListCallsQuery, MessageMedium,
    MessageRole, ReadCall, ReadMessageAudio, ServerWebSocketMedium, StartCallRequest, ToolReference,
    UserGreeting,
};
use antiphon_api::{CallId, CallStageId, ErrorBody, Page, WireDuration};
use serde_json::{Value, json};

const CALL_ID: &str = "11111111-2222-4333-8444-555555555555";

fn request(body: &Value) -> StartCallRequest {
    let parsed = from_request::<StartCallRequest>(body.to_string().as_bytes()).expect("a client sends this");
    assert_eq!(parsed.ignored, Vec::<String>::new(), "{body}");
    parsed.value
}

fn web_socket(request: &StartCallRequest) -> &ServerWebSocketMedium {
    let Some(CallMedium::ServerWebSocket(medium)) = &request.medium else { panic!("{request:?}") };
    medium
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| (String::from(*key), String::from(*value))).collect()
}

/// A call as a server answers it that has just created one.
fn new_call() -> Call {
    serde_json::from_value(json!({
        "callId": CALL_ID, "created": "2026-11-20T08:45:00Z", "billingStatus": "BILLING_STATUS_PENDING",
        "firstSpeaker": "FIRST_SPEAKER_USER", "model": "ultravox-v0.7", "metadata": {"source": "fixture"},
        "joinUrl": format!("wss://host/calls/{CALL_ID}/server_web_socket")
    }))
    .expect("it is a call")
}

#[test]
fn the_worked_example_goes_both_ways() {
    let body = json!({"systemPrompt":"Be brief.","temperature":0.3,"voice":"Mark",
        "inactivityMessages":[{"duration":"30s","message":"Still there?"},
            {"duration":"10s","message":"Goodbye.","endBehavior":"END_BEHAVIOR_HANG_UP_SOFT"}],
        "selectedTools":[{"toolName":"hangUp"},
            {"temporaryTool":{"modelToolName":"lookup","description":"Find an order",
                "dynamicParameters":[{"name":"orderId","location":"PARAMETER_LOCATION_BODY","schema":{"type":"string"},"required":true}],
                "automaticParameters":[{"name":"call","location":"PARAMETER_LOCATION_BODY","knownValue":"KNOWN_PARAM_CALL_ID"}],
                "timeout":"5s","client":{}}}],
        "medium":{"serverWebSocket":{"inputSampleRate":16000,"outputSampleRate":24000,"clientBufferSizeMs":30000}},
        "firstSpeakerSettings":{"user":{"fallback":{"delay":"6s","text":"Hello?"}}},
        "metadata":{"source":"fixture"}});
    let request = request(&body);
    assert_eq!(serde_json::to_string(&request).unwrap(), body.to_string());

    let fallback = match &request.first_speaker_settings {
        Some(FirstSpeakerSettings::User(UserGreeting { fallback: Some(fallback) })) => fallback,
        other => panic!("{other:?}"),
    };
    assert_eq!(fallback.delay, WireDuration::from_secs(6));
    let query = from_query::<CreateCallQuery>(pairs(&[("enableGreetingPrompt", "false")])).unwrap().value;
    assert!(!query.enable_greeting_prompt);
}

#[test]
fn a_call_has_every_key_every_time() {
    let call = serde_json::to_value(new_call()).unwrap();
    let keys: Vec<_> = call.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = vec![
        "agent",
        "agentId",
        "billedDuration",
        "billedSideInputTokens",
        "billedSideOutputTokens",
        "billingStatus",
        "callId",
        "callbacks",
        "clientVersion",
        "created",
        "dataConnectionConfig",
        "endReason",
        "ended",
        "experimentalSettings",
        "externalVoice",
        "firstSpeaker",
        "firstSpeakerSettings",
        "inactivityMessages",
        "initialOutputMedium",
        "initialState",
        "joinTimeout",
        "joinUrl",
        "joined",
        "languageHint",
        "maxDuration",
        "medium",
        "metadata",
        "model",
        "recordingEnabled",
        "requestContext",
        "retentionPolicy",
        "shortSummary",
        "sipDetails",
        "summary",
        "systemPrompt",
        "temperature",
        "timeExceededMessage",
        "transcriptOptional",
        "vadSettings",
        "voice",
        "voiceOverrides",
    ];
    let mut sorted = keys;
    sorted.sort_unstable();
    expected.sort_unstable();
    assert_eq!(sorted, expected);
    for (key, value) in [
        ("created", json!("2026-11-20T08:45:00.000000Z")),
        ("joined", Value::Null),
        ("endReason", Value::Null),
        ("agent", Value::Null),
        ("joinTimeout", json!("30s")),
        ("maxDuration", json!("3600s")),
        ("initialOutputMedium", json!("MESSAGE_MEDIUM_VOICE")),
        ("recordingEnabled", json!(false)),
        ("inactivityMessages", json!([])),
        ("metadata", json!({"source": "fixture"})),
    ] {
        assert_eq!(call[key], value, "{key}");
    }
}

#[test]
fn a_call_from_a_newer_server_is_still_a_call() {
    let mut json = serde_json::to_value(new_call()).unwrap();
    json["endReason"] = json!("abducted");
    json["billingStatus"] = json!("BILLING_STATUS_PAID_IN_GOLD");
    json["medium"] = json!({"carrierPigeon": {}});
    json["brandNew"] = json!({});
    json["agent"] = json!({"agentId": CALL_ID, "name": "Ada"});
    let read = from_response::<Call>(json.to_string().as_bytes()).unwrap();
    assert_eq!(read.value.end_reason.as_ref().unwrap().as_str(), "abducted");
    assert_eq!(read.value.billing_status, BillingStatus::Other("BILLING_STATUS_PAID_IN_GOLD".into()));
    assert!(matches!(&read.value.agent, Some(AgentBasic { name, .. }) if name == "Ada"));
    assert_eq!(read.value.medium, None);
    assert_eq!(serde_json::to_value(&read.value).unwrap()["endReason"], "abducted");
}

#[test]
fn pipecat() {
    let request = request(&json!({
        "systemPrompt": null, "temperature": 0.4, "model": null, "voice": null, "metadata": {},
        "maxDuration": "180.000000s", "selectedTools": [],
        "medium": {"serverWebSocket": {"inputSampleRate": 48000}}
    }));
    assert_eq!((&request.system_prompt, &request.model, &request.voice), (&None, &None, &None));
    assert_eq!(request.max_duration, Some(WireDuration::from_secs(180)));
    assert_eq!(web_socket(&request).client_buffer_size_ms, None);
}

#[test]
fn livekit() {
    let request = request(&json!({
        "systemPrompt": "Help.", "model": "fixie-ai/ultravox", "voice": "Mark", "firstSpeaker": "FIRST_SPEAKER_USER",
        "medium": {"serverWebSocket": {"inputSampleRate": 16000, "outputSampleRate": 24000, "clientBufferSizeMs": 30000}},
        "selectedTools": [{"temporaryTool": {
            "modelToolName": "weather", "description": "Looks outside",
            "dynamicParameters": [{
                "name": "city", "location": "PARAMETER_LOCATION_BODY",
                "schema": {"title": "City", "type": "string"}, "required": true
            }],
            "client": {}
        }}]
    }));
    assert_eq!(request.first_speaker, Some(FirstSpeaker::User));
    let ToolReference::TemporaryTool(tool) = &request.selected_tools.unwrap()[0].tool else {
        panic!("no tool")
    };
    assert_eq!(tool.dynamic_parameters[0].schema["title"], "City");
}

#[test]
fn avr() {
    let request = request(&json!({
        "systemPrompt": "Help.", "temperature": 0, "model": "fixie-ai/ultravox", "voice": "Shaun",
        "metadata": {"uuid": "abc"}, "recordingEnabled": false, "joinTimeout": "30s", "maxDuration": "3600s",
        "medium": {"serverWebSocket": {"inputSampleRate": 8000, "outputSampleRate": 8000, "clientBufferSizeMs": "60"}}
    }));
    assert_eq!(web_socket(&request).client_buffer_size_ms, Some(60));
}

#[test]
fn jambonz() {
    let request = request(&json!({
        "systemPrompt": "Help.", "firstSpeaker": "FIRST_SPEAKER_AGENT", "model": "fixie-ai/ultravox",
        "initialMessages": [{"medium": "MESSAGE_MEDIUM_VOICE", "role": "MESSAGE_ROLE_USER"}],
        "transcriptOptional": true,
        "medium": {"webRtc": null, "serverWebSocket": {"inputSampleRate": 8000, "outputSampleRate": 8000}},
        "selectedTools": [{"temporaryTool": {
            "modelToolName": "mcp", "client": {}, "dynamicParameters": [{"name": "any", "required": false}]
        }}]
    }));
    let message = &request.initial_messages.unwrap()[0];
    assert_eq!((&message.role, message.text.as_str()), (&MessageRole::User, ""));
    assert_eq!(message.medium, Some(MessageMedium::Voice));
    let ToolReference::TemporaryTool(tool) = &request.selected_tools.unwrap()[0].tool else {
        panic!("no tool")
    };
    assert!(tool.dynamic_parameters[0].schema.is_empty());
}

#[test]
fn the_official_web_socket_example() {
    let request = request(&json!({
        "systemPrompt": "You work at a drive-through.", "temperature": 0.8, "voice": "Mark",
        "medium": {"serverWebSocket": {"inputSampleRate": 48000, "outputSampleRate": 48000, "clientBufferSizeMs": 30000}},
        "selectedTools": [{"temporaryTool": {"modelToolName": "getSecretMenu", "description": "Opens it", "client": {}}}],
        "initialOutputMedium": "MESSAGE_MEDIUM_TEXT", "firstSpeaker": "FIRST_SPEAKER_USER"
    }));
    assert_eq!(request.initial_output_medium, Some(MessageMedium::Text));
    let query = from_query::<CreateCallQuery>(pairs(&[("priorCallId", CALL_ID)])).unwrap().value;
    assert_eq!(
        query,
        CreateCallQuery { prior_call_id: Some(CALL_ID.parse().unwrap()), ..Default::default() }
    );
}

#[test]
fn endpoints_say_where_and_how() {
    let id: CallId = CALL_ID.parse().unwrap();
    assert_eq!(id.fill(ReadCall::PATH), format!("/api/calls/{CALL_ID}"));
    assert_eq!(<ReadCall as Endpoint>::Path::parse([CALL_ID]).unwrap(), id);
    assert_eq!(id.fill(ListCallEvents::PATH), format!("/api/calls/{CALL_ID}/events"));
    let message = (id, CallStageId::new(id.uuid()), 7);
    assert_eq!(
        message.fill(ReadMessageAudio::PATH),
        format!("/api/calls/{CALL_ID}/stages/{CALL_ID}/messages/7/audio")
    );
    assert_eq!(<(CallId, CallStageId, u32)>::parse([CALL_ID, CALL_ID, "7"]), Ok(message));
    for wrong in ["", "-1", "4294967296", "x"] {
        assert!(<(CallId, CallStageId, u32)>::parse([CALL_ID, CALL_ID, wrong]).is_err(), "{wrong}");
    }
    assert!(<ReadCall as Endpoint>::Path::parse(["first"]).unwrap_err().to_string().contains("is not an id"));
    assert_eq!((CreateCall::METHOD.as_str(), CreateCall::SUCCESS), ("POST", 201));

    let body = new_call().to_body().unwrap();
    assert_eq!(<CreateCall as Endpoint>::Response::from_response(&body).unwrap().value, new_call());
}

#[test]
fn lists_are_filtered_by_their_query() {
    let mut query = pairs(&[
        ("agentIds", CALL_ID),
        ("agentIds", "aaaaaaaa-2222-4333-8444-555555555555"),
        ("durationMin", "10s"),
        ("fromDate", "2026-11-01"),
        ("toDate", "2026-11-20T08:45:00.000000Z"),
        ("metadata.customer.id", "7"),
        ("pageSize", "20"),
        ("sort", "-created"),
        ("timeOfDayStart", "08:45:00"),
    ]);
    let parsed = from_query::<ListCallsQuery>(query.clone()).unwrap();
    assert_eq!(parsed.ignored, Vec::<String>::new());
    assert_eq!(parsed.value.metadata["customer.id"], "7");
    assert_eq!(parsed.value.sort, Some(CallSort::CreatedDescending));
    assert!(matches!(parsed.value.from_date, Some(DateOrTime::Date(_))));
    assert!(matches!(parsed.value.to_date, Some(DateOrTime::Time(_))));
    let mut written = to_query(&parsed.value);
    written.sort();
    query.sort();
    assert_eq!(written, query);

    // ultravox-cli pages in a way that does not exist.
    let cli = from_query::<ListCallsQuery>(pairs(&[("limit", "5"), ("offset", "0")])).unwrap();
    assert_eq!((cli.value, cli.ignored), (ListCallsQuery::default(), vec!["limit".into(), "offset".into()]));

    for (key, value, problem) in [
        ("pageSize", "0", "pageSize: 0 is out of range; choose from 1 to 1000"),
        (
            "sort",
            "price",
            "sort: \"price\" is not known; choose one of billedDuration, -billedDuration, created, -created, ended, -ended, \
             joined, -joined",
        ),
        (
            "fromDate",
            "yesterday",
            "fromDate: \"yesterday\" is neither a date nor a moment; write \"2026-11-20\" or \"2026-11-20T08:45:00Z\"",
        ),
    ] {
        let invalid = from_query::<ListCallsQuery>(pairs(&[(key, value)])).unwrap_err();
        assert_eq!(invalid.to_string(), problem);
    }
}

#[test]
fn pages_and_errors_are_read_as_servers_write_them() {
    let page = json!({"next": null, "previous": null, "results": [new_call()], "total": 1});
    let read = <ListCalls as Endpoint>::Response::from_response(page.to_string().as_bytes()).unwrap().value;
    assert_eq!(read.results, [new_call()]);
    let bare: Page<Call> = from_response(br#"{"results": []}"#).unwrap().value;
    assert_eq!(serde_json::to_string(&bare).unwrap(), r#"{"next":null,"previous":null,"results":[]}"#);

    let error = |body: &str| from_response::<ErrorBody>(body.as_bytes()).unwrap().value;
    assert_eq!(error(r#"{"detail":"Not found."}"#), ErrorBody::new("Not found."));
    let fields = error(r#"{"voice":["No such voice."]}"#);
    assert_eq!(fields.errors["voice"], ["No such voice."]);
    assert_eq!(fields.detail, r#"{"voice":["No such voice."]}"#);
}
