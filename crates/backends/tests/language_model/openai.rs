//! OpenAI-compatible models: what goes over the wire, and what comes back.

use std::time::Duration;

use antiphon_backends::http::{ApiKey, Endpoint};
use antiphon_backends::language_model::openai::{AudioHistory, OpenAiModel, Settings};
use antiphon_backends::language_model::{Asked, GivenAs, LanguageModel, Note, Usage, Waits};
use antiphon_engine::ids::TurnId;
use serde_json::Value;

use crate::prompts::{agent, prompt, request, spoken, user};
use crate::remote::{self, Dialect, KEY};
use crate::wire::{Body, Reply, Wire};
use crate::{Answer, answer, answer_to};

fn openai(base: &str, wait: Duration) -> OpenAiModel {
    OpenAiModel::new(Endpoint::new(base, Some(ApiKey::new(KEY))).unwrap(), settings(wait))
}

fn settings(wait: Duration) -> Settings {
    Settings {
        model: "gpt-x".into(),
        audio: Some(AudioHistory::Last(4)),
        max_tokens: None,
        extra: serde_json::Map::new(),
        omit: Vec::new(),
        thinks_first: false,
        audio_ids: false,
        warm_up: true,
        waits: Waits { first_token: wait, progress: wait },
    }
}

fn model(wire: &Wire) -> OpenAiModel {
    openai(&wire.base, Duration::from_secs(30))
}

fn delta(delta: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n")
}

