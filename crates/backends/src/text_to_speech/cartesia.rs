//! Voices of Cartesia, streamed with the times of words ("Text to Speech (SSE)" of its API reference).
//!
//! Each event has a piece of audio, or words with when they begin and end. What its WebSocket can do beyond that, we have no use for:
//! a sentence is known as a whole, and connections are kept either way.

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
use super::{Capabilities, Request, base, numbers, primary_language};

/// The rate that is asked for.
const RATE: u32 = 24_000;
/// The model of voices that name none; the provider has no default.
const USUAL_MODEL: &str = "sonic-3";
/// The version of the interface, and the last one that knows the superseded controls of speed and emotions.
const VERSION: &str = "2025-04-16";
const VERSION_WITH_CONTROLS: &str = "2024-11-13";

/// A voice of Cartesia. What is absent is as the provider has it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CartesiaVoice {
    /// The provider's id of the voice.
    pub voice_id: String,
    /// The provider's model. Default: `sonic-3`.
    pub model: Option<String>,
    /// Speaking rate, -1 to 1; superseded by `generation_config`.
    pub speed: Option<f64>,
    /// Superseded by `generation_config`.
    pub emotion: Option<String>,
    /// Superseded by `generation_config`.
    pub emotions: Vec<String>,
    /// How the voice speaks, from the provider's third model on.
    pub generation_config: Option<GenerationConfig>,
}

/// How a voice of Cartesia speaks.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GenerationConfig {
    /// Loudness, 0.5 to 2.
    pub volume: Option<f64>,
    /// Speaking rate, 0.6 to 1.5.
    pub speed: Option<f64>,
    /// The provider's word for a mood.
    pub emotion: Option<String>,
    /// The provider's dictionary to pronounce by.
    pub pronunciation_dict_id: Option<String>,
}

/// How such a voice is asked.
pub(crate) struct Cartesia {
    pub(crate) voice: CartesiaVoice,
    pub(crate) base: Arc<Url>,
    pub(crate) key: Arc<str>,
}

impl Cartesia {
    fn controls(&self) -> Option<Value> {
        let CartesiaVoice { speed, emotion, emotions, .. } = &self.voice;
        let mut controls = Map::new();
        controls.extend(speed.map(|speed| ("speed".to_owned(), json!(speed))));
        let emotions: Vec<&String> = emotion.iter().chain(emotions).collect();
        if !emotions.is_empty() {
            controls.insert("emotion".into(), json!(emotions));
        }
        (!controls.is_empty()).then(|| controls.into())
    }

    fn body(&self, request: &Request) -> Value {
        let mut voice = json!({"mode": "id", "id": self.voice.voice_id});
        if let Some(controls) = self.controls() {
            voice["__experimental_controls"] = controls;
        }
        let mut body = json!({
            "model_id": self.voice.model.as_deref().unwrap_or(USUAL_MODEL),
            "transcript": &*request.text,
            "voice": voice,
            "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": RATE},
            "add_timestamps": true,
        });
        if let Some(language) = primary_language(request) {
            body["language"] = json!(language);
        }
        if let Some(GenerationConfig { volume, speed, emotion, pronunciation_dict_id }) =
            &self.voice.generation_config
        {
            let mut config = Map::new();
            config.extend(volume.map(|volume| ("volume".to_owned(), json!(volume))));
            config.extend(speed.map(|speed| ("speed".to_owned(), json!(speed))));
            config.extend(emotion.as_ref().map(|emotion| ("emotion".to_owned(), json!(emotion))));
            if !config.is_empty() {
                body["generation_config"] = config.into();
            }
            if let Some(dictionary) = pronunciation_dict_id {
                body["pronunciation_dict_id"] = json!(dictionary);
            }
        }
        body
    }
}

impl Dialect for Cartesia {
    fn name(&self) -> String {
        format!("{:?} of Cartesia", self.voice.voice_id)
    }

    fn capabilities(&self) -> Capabilities {
        let sample_rate = SampleRate::new(RATE).expect("24 kHz is supported");
        Capabilities { sample_rate, word_times: true, clones: false }
    }

    fn question(&self, request: &Request) -> Result<Question, String> {
        let version = if self.controls().is_some() { VERSION_WITH_CONTROLS } else { VERSION };
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", credential(&self.key)?);
        headers.insert("cartesia-version", HeaderValue::from_static(version));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let url = base(&self.base, &["tts", "sse"]);
        Ok(Question { url, headers, body: self.body(request).to_string().into() })
    }

    fn framing(&self, _: Option<&str>) -> Result<Framing, String> {
        Ok(Framing::Lines)
    }

    fn read(&self, frame: &Value, heard: &mut Heard) -> Result<(), String> {
        match frame["type"].as_str() {
            Some("chunk") => heard.base64(frame["data"].as_str().unwrap_or_default())?,
            Some("timestamps") => {
                let told = &frame["word_timestamps"];
                let words = told["words"].as_array().map(Vec::as_slice).unwrap_or_default();
                let words = words.iter().map(|word| word.as_str().unwrap_or_default());
                let times = numbers(&told["start"]).zip(numbers(&told["end"]));
                heard.words(words.zip(times).map(|(word, (begins, ends))| (word, begins, ends)));
            }
            Some("done") => heard.end(),
            Some("error") => {
                let message = frame["message"].as_str().map(str::to_owned).or_else(|| failure_in(frame));
                return Err(format!("failed: {}", message.unwrap_or_else(|| frame.to_string())));
            }
            // Of phonemes and flushes we asked nothing; what is new may come.
            Some(_) | None => {}
        }
        Ok(())
    }
}
