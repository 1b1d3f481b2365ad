//! Who asks: the API key of a request, and the account it belongs to (protocol.md 0, 7.13).

use antiphon_api::Timestamp;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};

use super::Http;
use super::error::ApiError;
use crate::api_key::{ApiKey, KeyHash};
use crate::storage::AccountId;

/// The header that carries the key.
pub(super) const API_KEY: &str = "x-api-key";
/// Its equivalent that browsers of other origins may send (protocol.md A-66).
pub(super) const UNSAFE_API_KEY: &str = "x-unsafe-api-key";

/// A key that the configuration names, which cannot be revoked over the API.
#[derive(Debug, Clone)]
pub(crate) struct ConfiguredKey {
    /// What it is called there.
    pub(crate) name: String,
    pub(crate) hash: KeyHash,
    /// Whose it is.
    pub(crate) account: AccountId,
}

/// The account whose key the request carries. A handler that takes one cannot be reached without a key.
pub(super) struct Account(pub(super) AccountId, Key);

/// The key that a request carries.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// One of the configuration, by its name there.
    Configured(String),
    /// One of the database, by its prefix.
    Kept(String),
}

impl Account {
    /// What the key is known by: its prefix, or its name in the configuration.
    pub(super) fn key_name(&self) -> &str {
        match &self.1 {
            Key::Configured(name) | Key::Kept(name) => name,
        }
    }
}

impl FromRequestParts<Http> for Account {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, http: &Http) -> Result<Self, ApiError> {
        let Some(key) = key(&parts.headers) else {
            return Err(unauthorized("the request has no API key; send it in the header X-API-Key"));
        };
        let account = account_of(http, key).await?;
        http.limits.count(account.0, &account.1)?;
        Ok(account)
    }
}

fn unauthorized(detail: &str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, detail)
}

fn key(headers: &HeaderMap) -> Option<&str> {
    [API_KEY, UNSAFE_API_KEY].into_iter().find_map(|name| headers.get(name)?.to_str().ok())
}

async fn account_of(http: &Http, text: &str) -> Result<Account, ApiError> {
    let hash = KeyHash::of(text);
    // All are compared, so that the time does not tell which one was near.
    let configured = http.configured_keys.get();
    let matching = configured.iter().fold(None, |found, configured| match configured.hash.matches(&hash) {
        true => Some(configured),
        false => found,
    });
    if let Some(configured) = matching {
        return Ok(Account(configured.account, Key::Configured(configured.name.clone())));
    }
    let stored = match text.parse::<ApiKey>() {
        Ok(key) => http.storage.keys.find(key.prefix()).await?,
        Err(_) => None,
    };
    let stored = stored
        .filter(|stored| stored.hash.matches(&hash))
        .ok_or_else(|| unauthorized("the API key is not valid"))?;
    // Why it opens nothing is told only to whoever has the whole key.
    if stored.revoked.is_some() {
        return Err(unauthorized("the API key was revoked; use another one"));
    }
    if !stored.is_valid(Timestamp::from(jiff::Timestamp::now())) {
        return Err(unauthorized("the API key has expired; use another one"));
    }
    Ok(Account(stored.account, Key::Kept(stored.prefix)))
}
