//! A model that others stand behind: when it fails before its first word, the next is asked, and nobody hears of it.
//!
//! Owns the order of asking, the waiting for backends that ask to be left alone, and the words for models that only read. What
//! fails behind the first word stays failed: what was said was said, and nobody goes on in another's words. It must not know how
//! a model is reached.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::input::Transcription;
use antiphon_engine::message::MessageBody;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use tokio::time::Instant;

use super::{Capabilities, Failure, Fallback, Fault, LanguageModel, Note, Request, RunEvent};
use crate::health::{Admission, Health, Trial};
use crate::speech_to_text::{self, SpeechToText};

/// The first wait when all models failed; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// A model, by its configured name.
#[derive(Clone)]
pub struct Link {
    /// The name.
    pub name: Arc<str>,
    /// The model.
    pub model: Arc<dyn LanguageModel>,
    /// What is known of it, shared with everything else that uses it.
    pub health: Arc<Health>,
}

/// How long is waited, and what helps models that only read.
#[derive(Clone)]
pub struct Settings {
    /// How long after the beginning of a run all models may be tried again.
    pub patience: Duration,
    /// What finds the words of turns that a model cannot hear and nobody has transcribed yet.
    pub recognizer: Option<Arc<dyn SpeechToText>>,
}

/// A model and those that stand behind it, in order.
#[derive(Clone)]
pub struct Fallbacks {
    links: Arc<[Link]>,
    settings: Arc<Settings>,
}

impl Fallbacks {
    /// `first`, and the others behind it.
    #[must_use]
    pub fn new(first: Link, others: impl IntoIterator<Item = Link>, settings: Settings) -> Self {
        Self { links: std::iter::once(first).chain(others).collect(), settings: Arc::new(settings) }
    }
}

impl LanguageModel for Fallbacks {
    fn capabilities(&self) -> Capabilities {
        self.links[0].model.capabilities()
    }

    fn generate(&self, request: Request) -> BoxStream<'static, RunEvent> {
        let run = Run {
            began: Instant::now(),
            model: self.clone(),
            request,
            phase: Phase::Choosing,
            failed: vec![None; self.links.len()],
            wait: FIRST_WAIT,
            ready: VecDeque::new(),
            last: None,
        };
        stream::unfold(run, async |mut run| run.next().await.map(|event| (event, run))).boxed()
    }

    fn warm_up(&self, request: Request) -> BoxFuture<'static, ()> {
        self.links[0].model.warm_up(request)
    }
}

/// One run.
struct Run {
    began: Instant,
    model: Fallbacks,
    request: Request,
    phase: Phase,
    /// How each model failed in this round.
    failed: Vec<Option<Failure>>,
    /// The next wait.
    wait: Duration,
    /// Told and not taken yet.
    ready: VecDeque<RunEvent>,
    /// The last failure, until it is told: by whom, and how.
    last: Option<(Arc<str>, Failure)>,
}

enum Phase {
    /// Nobody is asked.
    Choosing,
    /// A model is asked and has said nothing.
    Asking {
        link: usize,
        trial: Trial,
        events: BoxStream<'static, RunEvent>,
    },
    /// A model speaks.
    Speaking {
        trial: Trial,
        events: BoxStream<'static, RunEvent>,
    },
    Ended,
}

