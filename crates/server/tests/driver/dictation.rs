//! A recognizer that listens while the user speaks: its words are there when the turn ends, and when it fails nothing is lost.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon_backends::language_model::{self, LanguageModel, RunEvent};
use antiphon_backends::registry::Backends;
use antiphon_backends::speech_to_text::{Heard, Listener, Overheard, Piece, Request, Speech, SpeechToText};
use antiphon_engine::input::Transcription;
use antiphon_engine::output::EndReason;
use antiphon_server::call::waterfall::of_journal;
use antiphon_server::storage::Severity;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::client::{Client, FRAME, Seen, silence, tone};
use crate::stand::{Stand, backends, greeting, story};

const SECOND: Duration = Duration::from_secs(1);

/// What a session does with the pauses of its user, one after the other. When it runs out, it finds the word "more".
#[derive(Debug, Clone, Copy)]
enum Act {
    /// Finds these words, so long after they are asked for.
    Knows(&'static str, Duration),
    /// Is not sure.
    Doubts,
    /// Goes away.
    Breaks,
    /// Tells these words while they are spoken, and breaks off when they are asked for.
    Mumbles(&'static str),
    /// Never takes what it is sent.
    IsStuck,
}

/// A recognizer that listens, and remembers.
struct Stenographer {
    acts: Arc<Mutex<VecDeque<Act>>>,
    sessions: AtomicUsize,
    /// Samples that it was given while somebody spoke.
    given: Arc<AtomicUsize>,
    /// Turns that it was given whole.
    whole: AtomicUsize,
}

impl Stenographer {
    fn new(acts: impl IntoIterator<Item = Act>) -> Arc<Self> {
        Arc::new(Self {
            acts: Arc::new(Mutex::new(acts.into_iter().collect())),
            sessions: AtomicUsize::default(),
            given: Arc::default(),
            whole: AtomicUsize::default(),
        })
    }

    /// How many sessions there were, and how many turns were given whole.
    fn asked(&self) -> (usize, usize) {
        (self.sessions.load(Ordering::Relaxed), self.whole.load(Ordering::Relaxed))
    }
}

impl SpeechToText for Stenographer {
    fn transcribe(&self, _: Request) -> BoxFuture<'static, Heard> {
        self.whole.fetch_add(1, Ordering::Relaxed);
        let heard = Heard::by(&Arc::from("whole"), Transcription::Words("a whole turn".into()));
        async move {
            tokio::time::sleep(Duration::from_millis(700)).await;
            heard
        }
        .boxed()
    }

    fn listen(&self, speech: mpsc::Receiver<Speech>, _: Option<Arc<str>>) -> Option<Listener> {
        self.sessions.fetch_add(1, Ordering::Relaxed);
        let session = Session {
            acts: Arc::clone(&self.acts),
            given: Arc::clone(&self.given),
            speech,
            stretch: None,
            ready: VecDeque::new(),
            over: false,
        };
        let told =
            stream::unfold(session, async |mut session| session.next().await.map(|told| (told, session)));
        Some(Listener { by: Arc::from("live"), told: told.boxed() })
    }
}

struct Session {
    acts: Arc<Mutex<VecDeque<Act>>>,
    given: Arc<AtomicUsize>,
    speech: mpsc::Receiver<Speech>,
    stretch: Option<(u64, u64)>,
    ready: VecDeque<Overheard>,
    over: bool,
}

impl Session {
    async fn next(&mut self) -> Option<Overheard> {
        loop {
            if let Some(told) = self.ready.pop_front() {
                return Some(told);
            }
            if self.over {
                return None;
            }
            let act =
                self.acts.lock().unwrap().front().copied().unwrap_or(Act::Knows("more", Duration::ZERO));
            if matches!(act, Act::IsStuck) {
                return std::future::pending().await;
            }
            match self.speech.recv().await? {
                Speech::Audio { at, samples } => {
                    self.given.fetch_add(samples.len(), Ordering::Relaxed);
                    let (from, _) = self.stretch.unwrap_or((at, at));
                    self.stretch = Some((from, at + samples.len() as u64));
                    if let Act::Mumbles(words) = act {
                        self.ready.push_back(Overheard::Interim(words.into()));
                    }
                }
                Speech::Pause => {
                    self.acts.lock().unwrap().pop_front();
                    let (from, to) = self.stretch.take().unwrap_or_default();
                    match act {
                        Act::Knows(words, delay) => {
                            tokio::time::sleep(delay).await;
                            self.ready.push_back(Overheard::Piece(Piece { from, to, words: words.into() }));
                            self.ready.push_back(Overheard::CaughtUp { to, surely: true });
                        }
                        Act::Doubts => self.ready.push_back(Overheard::CaughtUp { to, surely: false }),
                        Act::Breaks | Act::Mumbles(_) | Act::IsStuck => {
                            self.over = true;
                            self.ready.push_back(Overheard::Failed("the line went dead".into()));
                        }
                    }
                }
            }
        }
    }
}

fn knows(words: &'static str) -> Act {
    Act::Knows(words, Duration::from_millis(150))
}

fn stand(recognizer: &Arc<Stenographer>) -> Stand {
    let speech_to_text = Some(Arc::clone(recognizer) as Arc<dyn SpeechToText>);
    Stand::journaling(Backends { speech_to_text, ..backends() })
}

/// Says something, and says how long after the last sample the answer began.
async fn say(client: &mut Client, length: Duration) -> Duration {
    client.speak(&tone(length)).await;
    let spoken = Instant::now();
    // A client sends silence too.
    client.speak(&silence(Duration::from_millis(600))).await;
    client.until_state("speaking").await;
    spoken.elapsed()
}

async fn events(stand: &Stand, call: antiphon_api::CallId, kind: &str) -> Vec<Value> {
    let events = stand.storage.calls.events(call, Severity::Debug, 1_000).await.unwrap();
    let of_kind = events.into_iter().filter(|event| event.kind == kind);
    of_kind.map(|event| event.extras.unwrap_or_default()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_words_are_there_when_the_turn_ends() {
    let recognizer =
        Stenographer::new([knows("hello there"), Act::Knows("and you", Duration::from_millis(500))]);
    let stand = stand(&recognizer);
    let (call, mut client) = stand.call(json!({})).await;
    let waited = say(&mut client, SECOND).await;
    assert!(waited < Duration::from_millis(650), "nothing but the silence that ends a turn: {waited:?}");
    assert_eq!(client.until_final("agent").await, "You said hello there.");
    client.until_state("listening").await;
    let given = recognizer.given.load(Ordering::Relaxed);
    // Speech, what came before it and what it took to notice its end, and not the silence behind.
    assert!((16_000..16_000 + 6_400).contains(&given), "{given} samples");
    // One that takes longer than the silence is waited for.
    say(&mut client, SECOND).await;
    assert_eq!(client.until_final("agent").await, "You said and you.");
    assert_eq!(recognizer.asked(), (1, 0), "one session for the call, and no turn twice");
    client.say(&json!({"type": "hang_up"})).await;
    assert_eq!(stand.ended(call).await, EndReason::AgentHangUp);
    let found = events(&stand, call, "transcription.finished").await;
    assert_eq!(
        (&found[0]["by"], &found[0]["live"], &found[0]["tookMs"]),
        (&json!("live"), &json!(true), &json!(0.0))
    );
    let took = found[1]["tookMs"].as_f64().unwrap();
    assert!((50.0..300.0).contains(&took), "{took} ms, measured from the end of the turn");
    assert_eq!(stand.troubles(call).await, Vec::<String>::new());
    // The journal says so too.
    let turns = of_journal(&stand.journal(call).await);
    let by: Vec<(&str, f64)> = turns
        .iter()
        .filter_map(|turn| turn.recognition.as_ref())
        .map(|recognition| (&*recognition.by, recognition.took.as_secs_f64() * 1e3))
        .collect();
    assert_eq!(by, [("live", 0.0), ("live", took)]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_within_a_turn_joins_its_words() {
    let recognizer = Stenographer::new([knows("I would like"), knows("a table")]);
    let stand = stand(&recognizer);
    let (call, mut client) = stand.call(json!({})).await;
    client.speak(&tone(SECOND)).await;
    client.speak(&silence(Duration::from_millis(300))).await;
    say(&mut client, SECOND).await;
    assert_eq!(client.until_final("agent").await, "You said I would like a table.");
    client.hang_up();
    stand.ended(call).await;
    assert_eq!(recognizer.asked(), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_breaks_loses_no_turn_and_another_follows() {
    let recognizer = Stenographer::new([Act::Breaks, Act::Doubts, knows("back again")]);
    let stand = stand(&recognizer);
    let (call, mut client) = stand.call(json!({})).await;
    for words in ["a whole turn", "a whole turn", "back again"] {
        say(&mut client, SECOND).await;
        assert_eq!(client.until_final("agent").await, format!("You said {words}."));
        client.until_state("listening").await;
    }
    assert_eq!(recognizer.asked(), (2, 2));
    client.hang_up();
    stand.ended(call).await;
    assert_eq!(stand.troubles(call).await, ["transcription.interrupted", "transcription.fallback"]);
    let reason = &events(&stand, call, "transcription.fallback").await[0]["reason"];
    assert_eq!(reason, "it did not say in time that it has heard all");
    assert_eq!(stand.messages(call).await.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_begins_in_the_middle_of_a_turn_hears_all_of_it_once() {
    let recognizer = Stenographer::new([knows("I would"), Act::Breaks, knows("I would like a table")]);
    let stand = stand(&recognizer);
    let (call, mut client) = stand.call(json!({})).await;
    // Two pauses within the turn, and longer speech behind them than nobody is dialled for.
    for _ in 0..2 {
        client.speak(&tone(SECOND)).await;
        client.speak(&silence(Duration::from_millis(300))).await;
    }
    say(&mut client, 2 * SECOND).await;
    assert_eq!(client.until_final("agent").await, "You said I would like a table.");
    client.hang_up();
    stand.ended(call).await;
    assert_eq!(recognizer.asked(), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_recognizer_that_takes_nothing_is_not_waited_for_and_holds_little() {
    let recognizer = Stenographer::new([Act::IsStuck]);
    let stand = stand(&recognizer);
    let (call, mut client) = stand.call(json!({})).await;
    say(&mut client, 5 * SECOND).await;
    assert_eq!(client.until_final("agent").await, "You said a whole turn.");
    client.hang_up();
    stand.ended(call).await;
    assert_eq!(recognizer.asked(), (1, 1));
    assert_eq!(
        events(&stand, call, "transcription.fallback").await[0]["reason"],
        "it was not given all of the turn"
    );
}

#[tokio::test(start_paused = true)]
async fn words_over_the_agent_interrupt_it_before_the_speech_is_long() {
    let length = async |words| {
        let recognizer = Stenographer::new([Act::Mumbles(words)]);
        let stand = stand(&recognizer);
        let settings = greeting(&story(10 * SECOND));
        let (call, mut client) = stand.call(json!({"firstSpeakerSettings": settings})).await;
        client.until_state("speaking").await;
        client.speak(&silence(SECOND)).await;
        let began = Instant::now();
        for frame in tone(2 * SECOND).chunks(320) {
            client.send(frame).await;
            tokio::time::sleep(FRAME).await;
            let cleared = |seen: &Seen| matches!(seen, Seen::Message(message) if message["type"] == "playback_clear_buffer");
            if client.take_all().iter().any(cleared) {
                break;
            }
        }
        let took = began.elapsed();
        client.hang_up();
        stand.ended(call).await;
        took
    };
    let (meant, listening) = (length("no wait").await, length("mm-hmm").await);
    assert!(meant < Duration::from_millis(250), "{meant:?}");
    assert!(listening > Duration::from_millis(500), "{listening:?}: judged by its length");
}

/// Hears audio, and answers at once.
struct Hears;

impl LanguageModel for Hears {
    fn capabilities(&self) -> language_model::Capabilities {
        language_model::Capabilities { audio: true, clips: 4, ..language_model::Capabilities::TEXT }
    }

    fn generate(&self, _: language_model::Request) -> BoxStream<'static, RunEvent> {
        stream::iter([RunEvent::Text("I hear you.".into()), RunEvent::Finished]).boxed()
    }

    fn warm_up(&self, _: language_model::Request) -> BoxFuture<'static, ()> {
        futures::future::ready(()).boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_hears_does_not_wait_for_the_words() {
    let recognizer = Stenographer::new([Act::Knows("at last", 3 * SECOND)]);
    let speech_to_text = Some(Arc::clone(&recognizer) as Arc<dyn SpeechToText>);
    let mut backends = Backends { speech_to_text, ..backends() };
    backends.models.insert(Arc::from("script"), Arc::new(Hears));
    let stand = Stand::journaling(backends);
    let (call, mut client) = stand.call(json!({})).await;
    let waited = say(&mut client, SECOND).await;
    assert!(waited < Duration::from_millis(650), "{waited:?}");
    assert_eq!(client.until_final("user").await, "at last");
    client.hang_up();
    stand.ended(call).await;
    assert_eq!(stand.messages(call).await, ["at last", "I hear you."]);
}
