//! `[webhooks]`: how long is known what receivers were told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::period;
use super::problem::Checks;

/// The `[webhooks]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhooks {
    /// How long deliveries are listed once they are over, at least a minute; of each webhook at most the latest 1,000. Default 7
    /// days.
    #[serde(with = "period")]
    pub keep_log: Duration,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self { keep_log: Duration::from_secs(7 * 24 * 60 * 60) }
    }
}

impl Webhooks {
    pub(super) fn validate(&self, checks: &mut Checks) {
        if self.keep_log < Duration::from_secs(60) {
            checks.refuse("webhooks.keep_log", "must be at least \"1m\"");
        }
    }
}
