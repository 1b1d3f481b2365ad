//! `[summaries]`: whether calls are summed up after their end, and by which model.

use std::collections::BTreeMap;
use std::time::Duration;

use antiphon_backends::registry::config::ModelConfig;
use serde::{Deserialize, Serialize};

use super::period;
use super::problem::Checks;

/// The `[summaries]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Summaries {
    /// Which calls. Default `auto`.
    pub enabled: Summarizing,
    /// The model that sums up, by its name in `[models]`. Default: the model of each call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How long receivers of `call.ended` wait for the summary, 0 to 10 minutes. Default 20 s.
    #[serde(with = "period")]
    pub wait: Duration,
    /// How long a summary may take, 1 s to 10 minutes. Default 60 s.
    #[serde(with = "period")]
    pub timeout: Duration,
    /// How many are written at a time, 1 to 64. Default 4.
    pub concurrency: usize,
}

/// Which calls are summed up. Nothing is to be said of one in which nothing was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Summarizing {
    /// Those whose model is more than a script, which would answer as in a call.
    #[default]
    Auto,
    /// All.
    Always,
    /// None.
    Never,
}

impl Default for Summaries {
    fn default() -> Self {
        Self {
            enabled: Summarizing::default(),
            model: None,
            wait: Duration::from_secs(20),
            timeout: Duration::from_secs(60),
            concurrency: 4,
        }
    }
}

impl Summaries {
    pub(super) fn validate(&self, models: &BTreeMap<String, ModelConfig>, checks: &mut Checks) {
        let most = Duration::from_secs(600);
        if self.wait > most {
            checks.refuse("summaries.wait", "must be at most \"10m\"");
        }
        if !(Duration::from_secs(1)..=most).contains(&self.timeout) {
            checks.refuse("summaries.timeout", "must be between \"1s\" and \"10m\"");
        }
        if !(1..=64).contains(&self.concurrency) {
            checks.refuse("summaries.concurrency", "must be between 1 and 64");
        }
        if let Some(model) = &self.model
            && model != "demo"
            && !models.contains_key(model)
        {
            checks.refuse(
                "summaries.model",
                format!("there is no model {model:?}; add [models.{model}], or leave it out"),
            );
        }
    }

    /// Whether a model of this name sums calls up.
    #[must_use]
    pub fn sums_up(&self, model: &str, models: &BTreeMap<String, ModelConfig>) -> bool {
        match self.enabled {
            Summarizing::Always => true,
            Summarizing::Never => false,
            Summarizing::Auto => match models.get(model) {
                Some(ModelConfig::Anthropic(_) | ModelConfig::Openai(_)) => true,
                Some(ModelConfig::Scripted(_)) | None => false,
            },
        }
    }
}