impl Run {
    async fn next(&mut self) -> Option<RunEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            match &mut self.phase {
                Phase::Choosing => self.choose().await,
                Phase::Asking { events, .. } => {
                    let event = events.next().await;
                    self.asked(event.unwrap_or_else(broken));
                }
                Phase::Speaking { trial, events } => {
                    let event = events.next().await.unwrap_or_else(broken);
                    match &event {
                        RunEvent::Finished => self.phase = Phase::Ended,
                        RunEvent::Failed(failure) => {
                            if failure.fault == Fault::Backend {
                                trial.failed(failure.retry_after);
                            }
                            self.phase = Phase::Ended;
                        }
                        RunEvent::Text(_) | RunEvent::ToolCall(_) | RunEvent::Note(_) => {}
                    }
                    return Some(event);
                }
                Phase::Ended => return None,
            }
        }
    }

    /// Something from a model that has said nothing yet.
    fn asked(&mut self, event: RunEvent) {
        let Phase::Asking { link, mut trial, events } = std::mem::replace(&mut self.phase, Phase::Choosing)
        else {
            return;
        };
        match event {
            RunEvent::Note(_) => {
                self.ready.push_back(event);
                self.phase = Phase::Asking { link, trial, events };
            }
            RunEvent::Text(_) | RunEvent::ToolCall(_) => {
                trial.succeeded();
                self.ready.push_back(event);
                self.phase = Phase::Speaking { trial, events };
            }
            RunEvent::Finished => {
                trial.succeeded();
                self.ready.push_back(event);
                self.phase = Phase::Ended;
            }
            RunEvent::Failed(failure) => {
                match failure.fault {
                    Fault::Backend => trial.failed(failure.retry_after),
                    // It answered, if only to refuse this one request.
                    Fault::Request => trial.succeeded(),
                }
                self.last = Some((Arc::clone(&self.model.links[link].name), failure.clone()));
                self.failed[link] = Some(failure);
            }
        }
    }

    /// Asks the next model, waits for one, or gives up.
    async fn choose(&mut self) {
        let links = Arc::clone(&self.model.links);
        let untried = |run: &Self, link: usize| run.failed[link].is_none();
        let mut doubtful = None;
        for (index, link) in links.iter().enumerate() {
            if !untried(self, index) {
                continue;
            }
            match link.health.admit() {
                Admission::Admitted(trial) => return self.ask(index, trial).await,
                Admission::Cooling { asked_to: true, .. } => {}
                Admission::Cooling { .. } | Admission::Busy => doubtful = doubtful.or(Some(index)),
            }
        }
        // A model that may fail is better than none.
        if let Some(index) = doubtful {
            return self.ask(index, links[index].health.insist()).await;
        }
        let now = Instant::now();
        let patient_until = self.began + self.model.settings.patience;
        // When each may be tried again: those that asked for it at their time, the others after a while.
        let again = links.iter().zip(&self.failed).filter_map(|(link, failed)| match failed {
            Some(Failure { fault: Fault::Request, .. }) => None,
            Some(_) | None => match link.health.admit() {
                Admission::Cooling { until, asked_to: true } => Some(until),
                Admission::Admitted(_) => Some(now),
                Admission::Cooling { .. } | Admission::Busy => Some(now + self.wait),
            },
        });
        match again.min().filter(|again| *again <= patient_until) {
            Some(again) => {
                tokio::time::sleep_until(again).await;
                self.wait = self.wait.saturating_mul(2);
                for failed in &mut self.failed {
                    if failed.as_ref().is_some_and(|failure| failure.fault == Fault::Backend) {
                        *failed = None;
                    }
                }
            }
            None => {
                let failure = self.last.take().map(|(_, failure)| failure).unwrap_or_else(|| {
                    Failure::of_backend(
                        "the model asked to be left alone, and no other is configured behind it",
                    )
                });
                self.ready.push_back(RunEvent::Failed(failure));
                self.phase = Phase::Ended;
            }
        }
    }

    async fn ask(&mut self, index: usize, trial: Trial) {
        let link = self.model.links[index].clone();
        if let Some((from, failure)) = self.last.take() {
            let to = Arc::clone(&link.name);
            self.ready.push_back(RunEvent::Note(Note::Fallback(Fallback {
                from,
                to,
                reason: failure.reason,
            })));
        }
        if !link.model.capabilities().audio {
            self.find_words().await;
        }
        let events = link.model.generate(self.request.clone());
        self.phase = Phase::Asking { link: index, trial, events };
    }

    /// Finds the words of spoken turns that nobody has transcribed yet.
    async fn find_words(&mut self) {
        let Some(recognizer) = &self.model.settings.recognizer else { return };
        let Request { prompt, clips } = &mut self.request;
        for message in &mut prompt.messages {
            let MessageBody::User { text, audio: Some(span) } = &mut message.body else { continue };
            let Some(clip) = clips.get(span.turn).filter(|clip| !clip.is_empty()) else { continue };
            if !text.trim().is_empty() {
                continue;
            }
            let request =
                speech_to_text::Request { samples: clip.clone(), language: prompt.language.clone() };
            if let Transcription::Words(words) = recognizer.transcribe(request).await.transcription {
                *text = words;
            }
        }
    }
}

fn broken() -> RunEvent {
    RunEvent::Failed(Failure::of_backend("the model's stream ended too early"))
}
