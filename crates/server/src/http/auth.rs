//! Who asks: the API key of a request, and the account it belongs to (protocol.md 0, 7.13).

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

/// The account whose key the request carries. A handler that takes one cannot be reached without a key.
pub(super) struct Account(pub(super) AccountId);

impl FromRequestParts<Http> for Account {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, http: &Http) -> Result<Self, ApiError> {
        let Some(key) = key(&parts.headers) else {
            return Err(unauthorized("the request has no API key; send it in the header X-API-Key"));
        };
        account_of(http, key).await?.map(Self).ok_or_else(|| unauthorized("the API key is not valid"))
    }
}

fn unauthorized(detail: &str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, detail)
}

fn key(headers: &HeaderMap) -> Option<&str> {
    [API_KEY, UNSAFE_API_KEY].into_iter().find_map(|name| headers.get(name)?.to_str().ok())
}

async fn account_of(http: &Http, key: &str) -> Result<Option<AccountId>, ApiError> {
    let hash = KeyHash::of(key);
    // All are compared, so that the time does not tell which one was near.
    let configured = http.configured_keys.iter().filter(|configured| configured.matches(&hash)).count();
    if configured > 0 {
        return Ok(Some(http.default_account));
    }
    let Ok(key) = key.parse::<ApiKey>() else { return Ok(None) };
    let stored = http.storage.keys.find(key.prefix()).await?;
    Ok(stored
        .filter(|stored| stored.hash.matches(&hash) && stored.revoked.is_none())
        .map(|stored| stored.account))
}
