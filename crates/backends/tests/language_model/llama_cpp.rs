//! The OpenAI-compatible adapter in front of a real server: that of llama.cpp, with a tiny model that hears as Ultravox does.
//!
//! The model answers without sense, but counts, streams, hears and calls tools as a large one would; `llama_cpp/model.py` makes it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use antiphon_backends::http::{ApiKey, Endpoint};
use antiphon_backends::language_model::openai::{AudioHistory, OpenAiModel, Settings};
use antiphon_backends::language_model::probe::{Finding, probe};
use antiphon_backends::language_model::{Fault, LanguageModel, Note, Request, RunEvent, Usage, Waits};
use antiphon_engine::ids::TurnId;
use antiphon_engine::message::Message;
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::prompts::{agent, prompt, request, spoken, tool, tool_call, tool_result, user};
use crate::{Answer, answer, answer_to, keeps_the_contract};

const KEY: &str = "sk-canary-0123456789";
/// What a recording costs, whatever its length: this server's ear always hears 30 s, and stacks eight of its 1,500 positions.
const CLIP_TOKENS: u64 = 187;
/// How much one run can hold (`CONTEXT` of `llama_cpp/model.py`).
const CONTEXT: u64 = 16_384;

/// A server of llama.cpp. It ends with the test.
struct LlamaCpp {
    base: String,
    _process: Child,
}

