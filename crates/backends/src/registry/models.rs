//! From configuration to language models, and to what stands behind each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::config::{
    AnthropicModelConfig, AudioHistoryConfig, ModelConfig, OpenAiModelConfig, ScriptedModelConfig, Spending,
};
use super::{BackendError, api_key, connecting_within, no_key_for_the_vendor};
use crate::health::Health;
use crate::language_model::anthropic::{self, AnthropicModel};
use crate::language_model::fallback::{Fallbacks, Link, Settings};
use crate::language_model::openai::{self, AudioHistory, OpenAiModel};
use crate::language_model::probe::{Probed, Subject};
use crate::language_model::scripted::Scripted;
use crate::language_model::{LanguageModel, Waits};
use crate::speech_to_text::SpeechToText;

/// How long the first token may take.
const FIRST_TOKEN: Duration = Duration::from_secs(30);
/// The same where somebody else could answer.
const FIRST_TOKEN_WITH_FALLBACKS: Duration = Duration::from_secs(6);

/// All models by name, and those of them that can be tried out.
pub(super) struct Models {
    pub(super) models: BTreeMap<Arc<str>, Arc<dyn LanguageModel>>,
    pub(super) subjects: Vec<Subject>,
}

/// Makes all models, each with those that stand behind it.
pub(super) fn build(
    configs: &BTreeMap<String, ModelConfig>,
    recognizer: Option<&Arc<dyn SpeechToText>>,
) -> Result<Models, BackendError> {
    let mut subjects = Vec::new();
    let mut links = BTreeMap::from([("demo", link("demo", Arc::new(Scripted::demo()), Duration::ZERO))]);
    for (name, config) in configs {
        let mut model = language_model(&format!("models.{name}"), config)?;
        if let Some((place, probe, paid)) = remote(config) {
            let probed = Probed::new(model);
            model = Arc::new(probed.clone());
            let allowed = probe.allowed(paid);
            subjects.push(Subject { name: name.as_str().into(), place, model: probed, allowed, paid });
        }
        links.insert(name, link(name, model, config.standby().cool_down));
    }
    let mut models = BTreeMap::new();
    for (name, first) in &links {
        let Some(config) = configs.get(*name) else {
            models.insert(Arc::clone(&first.name), Arc::clone(&first.model));
            continue;
        };
        let standby = config.standby();
        let others = others(name, standby.fallbacks, &links)?;
        let model: Arc<dyn LanguageModel> = match config {
            // A script fails by intent.
            ModelConfig::Scripted(_) if others.is_empty() => Arc::clone(&first.model),
            ModelConfig::Scripted(_) | ModelConfig::Anthropic(_) | ModelConfig::Openai(_) => {
                let settings = Settings { patience: standby.patience, recognizer: recognizer.cloned() };
                Arc::new(Fallbacks::new(first.clone(), others, settings))
            }
        };
        models.insert(Arc::clone(&first.name), model);
    }
    Ok(Models { models, subjects })
}

/// Where a model is, whether it may be tried out, and whether there is a key; nothing for one that is in this process.
fn remote(config: &ModelConfig) -> Option<(String, Spending, bool)> {
    let (base, model, probe, paid) = match config {
        ModelConfig::Anthropic(config) => {
            let AnthropicModelConfig { base_url, model, api_key_env, api_key_file, .. } = config;
            (base_url, model, Spending::Never, api_key_env.is_some() || api_key_file.is_some())
        }
        ModelConfig::Openai(config) => {
            let OpenAiModelConfig { base_url, model, api_key_env, api_key_file, probe, .. } = config;
            (base_url, model, *probe, api_key_env.is_some() || api_key_file.is_some())
        }
        ModelConfig::Scripted(_) => return None,
    };
    Some((format!("{} {model}", without_credentials(base)), probe, paid))
}

/// An address without what may be a password in it.
fn without_credentials(address: &str) -> String {
    match address.split_once("://") {
        Some((scheme, rest)) => {
            let authority = rest.find('/').unwrap_or(rest.len());
            let host = rest[..authority].rfind('@').map_or(0, |at| at + 1);
            format!("{scheme}://{}", &rest[host..])
        }
        None => address.to_owned(),
    }
}

fn link(name: &str, model: Arc<dyn LanguageModel>, cool_down: Duration) -> Link {
    Link { name: name.into(), model, health: Arc::new(Health::new(cool_down)) }
}

