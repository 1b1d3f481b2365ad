//! `/api/api_keys`: one operation a file. What they share: showing a key, and letting one go.

pub(super) mod create;
pub(super) mod delete;
pub(super) mod list;
pub(super) mod read;
pub(super) mod update;

use antiphon_api::rest::api_keys::ApiKey;
use antiphon_api::{ApiKeyPrefix, Timestamp};
use axum::http::StatusCode;

use super::Http;
use super::auth::Account;
use super::error::{ApiError, internal};
use crate::storage::{Farewell, Parting, StoredKey};

/// The account's key with this prefix. Another account's key is no key.
async fn own_key(http: &Http, account: &Account, prefix: &ApiKeyPrefix) -> Result<StoredKey, ApiError> {
    let key = http.storage.keys.find(prefix.as_str()).await?;
    key.filter(|key| key.account == account.0).ok_or_else(no_key)
}

/// Lets a key go, unless nobody could use the account then.
async fn part_with(
    http: &Http,
    account: &Account,
    prefix: &ApiKeyPrefix,
    farewell: Farewell,
) -> Result<(), ApiError> {
    let other_way = http.configured_keys.get().iter().any(|key| key.account == account.0);
    let keys = &http.storage.keys;
    match keys.part_with(account.0, prefix.as_str(), farewell, now(), other_way).await? {
        Parting::Gone => Ok(()),
        Parting::Last => Err(ApiError::new(
            StatusCode::CONFLICT,
            "this is the account's last valid key, without which nobody could use the account; make another one first",
        )),
        Parting::Unknown => Err(no_key()),
    }
}

fn no_key() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "there is no such API key")
}

/// A key as its owner sees it: without the key.
fn key_resource(key: StoredKey) -> Result<ApiKey, ApiError> {
    Ok(ApiKey {
        prefix: prefix(&key.prefix)?,
        created: key.created,
        creator: key.creator,
        name: key.name,
        expiry_date: key.expires,
        revoked: key.revoked.is_some(),
    })
}

fn prefix(text: &str) -> Result<ApiKeyPrefix, ApiError> {
    text.parse().map_err(|error| {
        tracing::error!(prefix = text, %error, "a key is kept under a prefix that is none");
        internal()
    })
}

fn now() -> Timestamp {
    Timestamp::from(jiff::Timestamp::now())
}
