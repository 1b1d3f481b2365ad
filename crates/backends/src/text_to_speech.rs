//! The voice: text in, streamed audio and word times out.

pub mod cartesia;
mod definition;
pub mod eleven_labs;
pub mod exchange;
pub mod fallback;
pub mod flite;
pub mod generic;
pub mod google;
pub mod inworld;
pub mod lmnt;
pub mod openai;
mod plain_english;
pub mod polished;
pub mod provider;
mod remote;
pub mod respeecher;
pub mod scripted;

use std::fmt;
use std::sync::Arc;

use antiphon_audio::SampleRate;
use antiphon_engine::input::WordEnd;
use bytes::Bytes;
use futures::stream::BoxStream;
use reqwest::Url;
use serde_json::Value;

pub use self::remote::Patience;
use self::remote::frames::Framing;

/// What a voice gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// The rate of its audio.
    pub sample_rate: SampleRate,
    /// Whether it says where words end.
    pub word_times: bool,
    /// Whether it can speak like a recording that comes with the request.
    pub clones: bool,
}

/// What somebody sounds like: a recording of up to a minute, as it was uploaded.
#[derive(Clone, PartialEq, Eq)]
pub struct VoiceSample {
    /// The file's bytes.
    pub file: Bytes,
    /// What the bytes are.
    pub format: SampleFormat,
}

/// The format of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleFormat {
    /// MPEG audio, layer III.
    Mp3,
    /// RIFF WAVE.
    Wav,
}

impl fmt::Debug for VoiceSample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VoiceSample").field("bytes", &self.file.len()).field("format", &self.format).finish()
    }
}

/// A piece of text to speak.
#[derive(Debug, Clone)]
pub struct Request {
    /// The text; holds at least one letter or digit.
    pub text: Arc<str>,
    /// BCP-47 language of the conversation, when the developer gave one.
    pub language: Option<Arc<str>>,
    /// Whom to speak like. Only voices that clone are asked to.
    pub sample: Option<Arc<VoiceSample>>,
}

/// What a voice streams.
#[derive(Debug, Clone, PartialEq)]
pub enum SpeechEvent {
    /// More audio: s16 mono at the voice's rate.
    Audio(Vec<i16>),
    /// Where words end, in samples at the voice's rate; replaces what was said before.
    Words(Vec<WordEnd>),
    /// It cannot go on, and another voice says the rest. Comes before the other voice's audio.
    FellBack(FellBack),
    /// All audio was given. Nothing follows.
    Finished,
    /// The voice failed. Nothing follows.
    Failed(Arc<str>),
}

/// A voice that gave way to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FellBack {
    /// What cannot go on.
    pub from: Arc<str>,
    /// What speaks now.
    pub to: Arc<str>,
    /// Why.
    pub why: Arc<str>,
    /// When it failed.
    pub failed: FailedWhen,
}

/// When a voice failed that another one stands in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedWhen {
    /// With another text, a short while ago; it was not tried with this one.
    Before,
    /// Before it had said anything of this text.
    AtOnce,
    /// When it had said some of this text; the other says the rest.
    InMidSentence,
}

/// A voice. Dropping the stream cancels the work.
pub trait TextToSpeech: Send + Sync + 'static {
    /// What it gives.
    fn capabilities(&self) -> Capabilities;

    /// Speaks. The stream ends with exactly one `Finished` or `Failed`.
    fn speak(&self, request: Request) -> BoxStream<'static, SpeechEvent>;
}

/// An address below a base, each part of its path written so that it stays one.
fn base(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut parts) = url.path_segments_mut() {
        parts.pop_if_empty().extend(path);
    }
    url
}

/// A JSON list's numbers; what is none is no time.
fn numbers(list: &Value) -> impl Iterator<Item = f64> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|number| number.as_f64().unwrap_or(f64::NAN))
}

/// The conversation's language without its region, in lowercase, as most providers want it.
fn primary_language(request: &Request) -> Option<String> {
    let language = request.language.as_deref()?.split(['-', '_']).next()?.to_lowercase();
    (!language.is_empty()).then_some(language)
}

/// A content type without its parameters.
fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_lowercase()
}

/// Bare audio, unless the answer says that it is JSON: then something went wrong.
fn no_json(content_type: Option<&str>) -> Result<Framing, String> {
    let json = content_type.is_some_and(|told| media_type(told) == "application/json");
    Ok(if json { Framing::Whole } else { Framing::Bytes })
}

/// What is said of JSON that stands where audio should.
fn instead_of_audio(frame: &Value) -> String {
    let text = remote::failure_in(frame).unwrap_or_else(|| {
        let text = frame.to_string();
        text.chars().take(300).collect()
    });
    format!("answered JSON instead of audio: {text}")
}
