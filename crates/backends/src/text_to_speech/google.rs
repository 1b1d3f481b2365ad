//! Voices of Google's Chirp 3 class over REST (`text:synthesize` of Cloud Text-to-Speech).
//!
//! The interface that streams exists in gRPC only; here a sentence comes when all of it is made, and the next is made while it plays.
//! Times of words are told for SSML alone, which these voices do not take.

mod credential;

use std::sync::Arc;

use antiphon_audio::SampleRate;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use super::exchange::Question;
use super::remote::frames::Framing;
use super::remote::heard::Heard;
use super::remote::{Dialect, failure_in};
use super::{Capabilities, Request, base};
pub(crate) use credential::GoogleCredential;

/// The rate that is asked for, and that these voices have.
const RATE: u32 = 24_000;

/// A voice of Google.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GoogleVoice {
    /// The voice's name, such as `en-US-Chirp3-HD-Charon`.
    pub voice_id: String,
    /// Speaking rate, 0.25 to 2.
    pub speaking_rate: Option<f64>,
}

/// How such a voice is asked.
pub(crate) struct Google {
    pub(crate) voice: GoogleVoice,
    pub(crate) base: Arc<Url>,
    pub(crate) credential: GoogleCredential,
}

impl Google {
    /// The language that begins the voice's name: Google wants it told.
    fn language<'v>(&'v self, request: &'v Request) -> &'v str {
        let dashes = self.voice.voice_id.match_indices('-').map(|(at, _)| at);
        match (dashes.take(2).last(), &request.language) {
            (Some(second), _) => &self.voice.voice_id[..second],
            (None, Some(language)) => language,
            (None, None) => "en-US",
        }
    }
}

impl Dialect for Google {
    fn name(&self) -> String {
        format!("{:?} of Google", self.voice.voice_id)
    }

    fn capabilities(&self) -> Capabilities {
        let sample_rate = SampleRate::new(RATE).expect("24 kHz is supported");
        Capabilities { sample_rate, word_times: false, clones: false }
    }

    fn question(&self, request: &Request) -> Result<Question, String> {
        let mut body = json!({
            "input": {"text": &*request.text},
            "voice": {"languageCode": self.language(request), "name": self.voice.voice_id},
            "audioConfig": {"audioEncoding": "LINEAR16", "sampleRateHertz": RATE},
        });
        if let Some(rate) = self.voice.speaking_rate {
            body["audioConfig"]["speakingRate"] = json!(rate);
        }
        let mut headers = HeaderMap::new();
        self.credential.sign(&mut headers)?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let url = base(&self.base, &["v1", "text:synthesize"]);
        Ok(Question { url, headers, body: body.to_string().into() })
    }

    fn framing(&self, _: Option<&str>) -> Result<Framing, String> {
        Ok(Framing::Whole)
    }

    fn read(&self, frame: &Value, heard: &mut Heard) -> Result<(), String> {
        match (frame["audioContent"].as_str(), failure_in(frame)) {
            (Some(audio), _) => heard.base64(audio),
            (None, Some(why)) => Err(format!("failed: {why}")),
            (None, None) => Err("gave no audio".to_owned()),
        }
    }
}
