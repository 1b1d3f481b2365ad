//! `[cluster]`: how nodes that share a database find out which of them are there. All nodes should have the same.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::period;
use super::problem::Checks;

/// The `[cluster]` section. It means nothing to a server whose database is a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cluster {
    /// How often a node says that it lives, at least every 100 ms. Default 2 s.
    #[serde(with = "period")]
    pub heartbeat: Duration,
    /// After how long without a word from a node the others end its calls and do its work: at least five heartbeats. Default 10 s.
    #[serde(with = "period")]
    pub lost_after: Duration,
}

impl Default for Cluster {
    fn default() -> Self {
        Self { heartbeat: Duration::from_secs(2), lost_after: Duration::from_secs(10) }
    }
}

impl Cluster {
    pub(super) fn validate(&self, checks: &mut Checks) {
        if self.heartbeat < Duration::from_millis(100) {
            checks.refuse("cluster.heartbeat", "must be at least \"100ms\"");
        }
        if self.lost_after < 5 * self.heartbeat {
            checks.refuse(
                "cluster.lost_after",
                "must be at least five times cluster.heartbeat, so that a word may come late",
            );
        }
    }
}
