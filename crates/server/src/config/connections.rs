//! `[connections]`: how many may be open, and how long each may take for what, so that nobody who connects and does nothing, or
//! does it slowly, takes the server from the others.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::period;
use super::problem::Checks;

/// The `[connections]` section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Connections {
    /// How many may be open, those of calls included. For one more, the one that has waited longest for a request is closed; where
    /// none waits, the new one is. Default 20000, and never more than three quarters of the files that the process may open.
    pub maximum: usize,
    /// How long a new connection may take to send the head of its first request. Default 10 s.
    #[serde(with = "period")]
    pub header_timeout: Duration,
    /// How long a connection may wait for its next request, the head of which has to come within it. Default 75 s, longer than what
    /// usual proxies keep their connections for.
    #[serde(with = "period")]
    pub idle_timeout: Duration,
    /// How long a request's body may take to come, and a second more for each 16 KiB that came; then 408. Default 30 s.
    #[serde(with = "period")]
    pub body_timeout: Duration,
    /// How long a peer may take nothing of what it is sent, until its connection is closed. Default 30 s.
    #[serde(with = "period")]
    pub write_timeout: Duration,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            maximum: 20_000,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
        }
    }
}

impl Connections {
    pub(super) fn validate(&self, checks: &mut Checks) {
        if self.maximum == 0 {
            checks.refuse("connections.maximum", "nobody could connect; write at least 1");
        }
        for (field, period) in [
            ("header_timeout", self.header_timeout),
            ("idle_timeout", self.idle_timeout),
            ("body_timeout", self.body_timeout),
            ("write_timeout", self.write_timeout),
        ] {
            if period < Duration::from_secs(1) {
                checks.refuse(
                    &format!("connections.{field}"),
                    "clients that are far away would not make it; write at least \"1s\"",
                );
            }
        }
    }
}
