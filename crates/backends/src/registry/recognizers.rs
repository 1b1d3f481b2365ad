//! From configuration to recognizers, and to what stands behind each.

use std::sync::Arc;
use std::time::Duration;

use super::config::{
    DeepgramTranscriptionConfig, OpenAiTranscriptionConfig, PocketSphinxConfig, TranscriptionConfig,
    WhisperConfig,
};
use super::{BackendError, api_key, connecting_within, endpoint, no_key_for_the_vendor};
use crate::health::Health;
use crate::speech_to_text::SpeechToText;
use crate::speech_to_text::deepgram::{self, DeepgramTranscriber};
use crate::speech_to_text::fallback::Fallback;
use crate::speech_to_text::openai::{self, OpenAiTranscriber};
use crate::speech_to_text::pocketsphinx::{self, PocketSphinx};

/// What makes transcripts, if anything does. `field` is where that is configured.
pub(super) fn build(
    field: &str,
    config: &TranscriptionConfig,
) -> Result<Option<Arc<dyn SpeechToText>>, BackendError> {
    match config {
        TranscriptionConfig::Auto => match pocketsphinx(&PocketSphinxConfig::default()) {
            Ok(recognizer) => Ok(Some(Arc::new(recognizer))),
            Err(missing) => {
                tracing::warn!(
                    "no transcripts of the user's speech: {missing}, or configure [transcription]"
                );
                Ok(None)
            }
        },
        TranscriptionConfig::None => Ok(None),
        TranscriptionConfig::Deepgram(config) => {
            let first = Arc::new(deepgram(field, config)?);
            behind(field, first, config.fallback.as_deref(), config.cool_down_ms)
        }
        TranscriptionConfig::Openai(config) => {
            let first = Arc::new(openai(field, config)?);
            behind(field, first, config.fallback.as_deref(), config.cool_down_ms)
        }
        TranscriptionConfig::Pocketsphinx(config) => match pocketsphinx(config) {
            Ok(recognizer) => Ok(Some(Arc::new(recognizer))),
            Err(missing) => {
                Err(BackendError::new(field, format!("{missing}, or set [{field}] type = \"none\"")))
            }
        },
        TranscriptionConfig::Whisper(config) => {
            let first = whisper(field, config)?;
            behind(field, first, config.fallback.as_deref(), config.cool_down_ms)
        }
    }
}

#[cfg(feature = "whisper-local")]
fn whisper(field: &str, config: &WhisperConfig) -> Result<Arc<dyn SpeechToText>, BackendError> {
    use crate::speech_to_text::whisper::{LoadError, Settings, Whisper};

    let WhisperConfig {
        model,
        language,
        threads,
        concurrency,
        clip_only,
        timeout_ms,
        fallback: _,
        cool_down_ms: _,
    } = config;
    let settings = Settings {
        language: language.as_deref().map(Arc::from),
        threads: *threads,
        concurrency: *concurrency,
        clip_only: *clip_only,
        timeout: Duration::from_millis(*timeout_ms),
    };
    match Whisper::load(model, settings) {
        Ok(whisper) => Ok(Arc::new(whisper)),
        Err(error @ (LoadError::File { .. } | LoadError::Refused { .. })) => {
            Err(BackendError::new(format!("{field}.model"), error.to_string()))
        }
        Err(error @ (LoadError::Language(_) | LoadError::EnglishOnly(_))) => {
            Err(BackendError::new(format!("{field}.language"), error.to_string()))
        }
    }
}

#[cfg(not(feature = "whisper-local"))]
fn whisper(field: &str, _: &WhisperConfig) -> Result<Arc<dyn SpeechToText>, BackendError> {
    let problem = "this binary was built without whisper; build with --features whisper-local, or run a server such as whisper.cpp's \
                   or Speaches and set type = \"openai\"";
    Err(BackendError::new(format!("{field}.type"), problem))
}

fn behind(
    field: &str,
    first: Arc<dyn SpeechToText>,
    second: Option<&TranscriptionConfig>,
    cool_down_ms: u64,
) -> Result<Option<Arc<dyn SpeechToText>>, BackendError> {
    let second = match second {
        Some(config) => build(&format!("{field}.fallback"), config)?,
        None => None,
    };
    let Some(second) = second else { return Ok(Some(first)) };
    let health = Arc::new(Health::new(Duration::from_millis(cool_down_ms)));
    Ok(Some(Arc::new(Fallback::new(first, second, health))))
}

fn pocketsphinx(config: &PocketSphinxConfig) -> Result<PocketSphinx, pocketsphinx::Missing> {
    let PocketSphinxConfig { program, warm, concurrency, timeout_ms } = config;
    PocketSphinx::new(pocketsphinx::Settings {
        program: program.clone(),
        warm: *warm,
        concurrency: *concurrency,
        timeout: Duration::from_millis(*timeout_ms),
    })
}

fn openai(field: &str, config: &OpenAiTranscriptionConfig) -> Result<OpenAiTranscriber, BackendError> {
    let OpenAiTranscriptionConfig {
        base_url,
        model,
        api_key_env,
        api_key_file,
        language,
        timeout_ms,
        segments,
        fallback: _,
        cool_down_ms: _,
    } = config;
    let endpoint = endpoint(field, base_url, api_key_env.as_deref(), api_key_file.as_deref())?;
    let settings = openai::Settings {
        model: model.as_str().into(),
        language: language.as_deref().map(Arc::from),
        segments: segments.unwrap_or_else(|| model.to_lowercase().contains("whisper")),
        timeout: Duration::from_millis(*timeout_ms),
    };
    Ok(OpenAiTranscriber::new(endpoint, settings))
}

fn deepgram(field: &str, config: &DeepgramTranscriptionConfig) -> Result<DeepgramTranscriber, BackendError> {
    let DeepgramTranscriptionConfig {
        base_url,
        model,
        api_key_env,
        api_key_file,
        language,
        live,
        extra,
        connect_ms,
        timeout_ms,
        fallback: _,
        cool_down_ms: _,
    } = config;
    let key = api_key(field, api_key_env.as_deref(), api_key_file.as_deref())?;
    let base = match base_url.strip_prefix("ws") {
        Some(rest) => format!("http{rest}"),
        None => base_url.clone(),
    };
    if key.is_none() && base == deepgram::BASE_URL {
        return Err(no_key_for_the_vendor(field));
    }
    let endpoint = connecting_within(field, *connect_ms, &base, key)?;
    let settings = deepgram::Settings {
        model: model.as_str().into(),
        language: language.as_deref().map(Arc::from),
        live: *live,
        extra: extra.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        connect: Duration::from_millis(*connect_ms),
        timeout: Duration::from_millis(*timeout_ms),
    };
    Ok(DeepgramTranscriber::new(endpoint, settings))
}
