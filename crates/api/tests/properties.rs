//! Whatever comes in, nothing panics; whatever goes out comes in again as it was.

use antiphon_api::json::{Source, from_query, from_request, from_value};
use antiphon_api::realtime::{ClientMessage, ServerMessage};
use antiphon_api::rest::calls::{Call, CallEvent, ListCallsQuery, Message, StartCallRequest};
use antiphon_api::{ErrorBody, Page, WireDuration};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Keys that mean something somewhere, so that random JSON gets further than the first unknown field.
const KEYS: &[&str] = &[
    "type",
    "text",
    "medium",
    "serverWebSocket",
    "server_web_socket",
    "inputSampleRate",
    "selectedTools",
    "toolName",
    "temporaryTool",
    "client",
    "dynamicParameters",
    "name",
    "location",
    "callbacks",
    "ended",
    "url",
    "secrets",
    "vadSettings",
    "metadata",
    "timestamp",
    "result",
    "invocationId",
    "toolCalls",
    "urgency",
    "final",
    "ordinal",
    "role",
    "results",
    "detail",
    "errors",
    "externalVoice",
    "generic",
    "headers",
    "firstSpeakerSettings",
    "user",
    "agent",
    "delay",
    "callId",
    "created",
    "initialMessages",
];

/// Values that mean something somewhere.
const WORDS: &[&str] = &[
    "ping",
    "pong",
    "transcript",
    "state",
    "user_text_message",
    "forced_agent_message",
    "client_tool_result",
    "spawn_thread",
    "hang_up",
    "voice",
    "soon",
    "30s",
    "0.384s",
    "-1s",
    "MESSAGE_ROLE_USER",
    "11111111-2222-4333-8444-555555555555",
    "2026-11-20T08:45:00Z",
    "FIRST_SPEAKER_USER",
    "60",
    "wss://x.example",
];

fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![3 => prop::sample::select(WORDS).prop_map(String::from), 1 => any::<String>()];
    let key = prop_oneof![4 => prop::sample::select(KEYS).prop_map(String::from), 1 => any::<String>()];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_json_is_too_strange(value in any_json()) {
        for source in [Source::RequestBody, Source::RequestQuery, Source::Response] {
            let _ = from_value::<StartCallRequest>(&value, source);
            let _ = from_value::<Call>(&value, source);
            let _ = from_value::<Message>(&value, source);
            let _ = from_value::<CallEvent>(&value, source);
            let _ = from_value::<Page<Message>>(&value, source);
            let _ = from_value::<ErrorBody>(&value, source);
        }
        let _ = ClientMessage::parse(&value.to_string());
        let _ = ServerMessage::parse(&value.to_string());
    }

    #[test]
    fn no_bytes_are_too_strange(bytes: Vec<u8>, text: String, pairs: Vec<(String, String)>) {
        let _ = from_request::<StartCallRequest>(&bytes);
        let _ = ClientMessage::parse(&text);
        let _ = from_query::<ListCallsQuery>(pairs);
        let _ = text.parse::<WireDuration>();
    }

    #[test]
    fn what_a_server_accepts_it_can_repeat(
        prompt: Option<String>,
        temperature in prop::option::of(0.0..=1.0_f64),
        messages in prop::option::of(prop::collection::vec(any::<String>(), 0..3)),
        seconds in prop::option::of(1_u32..),
        millis: u32,
        metadata in prop::option::of(prop::collection::btree_map("[a-z.]{0,8}", any::<String>(), 0..3)),
        state in prop::option::of(any_json().prop_map(|value| json!({"state": value}))),
        rate in prop::sample::select(&antiphon_api::SampleRate::SUPPORTED[..]),
        pressing in prop::option::of(prop::sample::select(&["URGENCY_SOON", "URGENCY_LATER", "URGENCY_IMMEDIATE"][..])),
        text: bool,
    ) {
        let messages = messages.map(|texts| -> Vec<Value> {
            texts.into_iter().map(|text| json!({"role": "MESSAGE_ROLE_USER", "text": text})).collect()
        });
        let handling = json!({"dtmfHandling": {"userTextMessage": {"urgency": pressing}}});
        let medium = if text { json!({"exotel": handling}) } else { json!({"serverWebSocket": {"inputSampleRate": rate}}) };
        let body = json!({
            "systemPrompt": prompt, "temperature": temperature, "initialMessages": messages,
            "maxDuration": seconds.map(|seconds| format!("{seconds}.50s")),
            "vadSettings": {"turnEndpointDelay": WireDuration::from_millis(millis)},
            "metadata": metadata, "initialState": state, "medium": medium,
        });
        let request: StartCallRequest = from_value(&body, Source::RequestBody).unwrap().value;
        let text = serde_json::to_vec(&request).unwrap();
        prop_assert_eq!(&from_request::<StartCallRequest>(&text).unwrap().value, &request);
        prop_assert_eq!(serde_json::from_slice::<StartCallRequest>(&text).unwrap(), request);
    }

    #[test]
    fn a_message_that_is_read_is_read_again_from_what_is_written(mut value in any_json(), kind in prop::sample::select(WORDS)) {
        if let Value::Object(object) = &mut value {
            object.insert("type".into(), kind.into());
        }
        if let Ok(read) = ClientMessage::parse(&value.to_string()) {
            let again = ClientMessage::parse(&read.value.to_text()).unwrap();
            prop_assert_eq!(again.value, read.value);
        }
        if let Ok(read) = ServerMessage::parse(&value.to_string()) {
            let again = ServerMessage::parse(&read.value.to_text()).unwrap();
            prop_assert_eq!(again.value, read.value);
        }
    }

    #[test]
    fn a_call_that_is_read_is_read_again_from_what_is_written(mut value in any_json()) {
        if let Value::Object(object) = &mut value {
            object.insert("callId".into(), "11111111-2222-4333-8444-555555555555".into());
            object.insert("created".into(), "2026-11-20T08:45:00Z".into());
            object.insert("billingStatus".into(), "BILLING_STATUS_PENDING".into());
        }
        if let Ok(read) = from_value::<Call>(&value, Source::Response) {
            let written = serde_json::to_value(&read.value).unwrap();
            prop_assert_eq!(from_value::<Call>(&written, Source::Response).unwrap().value, read.value);
        }
    }

    #[test]
    fn durations_keep_every_nanosecond(seconds in 0..1_000_000_000_000_u64, nanos in 0..1_000_000_000_u32) {
        let duration = std::time::Duration::new(seconds, nanos);
        let wire = WireDuration::from(duration);
        prop_assert_eq!(wire.to_string().parse(), Ok(wire));
        prop_assert_eq!(wire.to_std(), Some(duration));
    }
}
