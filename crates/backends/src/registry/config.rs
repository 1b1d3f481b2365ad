//! What the configuration says about inference.
//!
//! Owns the fields, their defaults and their meaning. It must not know how a backend is made.

mod models;
mod transcription;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::Deserialize;

pub use self::models::{
    AnthropicModelConfig, AudioHistoryConfig, ModelConfig, OpenAiModelConfig, ScriptedModelConfig, Spending,
    Standby,
};

pub use self::transcription::{
    DeepgramTranscriptionConfig, OpenAiTranscriptionConfig, PocketSphinxConfig, TranscriptionConfig,
};

/// All backends of a server.
///
/// ```toml
/// default_model = "qwen"
///
/// [models.qwen]
/// type = "openai"
/// base_url = "http://localhost:8080/v1"
/// model = "qwen3-8b"
///
/// [voices.nova]
/// type = "openai"
/// base_url = "https://api.openai.com/v1"
/// api_key_env = "OPENAI_API_KEY"
/// model = "gpt-4o-mini-tts"
/// voice = "nova"
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackendsConfig {
    /// The model of calls that name none. Default: `demo`.
    pub default_model: String,
    /// The voice of calls that name none. Default: `kal`.
    pub default_voice: String,
    /// Language models by the name that calls choose them by. `demo`, the built-in script, is always there.
    pub models: BTreeMap<String, ModelConfig>,
    /// Voices by the name that calls choose them by. `kal`, the built-in voice, is always there.
    pub voices: BTreeMap<String, VoiceConfig>,
    /// What makes transcripts of the user's speech.
    pub transcription: TranscriptionConfig,
    /// What notices speech.
    pub voice_activity: VoiceActivityConfig,
    /// What tells the end of a turn from a pause.
    pub turn_detection: TurnDetectionConfig,
}

impl Default for BackendsConfig {
    fn default() -> Self {
        Self {
            default_model: "demo".to_owned(),
            default_voice: "kal".to_owned(),
            models: BTreeMap::new(),
            voices: BTreeMap::new(),
            transcription: TranscriptionConfig::default(),
            voice_activity: VoiceActivityConfig::default(),
            turn_detection: TurnDetectionConfig::default(),
        }
    }
}

/// A voice.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum VoiceConfig {
    /// The built-in voice.
    Flite(FliteConfig),
    /// Any OpenAI-compatible `/audio/speech`.
    Openai(OpenAiVoiceConfig),
    /// A tone as long as the text, for tests.
    Scripted(ScriptedVoiceConfig),
}

impl VoiceConfig {
    /// Whether asking it may cost money.
    #[must_use]
    pub fn has_key(&self) -> bool {
        match self {
            Self::Flite(_) | Self::Scripted(_) => false,
            Self::Openai(config) => config.api_key_env.is_some() || config.api_key_file.is_some(),
        }
    }
}

/// The built-in voice: there is nothing to set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FliteConfig {}

/// A voice behind an OpenAI-compatible `/audio/speech`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenAiVoiceConfig {
    /// Where the paths of the interface begin, such as `http://localhost:8880/v1`.
    pub base_url: String,
    /// The model's name there.
    pub model: String,
    /// The voice's name there.
    pub voice: String,
    /// The environment variable that holds the key.
    pub api_key_env: Option<String>,
    /// The file that holds the key.
    pub api_key_file: Option<PathBuf>,
    /// What audio is asked for: `pcm` or `wav`. Default: `pcm`.
    #[serde(default)]
    pub response_format: ResponseFormat,
    /// The rate of that audio in samples per second. Default: 24,000.
    #[serde(default = "twenty_four_kilohertz")]
    pub sample_rate: u32,
    /// How long the first audio may take, in milliseconds. Default: 15,000.
    #[serde(default = "fifteen_seconds")]
    pub first_audio_ms: u64,
    /// How long each further part may take, in milliseconds. Default: 15,000.
    #[serde(default = "fifteen_seconds")]
    pub progress_ms: u64,
}

/// The form of a voice's audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseFormat {
    /// Bare 16-bit samples.
    #[default]
    Pcm,
    /// The same behind a header.
    Wav,
}

/// A voice that hums.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScriptedVoiceConfig {
    /// Audio per character in milliseconds. Default: 60.
    pub ms_per_character: u32,
    /// Whether it says where words end. Default: yes.
    pub word_times: bool,
    /// Whether it speaks like recordings: hums at another pitch for each. Default: no.
    pub clones: bool,
}

impl Default for ScriptedVoiceConfig {
    fn default() -> Self {
        Self { ms_per_character: 60, word_times: true, clones: false }
    }
}

/// What notices speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum VoiceActivityConfig {
    /// The built-in network.
    #[default]
    Earshot,
    /// Loud is speech, for tests.
    Scripted,
}

/// What tells the end of a turn from a pause.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TurnDetectionConfig {
    /// Nothing: silence alone ends a turn.
    #[default]
    None,
    /// The length of the turn, for tests.
    Scripted(ScriptedTurnDetectionConfig),
    /// A smart-turn model that listens, where the binary was built with it.
    SmartTurn(SmartTurnConfig),
}

/// A judge that goes by the length of the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedTurnDetectionConfig {
    /// The shortest finished turn, in milliseconds.
    pub until_ms: u64,
}

/// A judge that listens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmartTurnConfig {
    /// The model's file: smart-turn v3, ONNX.
    pub model: PathBuf,
    /// Pauses that are judged at a time, each on one core. Default: as many as there are cores.
    pub concurrency: Option<NonZeroUsize>,
}

fn fifteen_seconds() -> u64 {
    15_000
}

fn twenty_four_kilohertz() -> u32 {
    24_000
}
