//! Models that stall, are overloaded or fail, and what stands behind them: what the user hears, what the developer is told, and
//! that every such call replays.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon_backends::health::Health;
use antiphon_backends::language_model::fallback::{Fallbacks, Link, Settings};
use antiphon_backends::language_model::{
    Asked, Capabilities, Failure, Fault, GivenAs, LanguageModel, Note, Request, RunEvent, Usage,
};
use antiphon_backends::registry::Backends;
use antiphon_engine::message::{MessageBody, Prompt};
use antiphon_engine::output::EndReason;
use antiphon_server::call::leg::CloseCode;
use antiphon_server::storage::Severity;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::{settle, silence, tone};
use crate::stand::{Stand, backends};

/// What a model does in its runs, by their number: events, each after a wait.
type Play = fn(usize) -> Vec<(Duration, RunEvent)>;

/// A model that acts, and remembers what it was given.
struct Actor {
    capabilities: Capabilities,
    play: Play,
    asked: Mutex<Vec<Prompt>>,
    warmed: Mutex<Vec<Prompt>>,
}

impl Actor {
    fn new(capabilities: Capabilities, play: Play) -> Arc<Self> {
        Arc::new(Self { capabilities, play, asked: Mutex::default(), warmed: Mutex::default() })
    }

    /// How many messages each conversation had that was read in advance.
    fn warmed(&self) -> Vec<usize> {
        self.warmed.lock().unwrap().iter().map(|prompt| prompt.messages.len()).collect()
    }
}

impl LanguageModel for Actor {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn generate(&self, request: Request) -> BoxStream<'static, RunEvent> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(request.prompt);
        stream::iter((self.play)(asked.len() - 1))
            .then(|(wait, event)| async move {
                tokio::time::sleep(wait).await;
                event
            })
            .boxed()
    }

    fn warm_up(&self, request: Request) -> BoxFuture<'static, ()> {
        self.warmed.lock().unwrap().push(request.prompt);
        futures::future::pending().boxed()
    }
}

fn now(event: RunEvent) -> (Duration, RunEvent) {
    (Duration::ZERO, event)
}

fn says(text: &str) -> Vec<(Duration, RunEvent)> {
    vec![now(RunEvent::Text(text.into())), now(RunEvent::Finished)]
}

fn fails(wait: Duration, reason: &str, retry_after: Option<u64>) -> Vec<(Duration, RunEvent)> {
    let retry_after = retry_after.map(Duration::from_secs);
    vec![(wait, RunEvent::Failed(Failure { reason: reason.into(), fault: Fault::Backend, retry_after }))]
}

fn stalls() -> Vec<(Duration, RunEvent)> {
    fails(Duration::from_secs(6), "the model \"big\" did not answer in time", None)
}

fn overloaded(seconds: u64) -> Vec<(Duration, RunEvent)> {
    fails(Duration::ZERO, "the model \"big\" answered 429: slow down", Some(seconds))
}

fn link(name: &str, model: &Arc<Actor>) -> Link {
    let model = Arc::clone(model) as Arc<dyn LanguageModel>;
    Link { name: name.into(), model, health: Arc::new(Health::new(Duration::from_secs(10))) }
}

fn with(model: Arc<dyn LanguageModel>) -> Backends {
    let mut backends = backends();
    backends.models.insert(Arc::from("script"), model);
    backends
}

/// A big model with a small one behind it.
fn chain(big: Play, small: Play) -> Backends {
    let (big, small) = (Actor::new(Capabilities::TEXT, big), Actor::new(Capabilities::TEXT, small));
    let settings = Settings { patience: Duration::from_secs(4), recognizer: None };
    with(Arc::new(Fallbacks::new(link("big", &big), [link("small", &small)], settings)))
}

