//! Voices of Inworld, streamed with the times of words ("Synthesize speech (stream)" of its API reference).
//!
//! Each line of the answer is a WAV file of its own, and has the words of that piece.

use std::sync::Arc;

use antiphon_audio::SampleRate;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use super::exchange::Question;
use super::remote::frames::Framing;
use super::remote::heard::Heard;
use super::remote::{Dialect, credential, failure_in};
use super::{Capabilities, Request, base, numbers};

/// The rate that is asked for.
const RATE: u32 = 24_000;
/// The model of voices that name none; the provider has no default.
const USUAL_MODEL: &str = "inworld-tts-1";

/// A voice of Inworld. What is absent is as the provider has it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InworldVoice {
    /// The provider's id of the voice.
    pub voice_id: String,
    /// The provider's model. Default: `inworld-tts-1`.
    pub model_id: Option<String>,
    /// Speaking rate, 0.5 to 1.5.
    pub speaking_rate: Option<f64>,
    /// Randomness, 0 to 2.
    pub temperature: Option<f64>,
    /// Whether numbers and the like are spelled out first.
    pub apply_text_normalization: Option<bool>,
}

/// How such a voice is asked.
pub(crate) struct Inworld {
    pub(crate) voice: InworldVoice,
    pub(crate) base: Arc<Url>,
    pub(crate) key: Arc<str>,
}

impl Dialect for Inworld {
    fn name(&self) -> String {
        format!("{:?} of Inworld", self.voice.voice_id)
    }

    fn capabilities(&self) -> Capabilities {
        let sample_rate = SampleRate::new(RATE).expect("24 kHz is supported");
        Capabilities { sample_rate, word_times: true, clones: false }
    }

    fn question(&self, request: &Request) -> Result<Question, String> {
        let InworldVoice { voice_id, model_id, speaking_rate, temperature, apply_text_normalization } =
            &self.voice;
        let mut body = json!({
            "text": &*request.text,
            "voiceId": voice_id,
            "modelId": model_id.as_deref().unwrap_or(USUAL_MODEL),
            "audioConfig": {"audioEncoding": "LINEAR16", "sampleRateHertz": RATE},
            "timestampType": "WORD",
        });
        if let Some(rate) = speaking_rate {
            body["audioConfig"]["speakingRate"] = json!(rate);
        }
        if let Some(temperature) = temperature {
            body["temperature"] = json!(temperature);
        }
        if let Some(normalize) = apply_text_normalization {
            body["applyTextNormalization"] = json!(if *normalize { "ON" } else { "OFF" });
        }
        let mut headers = HeaderMap::new();
        let scheme = if self.key.starts_with("Basic ") { "" } else { "Basic " };
        headers.insert(AUTHORIZATION, credential(&format!("{scheme}{}", self.key))?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let url = base(&self.base, &["tts", "v1", "voice:stream"]);
        Ok(Question { url, headers, body: body.to_string().into() })
    }

    fn framing(&self, _: Option<&str>) -> Result<Framing, String> {
        Ok(Framing::Lines)
    }

    fn read(&self, frame: &Value, heard: &mut Heard) -> Result<(), String> {
        if let Some(why) = failure_in(frame) {
            return Err(format!("failed: {why}"));
        }
        let result = &frame["result"];
        let told = &result["timestampInfo"]["wordAlignment"];
        if let Some(words) = told["words"].as_array() {
            let words = words.iter().map(|word| word.as_str().unwrap_or_default());
            let times = numbers(&told["wordStartTimeSeconds"]).zip(numbers(&told["wordEndTimeSeconds"]));
            heard.words(words.zip(times).map(|(word, (begins, ends))| (word, begins, ends)));
        }
        match result["audioContent"].as_str() {
            Some(audio) => heard.base64(audio),
            None => Ok(()),
        }
    }
}
