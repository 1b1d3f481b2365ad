//! `/api/accounts`: whose the key is, and what they have used (protocol.md 7.12). One operation a file.

pub(super) mod billing;
pub(super) mod list;
pub(super) mod read;
pub(super) mod telephony_config;
pub(super) mod tts_keys;
pub(super) mod usage;

use antiphon_api::AccountId;
use antiphon_api::rest::accounts;
use antiphon_api::rest::calls::Day;
use jiff::ToSpan as _;
use jiff::civil::date;

use super::auth::Account;
use super::error::ApiError;
use super::{Http, voices};

/// The account as its holder sees it. Nobody bills here, so that nothing runs out.
async fn account_resource(http: &Http, account: &Account) -> Result<accounts::Account, ApiError> {
    let name = http.storage.accounts.name(account.0).await?;
    Ok(accounts::Account {
        account_id: AccountId::new(account.0.0),
        name: name.unwrap_or_default(),
        billing_url: http.public_url.rest("/api/accounts/me/billing"),
        free_time_used: "0s".to_owned(),
        free_time_remaining: "0s".to_owned(),
        has_active_subscription: true,
        subscription_tier: None,
        subscription_cadence: None,
        subscription_expiration: None,
        subscription_scheduled_update: None,
        subscription_renewal: None,
        active_calls: http.storage.catalog.count_live(account.0).await?,
        allowed_concurrent_calls: Some(http.calls.most(account.0) as u64),
        allowed_voices: Some(voices::MOST.all.into()),
        allowed_corpora: Some(u64::from(http.corpora.corpora_per_account)),
    })
}

/// A day, counted from the beginning of 1970.
pub(super) fn day(number: i64) -> Day {
    // Nothing was created before 1970 or after the last year there is.
    Day(date(1970, 1, 1).saturating_add(i32::try_from(number).unwrap_or(0).days()))
}

/// Units of six seconds as minutes.
pub(super) fn minutes(units: i64) -> f64 {
    units as f64 / 10.0
}
