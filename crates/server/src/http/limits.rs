//! How many requests an account, and each of its keys, may make (protocol.md 7.15).

use std::time::Duration;

use axum::http::StatusCode;
use tokio::time::Instant;

use super::auth::Key;
use super::error::ApiError;
use crate::call::AccountLimits;
use crate::quota::{Buckets, Quota};
use crate::storage::AccountId;

const SECOND: Duration = Duration::from_secs(1);

/// What holds for which account, and what they have used of it. Only keys that open something get here, so that there are no more
/// buckets than such keys.
#[derive(Debug)]
pub(crate) struct RequestLimits {
    limits: AccountLimits,
    by_account: Buckets<AccountId>,
    by_key: Buckets<Key>,
}

impl RequestLimits {
    /// Counts by these limits, also when they are replaced.
    pub(crate) fn new(limits: AccountLimits) -> Self {
        Self { limits, by_account: Buckets::default(), by_key: Buckets::default() }
    }

    /// Counts a request, or refuses it: 429 with `Retry-After`.
    pub(super) fn count(&self, account: AccountId, key: &Key) -> Result<(), ApiError> {
        let limits = self.limits.of(account);
        let now = Instant::now();
        let (of_key, of_account) = (limits.requests_per_second_per_key, limits.requests_per_second);
        if let Some(quota) = Quota::new(of_key, SECOND) {
            self.by_key
                .take(key.clone(), quota, now)
                .map_err(|wait| too_many("the API key", of_key, wait))?;
        }
        if let Some(quota) = Quota::new(of_account, SECOND) {
            self.by_account
                .take(account, quota, now)
                .map_err(|wait| too_many("the account", of_account, wait))?;
        }
        Ok(())
    }
}

fn too_many(who: &str, most: u32, wait: Duration) -> ApiError {
    let detail = format!("{who} makes more than {most} requests a second; try again later, and more slowly");
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(wait)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::config;

    #[tokio::test(start_paused = true)]
    async fn a_key_and_an_account_have_so_many_a_second_and_nobody_takes_anothers() {
        let [one, two, own] = [1, 2, 3].map(|number| AccountId(Uuid::from_u128(number)));
        let usual = config::Limits {
            requests_per_second: 3,
            requests_per_second_per_key: 2,
            ..config::Limits::default()
        };
        let unbounded =
            usual.with(config::OwnLimits { requests_per_second: Some(0), ..config::OwnLimits::default() });
        let limits = RequestLimits::new(AccountLimits::new(usual, [(own, unbounded)].into()));
        let configured = |key: u32| Key::Configured(key.to_string());
        let (first, second) = (configured(0), Key::Kept("abcd1234".to_owned()));
        let allowed = |account, key: &Key| limits.count(account, key).is_ok();
        assert_eq!([allowed(one, &first), allowed(one, &first), allowed(one, &first)], [true, true, false]);
        assert_eq!(
            [allowed(one, &second), allowed(one, &second)],
            [true, false],
            "the account has had three"
        );
        assert!(allowed(two, &configured(1)), "another account has not");
        let many: Vec<bool> = (10..20).map(|key| allowed(own, &configured(key))).collect();
        assert_eq!(many, [true; 10]);

        tokio::time::advance(SECOND).await;
        assert_eq!([allowed(one, &first), allowed(one, &second), allowed(one, &second)], [true; 3]);
        assert!(!allowed(one, &second));
    }
}
