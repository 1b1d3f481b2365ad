//! Voices of LMNT, streamed as bare audio ("Generate speech" of its API reference).
//!
//! Times of words come only with answers that are not streamed, or over its speech sessions, which know neither speed nor the
//! conversational style; so words share the audio by their length.

use std::sync::Arc;

use antiphon_audio::SampleRate;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use super::exchange::Question;
use super::remote::frames::Framing;
use super::remote::heard::Heard;
use super::remote::{Dialect, credential};
use super::{Capabilities, Request, base, no_json, primary_language};

/// The rate that is asked for, the provider's highest.
const RATE: u32 = 24_000;

/// A voice of LMNT. What is absent is as the provider has it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LmntVoice {
    /// The provider's id of the voice.
    pub voice_id: String,
    /// The provider's model.
    pub model: Option<String>,
    /// Speaking rate, 0.25 to 2.
    pub speed: Option<f64>,
    /// The provider's setting of that name.
    pub conversational: Option<bool>,
}

/// How such a voice is asked.
pub(crate) struct Lmnt {
    pub(crate) voice: LmntVoice,
    pub(crate) base: Arc<Url>,
    pub(crate) key: Arc<str>,
}

impl Dialect for Lmnt {
    fn name(&self) -> String {
        format!("{:?} of LMNT", self.voice.voice_id)
    }

    fn capabilities(&self) -> Capabilities {
        let sample_rate = SampleRate::new(RATE).expect("24 kHz is supported");
        Capabilities { sample_rate, word_times: false, clones: false }
    }

    fn question(&self, request: &Request) -> Result<Question, String> {
        let LmntVoice { voice_id, model, speed, conversational } = &self.voice;
        let mut body = json!({
            "voice": voice_id,
            "text": &*request.text,
            "format": "pcm_s16le",
            "sample_rate": RATE,
        });
        if let Some(model) = model {
            body["model"] = json!(model);
        }
        if let Some(speed) = speed {
            body["speed"] = json!(speed);
        }
        if let Some(conversational) = conversational {
            body["conversational"] = json!(conversational);
        }
        if let Some(language) = primary_language(request) {
            body["language"] = json!(language);
        }
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", credential(&self.key)?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let url = base(&self.base, &["v1", "ai", "speech", "bytes"]);
        Ok(Question { url, headers, body: body.to_string().into() })
    }

    fn framing(&self, content_type: Option<&str>) -> Result<Framing, String> {
        no_json(content_type)
    }

    fn read(&self, frame: &Value, _: &mut Heard) -> Result<(), String> {
        Err(super::instead_of_audio(frame))
    }
}
