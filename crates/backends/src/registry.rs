//! From configuration to backends. The only file that knows cargo features, but for the modules that are built with one.
//!
//! It must not know what a call does with them.

pub mod config;

mod models;
mod recognizers;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use antiphon_audio::SampleRate;
use reqwest::header::AUTHORIZATION;

use self::config::{
    BackendsConfig, EmbeddingsConfig, GenericVoiceConfig, OpenAiVoiceConfig, ResponseFormat,
    ScriptedTurnDetectionConfig, SmartTurnConfig, SpeakerConfig, TurnDetectionConfig, VoiceActivityConfig,
    VoiceProviderConfig, VoiceProvidersConfig,
};
use self::models::Models;
use crate::embeddings::{self, OpenAiEmbeddings};
use crate::http::{ApiKey, Endpoint};
use crate::language_model::LanguageModel;
use crate::language_model::probe::Subject;
use crate::speech_to_text::SpeechToText;
use crate::text_to_speech::fallback::Fallback;
use crate::text_to_speech::flite::Flite;
use crate::text_to_speech::generic::{self, GenericVoice};
use crate::text_to_speech::openai::{self as openai_voice, OpenAiVoice};
use crate::text_to_speech::polished::Polished;
use crate::text_to_speech::provider::{Access, Definition, Provider, Providers};
use crate::text_to_speech::scripted::Humming;
use crate::text_to_speech::{Patience, TextToSpeech};
use crate::turn_detection::scripted::Patient;
use crate::turn_detection::{Judge, TurnDetector};
use crate::voice_activity::VoiceActivityFactory;
use crate::voice_activity::earshot::Earshot;
use crate::voice_activity::scripted::Loudness;

/// All backends of a server, by the names that calls choose them by.
#[derive(Clone)]
pub struct Backends {
    /// Language models by name.
    pub models: BTreeMap<Arc<str>, Arc<dyn LanguageModel>>,
    /// Those of them that can be tried out.
    pub subjects: Vec<Subject>,
    /// The model for calls that name none, and for the published aliases.
    pub default_model: Arc<str>,
    /// Voices by name.
    pub voices: BTreeMap<Arc<str>, Arc<dyn TextToSpeech>>,
    /// The voice for calls that name none.
    pub default_voice: Arc<str>,
    /// What those of the voices are that a provider has, by the same names: some of their settings can be changed for a call.
    pub voice_definitions: BTreeMap<Arc<str>, Definition>,
    /// What speaks with voices that a call defines.
    pub voice_providers: Arc<Providers>,
    /// What makes transcripts, if anything.
    pub speech_to_text: Option<Arc<dyn SpeechToText>>,
    /// What notices speech.
    pub voice_activity: Arc<dyn VoiceActivityFactory>,
    /// What tells the end of a turn from a pause, if anything.
    pub turn_detector: Option<Arc<Judge>>,
}

/// A backend that cannot be made. Whoever wrote the configuration has to act.
#[derive(Debug, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct BackendError {
    /// The field of the configuration, such as `models.qwen.base_url`.
    pub field: String,
    /// What is wrong with it and what to do.
    pub problem: String,
}

impl BackendError {
    fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

impl Backends {
    /// Makes all backends. Reads key, script and model files; connects to nothing. Inside a tokio runtime the offline recognizer
    /// begins to load its model.
    pub fn build(config: &BackendsConfig) -> Result<Self, BackendError> {
        let speech_to_text = recognizers::build("transcription", &config.transcription)?;
        let turn_detector = judge(&config.turn_detection)?;
        Self::build_around(config, speech_to_text, turn_detector)
    }

    /// Makes all backends in the place of those that `before` made, and takes over what keeps a model in memory or in processes of
    /// its own where its section says the same. Key files are read again; the file of a model that is taken over is not.
    pub fn rebuild(&self, config: &BackendsConfig, before: &BackendsConfig) -> Result<Self, BackendError> {
        let same = config.transcription == before.transcription && !config.transcription.has_key();
        let speech_to_text = match same {
            true => self.speech_to_text.clone(),
            false => recognizers::build("transcription", &config.transcription)?,
        };
        let turn_detector = match config.turn_detection == before.turn_detection {
            true => self.turn_detector.clone(),
            false => judge(&config.turn_detection)?,
        };
        Self::build_around(config, speech_to_text, turn_detector)
    }

