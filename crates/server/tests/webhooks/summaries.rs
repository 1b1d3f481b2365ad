//! Calls are summed up after their end, and receivers wait for that a while.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon_api::CallId;
use antiphon_api::rest::calls::{Message, MessageRole, StartCallRequest};
use antiphon_backends::language_model::{Capabilities, Failure, LanguageModel, Request, RunEvent};
use antiphon_backends::registry::Backends;
use antiphon_backends::text_to_speech::TextToSpeech;
use antiphon_backends::text_to_speech::scripted::Humming;
use antiphon_backends::voice_activity::scripted::Loudness;
use antiphon_engine::message::MessageBody;
use antiphon_server::call::summary::Summarizer;
use antiphon_server::call::{Calls, first_stage};
use antiphon_server::config::{self, Summaries, Summarizing};
use antiphon_server::jobs::endings::Endings;
use antiphon_server::storage::{Attempt, Severity, StoredMessage, Summary};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::stand::Stand;
use crate::town::seconds;

/// A model that writes this after a while, and knows what it was asked.
struct Writer {
    /// What it writes, one time after the other; the last of it from then on.
    answers: Vec<Result<&'static str, &'static str>>,
    after: Duration,
    asked: Mutex<Vec<String>>,
    writing: AtomicUsize,
    most: AtomicUsize,
}

impl Writer {
    fn new(answer: Result<&'static str, &'static str>, after: Duration) -> Arc<Self> {
        Self::of(vec![answer], after)
    }

