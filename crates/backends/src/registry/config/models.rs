//! What the configuration says about language models.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::fifteen_seconds;
use crate::language_model::anthropic;

/// A language model.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ModelConfig {
    /// Anthropic's Messages API.
    Anthropic(AnthropicModelConfig),
    /// Any OpenAI-compatible `/chat/completions`.
    Openai(OpenAiModelConfig),
    /// A script.
    Scripted(ScriptedModelConfig),
}

/// What stands behind a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standby<'a> {
    /// The models that are asked when it fails, in order.
    pub fallbacks: &'a [String],
    /// How long it is left alone after a failure.
    pub cool_down: Duration,
    /// How long after the beginning of a run all may be tried again.
    pub patience: Duration,
}

impl ModelConfig {
    /// What stands behind it.
    #[must_use]
    pub fn standby(&self) -> Standby<'_> {
        let (fallbacks, cool_down_ms, patience_ms) = match self {
            Self::Anthropic(config) => (&config.fallbacks, config.cool_down_ms, config.patience_ms),
            Self::Openai(config) => (&config.fallbacks, config.cool_down_ms, config.patience_ms),
            Self::Scripted(config) => (&config.fallbacks, config.cool_down_ms, config.patience_ms),
        };
        Standby {
            fallbacks,
            cool_down: Duration::from_millis(cool_down_ms),
            patience: Duration::from_millis(patience_ms),
        }
    }
}

/// Whether something is done that helps and may cost money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spending {
    /// Where there is no key, and so nobody who bills.
    #[default]
    Auto,
    /// Yes.
    Always,
    /// No.
    Never,
}