    fn build_around(
        config: &BackendsConfig,
        speech_to_text: Option<Arc<dyn SpeechToText>>,
        turn_detector: Option<Arc<Judge>>,
    ) -> Result<Self, BackendError> {
        let Models { models, subjects } = models::build(&config.models, speech_to_text.as_ref())?;
        let (voices, voice_providers) = voices(config)?;
        Ok(Self {
            default_model: known("default_model", &config.default_model, &models, "models")?,
            models,
            subjects,
            default_voice: known("default_voice", &config.default_voice, &voices, "voices")?,
            voices,
            voice_definitions: voice_definitions(config),
            voice_providers: Arc::new(voice_providers),
            speech_to_text,
            voice_activity: voice_activity(config.voice_activity),
            turn_detector,
        })
    }
}

/// What listens to the user's audio, apart from what understands it.
#[derive(Clone)]
pub struct Listeners {
    /// What notices speech.
    pub voice_activity: Arc<dyn VoiceActivityFactory>,
    /// What tells the end of a turn from a pause, if anything.
    pub turn_detector: Option<Arc<dyn TurnDetector>>,
}

impl Listeners {
    /// Makes these alone, for whoever has a recording and no call.
    pub fn build(
        voice_activity: VoiceActivityConfig,
        turn_detection: &TurnDetectionConfig,
    ) -> Result<Self, BackendError> {
        Ok(Self {
            voice_activity: self::voice_activity(voice_activity),
            turn_detector: turn_detector(turn_detection)?,
        })
    }
}

fn known<T>(
    field: &str,
    name: &str,
    backends: &BTreeMap<Arc<str>, T>,
    section: &str,
) -> Result<Arc<str>, BackendError> {
    backends.get_key_value(name).map(|(name, _)| Arc::clone(name)).ok_or_else(|| {
        let names: Vec<&str> = backends.keys().map(|name| &**name).collect();
        let names = names.join(", ");
        BackendError::new(
            field,
            format!("there is no {name:?}; choose one of {names}, or add [{section}.{name}]"),
        )
    })
}

type Voices = BTreeMap<Arc<str>, Arc<dyn TextToSpeech>>;

/// The voices that have names, each with those behind it, and what speaks with all others.
fn voices(config: &BackendsConfig) -> Result<(Voices, Providers), BackendError> {
    let providers = voice_providers(&config.voice_providers)?;
    let mut alone = Voices::from([(Arc::from("kal"), Arc::new(Flite::new()) as Arc<dyn TextToSpeech>)]);
    for (name, voice) in &config.voices {
        let field = format!("voices.{name}");
        alone.insert(name.as_str().into(), text_to_speech(&field, &voice.speaker, &providers)?);
    }
    let behind = |field: &str, names: &[String]| -> Result<Vec<_>, BackendError> {
        let known = names.iter().map(|name| known(field, name, &alone, "voices"));
        known.map(|name| name.map(|name| (Arc::clone(&name), Arc::clone(&alone[&name])))).collect()
    };
    let cool_down = Duration::from_millis(config.voice_providers.cool_down_ms);
    let mut voices = alone.clone();
    for (name, voice) in config.voices.iter().filter(|(_, voice)| !voice.fallbacks.is_empty()) {
        let field = format!("voices.{name}.fallbacks");
        if voice.fallbacks.contains(name) {
            return Err(BackendError::new(field, "a voice cannot stand in for itself; name others"));
        }
        let (name, first) = alone.get_key_value(name.as_str()).expect("every voice was made");
        let first = (Arc::clone(name), Arc::clone(first));
        let speaker = Fallback::new(first, behind(&field, &voice.fallbacks)?, cool_down);
        voices.insert(Arc::clone(name), Arc::new(speaker));
    }
    let others = behind("voice_providers.fallbacks", &config.voice_providers.fallbacks)?;
    Ok((voices, providers.with_fallbacks(others, cool_down)))
}

fn text_to_speech(
    field: &str,
    config: &SpeakerConfig,
    providers: &Providers,
) -> Result<Arc<dyn TextToSpeech>, BackendError> {
    let definition = match (config, config.definition()) {
        (_, Some(definition)) => definition,
        (SpeakerConfig::Openai(config), None) => {
            return Ok(Arc::new(Polished::new(Arc::new(openai_voice(field, config)?))));
        }
        (SpeakerConfig::Generic(config), None) => return generic_voice(field, config),
        (SpeakerConfig::Scripted(config), None) => {
            return Ok(Arc::new(Humming {
                ms_per_character: config.ms_per_character,
                word_times: config.word_times,
                clones: config.clones,
                ..Humming::default()
            }));
        }
        (_, None) => return Ok(Arc::new(Flite::new())),
    };
    definition.check().map_err(|(name, problem)| BackendError::new(format!("{field}.{name}"), problem))?;
    let section = definition.provider().key();
    providers.voice(definition, None).map_err(|error| {
        BackendError::new(
            field,
            format!("{error}; set api_key_env or api_key_file in [voice_providers.{section}]"),
        )
    })
}

fn voice_definitions(config: &BackendsConfig) -> BTreeMap<Arc<str>, Definition> {
    let voices = config.voices.iter();
    voices.filter_map(|(name, voice)| Some((name.as_str().into(), voice.speaker.definition()?))).collect()
}

fn voice_providers(config: &VoiceProvidersConfig) -> Result<Providers, BackendError> {
    let access = |provider: Provider, config: &VoiceProviderConfig| -> Result<_, BackendError> {
        let field = format!("voice_providers.{}", provider.key());
        let VoiceProviderConfig { base_url, api_key_env, api_key_file } = config;
        let key = api_key(&field, api_key_env.as_deref(), api_key_file.as_deref())?;
        let access = Access::new(provider, base_url.as_deref(), key)
            .map_err(|error| BackendError::new(format!("{field}.base_url"), error.to_string()))?;
        Ok((provider, access))
    };
    let patience = Patience {
        first_audio: Duration::from_millis(config.first_audio_ms),
        progress: Duration::from_millis(config.progress_ms),
    };
    let VoiceProvidersConfig { eleven_labs, cartesia, lmnt, google, inworld, respeecher, .. } = config;
    let access = [
        access(Provider::ElevenLabs, eleven_labs)?,
        access(Provider::Cartesia, cartesia)?,
        access(Provider::Lmnt, lmnt)?,
        access(Provider::Google, google)?,
        access(Provider::Inworld, inworld)?,
        access(Provider::Respeecher, respeecher)?,
    ];
    Ok(Providers::new(access.into(), patience))
}

fn openai_voice(field: &str, config: &OpenAiVoiceConfig) -> Result<OpenAiVoice, BackendError> {
    let OpenAiVoiceConfig {
        base_url,
        model,
        voice,
        api_key_env,
        api_key_file,
        response_format,
        sample_rate,
        first_audio_ms,
        progress_ms,
    } = config;
    let endpoint = endpoint(field, base_url, api_key_env.as_deref(), api_key_file.as_deref())?;
    let settings = openai_voice::Settings {
        model: model.as_str().into(),
        voice: voice.as_str().into(),
        response_format: match response_format {
            ResponseFormat::Pcm => "pcm".into(),
            ResponseFormat::Wav => "wav".into(),
        },
        sample_rate: SampleRate::new(*sample_rate)
            .map_err(|error| BackendError::new(format!("{field}.sample_rate"), error.to_string()))?,
        first_audio: Duration::from_millis(*first_audio_ms),
        progress: Duration::from_millis(*progress_ms),
    };
    Ok(OpenAiVoice::new(endpoint, settings))
}

fn generic_voice(field: &str, config: &GenericVoiceConfig) -> Result<Arc<dyn TextToSpeech>, BackendError> {
    let GenericVoiceConfig {
        url,
        body,
        api_key_env,
        api_key_file,
        mime_type,
        sample_rate,
        audio_field,
        encoding,
        words_per_minute,
        first_audio_ms,
        progress_ms,
    } = config;
    let key = api_key(field, api_key_env.as_deref(), api_key_file.as_deref())?;
    let wrong = |name: &str, problem: String| BackendError::new(format!("{field}.{name}"), problem);
    let endpoint = Endpoint::new(url, key).map_err(|error| wrong("url", error.to_string()))?;
    if !body.values().any(generic::speaks) {
        let problem = format!("says nowhere what to speak; put {:?} into one of its texts", generic::TEXT);
        return Err(wrong("body", problem));
    }
    let sample_rate = sample_rate.map(SampleRate::new).transpose();
    let voice = GenericVoice {
        url: endpoint.url(""),
        headers: endpoint.key_as("Bearer").map(|key| (AUTHORIZATION, key)).into_iter().collect(),
        body: body.clone(),
        sample_rate: sample_rate.map_err(|error| wrong("sample_rate", error.to_string()))?,
        words_per_minute: *words_per_minute,
        mime_type: mime_type.clone(),
        audio_field: audio_field.clone(),
        encoding: *encoding,
    };
    let patience = Patience {
        first_audio: Duration::from_millis(*first_audio_ms),
        progress: Duration::from_millis(*progress_ms),
    };
    // Those behind it have names, and are put there with all the others.
    Ok(Providers::new(BTreeMap::new(), patience).generic(voice, Arc::new(endpoint)))
}

/// Makes what makes vectors of texts. Reads its key file; connects to nothing. `field` is where the configuration says it.
pub fn embeddings(field: &str, config: &EmbeddingsConfig) -> Result<OpenAiEmbeddings, BackendError> {
    let EmbeddingsConfig { base_url, model, api_key_env, api_key_file, dimensions, batch, timeout_ms } =
        config;
    let endpoint = endpoint(field, base_url, api_key_env.as_deref(), api_key_file.as_deref())?;
    let settings = embeddings::Settings {
        model: model.as_str().into(),
        dimensions: *dimensions,
        batch: batch.get(),
        timeout: Duration::from_millis(*timeout_ms),
    };
    Ok(OpenAiEmbeddings::new(endpoint, settings))
}

fn voice_activity(config: VoiceActivityConfig) -> Arc<dyn VoiceActivityFactory> {
    match config {
        VoiceActivityConfig::Earshot => Arc::new(Earshot),
        VoiceActivityConfig::Scripted => Arc::new(Loudness::default()),
    }
}

fn turn_detector(config: &TurnDetectionConfig) -> Result<Option<Arc<dyn TurnDetector>>, BackendError> {
    Ok(match config {
        TurnDetectionConfig::None => None,
        TurnDetectionConfig::Scripted(ScriptedTurnDetectionConfig { until_ms }) => {
            Some(Arc::new(Patient { until: Duration::from_millis(*until_ms) }))
        }
        TurnDetectionConfig::SmartTurn(config) => Some(smart_turn(config)?),
    })
}

fn judge(config: &TurnDetectionConfig) -> Result<Option<Arc<Judge>>, BackendError> {
    let at_once = match config {
        TurnDetectionConfig::None | TurnDetectionConfig::Scripted(_) => None,
        TurnDetectionConfig::SmartTurn(config) => config.concurrency,
    };
    Ok(turn_detector(config)?.map(|detector| Arc::new(Judge::new(detector, at_once))))
}

#[cfg(feature = "smart-turn")]
fn smart_turn(config: &SmartTurnConfig) -> Result<Arc<dyn TurnDetector>, BackendError> {
    let detector = crate::turn_detection::smart_turn::SmartTurn::load(&config.model)
        .map_err(|error| BackendError::new("turn_detection.model", error.to_string()))?;
    Ok(Arc::new(detector))
}

#[cfg(not(feature = "smart-turn"))]
fn smart_turn(_: &SmartTurnConfig) -> Result<Arc<dyn TurnDetector>, BackendError> {
    let problem =
        "this binary was built without smart-turn; build with --features smart-turn, or set type = \"none\"";
    Err(BackendError::new("turn_detection.type", problem))
}

/// What is at `base_url`, to which a connection may take so long.
fn connecting_within(
    field: &str,
    connect_ms: u64,
    base: &str,
    key: Option<ApiKey>,
) -> Result<Endpoint, BackendError> {
    Endpoint::connecting_within(Duration::from_millis(connect_ms), base, key)
        .map_err(|error| BackendError::new(format!("{field}.base_url"), error.to_string()))
}

/// A key is missing where nobody is served without one.
fn no_key_for_the_vendor(field: &str) -> BackendError {
    let problem = "there is none, and the vendor wants one; name the variable that holds it, or api_key_file";
    BackendError::new(format!("{field}.api_key_env"), problem)
}

fn endpoint(
    field: &str,
    base: &str,
    env: Option<&str>,
    file: Option<&Path>,
) -> Result<Endpoint, BackendError> {
    let key = api_key(field, env, file)?;
    Endpoint::new(base, key)
        .map_err(|error| BackendError::new(format!("{field}.base_url"), error.to_string()))
}

fn api_key(field: &str, env: Option<&str>, file: Option<&Path>) -> Result<Option<ApiKey>, BackendError> {
    let (field, key) = match (env, file) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            let problem = "there is api_key_file too; keep one of them";
            return Err(BackendError::new(format!("{field}.api_key_env"), problem));
        }
        (Some(variable), None) => {
            let field = format!("{field}.api_key_env");
            let key = std::env::var(variable).map_err(|_| {
                let problem =
                    format!("the environment variable {variable} is not set; set it to the backend's key");
                BackendError::new(&field, problem)
            })?;
            (field, key)
        }
        (None, Some(path)) => {
            let field = format!("{field}.api_key_file");
            let key = std::fs::read_to_string(path)
                .map_err(|error| BackendError::new(&field, format!("{}: {error}", path.display())))?;
            (field, key)
        }
    };
    let key = key.trim();
    // The key of a Google service account is a whole JSON file.
    let is_json = key.starts_with('{') && serde_json::from_str::<serde_json::Value>(key).is_ok();
    if key.is_empty() || !is_json && !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let problem = "the key is empty or holds characters that no HTTP header may have";
        return Err(BackendError::new(field, problem));
    }
    Ok(Some(ApiKey::new(key)))
}
