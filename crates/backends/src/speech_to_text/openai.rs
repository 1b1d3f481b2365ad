//! Any recognizer behind an OpenAI-compatible `/audio/transcriptions`.
//!
//! Owns the upload and the reading of the answer. It must not know who else uses the endpoint.

use std::sync::Arc;
use std::time::Duration;

use antiphon_audio::SampleRate;
use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;
use tokio::time::Instant;

use super::segment::Segment;
use super::{Heard, Request, SpeechToText};
use crate::http::{Endpoint, HttpFailure, next_part};
use crate::wav;

/// Bytes of an answer; more is no transcript of a turn.
const ANSWER_LIMIT: usize = 1024 * 1024;

/// How an OpenAI-compatible recognizer is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The model's name at the endpoint.
    pub model: Arc<str>,
    /// The language that is assumed where the conversation has none (ISO 639-1).
    pub language: Option<Arc<str>>,
    /// Whether stretches without speech are asked for and left out, which takes a server that answers `verbose_json`.
    pub segments: bool,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// The answer (OpenAI API reference, "Create transcription", `json` and `verbose_json`).
#[derive(Deserialize)]
struct Answer {
    text: String,
    segments: Option<Vec<AnswerSegment>>,
}

#[derive(Deserialize)]
struct AnswerSegment {
    text: String,
    #[serde(default)]
    no_speech_prob: f64,
    #[serde(default)]
    avg_logprob: f64,
}

impl From<AnswerSegment> for Segment {
    fn from(segment: AnswerSegment) -> Self {
        let AnswerSegment { text, no_speech_prob, avg_logprob } = segment;
        Self { text, no_speech: no_speech_prob, certainty: avg_logprob }
    }
}

impl Answer {
    fn words(self) -> String {
        match self.segments {
            Some(segments) if !segments.is_empty() => {
                let segments = segments.into_iter().map(Segment::from);
                segments.filter(Segment::is_speech).map(|segment| segment.text).collect()
            }
            Some(_) | None => self.text,
        }
    }
}

/// A recognizer behind an OpenAI-compatible `/audio/transcriptions`.
#[derive(Debug, Clone)]
pub struct OpenAiTranscriber {
    endpoint: Endpoint,
    settings: Arc<Settings>,
    name: Arc<str>,
}

impl OpenAiTranscriber {
    /// A recognizer at an endpoint.
    #[must_use]
    pub fn new(endpoint: Endpoint, settings: Settings) -> Self {
        let name = Arc::clone(&settings.model);
        Self { endpoint, settings: Arc::new(settings), name }
    }

    async fn words(&self, request: Request) -> Result<Arc<str>, HttpFailure> {
        let Settings { model, language, segments, timeout } = &*self.settings;
        let by = Instant::now() + *timeout;
        let file = Part::bytes(wav::encode(&request.samples.to_vec(), SampleRate::EAR.hz()))
            .file_name("turn.wav")
            .mime_str("audio/wav")
            .expect("audio/wav is a media type");
        let mut form = Form::new()
            .part("file", file)
            .text("model", model.to_string())
            .text("response_format", if *segments { "verbose_json" } else { "json" });
        if let Some(language) = request.language.as_ref().or(language.as_ref()) {
            // The interface wants `en` where the conversation may say `en-US`.
            let primary = language.split(['-', '_']).next().unwrap_or(language);
            form = form.text("language", primary.to_lowercase());
        }
        let request = self.endpoint.post("/audio/transcriptions").multipart(form);
        let mut response = self.endpoint.send(request, by).await?;
        let mut body = Vec::new();
        while let Some(part) = next_part(&mut response, by).await? {
            if body.len() + part.len() > ANSWER_LIMIT {
                return Err(HttpFailure::Connection("answered more than a transcript".to_owned()));
            }
            body.extend_from_slice(&part);
        }
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|_| format!("answered no transcript: {}", self.endpoint.shortened(&body)))
            .map_err(HttpFailure::Connection)?;
        Ok(answer.words().trim().into())
    }
}

impl SpeechToText for OpenAiTranscriber {
    fn transcribe(&self, request: Request) -> BoxFuture<'static, Heard> {
        let transcriber = self.clone();
        async move {
            let words = transcriber.words(request).await;
            Heard::from_model(&transcriber.name, &transcriber.settings.model, words)
        }
        .boxed()
    }
}
