//! `[log]`: how much is logged, and in which form.

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use super::problem::Checks;

/// The `[log]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `text` for people or `json` for machines. Default `text`.
    pub format: LogFormat,
    /// A level (`error`, `warn`, `info`, `debug`, `trace`) or filter directives such as `info,antiphon_server=debug`. Default
    /// `info`. `ANTIPHON_LOG` sets it from the environment. What users say appears at `debug` and below only.
    pub level: String,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Readable lines, coloured on a terminal.
    Text,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

impl Log {
    pub(super) fn validate(&self, checks: &mut Checks) {
        if let Err(error) = EnvFilter::try_new(&self.level) {
            checks.refuse(
                "log.level",
                format!("{error}; write error, warn, info, debug or trace, or directives such as \"info,antiphon_server=debug\""),
            );
        }
    }
}
