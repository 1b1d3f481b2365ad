//! What every language model promises, and what each of them adds.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/prompts.rs"]
mod prompts;
#[path = "support/wire.rs"]
mod wire;

use std::time::Duration;

use antiphon_backends::http::{ApiKey, Endpoint};
use antiphon_backends::language_model::LanguageModel;
use antiphon_backends::language_model::openai::{AudioHistory, OpenAiModel, Settings};
use antiphon_backends::language_model::scripted::Scripted;
use antiphon_engine::input::ModelEvent;
use antiphon_engine::message::Prompt;
use futures::StreamExt;
use prompts::{agent, prompt, request, tool, tool_call, tool_result, user};
use tokio::time::Instant;
use wire::{Body, Wire};

/// What a model said: its text, its tool calls as `name arguments`, and its failure.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    text: String,
    calls: Vec<String>,
    failure: Option<String>,
}

async fn answer(model: &dyn LanguageModel, prompt: Prompt) -> Answer {
    let mut answer = Answer::default();
    let mut stream = model.generate(request(prompt));
    loop {
        match stream.next().await.expect("a stream ends with Finished or Failed") {
            ModelEvent::Text(text) => {
                assert!(!text.is_empty(), "text without text");
                answer.text.push_str(&text);
            }
            ModelEvent::ToolCall(call) => answer.calls.push(format!("{} {}", call.name, call.arguments)),
            ModelEvent::Finished => break,
            ModelEvent::Failed(reason) => {
                answer.failure = Some(reason.to_string());
                break;
            }
        }
    }
    assert_eq!(stream.next().await, None, "nothing follows the end");
    answer
}

/// The promises of the trait, for a model that works.
async fn keeps_the_contract(model: &dyn LanguageModel) {
    let asked = || prompt(vec![agent("Hello."), user("What are your opening hours?")]);
    let first = answer(model, asked()).await;
    assert!(!first.text.is_empty());
    assert_eq!(first.failure, None);
    let mut dropped = model.generate(request(asked()));
    assert!(dropped.next().await.is_some());
    drop(dropped);
    assert_eq!(answer(model, asked()).await, first, "a run is not disturbed by the one before");
    for short in [prompt(vec![]), prompt(vec![user("")])] {
        assert_eq!(answer(model, short).await.failure, None);
    }
}

