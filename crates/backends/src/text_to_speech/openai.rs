//! Any voice behind an OpenAI-compatible `/audio/speech`.
//!
//! Owns the request and the reading of the streamed audio. It must not know who else uses the endpoint.

use std::sync::Arc;
use std::time::Duration;

use antiphon_audio::SampleRate;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use serde::Serialize;
use tokio::time::Instant;

use super::{Capabilities, Request, SpeechEvent, TextToSpeech};
use crate::http::{Endpoint, next_part};
use crate::wav::Samples;

/// How an OpenAI-compatible voice is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The model's name at the endpoint.
    pub model: Arc<str>,
    /// The voice's name at the endpoint.
    pub voice: Arc<str>,
    /// The form of the audio: `pcm` (16 bits, 24 kHz at OpenAI) or `wav`.
    pub response_format: Arc<str>,
    /// The rate of the audio.
    pub sample_rate: SampleRate,
    /// How long the first audio may take.
    pub first_audio: Duration,
    /// How long each further part may take.
    pub progress: Duration,
}

/// A voice behind an OpenAI-compatible `/audio/speech`.
#[derive(Debug, Clone)]
pub struct OpenAiVoice {
    endpoint: Endpoint,
    settings: Arc<Settings>,
}

impl OpenAiVoice {
    /// A voice at an endpoint.
    #[must_use]
    pub fn new(endpoint: Endpoint, settings: Settings) -> Self {
        Self { endpoint, settings: Arc::new(settings) }
    }
}

/// The request (OpenAI API reference, "Create speech").
#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    voice: &'a str,
    input: &'a str,
    response_format: &'a str,
}

impl TextToSpeech for OpenAiVoice {
    fn capabilities(&self) -> Capabilities {
        Capabilities { sample_rate: self.settings.sample_rate, word_times: false, clones: false }
    }

    fn speak(&self, request: Request) -> BoxStream<'static, SpeechEvent> {
        let speech = Speech { voice: self.clone(), text: request.text, state: State::Unasked };
        stream::unfold(speech, async |mut speech| speech.next().await.map(|event| (event, speech))).boxed()
    }
}

struct Speech {
    voice: OpenAiVoice,
    text: Arc<str>,
    state: State,
}

enum State {
    Unasked,
    Receiving { response: reqwest::Response, samples: Samples, heard: bool, by: Instant },
    Ended,
}

impl Speech {
    async fn next(&mut self) -> Option<SpeechEvent> {
        let event = match self.step().await {
            Ok(Some(event)) => event,
            Ok(None) => return None,
            Err(reason) => {
                SpeechEvent::Failed(format!("the voice \"{}\" {reason}", self.voice.settings.voice).into())
            }
        };
        if matches!(event, SpeechEvent::Finished | SpeechEvent::Failed(_)) {
            self.state = State::Ended;
        }
        Some(event)
    }

    async fn step(&mut self) -> Result<Option<SpeechEvent>, String> {
        let settings = &self.voice.settings;
        loop {
            match &mut self.state {
                State::Unasked => {
                    let by = Instant::now() + settings.first_audio;
                    let response = self.ask(by).await?;
                    let samples = Samples::new(settings.sample_rate.hz());
                    self.state = State::Receiving { response, samples, heard: false, by };
                }
                State::Receiving { response, samples, heard, by } => {
                    let Some(part) = next_part(response, *by).await.map_err(|failure| failure.to_string())?
                    else {
                        if !*heard {
                            return Err("gave no audio".to_owned());
                        }
                        return Ok(Some(SpeechEvent::Finished));
                    };
                    let audio =
                        samples.push(&part).map_err(|error| format!("gave no usable audio: {error}"))?;
                    if !audio.is_empty() {
                        *heard = true;
                        *by = Instant::now() + settings.progress;
                        return Ok(Some(SpeechEvent::Audio(audio)));
                    }
                }
                State::Ended => return Ok(None),
            }
        }
    }

    async fn ask(&self, by: Instant) -> Result<reqwest::Response, String> {
        let Settings { model, voice, response_format, .. } = &*self.voice.settings;
        let endpoint = &self.voice.endpoint;
        let request =
            endpoint.post("/audio/speech").json(&Body { model, voice, input: &self.text, response_format });
        let response = endpoint.send(request, by).await.map_err(|failure| failure.to_string())?;
        let told_type = response.headers().get(reqwest::header::CONTENT_TYPE);
        if told_type.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json")) {
            let mut response = response;
            let body = next_part(&mut response, by).await.ok().flatten().unwrap_or_default();
            return Err(format!("answered JSON instead of audio: {}", endpoint.shortened(&body)));
        }
        Ok(response)
    }
}
