//! `/api/call_throttles`: one operation a file (protocol.md 7.10). What they share: finding a throttle that the asker may use, and
//! showing it.

pub(super) mod create;
pub(super) mod delete;
pub(super) mod list;
pub(super) mod read;
pub(super) mod replace;
pub(super) mod update;

use antiphon_api::ThrottleId;
use antiphon_api::rest::call_throttles::{CallThrottle, CallThrottleRequest};
use axum::http::StatusCode;

use super::Http;
use super::auth::Account;
use super::error::ApiError;
use crate::storage::{AccountId, StoredThrottle};

/// The account's throttle with this id. Another account's throttle is no throttle.
async fn own_throttle(http: &Http, account: &Account, id: ThrottleId) -> Result<StoredThrottle, ApiError> {
    http.storage.throttles.find_throttle(account.0, id).await?.ok_or_else(no_throttle)
}

fn no_throttle() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "there is no such throttle")
}

/// The throttle that a request refers to by its id or else its name, if it refers to one (protocol.md A-70).
pub(super) async fn named(
    http: &Http,
    account: AccountId,
    name: Option<&str>,
) -> Result<Option<StoredThrottle>, ApiError> {
    let Some(name) = name else { return Ok(None) };
    let throttles = &http.storage.throttles;
    let by_id = match name.parse::<ThrottleId>() {
        Ok(id) => throttles.find_throttle(account, id).await?,
        Err(_) => None,
    };
    let found = match by_id {
        None => throttles.throttle_named(account, name).await?,
        found => found,
    };
    match found {
        None => Err(ApiError::field("throttle", format!("{name:?} names no throttle"))),
        found => Ok(found),
    }
}

fn throttle_resource(throttle: StoredThrottle) -> CallThrottle {
    CallThrottle {
        throttle_id: throttle.id,
        name: throttle.name,
        created: throttle.created,
        rules: throttle.rules,
    }
}

/// What a throttle is set to by a request.
fn settings(throttle: &StoredThrottle) -> CallThrottleRequest {
    CallThrottleRequest { name: throttle.name.clone(), rules: throttle.rules.clone() }
}

fn name_taken(name: &str) -> ApiError {
    ApiError::field("name", format!("another throttle is called {name:?}; choose another name"))
}
