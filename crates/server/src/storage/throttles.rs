//! Throttles: how many calls may be created within a time, and what has been counted.
//!
//! Owns what a rule means, once for all databases.

use std::time::Duration;

use antiphon_api::rest::call_throttles::CallThrottleRule;
use antiphon_api::{ThrottleId, Timestamp};

use super::{AccountId, Pending};

/// The longest window that a rule can have: what lies further back counts nowhere.
pub(super) const LONGEST_WINDOW: Duration = Duration::from_secs(86_400);

/// A throttle as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredThrottle {
    /// Its id.
    pub id: ThrottleId,
    /// Whose it is.
    pub account: AccountId,
    /// Its name, which no other throttle of the account has.
    pub name: String,
    /// When it was created.
    pub created: Timestamp,
    /// What has to hold, all of it.
    pub rules: Vec<CallThrottleRule>,
    /// How often it was changed. Counted by the store.
    pub version: u64,
}

/// What became of a throttle that was to be kept or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// It is kept.
    Kept,
    /// Another throttle of the account has the name.
    NameTaken,
    /// The account has as many as it may have.
    Full,
    /// It is not what it was before, or is gone.
    Changed,
}

/// What became of a throttle that was to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleDeletion {
    /// It is gone.
    Deleted,
    /// A batch that is not over counts on it, so it stays.
    InUse,
    /// The account has no such throttle.
    Unknown,
}

/// Where throttles are kept. What they count is counted where calls are kept, in one go with the call.
pub trait ThrottleStore: Send + Sync {
    /// Keeps a new throttle, unless the account then had more than `most`.
    fn insert_throttle<'a>(&'a self, throttle: &'a StoredThrottle, most: u32) -> Pending<'a, Keeping>;
    /// The account's throttle with this id.
    fn find_throttle(&self, account: AccountId, id: ThrottleId) -> Pending<'_, Option<StoredThrottle>>;
    /// The account's throttle with this name.
    fn throttle_named<'a>(&'a self, account: AccountId, name: &'a str)
    -> Pending<'a, Option<StoredThrottle>>;
    /// All throttles of an account, newest first.
    fn throttles(&self, account: AccountId) -> Pending<'_, Vec<StoredThrottle>>;
    /// Changes name and rules of the throttle with this id, if it still has this version.
    fn update_throttle<'a>(&'a self, throttle: &'a StoredThrottle) -> Pending<'a, Keeping>;
    /// Deletes the account's throttle with this id.
    fn delete_throttle(&self, account: AccountId, id: ThrottleId) -> Pending<'_, ThrottleDeletion>;
}

/// From when on a window counts that ends at `now`: what was created later.
pub(super) fn window_start(rule: &CallThrottleRule, now: Timestamp) -> i64 {
    now.unix_micros() - i64::from(rule.window_seconds) * 1_000_000
}

/// When a call that was created then leaves the window.
pub(super) fn leaves(rule: &CallThrottleRule, created_us: i64) -> i64 {
    created_us + i64::from(rule.window_seconds) * 1_000_000
}

/// How long it takes at least to create so many calls under these rules, from the first to the last.
#[must_use]
pub fn shortest_time(rules: &[CallThrottleRule], calls: u64) -> Duration {
    let least = |rule: &CallThrottleRule| {
        let windows = calls.saturating_sub(1) / u64::from(rule.max_calls.max(1));
        Duration::from_secs(windows.saturating_mul(u64::from(rule.window_seconds)))
    };
    rules.iter().map(least).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_time_is_that_of_the_strictest_rule() {
        let rule = |max_calls, window_seconds| CallThrottleRule { max_calls, window_seconds };
        for (rules, calls, seconds) in [
            (vec![], 1_000, 0),
            (vec![rule(10, 60)], 1, 0),
            (vec![rule(10, 60)], 10, 0),
            (vec![rule(10, 60)], 11, 60),
            (vec![rule(10, 60)], 21, 120),
            (vec![rule(10, 60), rule(1, 10)], 21, 200),
            (vec![rule(1, 86_400)], 100_000, 99_999 * 86_400),
        ] {
            assert_eq!(shortest_time(&rules, calls), Duration::from_secs(seconds), "{rules:?} {calls}");
        }
    }
}