fn others(name: &str, fallbacks: &[String], links: &BTreeMap<&str, Link>) -> Result<Vec<Link>, BackendError> {
    let field = || format!("models.{name}.fallbacks");
    let mut others: Vec<Link> = Vec::new();
    for fallback in fallbacks {
        if fallback == name || others.iter().any(|other| *other.name == **fallback) {
            let problem = format!("{fallback:?} stands there already; name each other model once");
            return Err(BackendError::new(field(), problem));
        }
        let link = links.get(fallback.as_str()).ok_or_else(|| {
            let names = links.keys().copied().filter(|known| *known != name).collect::<Vec<_>>().join(", ");
            let problem =
                format!("there is no {fallback:?}; choose one of {names}, or add [models.{fallback}]");
            BackendError::new(field(), problem)
        })?;
        others.push(link.clone());
    }
    Ok(others)
}

fn language_model(field: &str, config: &ModelConfig) -> Result<Arc<dyn LanguageModel>, BackendError> {
    match config {
        ModelConfig::Anthropic(config) => Ok(Arc::new(anthropic_model(field, config)?)),
        ModelConfig::Openai(config) => Ok(Arc::new(openai_model(field, config)?)),
        ModelConfig::Scripted(ScriptedModelConfig { script: None, .. }) => Ok(Arc::new(Scripted::demo())),
        ModelConfig::Scripted(ScriptedModelConfig { script: Some(path), .. }) => {
            let field = format!("{field}.script");
            let yaml = std::fs::read_to_string(path)
                .map_err(|error| BackendError::new(&field, format!("{}: {error}", path.display())))?;
            let scripted = Scripted::from_yaml(&yaml)
                .map_err(|error| BackendError::new(&field, format!("{}: {error}", path.display())))?;
            Ok(Arc::new(scripted))
        }
    }
}

fn anthropic_model(field: &str, config: &AnthropicModelConfig) -> Result<AnthropicModel, BackendError> {
    let AnthropicModelConfig {
        base_url,
        model,
        api_key_env,
        api_key_file,
        max_tokens,
        connect_ms,
        first_token_ms,
        progress_ms,
        extra,
        omit,
        fallbacks,
        cool_down_ms: _,
        patience_ms: _,
    } = config;
    if *max_tokens == 0 {
        let problem = "an answer has at least one token; set it to 1 or more";
        return Err(BackendError::new(format!("{field}.max_tokens"), problem));
    }
    let key = api_key(field, api_key_env.as_deref(), api_key_file.as_deref())?;
    if key.is_none() && base_url == anthropic::BASE_URL {
        return Err(no_key_for_the_vendor(field));
    }
    let endpoint = connecting_within(field, *connect_ms, base_url, key)?;
    let settings = anthropic::Settings {
        model: model.as_str().into(),
        max_tokens: *max_tokens,
        extra: extra.clone(),
        omit: omit.clone(),
        waits: waits(*first_token_ms, *progress_ms, fallbacks),
    };
    Ok(AnthropicModel::new(endpoint, settings))
}

fn openai_model(field: &str, config: &OpenAiModelConfig) -> Result<OpenAiModel, BackendError> {
    let OpenAiModelConfig {
        base_url,
        model,
        api_key_env,
        api_key_file,
        audio,
        audio_history,
        audio_turns,
        audio_ids,
        max_tokens,
        warm_up,
        probe: _,
        thinks_first,
        connect_ms,
        first_token_ms,
        progress_ms,
        extra,
        omit,
        fallbacks,
        cool_down_ms: _,
        patience_ms: _,
    } = config;
    if *audio && *audio_turns == 0 {
        let problem = "a model that hears audio hears at least one turn; set audio_turns to 1 or more, or audio = false";
        return Err(BackendError::new(format!("{field}.audio_turns"), problem));
    }
    let history = match audio_history {
        AudioHistoryConfig::All => Some(AudioHistory::All),
        AudioHistoryConfig::LastK => Some(AudioHistory::Last(*audio_turns)),
        AudioHistoryConfig::LastOnly => Some(AudioHistory::Last(1)),
        AudioHistoryConfig::TranscriptOnly => None,
    };
    let key = api_key(field, api_key_env.as_deref(), api_key_file.as_deref())?;
    let warm_up = warm_up.allowed(key.is_some());
    let endpoint = connecting_within(field, *connect_ms, base_url, key)?;
    let settings = openai::Settings {
        model: model.as_str().into(),
        audio: history.filter(|_| *audio),
        max_tokens: *max_tokens,
        extra: extra.clone(),
        omit: omit.clone(),
        thinks_first: *thinks_first,
        audio_ids: *audio_ids,
        warm_up,
        waits: waits(*first_token_ms, *progress_ms, fallbacks),
    };
    Ok(OpenAiModel::new(endpoint, settings))
}

fn waits(first_token_ms: Option<u64>, progress_ms: u64, fallbacks: &[String]) -> Waits {
    let usual = if fallbacks.is_empty() { FIRST_TOKEN } else { FIRST_TOKEN_WITH_FALLBACKS };
    Waits {
        first_token: first_token_ms.map_or(usual, Duration::from_millis),
        progress: Duration::from_millis(progress_ms),
    }
}
