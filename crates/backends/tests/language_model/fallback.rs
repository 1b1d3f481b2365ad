//! Models behind models, in virtual time: stalls, storms, and who answers in the end.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon_backends::health::Health;
use antiphon_backends::language_model::fallback::{Fallbacks, Link, Settings};
use antiphon_backends::language_model::{
    Capabilities, Failure, Fallback, Fault, LanguageModel, Note, Request, RunEvent,
};
use antiphon_backends::speech_to_text::scripted::Prepared;
use antiphon_engine::ids::TurnId;
use antiphon_engine::input::Transcription;
use antiphon_engine::message::MessageBody;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};
use tokio::time::Instant;

use crate::prompts::{prompt, request, spoken, user};
use crate::{Answer, answer, answer_to, keeps_the_contract};

const COOL_DOWN: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(4);

/// What a model does in one run.
#[derive(Debug, Clone)]
enum Act {
    Says(&'static str),
    /// It says nothing for so long, and is then given up, as an adapter does.
    Stalls(Duration),
    /// It begins, and breaks off.
    BreaksOff(&'static str),
    Refuses,
    /// It is overloaded and asks to be left alone for so many seconds.
    Overloaded(u64),
    /// It repeats the user's last words.
    Echoes,
}

/// A model that does one thing after the other, and the last one for ever.
struct Actor {
    acts: Mutex<VecDeque<Act>>,
    asked: Mutex<Vec<Instant>>,
    capabilities: Capabilities,
}

impl Actor {
    fn new(acts: impl IntoIterator<Item = Act>) -> Arc<Self> {
        Arc::new(Self {
            acts: Mutex::new(acts.into_iter().collect()),
            asked: Mutex::default(),
            capabilities: Capabilities::TEXT,
        })
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl LanguageModel for Actor {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn generate(&self, request: Request) -> BoxStream<'static, RunEvent> {
        self.asked.lock().unwrap().push(Instant::now());
        let mut acts = self.acts.lock().unwrap();
        let act = if acts.len() > 1 { acts.pop_front().unwrap() } else { acts[0].clone() };
        let text = |text: &str| RunEvent::Text(text.into());
        let failed = |reason: &str, fault, retry_after| {
            RunEvent::Failed(Failure { reason: reason.into(), fault, retry_after })
        };
        let events = match act {
            Act::Says(words) => vec![text(words), RunEvent::Finished],
            Act::Stalls(time) => {
                let given_up = async move {
                    tokio::time::sleep(time).await;
                    failed("did not answer in time", Fault::Backend, None)
                };
                return stream::once(given_up).boxed();
            }
            Act::BreaksOff(words) => vec![text(words), failed("broke off", Fault::Backend, None)],
            Act::Refuses => vec![failed("answered 400: too long", Fault::Request, None)],
            Act::Overloaded(seconds) => {
                let retry_after = Some(Duration::from_secs(seconds));
                vec![failed("answered 429: slow down", Fault::Backend, retry_after)]
            }
            Act::Echoes => {
                let words = request.prompt.messages.iter().rev().find_map(|message| match &message.body {
                    MessageBody::User { text, .. } => Some(text),
                    MessageBody::Agent { .. }
                    | MessageBody::ToolCall { .. }
                    | MessageBody::ToolResult { .. } => None,
                });
                vec![text(words.unwrap()), RunEvent::Finished]
            }
        };
        stream::iter(events).boxed()
    }

    fn warm_up(&self, _: Request) -> BoxFuture<'static, ()> {
        futures::future::ready(()).boxed()
    }
}

fn link(name: &str, model: &Arc<Actor>) -> Link {
    let model = Arc::clone(model) as Arc<dyn LanguageModel>;
    Link { name: name.into(), model, health: Arc::new(Health::new(COOL_DOWN)) }
}

fn chain(first: &Arc<Actor>, second: &Arc<Actor>) -> Fallbacks {
    let settings = Settings { patience: PATIENCE, recognizer: None };
    Fallbacks::new(link("first", first), [link("second", second)], settings)
}

async fn ask(model: &dyn LanguageModel) -> Answer {
    answer(model, prompt(vec![user("Hello?")])).await
}

fn fell(from: &str, to: &str, reason: &str) -> Note {
    Note::Fallback(Fallback { from: from.into(), to: to.into(), reason: reason.into() })
}

#[tokio::test(start_paused = true)]
async fn a_chain_keeps_the_contract() {
    let (first, second) = (Actor::new([Act::Says("One.")]), Actor::new([Act::Says("Two.")]));
    keeps_the_contract(&chain(&first, &second)).await;
    assert_eq!(second.asked(), 0);
    let (first, second) = (Actor::new([Act::Refuses]), Actor::new([Act::Says("Two.")]));
    keeps_the_contract(&chain(&first, &second)).await;
}

#[tokio::test(start_paused = true)]
async fn a_stall_falls_over_and_the_next_answers_do_not_wait_for_it_again() {
    let first = Actor::new([Act::Stalls(Duration::from_secs(6)), Act::Says("One.")]);
    let second = Actor::new([Act::Says("Two.")]);
    let model = chain(&first, &second);
    let began = Instant::now();
    let answered = ask(&model).await;
    assert_eq!(answered.text, "Two.");
    assert_eq!(answered.notes, [fell("first", "second", "did not answer in time")]);
    assert_eq!(began.elapsed(), Duration::from_secs(6));

    let began = Instant::now();
    for _ in 0..3 {
        let answered = ask(&model).await;
        assert_eq!((answered.text.as_str(), answered.notes.len()), ("Two.", 0));
    }
    assert_eq!((began.elapsed(), first.asked()), (Duration::ZERO, 1));

    tokio::time::advance(COOL_DOWN).await;
    assert_eq!(ask(&model).await.text, "One.");
    assert_eq!(ask(&model).await.text, "One.");
}

#[tokio::test(start_paused = true)]
async fn while_one_answer_tries_a_model_again_the_others_do_not_wait() {
    let stall = Act::Stalls(Duration::from_secs(6));
    let (first, second) = (Actor::new([stall]), Actor::new([Act::Says("Two.")]));
    let model = chain(&first, &second);
    ask(&model).await;
    tokio::time::advance(COOL_DOWN).await;
    let began = Instant::now();
    let (trying, other) = tokio::join!(ask(&model), async {
        tokio::task::yield_now().await;
        let other = ask(&model).await;
        (other, began.elapsed())
    });
    assert_eq!((trying.text.as_str(), first.asked()), ("Two.", 2));
    assert_eq!((other.0.text.as_str(), other.1), ("Two.", Duration::ZERO));
    // Twice as long as the first time.
    tokio::time::advance(COOL_DOWN).await;
    ask(&model).await;
    assert_eq!(first.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_said_is_said_and_nobody_goes_on_in_anothers_words() {
    let first = Actor::new([Act::BreaksOff("It is on"), Act::Says("One.")]);
    let second = Actor::new([Act::Says("Two.")]);
    let model = chain(&first, &second);
    let broken = ask(&model).await;
    assert_eq!((broken.text.as_str(), broken.reason()), ("It is on", "broke off"));
    assert_eq!(second.asked(), 0);
    assert_eq!(ask(&model).await.text, "Two.", "the next answer is the other's");
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_429_is_waited_out_within_patience() {
    let first = Actor::new([Act::Overloaded(2), Act::Overloaded(1), Act::Says("One.")]);
    let second = Actor::new([Act::Overloaded(60)]);
    let model = chain(&first, &second);
    let began = Instant::now();
    let answered = ask(&model).await;
    assert_eq!((answered.text.as_str(), began.elapsed()), ("One.", Duration::from_secs(3)));
    assert_eq!(second.asked(), 1, "it asked to be left alone");
    assert_eq!(
        answered.notes,
        [
            fell("first", "second", "answered 429: slow down"),
            fell("second", "first", "answered 429: slow down"),
            fell("first", "first", "answered 429: slow down")
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn when_all_fail_the_last_reason_is_told_within_patience() {
    let (first, second) = (Actor::new([Act::Overloaded(60)]), Actor::new([Act::Overloaded(30)]));
    let model = chain(&first, &second);
    let began = Instant::now();
    let failed = ask(&model).await;
    assert_eq!((failed.text.as_str(), failed.reason()), ("", "answered 429: slow down"));
    assert_eq!(began.elapsed(), Duration::ZERO, "nobody comes back within patience");
    let failed = ask(&model).await;
    assert!(failed.reason().contains("asked to be left alone"), "{failed:?}");
    assert_eq!((first.asked(), second.asked()), (1, 1));

    let stall = Act::Stalls(Duration::from_millis(100));
    let (first, second) = (Actor::new([stall.clone()]), Actor::new([stall]));
    let began = Instant::now();
    let failed = ask(&chain(&first, &second)).await;
    assert_eq!(failed.reason(), "did not answer in time");
    assert!(began.elapsed() <= PATIENCE + Duration::from_millis(200));
    assert!(first.asked() > 2 && first.asked() < 7, "{}", first.asked());
}

#[tokio::test(start_paused = true)]
async fn a_model_that_refuses_one_request_is_asked_the_next() {
    let (first, second) = (Actor::new([Act::Refuses, Act::Says("One.")]), Actor::new([Act::Says("Two.")]));
    let model = chain(&first, &second);
    assert_eq!(ask(&model).await.text, "Two.");
    assert_eq!(ask(&model).await.text, "One.");
    let refusing = Actor::new([Act::Refuses]);
    let alone =
        Fallbacks::new(link("alone", &refusing), [], Settings { patience: PATIENCE, recognizer: None });
    assert_eq!(ask(&alone).await.reason(), "answered 400: too long");
    assert_eq!(refusing.asked(), 1, "the same again is refused again");
}

#[tokio::test(start_paused = true)]
async fn a_model_that_reads_is_given_words_for_what_another_would_have_heard() {
    let hears = Arc::new(Actor {
        acts: Mutex::new([Act::Stalls(Duration::ZERO)].into()),
        asked: Mutex::default(),
        capabilities: Capabilities { audio: true, clips: 4, ..Capabilities::TEXT },
    });
    let reads = Actor::new([Act::Echoes]);
    let recognizer = Arc::new(Prepared::in_order([Transcription::Words("what is new".into())]));
    let settings = Settings { patience: PATIENCE, recognizer: Some(recognizer) };
    let model = Fallbacks::new(link("hears", &hears), [link("reads", &reads)], settings);
    let mut asked = request(prompt(vec![spoken(0, "known"), spoken(1, "")]));
    asked.clips.insert(TurnId(0), vec![1; 160].into());
    asked.clips.insert(TurnId(1), vec![1; 160].into());
    assert_eq!(answer_to(&model, asked).await.text, "what is new");
}
