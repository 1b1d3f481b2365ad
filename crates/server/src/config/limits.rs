//! `[limits]`: how much one account may ask of the server, so that none takes it from the others.

use serde::{Deserialize, Serialize};

use super::problem::Checks;

/// The `[limits]` section. 0 is no limit, everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Calls of an account that may be waiting for a join or in progress; one more is answered 429. Default 0:
    /// `calls.maximum_live` bounds those of all accounts together.
    pub concurrent_calls: u32,
    /// Requests of an account in a second. Default 500 (protocol.md 7.15).
    pub requests_per_second: u32,
    /// Requests with one key in a second. Default 200 (protocol.md 7.15).
    pub requests_per_second_per_key: u32,
    /// Calls that an account may create in a second. Default 0.
    pub calls_per_second: u32,
    /// Calls that an account may create in a minute. Default 0.
    pub calls_per_minute: u32,
}

/// What is otherwise for one account. What is left out is as for all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OwnLimits {
    /// See [`Limits::concurrent_calls`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent_calls: Option<u32>,
    /// See [`Limits::requests_per_second`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
    /// See [`Limits::requests_per_second_per_key`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_second_per_key: Option<u32>,
    /// See [`Limits::calls_per_second`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_second: Option<u32>,
    /// See [`Limits::calls_per_minute`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_minute: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrent_calls: 0,
            requests_per_second: 500,
            requests_per_second_per_key: 200,
            calls_per_second: 0,
            calls_per_minute: 0,
        }
    }
}

impl Limits {
    /// The limits of an account that has some of its own.
    #[must_use]
    pub fn with(self, own: OwnLimits) -> Self {
        Self {
            concurrent_calls: own.concurrent_calls.unwrap_or(self.concurrent_calls),
            requests_per_second: own.requests_per_second.unwrap_or(self.requests_per_second),
            requests_per_second_per_key: own
                .requests_per_second_per_key
                .unwrap_or(self.requests_per_second_per_key),
            calls_per_second: own.calls_per_second.unwrap_or(self.calls_per_second),
            calls_per_minute: own.calls_per_minute.unwrap_or(self.calls_per_minute),
        }
    }

    pub(super) fn validate(&self, checks: &mut Checks) {
        let (key, account) = (self.requests_per_second_per_key, self.requests_per_second);
        if account != 0 && key > account {
            checks.refuse(
                "limits.requests_per_second_per_key",
                format!(
                    "{key} is more than an account may ask for with all its keys; write at most {account}"
                ),
            );
        }
    }
}
