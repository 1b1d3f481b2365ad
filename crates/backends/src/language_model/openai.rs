//! Any model behind an OpenAI-compatible `/chat/completions`: OpenAI, vLLM, llama.cpp, Ollama and their like.
//!
//! Owns a run from the request to its end: time-outs, cancellation by drop, and the order of what it tells. What is asked is
//! `request`'s, what the bytes mean is `stream`'s. It must not know what the words are for.

mod request;
mod stream;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::input::ModelEvent;
use futures::StreamExt;
use futures::stream::{self as futures_stream, BoxStream};
use tokio::time::Instant;

pub use self::request::AudioHistory;
use self::stream::{Completion, Told};
use super::{Capabilities, LanguageModel, Request};
use crate::http::{Endpoint, next_part};

/// Bytes of tool calls in one answer; more is a model gone astray.
const CALLS_LIMIT: usize = 256 * 1024;

/// How an OpenAI-compatible model is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The model's name at the endpoint.
    pub model: Arc<str>,
    /// Whether it hears audio, and which turns it hears; `None` gives it transcripts.
    pub audio: Option<AudioHistory>,
    /// The longest answer in tokens, if there is a limit.
    pub max_tokens: Option<u32>,
    /// Further fields of the request's body, which replace those of the same name.
    pub extra: serde_json::Map<String, serde_json::Value>,
    /// How long the first token may take.
    pub first_token: Duration,
    /// How long each further token may take.
    pub progress: Duration,
}

/// A model behind an OpenAI-compatible `/chat/completions`.
#[derive(Debug, Clone)]
pub struct OpenAiModel {
    endpoint: Endpoint,
    settings: Arc<Settings>,
}

impl OpenAiModel {
    /// A model at an endpoint.
    #[must_use]
    pub fn new(endpoint: Endpoint, settings: Settings) -> Self {
        Self { endpoint, settings: Arc::new(settings) }
    }
}

impl LanguageModel for OpenAiModel {
    fn capabilities(&self) -> Capabilities {
        Capabilities { audio: self.settings.audio.is_some() }
    }

    fn generate(&self, request: Request) -> BoxStream<'static, ModelEvent> {
        let run =
            Run { ready: VecDeque::new(), model: self.clone(), phase: Phase::Unasked(Box::new(request)) };
        futures_stream::unfold(run, async |mut run| run.next().await.map(|event| (event, run))).boxed()
    }
}

/// One run. It lives in the stream alone: whoever drops that drops the connection.
struct Run {
    model: OpenAiModel,
    phase: Phase,
    /// Told and not taken yet.
    ready: VecDeque<ModelEvent>,
}

enum Phase {
    Unasked(Box<Request>),
    Receiving(Box<Receiving>),
    Ended,
}

/// An answer that is arriving.
struct Receiving {
    response: reqwest::Response,
    completion: Completion,
    /// When the next sign of life is due.
    by: Instant,
}

impl Run {
    async fn next(&mut self) -> Option<ModelEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if let Err(reason) = self.step().await? {
                self.phase = Phase::Ended;
                let model = &self.model.settings.model;
                self.ready.push_back(ModelEvent::Failed(format!("the model \"{model}\" {reason}").into()));
            }
        }
    }

    /// One part of the answer, or the beginning of it; `None` after the end.
    async fn step(&mut self) -> Option<Result<(), String>> {
        let settings = &self.model.settings;
        match &mut self.phase {
            Phase::Unasked(request) => {
                let by = Instant::now() + settings.first_token;
                let endpoint = &self.model.endpoint;
                let body = request::body(settings, request);
                let asked = endpoint
                    .post("/chat/completions")
                    .header(reqwest::header::CONTENT_TYPE, "application/json")
                    .body(body);
                match endpoint.send(asked, by).await {
                    Ok(response) => {
                        let completion = Completion::default();
                        self.phase = Phase::Receiving(Box::new(Receiving { response, completion, by }));
                        Some(Ok(()))
                    }
                    Err(failure) => Some(Err(failure.to_string())),
                }
            }
            Phase::Receiving(receiving) => {
                let Receiving { response, completion, by } = &mut **receiving;
                let part = match next_part(response, *by).await {
                    Ok(part) => part,
                    Err(failure) => return Some(Err(failure.to_string())),
                };
                let told = match &part {
                    Some(part) => completion.push(part),
                    None => completion.end(),
                };
                for told in told {
                    *by = Instant::now() + settings.progress;
                    match told {
                        Told::Text(text) => self.ready.push_back(ModelEvent::Text(text.into())),
                        // It is no part of the answer, but a sign of life.
                        Told::Reasoning => {}
                        Told::Done { calls } => {
                            self.ready.extend(calls.into_iter().map(ModelEvent::ToolCall));
                            self.ready.push_back(ModelEvent::Finished);
                            self.phase = Phase::Ended;
                            return Some(Ok(()));
                        }
                        Told::Failed(reason) => {
                            return Some(Err(self.model.endpoint.shortened(reason.as_bytes())));
                        }
                    }
                }
                if completion.call_bytes() > CALLS_LIMIT {
                    return Some(Err("wrote an endless tool call".to_owned()));
                }
                Some(Ok(()))
            }
            Phase::Ended => None,
        }
    }
}
