//! Any HTTP endpoint that takes text and answers audio, as a call describes it (protocol.md 2.7).
//!
//! The answer is WAV, bare 16-bit PCM, JSON, or JSON lines with either of them in a field. It must not know how the address is dialled,
//! for it is a user's.

use antiphon_audio::SampleRate;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::exchange::Question;
use super::remote::Dialect;
use super::remote::frames::Framing;
use super::remote::heard::Heard;
use super::{Capabilities, Request, media_type};

/// What stands for the text to speak.
pub const TEXT: &str = "{text}";
/// The rate of voices that say none: WAV has its own, and is converted.
const USUAL_RATE: u32 = 24_000;
/// The speaking rate that words are paced by in any case.
const WORDS_PER_MINUTE: u32 = 150;

/// A voice behind somebody's HTTP endpoint.
#[derive(Clone)]
pub struct GenericVoice {
    /// Where to post.
    pub url: Url,
    /// Headers to send; their values are credentials.
    pub headers: HeaderMap,
    /// The body to send; `{text}` in any of its texts stands for the text to speak.
    pub body: Map<String, Value>,
    /// Samples per second of an answer that does not say so itself. Default: 24,000.
    pub sample_rate: Option<SampleRate>,
    /// How many words it speaks in a minute, until all of its answer is there. Default: 150.
    pub words_per_minute: Option<u32>,
    /// What the answer is, if its own header is not to be believed.
    pub mime_type: Option<String>,
    /// Dotted path to the audio in JSON.
    pub audio_field: Option<String>,
    /// How the audio is written in JSON.
    pub encoding: Encoding,
}

/// How bytes are written in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Base64.
    #[default]
    Base64,
    /// Two hexadecimal digits a byte.
    Hex,
}

/// How such a voice is asked.
pub(crate) struct Generic {
    voice: GenericVoice,
    secrets: Vec<String>,
}

impl Generic {
    pub(crate) fn new(voice: GenericVoice) -> Self {
        let mut secrets: Vec<String> = Vec::new();
        for value in voice.headers.values().filter_map(|value| value.to_str().ok()) {
            secrets.extend(value.split_once(' ').map(|(_, behind_scheme)| behind_scheme.trim().to_owned()));
            secrets.push(value.to_owned());
        }
        // What a short name stands for in the answer is no secret, and "application/json" is none either.
        secrets.retain(|secret| secret.len() >= 8 && !secret.starts_with("application/"));
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self { voice, secrets }
    }

    /// The audio in a JSON value: a text, or the texts of a list one after the other.
    fn audio(&self, frame: &Value, heard: &mut Heard) -> Result<(), String> {
        let path = self.voice.audio_field.as_deref().unwrap_or_default();
        let mut field = frame;
        for part in path.split('.').filter(|part| !part.is_empty()) {
            let index = part.parse::<usize>().ok();
            let inner = field.get(part).or_else(|| index.and_then(|index| field.get(index)));
            match inner {
                Some(inner) => field = inner,
                // Lines that carry something else, such as times or a farewell, are no failure.
                None => return Ok(()),
            }
        }
        match field {
            Value::String(text) => self.decode(text, heard),
            Value::Array(parts) => {
                parts.iter().filter_map(Value::as_str).try_for_each(|text| self.decode(text, heard))
            }
            Value::Null => Ok(()),
            Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
                Err(format!("has something else than audio in the field {path:?} of its answer"))
            }
        }
    }

    fn decode(&self, text: &str, heard: &mut Heard) -> Result<(), String> {
        match self.voice.encoding {
            Encoding::Base64 => heard.base64(text),
            Encoding::Hex => heard.hex(text),
        }
    }
}

impl Dialect for Generic {
    fn name(&self) -> String {
        format!("at {}", self.voice.url.host_str().unwrap_or("no host"))
    }

    fn capabilities(&self) -> Capabilities {
        let usual = || SampleRate::new(USUAL_RATE).expect("24 kHz is supported");
        let sample_rate = self.voice.sample_rate.unwrap_or_else(usual);
        Capabilities { sample_rate, word_times: self.pace().is_some(), clones: false }
    }

    fn question(&self, request: &Request) -> Result<Question, String> {
        let mut body = Value::Object(self.voice.body.clone());
        fill(&mut body, &request.text);
        let mut headers = self.voice.headers.clone();
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        Ok(Question { url: self.voice.url.clone(), headers, body: body.to_string().into() })
    }

    fn framing(&self, content_type: Option<&str>) -> Result<Framing, String> {
        let told = self.voice.mime_type.as_deref().or(content_type).map(media_type);
        match told.as_deref() {
            Some("application/json" | "text/json") => self.with_field(Framing::Whole),
            Some(
                "application/jsonl"
                | "application/json-lines"
                | "application/jsonlines"
                | "application/x-ndjson"
                | "application/ndjson"
                | "text/event-stream",
            ) => self.with_field(Framing::Lines),
            Some(text) if text.starts_with("text/") => {
                Err(format!("answered {text} and no audio; set responseMimeType if it is some"))
            }
            Some("audio/mpeg" | "audio/mp3" | "audio/ogg" | "audio/opus" | "audio/aac" | "audio/flac") => {
                let told = told.unwrap_or_default();
                Err(format!("answered {told}, which is not understood; ask it for WAV or 16-bit PCM"))
            }
            Some(_) | None => Ok(Framing::Bytes),
        }
    }

    fn read(&self, frame: &Value, heard: &mut Heard) -> Result<(), String> {
        self.audio(frame, heard)
    }

    fn tells_question(&self) -> bool {
        true
    }

    fn secrets(&self) -> &[String] {
        &self.secrets
    }

    fn pace(&self) -> Option<u32> {
        self.voice.words_per_minute.filter(|pace| *pace != WORDS_PER_MINUTE)
    }
}

impl Generic {
    fn with_field(&self, framing: Framing) -> Result<Framing, String> {
        match &self.voice.audio_field {
            Some(_) => Ok(framing),
            None => {
                Err("answered JSON, and jsonAudioFieldPath does not say where the audio is in it".to_owned())
            }
        }
    }
}

/// Whether the text to speak has a place in this value.
#[must_use]
pub fn speaks(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(TEXT),
        Value::Array(items) => items.iter().any(speaks),
        Value::Object(fields) => fields.values().any(speaks),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Puts the text in the place of its token, wherever that stands.
fn fill(value: &mut Value, text: &str) {
    match value {
        Value::String(own) if own.contains(TEXT) => *own = own.replace(TEXT, text),
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, text)),
        Value::Object(fields) => fields.values_mut().for_each(|field| fill(field, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
