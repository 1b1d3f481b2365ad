//! What the configuration says about inference.
//!
//! Owns the fields, their defaults and their meaning. It must not know how a backend is made.

mod models;
mod transcription;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::text_to_speech::cartesia::CartesiaVoice;
use crate::text_to_speech::eleven_labs::ElevenLabsVoice;
use crate::text_to_speech::generic::Encoding;
use crate::text_to_speech::google::GoogleVoice;
use crate::text_to_speech::inworld::InworldVoice;
use crate::text_to_speech::lmnt::LmntVoice;
use crate::text_to_speech::provider::Definition;
use crate::text_to_speech::respeecher::RespeecherVoice;

pub use self::models::{
    AnthropicModelConfig, AudioHistoryConfig, ModelConfig, OpenAiModelConfig, ScriptedModelConfig, Spending,
    Standby,
};

pub use self::transcription::{
    DeepgramTranscriptionConfig, OpenAiTranscriptionConfig, PocketSphinxConfig, TranscriptionConfig,
    WhisperConfig,
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
    /// Whose voices calls may name by definition.
    pub voice_providers: VoiceProvidersConfig,
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
            voice_providers: VoiceProvidersConfig::default(),
            voices: BTreeMap::new(),
            transcription: TranscriptionConfig::default(),
            voice_activity: VoiceActivityConfig::default(),
            turn_detection: TurnDetectionConfig::default(),
        }
    }
}

/// A voice.
#[derive(Debug, Clone, Deserialize)]
pub struct VoiceConfig {
    /// What speaks.
    #[serde(flatten)]
    pub speaker: SpeakerConfig,
    /// The names of voices that speak when this one cannot, the first one first. Default: none.
    #[serde(default)]
    pub fallbacks: Vec<String>,
}

/// What speaks with a voice.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SpeakerConfig {
    /// The built-in voice.
    Flite(FliteConfig),
    /// Any OpenAI-compatible `/audio/speech`.
    Openai(OpenAiVoiceConfig),
    /// A tone as long as the text, for tests.
    Scripted(ScriptedVoiceConfig),
    /// A voice of ElevenLabs; its key is in `[voice_providers.eleven_labs]`, and so on for the other providers.
    ElevenLabs(ElevenLabsVoice),
    /// A voice of Cartesia.
    Cartesia(CartesiaVoice),
    /// A voice of LMNT.
    Lmnt(LmntVoice),
    /// A voice of Google's Chirp 3 class.
    Google(GoogleVoice),
    /// A voice of Inworld.
    Inworld(InworldVoice),
    /// A voice of Respeecher.
    Respeecher(RespeecherVoice),
    /// Any endpoint that takes text and answers audio.
    Generic(GenericVoiceConfig),
}

impl SpeakerConfig {
    /// What a provider is asked for, if the voice is a provider's.
    #[must_use]
    pub fn definition(&self) -> Option<Definition> {
        match self {
            Self::Flite(_) | Self::Generic(_) | Self::Openai(_) | Self::Scripted(_) => None,
            Self::ElevenLabs(voice) => Some(Definition::ElevenLabs(voice.clone())),
            Self::Cartesia(voice) => Some(Definition::Cartesia(voice.clone())),
            Self::Lmnt(voice) => Some(Definition::Lmnt(voice.clone())),
            Self::Google(voice) => Some(Definition::Google(voice.clone())),
            Self::Inworld(voice) => Some(Definition::Inworld(voice.clone())),
            Self::Respeecher(voice) => Some(Definition::Respeecher(voice.clone())),
        }
    }
}