    fn of(answers: Vec<Result<&'static str, &'static str>>, after: Duration) -> Arc<Self> {
        Arc::new(Self {
            answers,
            after,
            asked: Mutex::default(),
            writing: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// The model, shared with the test.
struct Shared(Arc<Writer>);

impl LanguageModel for Shared {
    fn capabilities(&self) -> Capabilities {
        Capabilities::TEXT
    }

    fn generate(&self, request: Request) -> BoxStream<'static, RunEvent> {
        let writer = Arc::clone(&self.0);
        let MessageBody::User { text, .. } = &request.prompt.messages[0].body else {
            panic!("it is a question")
        };
        let answer = {
            let mut asked = writer.asked.lock().unwrap();
            asked.push(text.to_string());
            writer.answers[(asked.len() - 1).min(writer.answers.len() - 1)]
        };
        let writing = writer.writing.fetch_add(1, Ordering::Relaxed) + 1;
        writer.most.fetch_max(writing, Ordering::Relaxed);
        stream::once(async move {
            sleep(writer.after).await;
            writer.writing.fetch_sub(1, Ordering::Relaxed);
            match answer {
                Ok(text) => vec![RunEvent::Text(text.into()), RunEvent::Finished],
                Err(why) => vec![RunEvent::Failed(Failure::of_backend(why))],
            }
        })
        .flat_map(stream::iter)
        .boxed()
    }

    fn warm_up(&self, _: Request) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

const ANSWER: &str =
    r#"{"short": "Bread was ordered.", "long": "The user ordered bread. It is ready at nine."}"#;

/// Somebody who looks after calls that ended in the stand's store.
fn look_after(
    stand: &Stand,
    writer: &Arc<Writer>,
    enabled: Summarizing,
) -> (CancellationToken, JoinHandle<()>) {
    let model: Arc<dyn LanguageModel> = Arc::new(Shared(Arc::clone(writer)));
    let voice: Arc<dyn TextToSpeech> = Arc::new(Humming::default());
    let backends = Arc::new(Backends {
        models: BTreeMap::from([(Arc::from("writer"), model)]),
        default_model: Arc::from("writer"),
        voices: BTreeMap::from([(Arc::from("hum"), voice)]),
        default_voice: Arc::from("hum"),
        voice_definitions: BTreeMap::new(),
        voice_providers: Arc::default(),
        subjects: Vec::new(),
        speech_to_text: None,
        voice_activity: Arc::new(Loudness::default()),
        turn_detector: None,
    });
    let settings = Summaries { enabled, ..Summaries::default() };
    let rules = settings.clone();
    let summarizer = Summarizer::new(Arc::clone(&backends), stand.storage.clone(), None, move |model| {
        rules.sums_up(model, &BTreeMap::new())
    });
    let calls =
        Calls::new(config::Calls::default(), config::TurnTaking::default(), backends, stand.storage.clone());
    let endings = Endings::new(calls, stand.storage.clone(), Arc::new(summarizer), settings, stand.clock());
    let stop = CancellationToken::new();
    (stop.clone(), tokio::spawn(endings.run(stop)))
}

/// A call in which this was said, by turns, and which ends now.
async fn talk(stand: &Stand, said: &[&str]) -> CallId {
    let call = stand.create(StartCallRequest::default()).await.id;
    stand.join(call).await;
    let message = |(index, text): (usize, &&str)| StoredMessage {
        stage: first_stage(call),
        stage_number: 0,
        index: u32::try_from(index).unwrap(),
        initial: false,
        message: Message::new(if index % 2 == 0 { MessageRole::User } else { MessageRole::Agent }, *text),
    };
    let messages: Vec<StoredMessage> = said.iter().enumerate().map(message).collect();
    stand.storage.calls.append_messages(call, &messages, Attempt::First).await.unwrap();
    stand.hang_up(call).await;
    call
}

async fn summary(stand: &Stand, call: CallId) -> Option<Summary> {
    stand.storage.calls.find(call).await.unwrap().unwrap().summary
}

/// When the end of a call was told, and with which short summary.
fn told(stand: &Stand, call: CallId) -> Option<(u64, Value)> {
    let posts = stand.posts("receiver");
    let end = posts.iter().find(|post| post.call() == call && post.event() == "call.ended")?;
    Some((end.at.as_secs(), end.body()["call"]["shortSummary"].clone()))
}

#[tokio::test(start_paused = true)]
async fn receivers_of_the_end_are_told_the_summary() {
    let stand = Stand::new().await;
    stand.webhook("receiver").await;
    let writer = Writer::new(Ok(ANSWER), seconds(3));
    let (_stop, _running) = look_after(&stand, &writer, Summarizing::Always);
    let call = talk(&stand, &["A loaf of bread, please.", "At nine."]).await;
    stand.until(seconds(2)).await;
    assert_eq!(told(&stand, call), None, "they wait");
    stand.until(seconds(4)).await;
    assert_eq!(told(&stand, call), Some((3, json!("Bread was ordered."))));
    let posts = stand.posts("receiver");
    assert_eq!(posts.last().unwrap().event(), "call.billed");
    assert_eq!(
        posts.last().unwrap().body()["call"]["summary"],
        "The user ordered bread. It is ready at nine."
    );
    let asked = writer.asked();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].contains("User: A loaf of bread, please.\nAgent: At nine.\n"), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn receivers_wait_twenty_seconds_and_no_longer_and_a_late_summary_is_kept() {
    let stand = Stand::new().await;
    stand.webhook("receiver").await;
    let writer = Writer::new(Ok(ANSWER), seconds(50));
    let (_stop, _running) = look_after(&stand, &writer, Summarizing::Always);
    let call = talk(&stand, &["Hello?"]).await;
    stand.until(seconds(21)).await;
    assert_eq!(told(&stand, call), Some((20, Value::Null)));
    assert_eq!(summary(&stand, call).await, None);
    stand.until(seconds(51)).await;
    assert_eq!(summary(&stand, call).await.unwrap().short, "Bread was ordered.");
    assert_eq!(stand.posts("receiver").len(), 4, "nothing is told twice");
}

#[tokio::test(start_paused = true)]
async fn a_summary_that_fails_again_and_again_is_an_event_and_holds_nobody_up() {
    for (writer, why) in [
        (Writer::new(Err("it is out of memory"), seconds(1)), "the model failed: it is out of memory"),
        (Writer::new(Ok("  "), seconds(1)), "the model wrote nothing that is a summary"),
        (Writer::new(Ok(ANSWER), seconds(3_600)), "there was none within 60s"),
    ] {
        let stand = Stand::new().await;
        stand.webhook("receiver").await;
        let (_stop, _running) = look_after(&stand, &writer, Summarizing::Always);
        let call = talk(&stand, &["Hello?"]).await;
        stand.until(seconds(700)).await;
        assert_eq!(told(&stand, call), Some((20, Value::Null)));
        assert_eq!(stand.storage.calls.events(call, Severity::Warning, 10).await.unwrap(), []);
        stand.until(seconds(1_100)).await;
        let events = stand.storage.calls.events(call, Severity::Warning, 10).await.unwrap();
        let [event] = &events[..] else { panic!("{events:?}") };
        assert_eq!(event.kind, "summary.failed");
        assert_eq!(event.text, format!("the call could not be summed up in 5 attempts: {why}"));
        stand.until(seconds(10_000)).await;
        assert_eq!(writer.asked().len(), 5, "then it is not tried again");
        assert_eq!(stand.posts("receiver").len(), 4, "nothing is told twice");
    }
}

#[tokio::test(start_paused = true)]
async fn a_summary_that_fails_is_tried_again_also_by_the_next_process() {
    let stand = Stand::new().await;
    stand.webhook("receiver").await;
    let writer = Writer::of(vec![Err("it is loading"), Ok(ANSWER)], seconds(1));
    let (_stop, running) = look_after(&stand, &writer, Summarizing::Always);
    let call = talk(&stand, &["Hello?"]).await;
    // It fails after a second, is tried again five later, and is there in time for those who wait.
    stand.until(seconds(8)).await;
    assert_eq!(told(&stand, call), Some((7, json!("Bread was ordered."))));
    running.abort();

    let writer = Writer::new(Err("it is away"), seconds(1));
    let (_stop, running) = look_after(&stand, &writer, Summarizing::Always);
    let late = talk(&stand, &["Hello?"]).await;
    // At 9, 15 and 46 s.
    stand.until(seconds(60)).await;
    assert_eq!((writer.asked().len(), told(&stand, late)), (3, Some((28, Value::Null))));
    running.abort();
    let back = Writer::new(Ok(ANSWER), seconds(1));
    let (_stop, _running) = look_after(&stand, &back, Summarizing::Always);
    // What failed does not keep what has just ended waiting.
    let next = talk(&stand, &["Hello?"]).await;
    stand.until(seconds(62)).await;
    assert_eq!(told(&stand, next), Some((61, json!("Bread was ordered."))));
    stand.until(seconds(160)).await;
    assert_eq!(summary(&stand, late).await, None, "its fourth attempt is two minutes after the third");
    stand.until(seconds(168)).await;
    assert_eq!(summary(&stand, late).await.unwrap().short, "Bread was ordered.");
    assert_eq!(back.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_while_a_summary_is_written_leaves_it_to_the_next() {
    let stand = Stand::new().await;
    stand.webhook("receiver").await;
    let writer = Writer::new(Ok(ANSWER), seconds(5));
    let (_stop, running) = look_after(&stand, &writer, Summarizing::Always);
    let call = talk(&stand, &["Hello?"]).await;
    stand.until(seconds(2)).await;
    running.abort();
    stand.until(seconds(10)).await;
    assert_eq!((summary(&stand, call).await, told(&stand, call)), (None, None));
    let (stop, running) = look_after(&stand, &writer, Summarizing::Always);
    stand.until(seconds(16)).await;
    assert_eq!(told(&stand, call), Some((15, json!("Bread was ordered."))));
    // One that is told to stop lets receivers know, and leaves the summary to the next as well.
    let late = talk(&stand, &["Hello?"]).await;
    stand.until(seconds(18)).await;
    stop.cancel();
    running.await.unwrap();
    stand.until(seconds(19)).await;
    assert_eq!(told(&stand, late), Some((18, Value::Null)));
    let (_stop, _running) = look_after(&stand, &writer, Summarizing::Always);
    stand.until(seconds(30)).await;
    assert!(summary(&stand, late).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn calls_in_which_nothing_was_said_and_models_that_are_scripts_are_left_alone() {
    let stand = Stand::new().await;
    stand.webhook("receiver").await;
    let writer = Writer::new(Ok(ANSWER), seconds(1));
    let (stop, running) = look_after(&stand, &writer, Summarizing::Always);
    let silent = talk(&stand, &[]).await;
    let unjoined = stand.create(StartCallRequest::default()).await.id;
    stand.hang_up(unjoined).await;
    stand.until(seconds(1)).await;
    for call in [silent, unjoined] {
        assert_eq!((told(&stand, call), summary(&stand, call).await), (Some((0, Value::Null)), None));
    }
    stop.cancel();
    running.await.unwrap();
    for enabled in [Summarizing::Auto, Summarizing::Never] {
        let (stop, running) = look_after(&stand, &writer, enabled);
        let call = talk(&stand, &["Hello?"]).await;
        sleep(seconds(1)).await;
        assert!(told(&stand, call).is_some() && summary(&stand, call).await.is_none(), "{enabled:?}");
        stop.cancel();
        running.await.unwrap();
    }
    assert!(writer.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn many_calls_that_end_at_once_are_summed_up_a_few_at_a_time() {
    let stand = Stand::new().await;
    stand.webhook("receiver").await;
    let writer = Writer::new(Ok(ANSWER), seconds(2));
    let (_stop, _running) = look_after(&stand, &writer, Summarizing::Always);
    let mut calls = Vec::new();
    for _ in 0..200 {
        calls.push(talk(&stand, &["Hello?"]).await);
    }
    stand.until(seconds(21)).await;
    for call in &calls {
        assert!(
            told(&stand, *call).is_some_and(|(at, _)| at <= 20),
            "nobody waits longer than twenty seconds"
        );
    }
    stand.until(seconds(102)).await;
    for call in &calls {
        assert!(summary(&stand, *call).await.is_some());
    }
    assert_eq!((writer.most.load(Ordering::Relaxed), writer.asked().len()), (4, 200));
}
