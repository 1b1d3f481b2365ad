//! Models behind Anthropic's Messages API (`/v1/messages`, version 2023-06-01). They read: speech reaches them as its transcript.
//!
//! What is asked is `request`'s, what the bytes mean is `stream`'s. It must not know what the words are for.

mod request;
mod stream;

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use reqwest::header::{CONTENT_TYPE, HeaderName};

use self::stream::Messages;
use super::answer::{self, Question};
use super::{Capabilities, LanguageModel, Request, RunEvent, Waits};
use crate::http::Endpoint;

/// Where the vendor has it.
pub const BASE_URL: &str = "https://api.anthropic.com/v1";
/// The version of the interface that is spoken.
const VERSION: &str = "2023-06-01";

/// How a model is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The model's name, such as `claude-haiku-4-5`.
    pub model: Arc<str>,
    /// The longest answer in tokens, which the interface requires.
    pub max_tokens: u32,
    /// Further fields of the request's body, which replace those of the same name.
    pub extra: serde_json::Map<String, serde_json::Value>,
    /// Fields that are left out, for models that refuse them.
    pub omit: Vec<String>,
    /// How long things may take.
    pub waits: Waits,
}

/// A model behind Anthropic's Messages API.
#[derive(Debug, Clone)]
pub struct AnthropicModel {
    endpoint: Endpoint,
    settings: Arc<Settings>,
}

impl AnthropicModel {
    /// A model at an endpoint.
    #[must_use]
    pub fn new(endpoint: Endpoint, settings: Settings) -> Self {
        let endpoint = endpoint.with_key_in(HeaderName::from_static("x-api-key"));
        Self { endpoint, settings: Arc::new(settings) }
    }
}

impl LanguageModel for AnthropicModel {
    fn capabilities(&self) -> Capabilities {
        Capabilities::TEXT
    }

    fn generate(&self, request: Request) -> BoxStream<'static, RunEvent> {
        let (body, turns) = request::body(&self.settings, &request);
        let question = Question {
            endpoint: self.endpoint.clone(),
            request: self
                .endpoint
                .post("/messages")
                .header("anthropic-version", VERSION)
                .header(CONTENT_TYPE, "application/json")
                .body(body),
            otherwise: None,
            model: Arc::clone(&self.settings.model),
            turns,
            waits: self.settings.waits,
        };
        answer::to(question, Messages::default())
    }

    /// Every request is paid for; what the conversation began with is cached by the requests themselves.
    fn warm_up(&self, _: Request) -> BoxFuture<'static, ()> {
        futures::future::ready(()).boxed()
    }
}