#[tokio::test(start_paused = true)]
async fn a_stall_falls_over_to_the_next_model_and_the_user_is_answered() {
    let stand = Stand::journaling(chain(
        |run| if run == 0 { stalls() } else { says("Big again.") },
        |_| says("Small here."),
    ));
    let (call, mut client) = stand.call(json!({})).await;
    let began = Instant::now();
    client.write("Hello?").await;
    assert_eq!(client.until_final("agent").await, "Small here.");
    assert!(began.elapsed() >= Duration::from_secs(6));
    // It is left alone for a while, and nobody waits for it again.
    let began = Instant::now();
    client.write("And now?").await;
    assert_eq!(client.until_final("agent").await, "Small here.");
    assert!(began.elapsed() < Duration::from_secs(2));
    tokio::time::sleep(Duration::from_secs(10)).await;
    client.write("And now?").await;
    assert_eq!(client.until_final("agent").await, "Big again.");
    client.say(&json!({"type": "hang_up"})).await;
    assert_eq!(stand.ended(call).await, EndReason::AgentHangUp);
    let events = stand.events(call).await;
    assert_eq!(events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["model.fallback"]);
    let extras = events[0].extras.as_ref().unwrap();
    assert_eq!((&extras["from"], &extras["to"]), (&json!("big"), &json!("small")));
    assert_eq!(extras["reason"], "the model \"big\" did not answer in time");
    assert_eq!(
        stand.messages(call).await,
        ["Hello?", "Small here.", "And now?", "Small here.", "And now?", "Big again."]
    );
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_429_is_waited_out() {
    let stand = Stand::journaling(chain(
        |run| if run < 2 { overloaded(1) } else { says("Big at last.") },
        |_| overloaded(60),
    ));
    let (call, mut client) = stand.call(json!({})).await;
    client.write("Hello?").await;
    assert_eq!(client.until_final("agent").await, "Big at last.");
    client.say(&json!({"type": "hang_up"})).await;
    assert_eq!(stand.ended(call).await, EndReason::AgentHangUp);
    assert_eq!(stand.troubles(call).await, ["model.fallback", "model.fallback", "model.fallback"]);
}

#[tokio::test(start_paused = true)]
async fn when_all_models_fail_the_agent_apologizes_and_the_call_ends_with_a_system_error() {
    let stand = Stand::journaling(chain(
        |_| fails(Duration::from_millis(5), "the model \"big\" cannot be reached", None),
        |_| overloaded(60),
    ));
    let (call, mut client) = stand.call(json!({})).await;
    let began = Instant::now();
    client.write("Hello?").await;
    assert!(client.until_final("agent").await.starts_with("I'm sorry, I'm having technical difficulties"));
    // It was tried again for as long as patience lasts, by every answer that was asked for.
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    assert_eq!(client.until_closed().await, CloseCode::Internal);
    assert_eq!(stand.ended(call).await, EndReason::SystemError);
    let troubles = stand.troubles(call).await;
    assert_eq!(troubles.iter().filter(|kind| *kind == "model.failed").count(), 3);
    assert_eq!(troubles.last().unwrap(), "call.gave_up");
    assert_eq!(stand.messages(call).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_breaks_off_is_heard_as_far_as_it_came() {
    let stand = Stand::journaling(chain(
        |_| {
            let mut events = vec![now(RunEvent::Text("It is on its way and".into()))];
            events.extend(fails(Duration::from_secs(1), "the model \"big\" broke off", None));
            events
        },
        |_| says("Small here."),
    ));
    let (call, mut client) = stand.call(json!({})).await;
    client.write("Where is it?").await;
    assert_eq!(client.until_final("agent").await, "It is on its way and");
    client.until_state("listening").await;
    client.write("And?").await;
    assert_eq!(client.until_final("agent").await, "Small here.");
    client.say(&json!({"type": "hang_up"})).await;
    stand.ended(call).await;
    assert_eq!(stand.troubles(call).await, ["model.failed"]);
}

#[tokio::test(start_paused = true)]
async fn how_an_answer_came_about_is_told_to_whoever_looks_closely() {
    let stand = Stand::journaling(with(Actor::new(
        Capabilities { audio: true, clips: 4, ..Capabilities::TEXT },
        |_| {
            let turns = vec![(antiphon_engine::ids::TurnId(0), GivenAs::Audio)];
            let asked = Note::Asked(Asked { model: "qwen-omni".into(), turns });
            let usage = Note::Usage(Usage { input: 120, cached: Some(90), output: 7 });
            let mut events = vec![now(RunEvent::Note(asked)), now(RunEvent::Text("Fine.".into()))];
            events.extend([now(RunEvent::Note(usage)), now(RunEvent::Finished)]);
            events
        },
    )));
    let (call, mut client) = stand.call(json!({})).await;
    client.speak(&tone(Duration::from_secs(1))).await;
    client.speak(&silence(Duration::from_secs(1))).await;
    assert_eq!(client.until_final("agent").await, "Fine.");
    client.say(&json!({"type": "hang_up"})).await;
    stand.ended(call).await;
    let events = stand.storage.calls.events(call, Severity::Debug, 1_000).await.unwrap();
    let extras = |kind: &str| -> Value {
        let event = events.iter().find(|event| event.kind == kind).unwrap();
        Value::Object(event.extras.clone().unwrap().as_object().unwrap().clone())
    };
    assert_eq!(
        extras("model.request"),
        json!({"generation": 0, "model": "qwen-omni", "turns": [{"turn": 0, "as": "audio"}]})
    );
    assert_eq!(
        extras("model.usage"),
        json!({"generation": 0, "inputTokens": 120, "cachedInputTokens": 90, "outputTokens": 7})
    );
}

#[tokio::test(start_paused = true)]
async fn a_model_reads_the_conversation_when_the_call_is_created_and_when_the_user_begins_to_speak() {
    let model =
        Actor::new(Capabilities { audio: true, clips: 4, warm_up: true, ..Capabilities::TEXT }, |_| {
            says("Fine.")
        });
    let stand = Stand::journaling(with(Arc::clone(&model) as Arc<dyn LanguageModel>));
    let (call, mut client) = stand.call(json!({"systemPrompt": "Be kind."})).await;
    settle().await;
    assert_eq!(model.warmed(), [0], "at the creation");
    client.speak(&tone(Duration::from_millis(400))).await;
    client.speak(&silence(Duration::from_secs(1))).await;
    assert_eq!(client.until_final("agent").await, "Fine.");
    client.until_state("listening").await;
    assert_eq!(model.warmed(), [0], "nothing is new");
    client.speak(&tone(Duration::from_millis(400))).await;
    assert_eq!(model.warmed(), [0, 2], "at the speech");
    client.speak(&silence(Duration::from_millis(100))).await;
    client.speak(&tone(Duration::from_millis(400))).await;
    assert_eq!(model.warmed(), [0, 2], "once a turn");
    let warmed = model.warmed.lock().unwrap()[1].clone();
    client.speak(&silence(Duration::from_secs(1))).await;
    client.until_final("agent").await;
    let asked = model.asked.lock().unwrap()[1].clone();
    assert_eq!(warmed.messages, asked.messages[..2], "what is asked begins with what was read");
    assert!(matches!(asked.messages[2].body, MessageBody::User { .. }));
    client.say(&json!({"type": "hang_up"})).await;
    stand.ended(call).await;
}
