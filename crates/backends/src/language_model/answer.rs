//! One run of a model behind an HTTP interface that streams: from the request to the end of its answer.
//!
//! Owns time-outs, cancellation by drop, counting, and the order of what is told. It must not know what the bytes mean, which is
//! the dialect's.

mod events;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::ids::TurnId;
use antiphon_engine::input::ModelToolCall;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use reqwest::RequestBuilder;
use tokio::time::Instant;

pub(super) use self::events::{Calls, Events, Meaning, failed};
use super::{Asked, Failure, GivenAs, Note, RunEvent, Usage};
use crate::http::{Endpoint, HttpFailure, next_part};

/// Bytes of tool calls in one answer; more is a model gone astray.
const CALLS_LIMIT: usize = 256 * 1024;

/// What the bytes of an answer tell.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Told {
    /// More text.
    Text(String),
    /// It thinks; what, is not for the user.
    Thinking,
    /// It works, but on nothing that can be said.
    Working,
    /// What it took so far.
    Usage(Usage),
    /// It is complete, with these tool calls.
    Done { calls: Vec<ModelToolCall> },
    /// It failed, for this reason, in the backend's words.
    Failed(Failure),
}

/// A request that is made when it is needed.
pub(super) type Otherwise = Box<dyn FnOnce() -> RequestBuilder + Send>;

/// A request that can be sent.
pub(super) struct Question {
    pub(super) endpoint: Endpoint,
    pub(super) request: RequestBuilder,
    /// What is sent instead where the backend refuses that, if anything.
    pub(super) otherwise: Option<Otherwise>,
    /// The model's name there.
    pub(super) model: Arc<str>,
    /// How the user's spoken turns are given.
    pub(super) turns: Vec<(TurnId, GivenAs)>,
    pub(super) waits: Waits,
}

/// How long things may take. Comments that keep a connection alive are no progress.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// From the request to the first token.
    pub first_token: Duration,
    /// From each token to the next.
    pub progress: Duration,
}

/// The answer to a question.
pub(super) fn to(question: Question, meaning: impl Meaning) -> BoxStream<'static, RunEvent> {
    let Question { endpoint, request, otherwise, model, turns, waits } = question;
    let asked = RunEvent::Note(Note::Asked(Asked { model: Arc::clone(&model), turns }));
    let run = Run {
        endpoint,
        model,
        waits,
        phase: Phase::Asking(Box::new((request, otherwise, Events::new(meaning)))),
        ready: VecDeque::from([asked]),
        usage: None,
        thinks: false,
    };
    stream::unfold(run, async |mut run| run.next().await.map(|event| (event, run))).boxed()
}

/// One run. It lives in the stream alone: whoever drops that drops the connection.
struct Run<M> {
    endpoint: Endpoint,
    model: Arc<str>,
    waits: Waits,
    phase: Phase<M>,
    /// Told and not taken yet.
    ready: VecDeque<RunEvent>,
    /// What the backend counted last; servers may count with every part.
    usage: Option<Usage>,
    /// Whether it was told that it thinks.
    thinks: bool,
}

enum Phase<M> {
    Asking(Box<(RequestBuilder, Option<Otherwise>, Events<M>)>),
    Receiving(Box<Receiving<M>>),
    Ended,
}

/// An answer that is arriving.
struct Receiving<M> {
    response: reqwest::Response,
    events: Events<M>,
    /// When the next sign of life is due.
    by: Instant,
}

impl<M: Meaning> Run<M> {
    async fn next(&mut self) -> Option<RunEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            match std::mem::replace(&mut self.phase, Phase::Ended) {
                Phase::Asking(asking) => {
                    let (request, otherwise, events) = *asking;
                    let by = Instant::now() + self.waits.first_token;
                    match self.endpoint.send(request, by).await {
                        Ok(response) => {
                            self.phase = Phase::Receiving(Box::new(Receiving { response, events, by }));
                        }
                        Err(failure) => match otherwise.filter(|_| failure.is_refusal()) {
                            Some(otherwise) => {
                                self.phase = Phase::Asking(Box::new((otherwise(), None, events)));
                            }
                            None => self.fail(self.http(failure)),
                        },
                    }
                }
                Phase::Receiving(receiving) => self.receive(receiving).await,
                Phase::Ended => return None,
            }
        }
    }

    /// One part of the answer.
    async fn receive(&mut self, mut receiving: Box<Receiving<M>>) {
        let Receiving { response, events, by } = &mut *receiving;
        let told = match next_part(response, *by).await {
            Ok(Some(part)) => events.push(&part),
            Ok(None) => events.end(),
            Err(failure) => return self.fail(self.http(failure)),
        };
        for told in told {
            match told {
                Told::Text(text) => {
                    *by = Instant::now() + self.waits.progress;
                    self.ready.push_back(RunEvent::Text(text.into()));
                }
                Told::Thinking | Told::Working => {
                    *by = Instant::now() + self.waits.progress;
                    if told == Told::Thinking && !std::mem::replace(&mut self.thinks, true) {
                        self.ready.push_back(RunEvent::Note(Note::Thinks));
                    }
                }
                Told::Usage(usage) => self.usage = Some(usage),
                Told::Done { calls } => {
                    self.count();
                    self.ready.extend(calls.into_iter().map(RunEvent::ToolCall));
                    self.ready.push_back(RunEvent::Finished);
                    return;
                }
                Told::Failed(failure) => {
                    let reason = self.endpoint.shortened(failure.reason.as_bytes());
                    return self.fail(Failure { reason: self.named(&reason), ..failure });
                }
            }
        }
        if receiving.events.call_bytes() > CALLS_LIMIT {
            let reason = self.named("wrote an endless tool call");
            return self.fail(Failure::of_backend(reason));
        }
        self.phase = Phase::Receiving(receiving);
    }

    fn fail(&mut self, failure: Failure) {
        self.count();
        self.ready.push_back(RunEvent::Failed(failure));
    }

    fn count(&mut self) {
        if let Some(usage) = self.usage.take() {
            self.ready.push_back(RunEvent::Note(Note::Usage(usage)));
        }
    }

    fn http(&self, failure: HttpFailure) -> Failure {
        failure.of(&format!("the model \"{}\"", self.model))
    }

    fn named(&self, what: &str) -> Arc<str> {
        format!("the model \"{}\" {what}", self.model).into()
    }
}
