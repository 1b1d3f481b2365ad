//! Voices of ElevenLabs, streamed with times ("Stream speech with timing" of its API reference).
//!
//! Each line of the answer has a piece of audio and, for some of them, when each character of the text begins and ends. The WebSocket
//! of the same service takes text in pieces, which we never have, and cannot be used for a second sentence.

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

/// The rate that is asked for, the highest of all tiers; a voice may limit it.
const USUAL_RATE: u32 = 24_000;
/// The rates that there are.
const RATES: [u32; 5] = [8_000, 16_000, 22_050, 24_000, 44_100];
/// Models that take a language; the others find it out and refuse to be told.
const MODELS_WITH_LANGUAGE: [&str; 2] = ["v2_5", "v3"];

/// A voice of ElevenLabs. What is absent is as the provider has it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ElevenLabsVoice {
    /// The provider's id of the voice.
    pub voice_id: String,
    /// The provider's model, such as `eleven_flash_v2_5`.
    pub model: Option<String>,
    /// Speaking rate, 0.7 to 1.2.
    pub speed: Option<f64>,
    /// The provider's setting of that name.
    pub use_speaker_boost: Option<bool>,
    /// The provider's setting of that name.
    pub style: Option<f64>,
    /// The provider's setting of that name.
    pub similarity_boost: Option<f64>,
    /// The provider's setting of that name.
    pub stability: Option<f64>,
    /// Dictionaries to pronounce by, at most three.
    pub pronunciation_dictionaries: Vec<PronunciationDictionary>,
    /// 0 to 4: the higher, the sooner and the worse.
    pub optimize_streaming_latency: Option<i32>,
    /// The highest sample rate to ask for. Default: 24,000.
    pub max_sample_rate: Option<u32>,
    /// Whether SSML in the text is meant. Taken and not sent, since only the WebSocket of the provider knows it.
    pub enable_ssml_parsing: Option<bool>,
}

/// A dictionary of ElevenLabs.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PronunciationDictionary {
    /// The dictionary.
    pub dictionary_id: String,
    /// Its version.
    pub version_id: Option<String>,
}

/// How such a voice is asked.
pub(crate) struct ElevenLabs {
    pub(crate) voice: ElevenLabsVoice,
    pub(crate) base: Arc<Url>,
    pub(crate) key: Arc<str>,
}

impl ElevenLabs {
    fn rate(&self) -> u32 {
        let most = self.voice.max_sample_rate.unwrap_or(USUAL_RATE).max(RATES[0]);
        RATES.into_iter().rev().find(|rate| *rate <= most).unwrap_or(RATES[0])
    }

    fn body(&self, request: &Request) -> Value {
        let voice = &self.voice;
        let mut body = Map::new();
        body.insert("text".into(), json!(&*request.text));
        if let Some(model) = &voice.model {
            body.insert("model_id".into(), json!(model));
            if let Some(language) = primary_language(request)
                && MODELS_WITH_LANGUAGE.iter().any(|part| model.contains(part))
            {
                body.insert("language_code".into(), json!(language));
            }
        }
        let mut settings = Map::new();
        for (name, value) in [
            ("stability", voice.stability),
            ("similarity_boost", voice.similarity_boost),
            ("style", voice.style),
            ("speed", voice.speed),
        ] {
            settings.extend(value.map(|value| (name.to_owned(), json!(value))));
        }
        settings.extend(voice.use_speaker_boost.map(|value| ("use_speaker_boost".to_owned(), json!(value))));
        if !settings.is_empty() {
            body.insert("voice_settings".into(), settings.into());
        }
        if !voice.pronunciation_dictionaries.is_empty() {
            let locators = voice.pronunciation_dictionaries.iter().map(|dictionary| {
                json!({
                    "pronunciation_dictionary_id": dictionary.dictionary_id,
                    "version_id": dictionary.version_id,
                })
            });
            body.insert("pronunciation_dictionary_locators".into(), locators.collect());
        }
        body.into()
    }
}

impl Dialect for ElevenLabs {
    fn name(&self) -> String {
        format!("{:?} of ElevenLabs", self.voice.voice_id)
    }

    fn capabilities(&self) -> Capabilities {
        let sample_rate = SampleRate::new(self.rate()).expect("all of the provider's rates are supported");
        Capabilities { sample_rate, word_times: true, clones: false }
    }

    fn question(&self, request: &Request) -> Result<Question, String> {
        let mut url =
            base(&self.base, &["v1", "text-to-speech", &self.voice.voice_id, "stream", "with-timestamps"]);
        url.query_pairs_mut().append_pair("output_format", &format!("pcm_{}", self.rate()));
        if let Some(level) = self.voice.optimize_streaming_latency {
            url.query_pairs_mut().append_pair("optimize_streaming_latency", &level.to_string());
        }
        let mut headers = HeaderMap::new();
        headers.insert("xi-api-key", credential(&self.key)?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Question { url, headers, body: self.body(request).to_string().into() })
    }

    fn framing(&self, _: Option<&str>) -> Result<Framing, String> {
        Ok(Framing::Lines)
    }

    fn read(&self, frame: &Value, heard: &mut Heard) -> Result<(), String> {
        if let Some(why) = failure_in(frame).or_else(|| refusal(frame)) {
            return Err(format!("failed: {why}"));
        }
        let alignment = &frame["alignment"];
        if let Some(characters) = alignment["characters"].as_array() {
            let begins = numbers(&alignment["character_start_times_seconds"]);
            let ends = numbers(&alignment["character_end_times_seconds"]);
            let characters = characters.iter().map(|character| character.as_str().unwrap_or_default());
            heard.characters(characters.zip(begins).zip(ends).map(|((c, begins), ends)| (c, begins, ends)));
        }
        match frame["audio_base64"].as_str() {
            Some(audio) => heard.base64(audio),
            None => Ok(()),
        }
    }
}

/// `{"detail": {"status": .., "message": ..}}` or `{"detail": ".."}`.
fn refusal(frame: &Value) -> Option<String> {
    let detail = frame.get("detail")?;
    let text = detail.get("message").unwrap_or(detail);
    text.as_str().map(str::to_owned)
}
