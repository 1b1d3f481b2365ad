//! Partial updates of what is kept as a whole (protocol.md A-49): what is there, with the changes of a body, read like a request that
//! says all of it.

use antiphon_api::json::{FromJson, JsonObject, Source, from_value};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::Http;
use super::error::ApiError;
use super::merge::merged;
use super::request::insist_on_known;

/// How often a change is tried that another one keeps getting ahead of.
pub(super) const ATTEMPTS: usize = 8;

/// `known` with the changes that `patch` says, if that makes sense.
pub(super) fn patched<T: FromJson + Serialize>(
    http: &Http,
    known: &T,
    patch: &JsonObject,
) -> Result<T, ApiError> {
    let whole = serde_json::to_value(known).expect("wire types have string keys");
    let parsed = from_value::<T>(&merged(whole, &Value::Object(patch.clone())), Source::RequestBody)?;
    insist_on_known(http, parsed.ignored)?;
    Ok(parsed.value)
}

/// Others were faster every time: 409.
pub(super) fn contended(what: &str) -> ApiError {
    ApiError::new(StatusCode::CONFLICT, format!("others keep changing {what} at the same time; try again"))
}
