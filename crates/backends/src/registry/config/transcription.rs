//! What the configuration says about transcripts.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::Deserialize;

use super::models::ten_seconds;
use crate::speech_to_text::deepgram;

/// What makes transcripts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TranscriptionConfig {
    /// Pocketsphinx where it is installed, and otherwise nothing, with a warning.
    #[default]
    Auto,
    /// Nothing: only models that hear audio understand the user.
    None,
    /// A WebSocket as Deepgram's.
    Deepgram(DeepgramTranscriptionConfig),
    /// Any OpenAI-compatible `/audio/transcriptions`.
    Openai(OpenAiTranscriptionConfig),
    /// The offline recognizer of Debian and Ubuntu, English only.
    Pocketsphinx(PocketSphinxConfig),
    /// Whisper in this process, where the binary was built with it.
    Whisper(WhisperConfig),
}

impl TranscriptionConfig {
    /// Whether asking it may cost money.
    #[must_use]
    pub fn has_key(&self) -> bool {
        let (env, file, fallback) = match self {
            Self::Auto | Self::None | Self::Pocketsphinx(_) => return false,
            Self::Whisper(config) => (&None, &None, &config.fallback),
            Self::Deepgram(config) => (&config.api_key_env, &config.api_key_file, &config.fallback),
            Self::Openai(config) => (&config.api_key_env, &config.api_key_file, &config.fallback),
        };
        env.is_some() || file.is_some() || fallback.as_ref().is_some_and(|fallback| fallback.has_key())
    }
}

/// A recognizer behind an OpenAI-compatible `/audio/transcriptions`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenAiTranscriptionConfig {
    /// Where the paths of the interface begin, such as `http://localhost:8000/v1`.
    pub base_url: String,
    /// The model's name there.
    pub model: String,
    /// The environment variable that holds the key.
    pub api_key_env: Option<String>,
    /// The file that holds the key.
    pub api_key_file: Option<PathBuf>,
    /// The language of conversations that name none, such as `en`. Default: the recognizer guesses.
    pub language: Option<String>,
    /// How long an answer may take, in milliseconds. Default: 12,000.
    #[serde(default = "twelve_seconds")]
    pub timeout_ms: u64,
    /// Whether stretches without speech are asked for and left out (`verbose_json`). Default: for models whose name has "whisper"
    /// in it, since others answer `json` alone.
    pub segments: Option<bool>,
    /// The recognizer that is asked when this one fails, written like this section.
    pub fallback: Option<Box<TranscriptionConfig>>,
    /// How long it is left alone after a failure then, in milliseconds. Default: 10,000.
    #[serde(default = "ten_seconds")]
    pub cool_down_ms: u64,
}

/// A recognizer behind a WebSocket as Deepgram's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeepgramTranscriptionConfig {
    /// Where the paths of the interface begin; `wss` and `https` mean the same. Default: `wss://api.deepgram.com/v1`.
    #[serde(default = "deepgram_base")]
    pub base_url: String,
    /// The model's name there. Default: `nova-3`.
    #[serde(default = "nova")]
    pub model: String,
    /// The environment variable that holds the key.
    pub api_key_env: Option<String>,
    /// The file that holds the key.
    pub api_key_file: Option<PathBuf>,
    /// The language of conversations that name none, such as `en` or `multi`. Default: the recognizer's.
    pub language: Option<String>,
    /// Whether it listens while the user speaks, so that the words are known when the turn ends, and their first ones may interrupt
    /// the agent. Otherwise it is given whole turns. Default: yes.
    #[serde(default = "yes")]
    pub live: bool,
    /// Further parameters of the query, such as `{ smart_format = "true", keyterm = "Antiphon" }`.
    #[serde(default)]
    pub extra: BTreeMap<String, String>,
    /// How long the connection may take, in milliseconds. Default: 3,000.
    #[serde(default = "three_seconds")]
    pub connect_ms: u64,
    /// How long an answer may take, in milliseconds. Default: 12,000.
    #[serde(default = "twelve_seconds")]
    pub timeout_ms: u64,
    /// The recognizer that is asked when this one fails, written like this section.
    pub fallback: Option<Box<TranscriptionConfig>>,
    /// How long it is left alone after a failure then, in milliseconds. Default: 10,000.
    #[serde(default = "ten_seconds")]
    pub cool_down_ms: u64,
}

/// The offline recognizer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PocketSphinxConfig {
    /// The program. Default: the one in `PATH`.
    pub program: Option<PathBuf>,
    /// Processes that wait with the model loaded. Default: 2.
    pub warm: usize,
    /// Clips that are recognized at a time. Default: 2.
    pub concurrency: usize,
    /// How long one clip may take, in milliseconds. Default: 12,000.
    pub timeout_ms: u64,
}

impl Default for PocketSphinxConfig {
    fn default() -> Self {
        Self { program: None, warm: 2, concurrency: 2, timeout_ms: twelve_seconds() }
    }
}

/// Whisper in this process.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhisperConfig {
    /// The model's file, as whisper.cpp reads it: `ggml-*.bin`.
    pub model: PathBuf,
    /// The language of conversations that name none, such as `en`. Default: the model guesses.
    pub language: Option<String>,
    /// Threads that work on one clip. Default: 1.
    #[serde(default = "one")]
    pub threads: NonZeroUsize,
    /// Clips that are transcribed at a time. Default: 2.
    #[serde(default = "two")]
    pub concurrency: NonZeroUsize,
    /// Whether the model hears the clip alone instead of 30 s with the clip at their beginning: several times quicker for short
    /// turns, and somewhat worse. Default: false.
    #[serde(default)]
    pub clip_only: bool,
    /// How long an answer may take, in milliseconds, waiting for other clips included. Default: 12,000.
    #[serde(default = "twelve_seconds")]
    pub timeout_ms: u64,
    /// The recognizer that is asked when this one fails, written like this section.
    pub fallback: Option<Box<TranscriptionConfig>>,
    /// How long it is left alone after a failure then, in milliseconds. Default: 10,000.
    #[serde(default = "ten_seconds")]
    pub cool_down_ms: u64,
}

const fn one() -> NonZeroUsize {
    NonZeroUsize::MIN
}

const fn two() -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(1)
}

fn deepgram_base() -> String {
    deepgram::BASE_URL.replace("https", "wss")
}

const fn yes() -> bool {
    true
}

fn nova() -> String {
    "nova-3".to_owned()
}

fn three_seconds() -> u64 {
    3_000
}

fn twelve_seconds() -> u64 {
    12_000
}
