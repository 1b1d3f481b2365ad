//! What all voices behind a request have in common: patience, retries, the reading of what comes, and errors that can be read.
//!
//! Owns the course of one utterance. What is asked for and what an answer means is the [`Dialect`]'s; it must not know of calls.

pub(crate) mod frames;
pub(crate) mod heard;
pub(crate) mod words;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use super::exchange::{Answer, Exchange, Question};
use super::{Capabilities, Request, SpeechEvent, TextToSpeech};
use crate::http::error_message;
use frames::{Frames, Framing};
use heard::Heard;

/// Bytes of an error's body that are read, and characters of a foreign text that are told.
const ERROR_BODY: usize = 4_096;
const ERROR_TEXT: usize = 300;
/// How often a voice that is busy is asked once more, and how long it may ask to be waited for: beyond that somebody else speaks.
const RETRIES: u32 = 2;
const LONGEST_RETRY: Duration = Duration::from_secs(2);
/// What is waited where it does not say.
const USUAL_RETRY: Duration = Duration::from_millis(300);
/// The longest that a voice is left alone because it asked for it.
const LONGEST_REST: Duration = Duration::from_secs(600);

/// How long a voice is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For its first audio, connecting and retries included.
    pub first_audio: Duration,
    /// For each further part of it.
    pub progress: Duration,
}

impl Default for Patience {
    /// Ten seconds each.
    fn default() -> Self {
        Self { first_audio: Duration::from_secs(10), progress: Duration::from_secs(10) }
    }
}

/// How one kind of voice is asked, and what its answers mean.
pub(crate) trait Dialect: Send + Sync + 'static {
    /// The voice, for error messages: what stands behind "the voice".
    fn name(&self) -> String;
    /// What the voice gives.
    fn capabilities(&self) -> Capabilities;
    /// What is asked for a text.
    fn question(&self, request: &Request) -> Result<Question, String>;
    /// How an answer of this content type is cut.
    fn framing(&self, content_type: Option<&str>) -> Result<Framing, String>;
    /// Takes what one frame of JSON says. Answers that are bare audio have none.
    fn read(&self, frame: &Value, heard: &mut Heard) -> Result<(), String>;
    /// Whether errors tell what was asked.
    fn tells_question(&self) -> bool {
        false
    }
    /// What of the question is secret, beside its sensitive headers.
    fn secrets(&self) -> &[String] {
        &[]
    }
    /// What is known of the words before the audio, and once all of it is there.
    fn pace(&self) -> Option<u32> {
        None
    }
}

/// A voice behind a request.
pub(crate) struct Remote<D>(Arc<Shared<D>>);

struct Shared<D> {
    dialect: D,
    exchange: Arc<dyn Exchange>,
    patience: Patience,
    /// Until when it asked to be left alone.
    rests: Mutex<Option<Instant>>,
}

impl<D> Clone for Remote<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D: Dialect> fmt::Debug for Remote<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remote").field(&self.0.dialect.name()).finish()
    }
}

impl<D: Dialect> Remote<D> {
    pub(crate) fn new(exchange: Arc<dyn Exchange>, dialect: D, patience: Patience) -> Self {
        Self(Arc::new(Shared { dialect, exchange, patience, rests: Mutex::new(None) }))
    }
}

impl<D: Dialect> TextToSpeech for Remote<D> {
    fn capabilities(&self) -> Capabilities {
        self.0.dialect.capabilities()
    }

    fn speak(&self, request: Request) -> BoxStream<'static, SpeechEvent> {
        let heard = Heard::new(&request.text, self.capabilities().sample_rate);
        let speech = Speech {
            voice: Arc::clone(&self.0),
            request,
            heard,
            ready: VecDeque::new(),
            state: State::Unasked,
        };
        stream::unfold(speech, async |mut speech| speech.next().await.map(|event| (event, speech))).boxed()
    }
}

/// One utterance.
struct Speech<D> {
    voice: Arc<Shared<D>>,
    request: Request,
    heard: Heard,
    ready: VecDeque<SpeechEvent>,
    state: State,
}

enum State {
    Unasked,
    Receiving { body: BoxStream<'static, Result<Bytes, String>>, frames: Frames, by: Instant },
    Ended,
}

impl<D: Dialect> Speech<D> {
    async fn next(&mut self) -> Option<SpeechEvent> {
        while self.ready.is_empty() && !matches!(self.state, State::Ended) {
            if let Err(reason) = self.step().await {
                self.state = State::Ended;
                let name = self.voice.dialect.name();
                let reason = hidden(&reason, self.voice.dialect.secrets().iter().map(String::as_str));
                self.ready.push_back(SpeechEvent::Failed(format!("the voice {name} {reason}").into()));
            }
        }
        self.ready.pop_front()
    }

