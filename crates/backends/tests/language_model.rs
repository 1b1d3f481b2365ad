//! What every language model promises, and what each of them adds.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "language_model/anthropic.rs"]
mod anthropic;
#[path = "language_model/fallback.rs"]
mod fallback;
#[path = "language_model/llama_cpp.rs"]
mod llama_cpp;
#[path = "language_model/openai.rs"]
mod openai;
#[path = "language_model/probe.rs"]
mod probe;
#[path = "support/prompts.rs"]
mod prompts;
#[path = "language_model/remote.rs"]
mod remote;
#[path = "support/wire.rs"]
mod wire;

use std::time::Duration;

use antiphon_backends::language_model::scripted::Scripted;
use antiphon_backends::language_model::{Failure, LanguageModel, Note, Request, RunEvent};
use antiphon_engine::message::Prompt;
use futures::StreamExt;
use prompts::{agent, prompt, request, tool, tool_call, tool_result, user};
use tokio::time::Instant;

/// What a model said: its text, its tool calls as `name arguments`, and its failure.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    text: String,
    calls: Vec<String>,
    notes: Vec<Note>,
    failure: Option<Failure>,
}

impl Answer {
    /// Why it failed.
    fn reason(&self) -> &str {
        self.failure.as_ref().map_or("", |failure| &failure.reason)
    }
}

async fn answer(model: &dyn LanguageModel, prompt: Prompt) -> Answer {
    answer_to(model, request(prompt)).await
}

async fn answer_to(model: &dyn LanguageModel, request: Request) -> Answer {
    let mut answer = Answer::default();
    let mut stream = model.generate(request);
    loop {
        match stream.next().await.expect("a stream ends with Finished or Failed") {
            RunEvent::Text(text) => {
                assert!(!text.is_empty(), "text without text");
                answer.text.push_str(&text);
            }
            RunEvent::ToolCall(call) => answer.calls.push(format!("{} {}", call.name, call.arguments)),
            RunEvent::Note(note) => answer.notes.push(note),
            RunEvent::Finished => break,
            RunEvent::Failed(failure) => {
                answer.failure = Some(failure);
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
    model.warm_up(request(asked())).await;
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
        if let RunEvent::Text(text) = event {
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
    assert_eq!((failed.text.as_str(), failed.reason()), ("well", "tired"));
}