impl Spending {
    /// Whether it is done at an endpoint with or without a key.
    #[must_use]
    pub const fn allowed(self, key: bool) -> bool {
        match self {
            Self::Auto => !key,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// Which of the user's spoken turns a model that hears audio is given as audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AudioHistoryConfig {
    /// All of them, up to 64.
    All,
    /// The last `audio_turns` at least.
    #[default]
    LastK,
    /// The last one.
    LastOnly,
    /// None: the same as `audio = false`.
    TranscriptOnly,
}

/// A model behind an OpenAI-compatible `/chat/completions`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenAiModelConfig {
    /// Where the paths of the interface begin, such as `http://localhost:8080/v1`.
    pub base_url: String,
    /// The model's name there.
    pub model: String,
    /// The environment variable that holds the key.
    pub api_key_env: Option<String>,
    /// The file that holds the key.
    pub api_key_file: Option<PathBuf>,
    /// Whether the model hears audio (`input_audio`, WAV). Default: no, it gets transcripts.
    #[serde(default)]
    pub audio: bool,
    /// Which turns it hears again; the others are given as transcripts. Default: `last_k`.
    #[serde(default)]
    pub audio_history: AudioHistoryConfig,
    /// How many spoken turns it hears again at least with `last_k`, and up to one less than twice as many. Default: 4.
    #[serde(default = "four")]
    pub audio_turns: usize,
    /// Whether recordings have ids, and those that the server was given before are sent by these alone: saves what
    /// `audio_history = "all"` costs on the way. vLLM takes them (`uuid`). Default: no.
    #[serde(default)]
    pub audio_ids: bool,
    /// The longest answer in tokens. Default: the server's.
    pub max_tokens: Option<u32>,
    /// Whether conversations are read in advance, when a call is created and when the user begins to speak. Default: `auto`,
    /// where there is no key.
    #[serde(default)]
    pub warm_up: Spending,
    /// Whether the server tries out what the model can do, once. Default: `auto`, where there is no key.
    #[serde(default)]
    pub probe: Spending,
    /// Whether its template opens a thought, so that its text begins within one (`...</think>`). Default: no.
    #[serde(default)]
    pub thinks_first: bool,
    /// How long a connection may take, in milliseconds. Default: 5,000.
    #[serde(default = "five_seconds")]
    pub connect_ms: u64,
    /// How long the first token may take, in milliseconds. Default: 30,000, and 6,000 with fallbacks.
    pub first_token_ms: Option<u64>,
    /// How long each further token may take, in milliseconds. Default: 15,000.
    #[serde(default = "fifteen_seconds")]
    pub progress_ms: u64,
    /// Further fields of the request, such as `{ chat_template_kwargs = { enable_thinking = false } }`.
    #[serde(default)]
    pub extra: serde_json::Map<String, serde_json::Value>,
    /// Fields that the request does without, such as `["temperature"]` for models that refuse it.
    #[serde(default)]
    pub omit: Vec<String>,
    /// The models that are asked when this one fails before its first word, by their names, in order.
    #[serde(default)]
    pub fallbacks: Vec<String>,
    /// How long the model is left alone after a failure, in milliseconds; twice as long after each further one, up to two minutes.
    /// Default: 10,000.
    #[serde(default = "ten_seconds")]
    pub cool_down_ms: u64,
    /// How long after the beginning of an answer all models may be tried again, in milliseconds. Default: 4,000.
    #[serde(default = "four_seconds")]
    pub patience_ms: u64,
}

/// A model behind Anthropic's Messages API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnthropicModelConfig {
    /// Where the paths of the interface begin. Default: `https://api.anthropic.com/v1`.
    #[serde(default = "anthropic_base")]
    pub base_url: String,
    /// The model's name, such as `claude-haiku-4-5`.
    pub model: String,
    /// The environment variable that holds the key.
    pub api_key_env: Option<String>,
    /// The file that holds the key.
    pub api_key_file: Option<PathBuf>,
    /// The longest answer in tokens. Default: 1,024.
    #[serde(default = "thousand")]
    pub max_tokens: u32,
    /// How long a connection may take, in milliseconds. Default: 5,000.
    #[serde(default = "five_seconds")]
    pub connect_ms: u64,
    /// How long the first token may take, in milliseconds. Default: 30,000, and 6,000 with fallbacks.
    pub first_token_ms: Option<u64>,
    /// How long each further token may take, in milliseconds. Default: 15,000.
    #[serde(default = "fifteen_seconds")]
    pub progress_ms: u64,
    /// Further fields of the request.
    #[serde(default)]
    pub extra: serde_json::Map<String, serde_json::Value>,
    /// Fields that the request does without, such as `["temperature"]` for models that refuse it.
    #[serde(default)]
    pub omit: Vec<String>,
    /// The models that are asked when this one fails before its first word, by their names, in order.
    #[serde(default)]
    pub fallbacks: Vec<String>,
    /// How long the model is left alone after a failure, in milliseconds; twice as long after each further one, up to two minutes.
    /// Default: 10,000.
    #[serde(default = "ten_seconds")]
    pub cool_down_ms: u64,
    /// How long after the beginning of an answer all models may be tried again, in milliseconds. Default: 4,000.
    #[serde(default = "four_seconds")]
    pub patience_ms: u64,
}

/// A scripted model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScriptedModelConfig {
    /// The script's file. Default: the built-in demo agent.
    pub script: Option<PathBuf>,
    /// The models that are asked when this one fails before its first word, by their names, in order.
    pub fallbacks: Vec<String>,
    /// How long the model is left alone after a failure, in milliseconds. Default: 10,000.
    pub cool_down_ms: u64,
    /// How long after the beginning of an answer all models may be tried again, in milliseconds. Default: 4,000.
    pub patience_ms: u64,
}

impl Default for ScriptedModelConfig {
    fn default() -> Self {
        Self { script: None, fallbacks: Vec::new(), cool_down_ms: ten_seconds(), patience_ms: four_seconds() }
    }
}

fn anthropic_base() -> String {
    anthropic::BASE_URL.to_owned()
}

fn four() -> usize {
    4
}

fn four_seconds() -> u64 {
    4_000
}

fn five_seconds() -> u64 {
    5_000
}

pub(super) fn ten_seconds() -> u64 {
    10_000
}

fn thousand() -> u32 {
    1_024
}
