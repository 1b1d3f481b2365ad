//! Any model behind an OpenAI-compatible `/chat/completions`: OpenAI, vLLM, llama.cpp, Ollama and their like.
//!
//! What is asked is `request`'s, what the bytes mean is `stream`'s. It must not know what the words are for.

mod history;
mod request;
mod stream;

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use reqwest::header::CONTENT_TYPE;
use tokio::time::Instant;

pub use self::history::AudioHistory;
pub(super) use self::request::{NO_RESULT, SILENT, UNHEARD};
use self::stream::Completion;
use super::answer::{self, Question};
use super::{Capabilities, LanguageModel, Request, RunEvent, Waits};
use crate::http::{Endpoint, next_part};

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
    /// Fields that are left out, for models that refuse them.
    pub omit: Vec<String>,
    /// Whether its template opens a thought, so that its text begins within one.
    pub thinks_first: bool,
    /// Whether conversations are read in advance. Each time costs the tokens of the prompt where tokens cost money.
    pub warm_up: bool,
    /// How long things may take.
    pub waits: Waits,
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

    fn post(&self, body: Vec<u8>) -> reqwest::RequestBuilder {
        self.endpoint.post("/chat/completions").header(CONTENT_TYPE, "application/json").body(body)
    }
}

impl LanguageModel for OpenAiModel {
    fn capabilities(&self) -> Capabilities {
        let Settings { audio, warm_up, .. } = *self.settings;
        Capabilities {
            audio: audio.is_some(),
            clips: audio.map_or(0, AudioHistory::most),
            found_deaf: false,
            warm_up,
        }
    }

    fn generate(&self, request: Request) -> BoxStream<'static, RunEvent> {
        let (body, turns) = request::body(&self.settings, &request);
        let question = Question {
            endpoint: self.endpoint.clone(),
            request: self.post(body),
            model: Arc::clone(&self.settings.model),
            turns,
            waits: self.settings.waits,
        };
        answer::to(question, Completion::new(self.settings.thinks_first))
    }

    fn warm_up(&self, request: Request) -> BoxFuture<'static, ()> {
        if !self.settings.warm_up {
            return futures::future::ready(()).boxed();
        }
        let model = self.clone();
        async move {
            let by = Instant::now() + model.settings.waits.first_token;
            let body = request::warm_up(&model.settings, &request);
            // Whatever comes of it: the run that follows will tell.
            if let Ok(mut response) = model.endpoint.send(model.post(body), by).await {
                while let Ok(Some(_)) = next_part(&mut response, by).await {}
            }
        }
        .boxed()
    }
}