fn whole_answer() -> String {
    [
        ": waking up\n\n".to_owned(),
        delta(r#"{"role":"assistant","content":""}"#),
        delta(r#"{"reasoning_content":"They ask for the hours."}"#),
        delta(r#"{"content":"<think>Or do they?</think>"}"#),
        delta(r#"{"content":"**Über** "}"#),
        delta(r#"{"content":"seven 🍞."}"#),
        delta(r#"{"tool_calls":[{"index":0,"id":"x","function":{"name":"look","arguments":"{\"a\""}}]}"#),
        delta(r#"{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"#),
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n".to_owned(),
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}\n\ndata: [DONE]\n\n"
            .to_owned(),
    ]
    .concat()
}

async fn answering() -> Wire {
    Wire::answering(200, "text/event-stream", Body::Parts(vec![whole_answer().into_bytes()])).await
}

#[tokio::test]
async fn openai_compatible_models_keep_what_remote_ones_promise() {
    let says = Answer {
        text: "**Über** seven 🍞.".to_owned(),
        calls: vec![r#"look {"a":1}"#.to_owned()],
        notes: vec![
            Note::Asked(Asked { model: "gpt-x".into(), turns: Vec::new() }),
            Note::Thinks,
            Note::Usage(Usage { input: 9, cached: None, output: 4 }),
        ],
        failure: None,
    };
    remote::is_spoken(&Dialect {
        model: |base, wait| Box::new(openai(base, wait)),
        name: "gpt-x",
        whole: whole_answer(),
        says,
        hi: delta(r#"{"content":"Hi"}"#),
        idle: vec![": still here\n\n: still here\n\n".to_owned(), delta(r#"{"role":"assistant"}"#)],
        error: format!("data: {{\"error\":{{\"message\":\"no key {KEY}\"}}}}\n\n"),
    })
    .await;
}

#[tokio::test]
async fn an_openai_model_is_asked_with_its_key_and_the_conversation() {
    let mut wire = answering().await;
    answer(&model(&wire), prompt(vec![user("When?")])).await;
    let seen = wire.request().await;
    assert!(seen.head.starts_with("POST /v1/chat/completions HTTP/1.1"), "{}", seen.head);
    assert!(seen.head.contains(&format!("authorization: Bearer {KEY}")));
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(body["model"], "gpt-x");
    assert_eq!(body["stream"], true);
    assert_eq!(body["stream_options"]["include_usage"], true);
    assert_eq!(body["messages"][1]["content"], "When?");
}

#[tokio::test]
async fn how_each_turn_was_given_is_told() {
    let wire = answering().await;
    let mut asked = request(prompt(vec![spoken(0, "Hi."), agent("Yes?"), spoken(1, ""), spoken(2, "")]));
    asked.clips.insert(TurnId(0), vec![1; 160].into());
    asked.clips.insert(TurnId(1), vec![1; 160].into());
    let told = answer_to(&model(&wire), asked).await.notes;
    let turns = vec![(TurnId(0), GivenAs::Audio), (TurnId(1), GivenAs::Audio), (TurnId(2), GivenAs::Unknown)];
    assert_eq!(told[0], Note::Asked(Asked { model: "gpt-x".into(), turns }));
}

#[tokio::test]
async fn a_warm_up_asks_for_one_token_and_reads_it() {
    let mut wire = answering().await;
    model(&wire).warm_up(request(prompt(vec![user("When?"), agent("Now.")]))).await;
    let body: Value = serde_json::from_slice(&wire.request().await.body).unwrap();
    assert_eq!(body["max_tokens"], 1);
    assert_eq!(body["messages"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn dropping_a_warm_up_closes_its_connection() {
    let mut wire = Wire::answering(200, "text/event-stream", Body::Hangs(vec![b": hm\n\n".to_vec()])).await;
    let warming = tokio::spawn(model(&wire).warm_up(request(prompt(vec![]))));
    wire.request().await;
    warming.abort();
    wire.client_left().await;
}

#[tokio::test]
async fn a_request_into_a_connection_that_is_being_closed_is_sent_again() {
    let mut wire = Wire::closing_what_it_kept("text/event-stream", whole_answer().into_bytes()).await;
    let model = model(&wire);
    model.warm_up(request(prompt(vec![user("When?")]))).await;
    let answered = answer(&model, prompt(vec![user("When?")])).await;
    assert_eq!((answered.text.as_str(), answered.failure), ("**Über** seven 🍞.", None));
    let [_, lost, again] = [wire.request().await, wire.request().await, wire.request().await];
    assert_eq!(lost.body, again.body);
}

/// The recordings of a request: those that are in it as "sent", and the others as "named".
fn recordings(body: &[u8]) -> Vec<(&'static str, String)> {
    let body: Value = serde_json::from_slice(body).unwrap();
    let messages = body["messages"].as_array().unwrap();
    let parts = messages.iter().filter_map(|message| message["content"].as_array()).flatten();
    let sent = |part: &Value| if part["input_audio"].is_null() { "named" } else { "sent" };
    parts.map(|part| (sent(part), part["uuid"].as_str().unwrap_or_default().to_owned())).collect()
}

#[tokio::test]
async fn recordings_with_ids_are_sent_once_and_again_where_they_were_forgotten() {
    let whole = || Body::Parts(vec![whole_answer().into_bytes()]);
    let reply = |status, body| Reply { status, content_type: "text/event-stream", headers: "", body };
    let forgot = || Body::Parts(vec![br#"{"error":{"message":"no cached item","code":400}}"#.to_vec()]);
    let mut wire = Wire::replying(vec![
        reply(200, whole()),
        reply(200, whole()),
        reply(400, forgot()),
        reply(200, whole()),
        reply(401, forgot()),
        reply(200, whole()),
    ])
    .await;
    let with_ids = Settings { audio_ids: true, ..settings(Duration::from_secs(30)) };
    let model = OpenAiModel::new(Endpoint::new(&wire.base, None).unwrap(), with_ids);
    let conversation = |turns: u32| {
        let mut messages = Vec::new();
        for turn in 0..turns {
            messages.extend([spoken(turn, ""), agent("Yes?")]);
        }
        messages.pop();
        let mut asked = request(prompt(messages));
        for turn in 0..turns {
            asked.clips.insert(TurnId(turn), vec![turn as i16; 1_600].into());
        }
        asked
    };
    let how = |seen: &[(&'static str, String)]| seen.iter().map(|(how, _)| *how).collect::<Vec<_>>();

    // What is read in advance counts as given.
    model.warm_up(conversation(1)).await;
    let first = recordings(&wire.request().await.body);
    assert_eq!(how(&first), ["sent"]);
    assert_eq!(answer_to(&model, conversation(2)).await.failure, None);
    let second = recordings(&wire.request().await.body);
    assert_eq!(how(&second), ["named", "sent"]);
    assert_eq!(second[0].1, first[0].1);
    assert!(second[0].1.len() == 32 && second[0].1 != second[1].1);

    // The server has forgotten, and says so; nobody notices.
    assert_eq!(answer_to(&model, conversation(3)).await.failure, None);
    assert_eq!(how(&recordings(&wire.request().await.body)), ["named", "named", "sent"]);
    assert_eq!(how(&recordings(&wire.request().await.body)), ["sent", "sent", "sent"]);

    // A key that is refused has nothing to do with that; whatever fails, all is sent the next time.
    assert!(answer_to(&model, conversation(3)).await.reason().contains("401"));
    assert_eq!(how(&recordings(&wire.request().await.body)), ["named", "named", "named"]);
    assert_eq!(answer_to(&model, conversation(3)).await.failure, None);
    assert_eq!(how(&recordings(&wire.request().await.body)), ["sent", "sent", "sent"]);
    assert_eq!(wire.requests(), 0);
}

#[tokio::test]
async fn servers_that_take_no_ids_are_sent_none() {
    let mut wire = answering().await;
    let model = model(&wire);
    for _ in 0..2 {
        let mut asked = request(prompt(vec![spoken(0, "")]));
        asked.clips.insert(TurnId(0), vec![1; 1_600].into());
        answer_to(&model, asked).await;
        assert_eq!(recordings(&wire.request().await.body), [("sent", String::new())]);
    }
}