#[tokio::test]
async fn scripts_keep_the_contract() {
    keeps_the_contract(&Scripted::from_yaml("default:\n  say: [one, two]\n").unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn the_demo_keeps_the_contract() {
    keeps_the_contract(&Scripted::demo()).await;
}

#[tokio::test(start_paused = true)]
async fn the_demo_agent_plays_its_part() {
    let demo = Scripted::demo();
    let said = async |messages| {
        let mut prompt = prompt(messages);
        prompt.tools = [tool("hangUp"), tool("lookupOrder")].into();
        answer(&demo, prompt).await
    };
    assert!(said(vec![]).await.text.starts_with("Hello, this is Antiphon Bakery."));
    assert!(said(vec![user("what are your opening hours")]).await.text.contains("from seven"));
    assert!(said(vec![user("don't real story about bread")]).await.text.len() > 500);

    let order = said(vec![user("Where is my order?")]).await;
    assert_eq!(order.calls, [r#"lookupOrder {"request":"Where is my order?"}"#]);
    let found = said(vec![
        user("Where is my order?"),
        tool_call(0, "lookupOrder"),
        tool_result(0, "lookupOrder", "It is ready."),
    ])
    .await;
    assert!(found.text.contains("It is ready."));

    let bye = said(vec![user("Thank you, goodbye!")]).await;
    assert!(bye.text.ends_with("Goodbye!"));
    assert_eq!(bye.calls.len(), 1);
    assert!(bye.calls[0].starts_with("hangUp {"));
}

#[tokio::test(start_paused = true)]
async fn a_rule_whose_tool_is_not_offered_is_passed_over() {
    let order = answer(&Scripted::demo(), prompt(vec![user("my order")])).await;
    assert_eq!(order.calls, Vec::<String>::new());
    assert!(order.text.contains("cannot look up"));
    assert_eq!(answer(&Scripted::demo(), prompt(vec![user("bye")])).await.calls, Vec::<String>::new());
}

#[tokio::test]
async fn alternatives_are_taken_in_turn_from_what_the_conversation_holds() {
    let model =
        Scripted::from_yaml("rules:\n  - when: a\n    say: [one, two]\ndefault:\n  say: default\n").unwrap();
    let text = async |messages| answer(&model, prompt(messages)).await.text;
    assert_eq!(text(vec![user("a")]).await, "one");
    assert_eq!(text(vec![user("a"), agent("one"), user("b"), agent("default"), user("a!")]).await, "two");
    assert_eq!(text(vec![user("a"), user("a"), user("a")]).await, "one");
}

#[tokio::test]
async fn captures_reach_the_reply_and_the_arguments() {
    let model = Scripted::from_yaml(
        r#"
rules:
  - when: my name is {1}
    say: Hello {1}.
    call: { tool: greet, arguments: { name: "{1}", said: ["{user}"], loud: true } }
  - after_tool: greet
    say: "{user} gave {tool_result}."
default: { say: no }
"#,
    )
    .unwrap();
    let mut named = prompt(vec![user("My name is Jane Doe")]);
    named.tools = [tool("greet")].into();
    let named = answer(&model, named).await;
    assert_eq!(named.text, "Hello Jane Doe.");
    assert_eq!(named.calls, [r#"greet {"name":"Jane Doe","said":["My name is Jane Doe"],"loud":true}"#]);
    let after =
        answer(&model, prompt(vec![user("hi"), tool_call(3, "greet"), tool_result(3, "greet", "done")]))
            .await;
    assert_eq!(after.text, "hi gave done.");
    let other = answer(&model, prompt(vec![tool_call(3, "x"), tool_result(3, "x", "as it is")])).await;
    assert_eq!(other.text, "as it is");
}

#[tokio::test]
async fn an_instruction_opens_or_is_heard_as_the_users_words() {
    let model = Scripted::from_yaml(
        "greeting:\n  say: hello\nrules:\n  - when: remind\n    say: reminded\ndefault:\n  say: no\n",
    )
    .unwrap();
    let mut opening = prompt(vec![]);
    opening.instruction = Some("Greet the user.".into());
    assert_eq!(answer(&model, opening).await.text, "hello");
    let mut later = prompt(vec![user("x")]);
    later.instruction = Some("Remind the user.".into());
    assert_eq!(answer(&model, later).await.text, "reminded");
}

#[tokio::test(start_paused = true)]
async fn words_are_streamed_at_the_scripts_pace() {
    let model = Scripted::from_yaml("default: { say: one two three, pace: 4, delay_ms: 300 }").unwrap();
    let began = Instant::now();
    let mut stream = model.generate(request(prompt(vec![user("x")])));
    let mut seen = Vec::new();
    while let Some(event) = stream.next().await {
        if let ModelEvent::Text(text) = event {
            seen.push((text.to_string(), began.elapsed()));
        }
    }
    let at = |text: &str, ms| (text.to_owned(), Duration::from_millis(ms));
    assert_eq!(seen, [at("one", 300), at(" two", 550), at(" three", 800)]);
}

#[tokio::test]
async fn a_script_can_fail() {
    let model = Scripted::from_yaml("default: { say: well, fail: tired }").unwrap();
    let failed = answer(&model, prompt(vec![])).await;
    assert_eq!((failed.text.as_str(), failed.failure.as_deref()), ("well", Some("tired")));
}

fn openai(wire: &Wire) -> OpenAiModel {
    openai_at(&wire.base, Duration::from_secs(30))
}

fn openai_at(base: &str, timeout: Duration) -> OpenAiModel {
    OpenAiModel::new(
        Endpoint::new(base, Some(ApiKey::new("sk-test"))).unwrap(),
        Settings {
            model: "gpt-x".into(),
            audio: Some(AudioHistory::Last(4)),
            max_tokens: None,
            extra: serde_json::Map::new(),
            first_token: timeout,
            progress: timeout,
        },
    )
}

fn delta(delta: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n")
}

fn whole_answer() -> String {
    [
        ": waking up\n\n".to_owned(),
        delta(r#"{"role":"assistant","content":""}"#),
        delta(r#"{"reasoning_content":"They ask for the hours."}"#),
        delta(r#"{"content":"**Über** "}"#),
        delta(r#"{"content":"seven 🍞."}"#),
        delta(r#"{"tool_calls":[{"index":0,"id":"x","function":{"name":"look","arguments":"{\"a\""}}]}"#),
        delta(r#"{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"#),
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n".to_owned(),
        "data: {\"choices\":[],\"usage\":{\"total_tokens\":9}}\n\ndata: [DONE]\n\n".to_owned(),
    ]
    .concat()
}

#[tokio::test]
async fn an_openai_model_keeps_the_contract() {
    let wire =
        Wire::answering(200, "text/event-stream", Body::Parts(vec![whole_answer().into_bytes()])).await;
    keeps_the_contract(&openai(&wire)).await;
}

#[tokio::test]
async fn an_openai_answer_may_be_cut_at_every_byte() {
    let bytes = whole_answer().into_bytes();
    let expected = Answer {
        text: "**Über** seven 🍞.".to_owned(),
        calls: vec![r#"look {"a":1}"#.to_owned()],
        failure: None,
    };
    let single = bytes.chunks(1).map(<[u8]>::to_vec).collect();
    let wire = Wire::answering(200, "text/event-stream", Body::Parts(single)).await;
    assert_eq!(answer(&openai(&wire), prompt(vec![user("x")])).await, expected);
}

#[tokio::test]
async fn an_openai_model_is_asked_with_its_key_and_the_conversation() {
    let mut wire =
        Wire::answering(200, "text/event-stream", Body::Parts(vec![whole_answer().into_bytes()])).await;
    answer(&openai(&wire), prompt(vec![user("When?")])).await;
    let seen = wire.request().await;
    assert!(seen.head.starts_with("POST /v1/chat/completions HTTP/1.1"), "{}", seen.head);
    assert!(seen.head.contains("authorization: Bearer sk-test"));
    let body: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(body["model"], "gpt-x");
    assert_eq!(body["stream"], true);
    assert_eq!(body["messages"][1]["content"], "When?");
}

#[tokio::test]
async fn an_openai_model_that_fails_says_why() {
    let check = async |status, body: Body, said: &str, wanted: &str| {
        let wire = Wire::answering(status, "text/event-stream", body).await;
        let failed = answer(&openai(&wire), prompt(vec![user("x")])).await;
        assert_eq!(failed.text, said);
        let failure = failed.failure.expect("a failure");
        assert!(failure.starts_with("the model \"gpt-x\" ") && failure.contains(wanted), "{failure}");
    };
    let parts = |text: String| vec![text.into_bytes()];
    let hi = || delta(r#"{"content":"Hi"}"#);
    let error = r#"{"error":{"message":"no key sk-test"}}"#;
    check(401, Body::Parts(parts(error.to_owned())), "", "answered 401: no key [key]").await;
    check(500, Body::Parts(parts("x".repeat(100_000))), "", "answered 500: xxx").await;
    check(200, Body::Parts(parts(hi())), "Hi", "in the middle").await;
    check(200, Body::Breaks(parts(hi())), "Hi", "broke off").await;
    check(200, Body::Parts(parts(format!("{}data: {error}\n\n", hi()))), "Hi", "no key [key]").await;
    check(200, Body::Parts(vec![]), "", "in the middle").await;
}

#[tokio::test]
async fn an_openai_model_that_cannot_be_reached_says_so() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", taken.local_addr().unwrap());
    drop(taken);
    let failure =
        answer(&openai_at(&base, Duration::from_secs(30)), prompt(vec![user("x")])).await.failure.unwrap();
    assert!(failure.contains("cannot be reached"), "{failure}");
}

#[tokio::test]
async fn an_openai_model_that_falls_silent_is_given_up() {
    for parts in
        [vec![], vec![b": still here\n\n".to_vec()], vec![delta(r#"{"role":"assistant"}"#).into_bytes()]]
    {
        let mut wire = Wire::answering(200, "text/event-stream", Body::Hangs(parts)).await;
        let model = openai_at(&wire.base, Duration::from_millis(100));
        let failure = answer(&model, prompt(vec![user("x")])).await.failure.unwrap();
        assert!(failure.contains("did not answer in time"), "{failure}");
        wire.client_left().await;
    }
}

#[tokio::test]
async fn dropping_an_openai_answer_closes_the_connection() {
    let mut wire = Wire::answering(
        200,
        "text/event-stream",
        Body::Hangs(vec![delta(r#"{"content":"Hi"}"#).into_bytes()]),
    )
    .await;
    let mut stream = openai(&wire).generate(request(prompt(vec![user("x")])));
    assert_eq!(stream.next().await, Some(ModelEvent::Text("Hi".into())));
    drop(stream);
    wire.client_left().await;
}
