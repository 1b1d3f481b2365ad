//! Any voice behind an OpenAI-compatible `/audio/speech`.
//!
//! Owns the request and what its answer is. It must not know who else uses the endpoint.

use std::sync::Arc;
use std::time::Duration;

use antiphon_audio::SampleRate;
use futures::stream::BoxStream;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Serialize;
use serde_json::Value;

use super::exchange::Question;
use super::remote::frames::Framing;
use super::remote::heard::Heard;
use super::remote::{Dialect, Patience, Remote, credential};
use super::{Capabilities, Request, SpeechEvent, TextToSpeech, instead_of_audio, no_json};
use crate::http::Endpoint;

/// How an OpenAI-compatible voice is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The model's name at the endpoint.
    pub model: Arc<str>,
    /// The voice's name at the endpoint.
    pub voice: Arc<str>,
    /// The form of the audio: `pcm` (16 bits, 24 kHz at OpenAI) or `wav`.
    pub response_format: Arc<str>,
    /// The rate of the audio; a WAV that has another one is converted.
    pub sample_rate: SampleRate,
    /// How long the first audio may take.
    pub first_audio: Duration,
    /// How long each further part may take.
    pub progress: Duration,
}

/// A voice behind an OpenAI-compatible `/audio/speech`.
#[derive(Debug, Clone)]
pub struct OpenAiVoice(Remote<OpenAi>);

impl OpenAiVoice {
    /// A voice at an endpoint.
    #[must_use]
    pub fn new(endpoint: Endpoint, settings: Settings) -> Self {
        let patience = Patience { first_audio: settings.first_audio, progress: settings.progress };
        let exchange = Arc::new(endpoint.clone());
        Self(Remote::new(exchange, OpenAi { endpoint, settings }, patience))
    }
}

impl TextToSpeech for OpenAiVoice {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn speak(&self, request: Request) -> BoxStream<'static, SpeechEvent> {
        self.0.speak(request)
    }
}

struct OpenAi {
    endpoint: Endpoint,
    settings: Settings,
}

/// The request (OpenAI API reference, "Create speech").
#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    voice: &'a str,
    input: &'a str,
    response_format: &'a str,
}

impl Dialect for OpenAi {
    fn name(&self) -> String {
        format!("{:?}", self.settings.voice)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { sample_rate: self.settings.sample_rate, word_times: false, clones: false }
    }

    fn question(&self, request: &Request) -> Result<Question, String> {
        let Settings { model, voice, response_format, .. } = &self.settings;
        let body = Body { model, voice, input: &request.text, response_format };
        let body = serde_json::to_vec(&body).map_err(|error| error.to_string())?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = self.endpoint.bearer() {
            headers.insert(AUTHORIZATION, credential(&key)?);
        }
        Ok(Question { url: self.endpoint.url("/audio/speech"), headers, body: body.into() })
    }

    fn framing(&self, content_type: Option<&str>) -> Result<Framing, String> {
        no_json(content_type)
    }

    fn read(&self, frame: &Value, _: &mut Heard) -> Result<(), String> {
        Err(instead_of_audio(frame))
    }
}
