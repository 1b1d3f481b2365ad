//! Voices of Respeecher, streamed ("TTS, SSE" of its API reference, and its client libraries).
//!
//! Each line of the answer has a piece of audio; times of words are not told.

use std::sync::Arc;

use antiphon_audio::SampleRate;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::exchange::Question;
use super::remote::frames::Framing;
use super::remote::heard::Heard;
use super::remote::{Dialect, credential, failure_in};
use super::{Capabilities, Request, base, primary_language};

/// The rate that is asked for.
const RATE: u32 = 24_000;
/// The models of voices that name none: for English, where that is the conversation's language or none is told, and for all others
/// (protocol.md 2.6).
const ENGLISH: &str = "v1/public/tts/en-rt";
const UKRAINIAN: &str = "v1/public/tts/ua-rt";

/// A voice of Respeecher. What is absent is as the provider has it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RespeecherVoice {
    /// The provider's id of the voice.
    pub voice_id: String,
    /// The model's path, such as `/v1/public/tts/en-rt`.
    pub model: Option<String>,
    /// Makes generation repeatable.
    pub seed: Option<i32>,
    /// Randomness, 0 or more.
    pub temperature: Option<f64>,
    /// How many of the likeliest tokens to sample from; -1 for all.
    pub top_k: Option<i32>,
    /// The cumulative probability to sample from, above 0, at most 1.
    pub top_p: Option<f64>,
    /// The least probability to sample, 0 to 1.
    pub min_p: Option<f64>,
    /// Penalty for tokens already there, 0 to 2.
    pub presence_penalty: Option<f64>,
    /// Penalty for repetition, 1 to 2.
    pub repetition_penalty: Option<f64>,
    /// Penalty by frequency, 0 to 2.
    pub frequency_penalty: Option<f64>,
}

/// How such a voice is asked.
pub(crate) struct Respeecher {
    pub(crate) voice: RespeecherVoice,
    pub(crate) base: Arc<Url>,
    pub(crate) key: Arc<str>,
}

impl Respeecher {
    fn sampling(&self) -> Map<String, Value> {
        let voice = &self.voice;
        let mut sampling = Map::new();
        for (name, value) in [("seed", voice.seed), ("top_k", voice.top_k)] {
            sampling.extend(value.map(|value| (name.to_owned(), json!(value))));
        }
        for (name, value) in [
            ("temperature", voice.temperature),
            ("top_p", voice.top_p),
            ("min_p", voice.min_p),
            ("presence_penalty", voice.presence_penalty),
            ("repetition_penalty", voice.repetition_penalty),
            ("frequency_penalty", voice.frequency_penalty),
        ] {
            sampling.extend(value.map(|value| (name.to_owned(), json!(value))));
        }
        sampling
    }
}

impl Dialect for Respeecher {
    fn name(&self) -> String {
        format!("{:?} of Respeecher", self.voice.voice_id)
    }

    fn capabilities(&self) -> Capabilities {
        let sample_rate = SampleRate::new(RATE).expect("24 kHz is supported");
        Capabilities { sample_rate, word_times: false, clones: false }
    }

    fn question(&self, request: &Request) -> Result<Question, String> {
        let model = match (&self.voice.model, primary_language(request)) {
            (Some(model), _) => model,
            (None, None) => ENGLISH,
            (None, Some(language)) if language == "en" => ENGLISH,
            (None, Some(_)) => UKRAINIAN,
        };
        let mut path: Vec<&str> = model.split('/').filter(|part| !part.is_empty()).collect();
        if path.iter().any(|part| matches!(*part, "." | "..")) {
            return Err(format!("has the model {model:?}, which is no path"));
        }
        path.extend(["tts", "sse"]);
        let mut voice = json!({"id": self.voice.voice_id});
        let sampling = self.sampling();
        if !sampling.is_empty() {
            voice["sampling_params"] = sampling.into();
        }
        let body = json!({
            "transcript": &*request.text,
            "voice": voice,
            "output_format": {"encoding": "pcm_s16le", "sample_rate": RATE},
        });
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", credential(&self.key)?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Question { url: base(&self.base, &path), headers, body: body.to_string().into() })
    }

    fn framing(&self, _: Option<&str>) -> Result<Framing, String> {
        Ok(Framing::Lines)
    }

    fn read(&self, frame: &Value, heard: &mut Heard) -> Result<(), String> {
        match (frame["type"].as_str(), failure_in(frame)) {
            (_, Some(why)) => return Err(format!("failed: {why}")),
            (Some("chunk"), None) => heard.base64(frame["data"].as_str().unwrap_or_default())?,
            (Some("done"), None) => heard.end(),
            (Some(_) | None, None) => {}
        }
        Ok(())
    }
}
