//! Webhooks: who is told what happens to calls, and how each does.
//!
//! Owns what makes a webhook unhealthy, so that all databases mean the same by it.

use antiphon_api::rest::webhooks::{WebhookEvent, WebhookFailure};
use antiphon_api::{AgentId, Secret, Timestamp, WebhookId};

use super::{AccountId, Pending, Slice, StoredCall, Window};

/// Failures in a row that make a webhook unhealthy; giving a delivery up does so at once.
const FAILURES_IN_A_ROW: u32 = 10;
/// Failures that are remembered.
const RECENT: usize = 10;

/// A webhook as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredWebhook {
    /// Its id.
    pub id: WebhookId,
    /// Whose it is.
    pub account: AccountId,
    /// When it was created.
    pub created: Timestamp,
    /// The agent whose calls it is told of; all calls if none.
    pub agent: Option<AgentId>,
    /// Where to post.
    pub url: String,
    /// What to sign with.
    pub secrets: Vec<Secret>,
    /// What it is told of, each once.
    pub events: Vec<WebhookEvent>,
    /// Whether times are signed without an offset (protocol.md A-51).
    pub naive_timestamps: bool,
    /// How it does. Kept by the store.
    pub health: WebhookHealth,
    /// Counts its changes. Kept by the store.
    pub version: u32,
}

/// How a webhook does.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WebhookHealth {
    /// Whether it has failed for a while.
    pub unhealthy: bool,
    /// When that changed.
    pub changed: Option<Timestamp>,
    /// Attempts in a row that failed.
    pub failures: u32,
    /// What went wrong, newest first, bounded.
    pub recent: Vec<WebhookFailure>,
}

/// A webhook's place in the list of an account's, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WebhookPlace {
    /// When it was created.
    pub created: Timestamp,
    /// Its id, which orders webhooks of one microsecond.
    pub id: WebhookId,
}

/// Where webhooks are kept.
pub trait WebhookStore: Send + Sync {
    /// Keeps a new webhook, unless its account has `most` already. False if it has.
    fn insert_webhook<'a>(&'a self, webhook: &'a StoredWebhook, most: u32) -> Pending<'a, bool>;
    /// The webhook with this id, whosever it is.
    fn find_webhook(&self, id: WebhookId) -> Pending<'_, Option<StoredWebhook>>;
    /// Part of the account's webhooks, newest first; only those that are limited to `agent`, if one is given.
    fn webhooks(
        &self,
        account: AccountId,
        agent: Option<AgentId>,
        window: Window<WebhookPlace>,
    ) -> Pending<'_, Slice<StoredWebhook>>;
    /// How many these are.
    fn count_webhooks(&self, account: AccountId, agent: Option<AgentId>) -> Pending<'_, u64>;
    /// Changes what its owner sets, if it has not been changed since this version of it. False if it has, or is not there.
    fn update_webhook<'a>(&'a self, webhook: &'a StoredWebhook) -> Pending<'a, bool>;
    /// Deletes the account's webhook with this id. What waits for it is canceled by whoever would have delivered it. False if it is
    /// not there.
    fn delete_webhook(&self, account: AccountId, id: WebhookId) -> Pending<'_, bool>;
}

impl StoredWebhook {
    /// Its place in a list.
    #[must_use]
    pub fn place(&self) -> WebhookPlace {
        WebhookPlace { created: self.created, id: self.id }
    }

    /// Whether it is told that this happened to a call.
    pub(super) fn wants(&self, call: &StoredCall, event: WebhookEvent) -> bool {
        self.account == call.account
            && self.agent.is_none_or(|agent| call.agent.as_ref().is_some_and(|of| of.id == agent))
            && self.events.contains(&event)
    }
}

impl WebhookHealth {
    /// An attempt failed, perhaps the last one.
    pub(super) fn fail(&mut self, at: Timestamp, failure: &str, given_up: bool) {
        self.recent.insert(0, WebhookFailure { timestamp: at, failure: failure.to_owned() });
        self.recent.truncate(RECENT);
        self.failures = self.failures.saturating_add(1);
        if !self.unhealthy && (given_up || self.failures >= FAILURES_IN_A_ROW) {
            self.unhealthy = true;
            self.changed = Some(at);
        }
    }

    /// An attempt succeeded.
    pub(super) fn succeed(&mut self, at: Timestamp) {
        self.failures = 0;
        if self.unhealthy {
            self.unhealthy = false;
            self.changed = Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_micros(seconds * 1_000_000).unwrap()
    }

    #[test]
    fn ten_failures_in_a_row_make_a_webhook_unhealthy_until_the_next_success() {
        let mut health = WebhookHealth::default();
        for second in 1..10 {
            health.fail(at(second), "down", false);
        }
        assert!(!health.unhealthy);
        health.succeed(at(10));
        assert_eq!((health.failures, health.changed), (0, None));
        for second in 11..=20 {
            health.fail(at(second), "down", false);
        }
        assert_eq!((health.unhealthy, health.changed), (true, Some(at(20))));
        health.fail(at(21), "down", false);
        assert_eq!(health.changed, Some(at(20)), "it was so before");
        assert_eq!((health.recent.len(), health.recent[0].timestamp), (10, at(21)));
        health.succeed(at(22));
        assert_eq!((health.unhealthy, health.changed), (false, Some(at(22))));
    }

    #[test]
    fn a_delivery_that_is_given_up_makes_a_webhook_unhealthy_at_once() {
        let mut health = WebhookHealth::default();
        health.fail(at(1), "down", true);
        assert!(health.unhealthy);
    }
}
