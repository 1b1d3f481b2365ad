//! Anthropic's Messages API: what goes over the wire, and what comes back.

use std::time::Duration;

use antiphon_backends::http::{ApiKey, Endpoint};
use antiphon_backends::language_model::anthropic::{AnthropicModel, Settings};
use antiphon_backends::language_model::{Asked, Note, Usage, Waits};
use serde_json::{Value, json};

use crate::prompts::{prompt, tool, tool_call, tool_result, user};
use crate::remote::{self, Dialect, KEY};
use crate::wire::{Body, Wire};
use crate::{Answer, answer};

fn anthropic(base: &str, wait: Duration) -> AnthropicModel {
    AnthropicModel::new(
        Endpoint::new(base, Some(ApiKey::new(KEY))).unwrap(),
        Settings {
            model: "claude-x".into(),
            max_tokens: 512,
            extra: serde_json::Map::new(),
            omit: Vec::new(),
            waits: Waits { first_token: wait, progress: wait },
        },
    )
}

fn event(data: &str) -> String {
    let parsed: Value = serde_json::from_str(data).unwrap();
    format!("event: {}\ndata: {data}\n\n", parsed["type"].as_str().unwrap())
}

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":0,"cache_read_input_tokens":30,"output_tokens":1}}}"#;
const PING: &str = r#"{"type": "ping"}"#;
const BLOCK: &str = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;

fn text(text: &str) -> String {
    let delta =
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}});
    event(&delta.to_string())
}

fn whole_answer() -> String {
    let input = |json: &str| {
        let delta = json!({"type": "input_json_delta", "partial_json": json});
        event(&json!({"type": "content_block_delta", "index": 1, "delta": delta}).to_string())
    };
    [
        event(START),
        event(BLOCK),
        event(PING),
        text("Über "),
        text("seven 🍞."),
        event(r#"{"type":"content_block_stop","index":0}"#),
        event(
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_01","name":"look","input":{}}}"#,
        ),
        input(""),
        input("{\"a\""),
        input(": 1}"),
        event(r#"{"type":"content_block_stop","index":1}"#),
        event(
            r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":20}}"#,
        ),
        event(r#"{"type":"message_stop"}"#),
    ]
    .concat()
}

#[tokio::test]
async fn anthropic_models_keep_what_remote_ones_promise() {
    let says = Answer {
        text: "Über seven 🍞.".to_owned(),
        calls: vec![r#"look {"a": 1}"#.to_owned()],
        notes: vec![
            Note::Asked(Asked { model: "claude-x".into(), turns: Vec::new() }),
            Note::Usage(Usage { input: 42, cached: Some(30), output: 20 }),
        ],
        failure: None,
    };
    remote::is_spoken(&Dialect {
        model: |base, wait| Box::new(anthropic(base, wait)),
        name: "claude-x",
        whole: whole_answer(),
        says,
        hi: [event(START), event(BLOCK), text("Hi")].concat(),
        idle: vec![event(START), [event(START), event(PING), event(PING)].concat()],
        error: event(
            &json!({"type": "error", "error": {"type": "authentication_error", "message": format!("no key {KEY}")}})
                .to_string(),
        ),
    })
    .await;
}

#[tokio::test]
async fn an_anthropic_model_is_asked_with_its_key_its_version_and_the_tools_results() {
    let mut wire =
        Wire::answering(200, "text/event-stream", Body::Parts(vec![whole_answer().into_bytes()])).await;
    let mut asked =
        prompt(vec![user("When?"), tool_call(0, "look"), tool_result(0, "look", "At seven."), user("Well?")]);
    asked.tools = [tool("look")].into();
    answer(&anthropic(&wire.base, Duration::from_secs(30)), asked).await;
    let seen = wire.request().await;
    assert!(seen.head.starts_with("POST /v1/messages HTTP/1.1"), "{}", seen.head);
    assert!(seen.head.contains(&format!("x-api-key: {KEY}")), "{}", seen.head);
    assert!(!seen.head.contains("authorization"), "{}", seen.head);
    assert!(seen.head.contains("anthropic-version: 2023-06-01"), "{}", seen.head);
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!((&body["max_tokens"], &body["stream"]), (&json!(512), &json!(true)));
    assert_eq!(body["system"][0]["cache_control"], json!({"type": "ephemeral"}));
    assert_eq!(
        body["messages"][2]["content"][0],
        json!({"type": "tool_result", "tool_use_id": "invocation-0", "content": "At seven."})
    );
}
