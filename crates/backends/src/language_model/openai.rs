//! Any model behind an OpenAI-compatible `/chat/completions`: OpenAI, vLLM, llama.cpp, Ollama and their like.
//!
//! What is asked is `request`'s, what the bytes mean is `stream`'s. It must not know what the words are for.

mod history;
mod replay;
mod request;
mod stream;

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};
use reqwest::header::CONTENT_TYPE;
use tokio::time::Instant;

pub use self::history::AudioHistory;
use self::replay::{Given, Id};
use self::request::Ids;
pub(super) use self::request::{NO_RESULT, SILENT, UNHEARD};
use self::stream::Completion;
use super::answer::{self, Otherwise, Question};
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
    /// Whether recordings have ids, and those that the server was given before are sent by these alone. vLLM takes them.
    pub audio_ids: bool,
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
    /// The recordings that the server has been given, by their ids.
    given: Arc<Given>,
}

impl OpenAiModel {
    /// A model at an endpoint.
    #[must_use]
    pub fn new(endpoint: Endpoint, settings: Settings) -> Self {
        Self { endpoint, settings: Arc::new(settings), given: Arc::default() }
    }

    /// The same request with every recording in it.
    fn whole(&self, request: Request) -> Otherwise {
        let model = self.clone();
        Box::new(move || {
            let mut ids = Ids::where_given(&|_| false);
            model.post(request::body(&model.settings, &request, &mut ids).0)
        })
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
        let has = |id: &Id| self.given.has(id);
        let mut ids = if self.settings.audio_ids { Ids::where_given(&has) } else { Ids::none() };
        let (body, turns) = request::body(&self.settings, &request, &mut ids);
        let Ids { named, left_out, .. } = ids;
        let question = Question {
            endpoint: self.endpoint.clone(),
            request: self.post(body),
            // A server that has forgotten a recording refuses its id.
            otherwise: (left_out > 0).then(|| self.whole(request)),
            model: Arc::clone(&self.settings.model),
            turns,
            waits: self.settings.waits,
        };
        let run = answer::to(question, Completion::new(self.settings.thinks_first));
        if named.is_empty() {
            return run;
        }
        let given = Arc::clone(&self.given);
        run.inspect(move |event| match event {
            RunEvent::Text(_) | RunEvent::ToolCall(_) | RunEvent::Finished => given.add(&named),
            RunEvent::Failed(_) => given.forget(&named),
            RunEvent::Note(_) => {}
        })
        .boxed()
    }

    fn warm_up(&self, request: Request) -> BoxFuture<'static, ()> {
        if !self.settings.warm_up {
            return futures::future::ready(()).boxed();
        }
        let model = self.clone();
        async move {
            let by = Instant::now() + model.settings.waits.first_token;
            let (body, named) = {
                let has = |id: &Id| model.given.has(id);
                let mut ids = if model.settings.audio_ids { Ids::where_given(&has) } else { Ids::none() };
                (request::warm_up(&model.settings, &request, &mut ids), ids.named)
            };
            // Whatever comes of it: the run that follows will tell.
            match model.endpoint.send(model.post(body), by).await {
                Ok(mut response) => {
                    model.given.add(&named);
                    while let Ok(Some(_)) = next_part(&mut response, by).await {}
                }
                Err(_) => model.given.forget(&named),
            }
        }
        .boxed()
    }
}