impl VoiceConfig {
    /// Whether asking it may cost money: it has a key, or is a provider's.
    #[must_use]
    pub fn has_key(&self) -> bool {
        match &self.speaker {
            SpeakerConfig::Flite(_) | SpeakerConfig::Scripted(_) => false,
            SpeakerConfig::Openai(config) => config.api_key_env.is_some() || config.api_key_file.is_some(),
            SpeakerConfig::Generic(config) => config.api_key_env.is_some() || config.api_key_file.is_some(),
            SpeakerConfig::ElevenLabs(_)
            | SpeakerConfig::Cartesia(_)
            | SpeakerConfig::Lmnt(_)
            | SpeakerConfig::Google(_)
            | SpeakerConfig::Inworld(_)
            | SpeakerConfig::Respeecher(_) => true,
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

/// A voice behind any endpoint that takes text by `POST` and answers WAV, 16-bit PCM, or JSON with either in it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenericVoiceConfig {
    /// Where to post, such as `http://localhost:5000/synthesize`.
    pub url: String,
    /// The JSON to post; `{text}` in any of its texts stands for the text to speak.
    pub body: serde_json::Map<String, serde_json::Value>,
    /// The environment variable that holds a key, which is sent as a bearer token.
    pub api_key_env: Option<String>,
    /// The file that holds the key.
    pub api_key_file: Option<PathBuf>,
    /// What the answer is, such as `audio/wav`, where its own header does not say so.
    pub mime_type: Option<String>,
    /// The rate of PCM in samples per second, and that to which WAV of another rate is converted. Default: 24,000.
    pub sample_rate: Option<u32>,
    /// Dotted path to the audio in JSON.
    pub audio_field: Option<String>,
    /// How the audio is written in JSON: `base64` or `hex`. Default: `base64`.
    #[serde(default)]
    pub encoding: Encoding,
    /// How many words it speaks in a minute, until all of its answer is there. Default: 150.
    pub words_per_minute: Option<u32>,
    /// How long the first audio may take, in milliseconds. Default: 15,000.
    #[serde(default = "fifteen_seconds")]
    pub first_audio_ms: u64,
    /// How long each further part may take, in milliseconds. Default: 15,000.
    #[serde(default = "fifteen_seconds")]
    pub progress_ms: u64,
}

/// Whose voices calls may name by definition (`externalVoice`), and what is waited for them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VoiceProvidersConfig {
    /// The names of voices that speak when a provider's voice of a call cannot, the first one first. Default: none, and the
    /// call's events tell why it is silent.
    pub fallbacks: Vec<String>,
    /// How long a voice is left alone that failed and has others behind it, in milliseconds. Default: 30,000.
    pub cool_down_ms: u64,
    /// How long the first audio of a provider's voice may take, in milliseconds. Default: 10,000.
    pub first_audio_ms: u64,
    /// How long each further part may take, in milliseconds. Default: 10,000.
    pub progress_ms: u64,
    /// ElevenLabs.
    #[serde(alias = "elevenlabs")]
    pub eleven_labs: VoiceProviderConfig,
    /// Cartesia.
    pub cartesia: VoiceProviderConfig,
    /// LMNT.
    pub lmnt: VoiceProviderConfig,
    /// Google.
    pub google: VoiceProviderConfig,
    /// Inworld.
    pub inworld: VoiceProviderConfig,
    /// Respeecher.
    pub respeecher: VoiceProviderConfig,
}

impl Default for VoiceProvidersConfig {
    fn default() -> Self {
        Self {
            fallbacks: Vec::new(),
            cool_down_ms: 30_000,
            first_audio_ms: 10_000,
            progress_ms: 10_000,
            eleven_labs: VoiceProviderConfig::default(),
            cartesia: VoiceProviderConfig::default(),
            lmnt: VoiceProviderConfig::default(),
            google: VoiceProviderConfig::default(),
            inworld: VoiceProviderConfig::default(),
            respeecher: VoiceProviderConfig::default(),
        }
    }
}

/// How a provider of voices is reached.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VoiceProviderConfig {
    /// Where the paths of its interface begin. Default: its own address.
    pub base_url: Option<String>,
    /// The environment variable that holds the key for accounts that have none of their own.
    pub api_key_env: Option<String>,
    /// The file that holds it.
    pub api_key_file: Option<PathBuf>,
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

/// A model that makes vectors of texts, behind an OpenAI-compatible `/embeddings`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingsConfig {
    /// Where the paths of the interface begin, such as `http://localhost:8080/v1`.
    pub base_url: String,
    /// The model's name there.
    pub model: String,
    /// The environment variable that holds the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_env: Option<String>,
    /// The file that holds the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_file: Option<PathBuf>,
    /// The dimensions that are asked for. Default: the model's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<u32>,
    /// Texts of one request. Default: 64.
    #[serde(default = "sixty_four")]
    pub batch: NonZeroUsize,
    /// How long an answer may take, in milliseconds. Default: 15,000.
    #[serde(default = "fifteen_seconds")]
    pub timeout_ms: u64,
}

fn sixty_four() -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(63)
}

fn fifteen_seconds() -> u64 {
    15_000
}

fn twenty_four_kilohertz() -> u32 {
    24_000
}
