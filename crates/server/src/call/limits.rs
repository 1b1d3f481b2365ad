//! How many calls an account may have at a time, and how fast it may create them. Knows no request.

use std::time::Duration;

use tokio::time::Instant;

use super::account_limits::AccountLimits;
use crate::config;
use crate::quota::{Buckets, Quota};
use crate::storage::AccountId;

/// When to try again where only the end of another call helps.
const WHEN_ONE_HAS_ENDED: Duration = Duration::from_secs(5);

/// What holds for which account.
#[derive(Debug, Default)]
pub struct CallLimits {
    limits: AccountLimits,
    by_second: Buckets<AccountId>,
    by_minute: Buckets<AccountId>,
}

/// An account asks for more calls than it may have. Its user tries again; its operator may raise the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooManyCalls {
    /// At a time.
    #[error("the account has {0} calls, as many as it may have at a time; try again when some have ended")]
    AtATime(u32),
    /// In a minute.
    #[error("the account creates more than {0} calls a minute; try again later")]
    InAMinute(u32, Duration),
    /// In a second.
    #[error("the account creates more than {0} calls a second; try again later")]
    InASecond(u32, Duration),
}

impl TooManyCalls {
    /// When to try again.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::AtATime(_) => WHEN_ONE_HAS_ENDED,
            Self::InAMinute(_, wait) | Self::InASecond(_, wait) => *wait,
        }
    }
}

impl CallLimits {
    /// Counts by these limits, also when they are replaced.
    #[must_use]
    pub fn new(limits: AccountLimits) -> Self {
        Self { limits, by_second: Buckets::default(), by_minute: Buckets::default() }
    }

    /// How many calls the account may have at a time.
    pub(crate) fn at_a_time(&self, account: AccountId) -> Option<u32> {
        Some(self.limits.of(account).concurrent_calls).filter(|most| *most > 0)
    }

    /// Whether an account that has so many calls may have another one.
    pub(super) fn admits(&self, account: AccountId, live: usize) -> Result<(), TooManyCalls> {
        match self.at_a_time(account) {
            Some(most) if live >= most as usize => Err(TooManyCalls::AtATime(most)),
            Some(_) | None => Ok(()),
        }
    }

    /// Counts a call that the account creates, if it may create one now.
    pub(super) fn count(&self, account: AccountId) -> Result<(), TooManyCalls> {
        let config::Limits { calls_per_second, calls_per_minute, .. } = self.limits.of(account);
        let (in_a_second, in_a_minute) = self.quotas(account);
        let now = Instant::now();
        if let Some(quota) = in_a_second {
            self.by_second
                .take(account, quota, now)
                .map_err(|wait| TooManyCalls::InASecond(calls_per_second, wait))?;
        }
        if let Some(quota) = in_a_minute {
            self.by_minute.take(account, quota, now).map_err(|wait| {
                // Whoever is too fast for one uses nothing of the other up.
                in_a_second.inspect(|quota| self.by_second.give_back(&account, *quota));
                TooManyCalls::InAMinute(calls_per_minute, wait)
            })?;
        }
        Ok(())
    }

    /// Takes back that a call was counted, which was not created after all.
    pub(super) fn discount(&self, account: AccountId) {
        let (in_a_second, in_a_minute) = self.quotas(account);
        in_a_second.inspect(|quota| self.by_second.give_back(&account, *quota));
        in_a_minute.inspect(|quota| self.by_minute.give_back(&account, *quota));
    }

    /// How many calls the account may create in a second and in a minute.
    fn quotas(&self, account: AccountId) -> (Option<Quota>, Option<Quota>) {
        let limits = self.limits.of(account);
        let quota = |count, seconds| Quota::new(count, Duration::from_secs(seconds));
        (quota(limits.calls_per_second, 1), quota(limits.calls_per_minute, 60))
    }
}