    async fn step(&mut self) -> Result<(), String> {
        let dialect = &self.voice.dialect;
        match &mut self.state {
            State::Unasked => {
                let by = Instant::now() + self.voice.patience.first_audio;
                let answer = self.voice.ask(&self.request, by).await?;
                let framing = dialect.framing(answer.content_type.as_deref())?;
                if let Some(words_per_minute) = dialect.pace() {
                    self.ready.push_back(self.heard.guess_words(words_per_minute));
                }
                self.state = State::Receiving { body: answer.body, frames: Frames::new(framing), by };
            }
            State::Receiving { body, frames, by } => {
                let part = timeout_at(*by, body.next()).await;
                let part = part.map_err(|_| "did not go on in time".to_owned())?.transpose()?;
                let ended = part.is_none();
                let told = match &part {
                    Some(part) => frames.push(part)?,
                    None => frames.finish()?,
                };
                for frame in told {
                    match frame {
                        frames::Frame::Bytes(bytes) => self.heard.audio(&bytes)?,
                        frames::Frame::Json(json) => dialect.read(&json, &mut self.heard)?,
                    }
                }
                if self.heard.take(&mut self.ready) {
                    *by = Instant::now() + self.voice.patience.progress;
                }
                if ended || self.heard.is_over() {
                    self.heard.finish(&mut self.ready, dialect.pace().is_some())?;
                    self.ready.push_back(SpeechEvent::Finished);
                    self.state = State::Ended;
                }
            }
            State::Ended => {}
        }
        Ok(())
    }
}

impl<D: Dialect> Shared<D> {
    /// Puts the question, again where the voice is busy for a moment, and gives the answer once it is known to be a success.
    async fn ask(&self, request: &Request, by: Instant) -> Result<Answer, String> {
        self.is_rested()?;
        let question = self.dialect.question(request)?;
        let mut retries = 0;
        loop {
            let answer = timeout_at(by, self.exchange.put(question.clone()));
            let answer = answer.await.map_err(|_| "did not answer in time".to_owned())??;
            if (200..300).contains(&answer.status) {
                return Ok(answer);
            }
            let (status, wait) = (answer.status, answer.retry_after);
            let busy = status == 429 || status == 503 && wait.is_some();
            let pause = wait.unwrap_or(USUAL_RETRY);
            if busy && retries < RETRIES && pause <= LONGEST_RETRY && Instant::now() + pause < by {
                retries += 1;
                drop(answer);
                sleep(pause).await;
                continue;
            }
            if busy && let Some(wait) = wait {
                self.rest(wait);
            }
            let body = timeout_at(by, beginning(answer.body)).await.unwrap_or_default();
            let mut reason = format!("answered {status}: {}", told(&body, &question.headers));
            if self.dialect.tells_question() {
                reason.push_str(&format!("; it was asked {}", told_question(&question)));
            }
            return Err(reason);
        }
    }

    fn is_rested(&self) -> Result<(), String> {
        let rests = *self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        let left = rests.map(|until| until.saturating_duration_since(Instant::now()));
        match left.filter(|left| !left.is_zero()) {
            Some(left) => Err(format!("asked to be left alone for another {} s", left.as_secs() + 1)),
            None => Ok(()),
        }
    }

    fn rest(&self, wait: Duration) {
        let until = Instant::now() + wait.min(LONGEST_REST);
        *self.rests.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }
}

async fn beginning(mut body: BoxStream<'static, Result<Bytes, String>>) -> Vec<u8> {
    let mut beginning = Vec::new();
    while beginning.len() < ERROR_BODY
        && let Some(Ok(part)) = body.next().await
    {
        beginning.extend_from_slice(&part[..part.len().min(ERROR_BODY - beginning.len())]);
    }
    beginning
}

/// A foreign text, short enough to be read and without credentials.
fn told(body: &[u8], headers: &HeaderMap) -> String {
    let body = String::from_utf8_lossy(body);
    let message = serde_json::from_str::<Value>(&body).ok().and_then(|json| error_message(&json));
    let message = message.unwrap_or_else(|| body.into_owned());
    shortened(&hidden(&message, credentials(headers)))
}

/// What was asked, as far as it may be told. The address may carry a password and stays untold.
fn told_question(question: &Question) -> String {
    let body = match serde_json::from_slice::<Value>(&question.body) {
        Ok(mut body) => {
            hide_fields(&mut body);
            body.to_string()
        }
        Err(_) => String::from_utf8_lossy(&question.body).into_owned(),
    };
    shortened(&hidden(&body, credentials(&question.headers)))
}

/// The secret values of headers, and of those the parts behind a scheme such as `Bearer`.
fn credentials(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let secret = headers.values().filter(|value| value.is_sensitive());
    secret.filter_map(|value| value.to_str().ok()).flat_map(|value| {
        let behind_scheme = value.split_once(' ').map(|(_, rest)| rest.trim());
        [Some(value), behind_scheme].into_iter().flatten()
    })
}

fn hidden<'s>(text: &str, secrets: impl Iterator<Item = &'s str>) -> String {
    // Shorter ones are no secrets, and replacing them would only garble the text.
    secrets.filter(|secret| secret.len() >= 4).fold(text.to_owned(), |text, secret| {
        if text.contains(secret) { text.replace(secret, "[hidden]") } else { text }
    })
}

/// Hides the values of fields whose names say that they are secrets.
fn hide_fields(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| {
            let name: String = name.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
            let secret = ["key", "token", "secret", "password", "authorization", "credential"];
            if secret.iter().any(|word| name.contains(word)) {
                *value = Value::from("[hidden]");
            } else {
                hide_fields(value);
            }
        }),
        Value::Array(items) => items.iter_mut().for_each(hide_fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn shortened(text: &str) -> String {
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = words.char_indices().nth(ERROR_TEXT) {
        words.truncate(cut);
        words.push_str("...");
    }
    words
}

/// A header value that is a credential.
pub(crate) fn credential(value: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| "has a key that no header may hold; set it again".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// Which of a backend's own error fields a frame has.
pub(crate) fn failure_in(frame: &Value) -> Option<String> {
    let error = frame.get("error").filter(|error| !error.is_null())?;
    Some(shortened(&error_message(frame).unwrap_or_else(|| error.to_string())))
}