impl LlamaCpp {
    async fn serving(arguments: &[&str]) -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder");
        let python = target.join("llama-cpp/bin/python");
        assert!(
            python.is_file(),
            "the server of llama.cpp is not installed ({} is missing); run crates/backends/tests/llama_cpp/install",
            python.display()
        );
        let mut process = Command::new(python)
            .args(["-B", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/llama_cpp/serve.py")])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let base =
            lines.next_line().await.unwrap().expect("it says where it is, or why not on standard error");
        Self { base, _process: process }
    }

    fn model(&self, extra: Value) -> OpenAiModel {
        self.model_with(KEY, extra)
    }

    fn model_with(&self, key: &str, extra: Value) -> OpenAiModel {
        let wait = Duration::from_secs(120);
        let Value::Object(extra) = extra else { panic!("{extra} are no fields") };
        OpenAiModel::new(
            Endpoint::new(&format!("{}/v1", self.base), Some(ApiKey::new(key))).unwrap(),
            Settings {
                model: "tiny".into(),
                audio: Some(AudioHistory::Last(4)),
                max_tokens: None,
                extra,
                omit: Vec::new(),
                thinks_first: false,
                audio_ids: false,
                warm_up: true,
                waits: Waits { first_token: wait, progress: wait },
            },
        )
    }

    /// A model whose answers have so many tokens.
    fn brief(&self, tokens: u64) -> OpenAiModel {
        self.model(json!({"max_tokens": tokens, "temperature": 0}))
    }

    async fn get(&self, path: &str) -> String {
        let request = reqwest::Client::new().get(format!("{}{path}", self.base)).bearer_auth(KEY);
        request.send().await.unwrap().text().await.unwrap()
    }

    async fn metric(&self, name: &str) -> u64 {
        let metrics = self.get("/metrics").await;
        let value = metrics.lines().find_map(|line| line.strip_prefix("llamacpp:")?.strip_prefix(name));
        value.unwrap().trim().parse().unwrap()
    }

    /// How many of its slots are busy.
    async fn busy(&self) -> usize {
        let slots: Value = serde_json::from_str(&self.get("/slots").await).unwrap();
        slots.as_array().unwrap().iter().filter(|slot| slot["is_processing"] == true).count()
    }

    async fn busy_becomes(&self, count: usize) {
        while self.busy().await != count {
            tokio::task::yield_now().await;
        }
    }

    /// Tokens of all answers so far.
    async fn predicted(&self) -> u64 {
        self.metric("tokens_predicted_total").await
    }

    /// Waits until a run waits for a slot.
    async fn deferred(&self) {
        while self.metric("requests_deferred").await == 0 {
            tokio::task::yield_now().await;
        }
    }
}

fn usage(answer: &Answer) -> Usage {
    let counted = answer.notes.iter().find_map(|note| match note {
        Note::Usage(usage) => Some(*usage),
        Note::Asked(_) | Note::Thinks | Note::Fallback(_) => None,
    });
    counted.unwrap_or_else(|| panic!("it counts: {answer:?}"))
}

/// A tone: what is heard of it need not be understood, only told from another.
fn tone(hertz: f64, seconds: f64) -> Vec<i16> {
    let hertz = std::f64::consts::TAU * hertz / 16_000.0;
    (0..(seconds * 16_000.0) as u32).map(|n| ((f64::from(n) * hertz).sin() * 8_000.0) as i16).collect()
}

/// A conversation whose spoken turns are these, in order.
fn hearing(messages: Vec<Message>, clips: &[&[i16]]) -> Request {
    let mut asked = request(prompt(messages));
    for (turn, clip) in (0..).zip(clips) {
        asked.clips.insert(TurnId(turn), (*clip).into());
    }
    asked
}

#[tokio::test]
async fn a_real_server_keeps_the_contract() {
    let server = LlamaCpp::serving(&[]).await;
    // What it has read before is counted too, and is not the same twice.
    keeps_the_contract(&server.model(json!({"max_tokens": 12, "temperature": 0, "cache_prompt": false})))
        .await;
}

#[tokio::test]
async fn a_real_server_streams_each_token_and_counts_them() {
    let server = LlamaCpp::serving(&[]).await;
    let model = server.brief(24);
    let mut run = model.generate(request(prompt(vec![user("When?")])));
    let (mut tokens, mut counted) = (Vec::new(), None);
    while let Some(event) = run.next().await {
        match event {
            RunEvent::Text(text) => tokens.push(text),
            RunEvent::Note(Note::Usage(usage)) => counted = Some(usage),
            RunEvent::Note(_) | RunEvent::Finished => {}
            RunEvent::ToolCall(_) | RunEvent::Failed(_) => panic!("{event:?}"),
        }
    }
    assert_eq!(tokens.len(), 24, "{tokens:?}");
    let counted = counted.unwrap();
    assert_eq!((counted.output, counted.cached), (24, Some(0)));
    let again = usage(&answer(&model, prompt(vec![user("When?")])).await);
    assert_eq!(again.input, counted.input);
    assert!(again.cached.is_some_and(|cached| cached + 1 >= counted.input), "it has been read: {again:?}");
}

#[tokio::test]
async fn a_real_server_hears_each_recording_and_their_order() {
    let server = LlamaCpp::serving(&[]).await;
    let model = server.brief(12);
    let (low, high, long) = (tone(300.0, 1.0), tone(1_200.0, 3.0), tone(500.0, 31.0));
    let turn = || vec![spoken(0, "")];
    let said = async |messages, clips: &[&[i16]]| {
        let answer = answer_to(&model, hearing(messages, clips)).await;
        assert_eq!(answer.failure, None);
        answer
    };

    let first = said(turn(), &[&low]).await;
    let other = said(turn(), &[&high]).await;
    assert_ne!(first.text, other.text, "one recording is not the other");
    assert_eq!(usage(&first).input, usage(&other).input, "a second costs what three cost");
    assert_eq!(said(turn(), &[&low]).await.text, first.text);
    // Over 30 s go in two parts.
    assert_eq!(usage(&said(turn(), &[&long]).await).input, usage(&first).input + CLIP_TOKENS);
    // Less than a frame of the ear.
    said(turn(), &[&low[..1]]).await;

    let both = || vec![spoken(0, ""), agent("Yes?"), spoken(1, "")];
    let in_order = said(both(), &[&low, &high]).await;
    assert_ne!(in_order.text, said(both(), &[&high, &low]).await.text, "the order is kept");
    let mixed = vec![spoken(0, ""), agent("Yes?"), user("I mean this:"), spoken(1, "")];
    said(mixed, &[&low, &high]).await;
}

#[tokio::test]
async fn what_a_real_server_has_heard_it_does_not_hear_again() {
    let server = LlamaCpp::serving(&["--slots", "1"]).await;
    let model = server.brief(4);
    let (low, high) = (tone(300.0, 1.0), tone(1_200.0, 3.0));
    let first = answer_to(&model, hearing(vec![spoken(0, "")], &[&low])).await;
    // Read in advance: what was said so far.
    model.warm_up(hearing(vec![spoken(0, ""), agent("Yes?")], &[&low])).await;
    let second =
        answer_to(&model, hearing(vec![spoken(0, ""), agent("Yes?"), spoken(1, "")], &[&low, &high])).await;
    let second = usage(&second);
    let cached = second.cached.unwrap();
    assert!(cached > usage(&first).input, "the agent's words are among it: {second:?}");
    assert!(
        second.input - cached < CLIP_TOKENS + 20,
        "the new recording is nearly all that was left: {second:?}"
    );
}

#[tokio::test]
async fn a_real_server_streams_tool_calls_and_takes_their_results() {
    let server = LlamaCpp::serving(&[]).await;
    // The model would not call by itself.
    let calling = json!({
        "max_tokens": 400, "temperature": 0, "logit_bias": [["<tool_call>", 200], ["</tool_call>", 100]],
    });
    let mut looked = tool("look");
    let parameters = json!({
        "type": "object", "properties": {"where": {"enum": ["here", "there"]}}, "required": ["where"],
    });
    looked.parameters = parameters.into();
    let mut asked = hearing(vec![spoken(0, "")], &[&tone(300.0, 1.0)]);
    asked.prompt.tools = [looked.clone()].into();
    let called = answer_to(&server.model(calling), asked).await;
    assert_eq!((called.text.as_str(), &called.failure), ("", &None));
    let [call] = &called.calls[..] else { panic!("{called:?}") };
    let arguments: Value = serde_json::from_str(call.strip_prefix("look ").unwrap()).unwrap();
    assert!(["here", "there"].iter().any(|place| arguments == json!({"where": place})), "{arguments}");

    let results = vec![spoken(0, ""), tool_call(0, "look"), tool_result(0, "look", "Nothing.")];
    let mut asked = hearing(results, &[&tone(300.0, 1.0)]);
    asked.prompt.tools = [looked].into();
    let after = answer_to(&server.brief(12), asked).await;
    assert_eq!((after.failure, after.calls), (None, Vec::new()));
    assert!(!after.text.is_empty());
}

#[tokio::test]
async fn dropping_a_run_frees_its_slot() {
    let server = LlamaCpp::serving(&[]).await;
    // Without a limit, an answer goes on until the context is full.
    let model = server.model(json!({"temperature": 0}));
    let mut runs = Vec::new();
    for clip in [tone(300.0, 1.0), tone(1_200.0, 1.0)] {
        let mut run = model.generate(hearing(vec![spoken(0, "")], &[&clip]));
        while !matches!(run.next().await, Some(RunEvent::Text(_))) {}
        runs.push(run);
    }
    assert_eq!(server.busy().await, 2);
    runs.pop();
    server.busy_becomes(1).await;
    let kept = runs[0].next().await;
    assert!(matches!(kept, Some(RunEvent::Text(_))), "the other run goes on: {kept:?}");
    runs.pop();
    server.busy_becomes(0).await;
    let predicted = server.predicted().await;
    assert!(predicted < CONTEXT, "{predicted} tokens for nobody");
    // It is as good as before.
    assert_eq!(answer(&server.brief(5), prompt(vec![user("x")])).await.failure, None);
}

#[tokio::test]
async fn a_run_that_waits_for_a_slot_is_given_up_with_its_stream() {
    let server = LlamaCpp::serving(&["--slots", "1"]).await;
    let endless = server.model(json!({"temperature": 0}));
    let mut first = endless.generate(request(prompt(vec![user("x")])));
    while !matches!(first.next().await, Some(RunEvent::Text(_))) {}
    let mut waiting = endless.generate(request(prompt(vec![user("y")])));
    assert!(matches!(waiting.next().await, Some(RunEvent::Note(Note::Asked(_)))));
    tokio::select! {
        event = waiting.next() => panic!("there is no slot for {event:?}"),
        () = server.deferred() => {}
    }
    drop(waiting);
    drop(first);
    server.busy_becomes(0).await;
    let predicted = server.predicted().await;
    assert!(predicted < CONTEXT, "{predicted} tokens for nobody");
}

#[tokio::test]
async fn what_a_real_server_refuses_is_told_in_its_words() {
    let server = LlamaCpp::serving(&["--deaf", "--key", KEY]).await;
    let model = server.brief(5);
    assert_eq!(answer(&model, prompt(vec![user("x")])).await.failure, None);

    let long = answer(&model, prompt(vec![user(&"x".repeat(20_000))])).await.failure.unwrap();
    assert_eq!(long.fault, Fault::Request);
    assert!(long.reason.starts_with("the model \"tiny\" answered 400: request ("), "{long:?}");
    assert!(
        long.reason.contains(&format!("exceeds the available context size ({CONTEXT} tokens)")),
        "{long:?}"
    );

    let deaf = answer_to(&model, hearing(vec![spoken(0, "")], &[&tone(300.0, 1.0)])).await.failure.unwrap();
    assert_eq!(deaf.fault, Fault::Request, "though it says 500");
    assert!(deaf.reason.contains("audio input is not supported"), "{deaf:?}");

    let wrong = server.model_with("sk-wrong-canary", json!({}));
    let refused = answer(&wrong, prompt(vec![user("x")])).await.failure.unwrap();
    assert_eq!(refused.fault, Fault::Backend);
    assert!(refused.reason.contains("answered 401") && !refused.reason.contains("canary"), "{refused:?}");
}

#[tokio::test]
async fn a_real_server_is_found_out() {
    let server = LlamaCpp::serving(&["--slots", "1"]).await;
    // Long enough that the next one would wait for it, if it were not broken off.
    let findings = probe(&server.model(json!({"temperature": 0, "max_tokens": 1_000}))).await.unwrap();
    // It hears, though it says other words.
    let Finding::Unclear(why) = &findings.audio else { panic!("{findings:?}") };
    assert!(why.starts_with("of the word \"banana\" it said "), "{why}");
    assert!(findings.hears() && !findings.thinks);
    assert_eq!(
        (&findings.two_clips, &findings.usage, &findings.aborts),
        (&Finding::Yes, &Finding::Yes, &Finding::Yes)
    );
}

#[tokio::test]
async fn a_real_server_without_an_ear_is_found_deaf() {
    let server = LlamaCpp::serving(&["--deaf"]).await;
    let findings = probe(&server.brief(40)).await.unwrap();
    let Finding::No(why) = &findings.audio else { panic!("{findings:?}") };
    assert!(why.contains("audio input is not supported"), "{why}");
    assert_eq!(findings.usage, Finding::Yes);
}
