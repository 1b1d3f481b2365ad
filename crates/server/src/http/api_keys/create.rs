//! `POST /api/api_keys`: makes a key, and shows it this once (protocol.md 7.13).

use antiphon_api::Secret;
use antiphon_api::rest::api_keys::{ApiKeyRequest, CreateApiKey, NewApiKey};
use axum::extract::State;
use axum::http::StatusCode;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::{ApiError, internal};
use super::super::request::Requested;
use super::{now, prefix};
use crate::storage::{MakeKeyError, NewKey};

/// How many keys an account may have, those that were revoked included.
const MOST: u64 = 1_000;

pub(in crate::http) async fn create(
    State(http): State<Http>,
    account: Account,
    request: Requested<CreateApiKey>,
) -> Answered<CreateApiKey> {
    if http.server.strict_fields && !request.ignored.is_empty() {
        return Err(ApiError::fields(request.ignored, "does not exist; leave it out"));
    }
    let ApiKeyRequest { name, expiry_date } = request.body;
    let now = now();
    if expiry_date.is_some_and(|expiry| expiry <= now) {
        return Err(ApiError::field("expiryDate", "has passed already; choose a later one, or leave it out"));
    }
    if http.storage.keys.count_keys(account.0).await? >= MOST {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            format!("an account has at most {MOST} keys; delete some that are revoked or expired first"),
        ));
    }
    let new = NewKey {
        account: account.0,
        name,
        creator: Some(account.key_name().to_owned()),
        expires: expiry_date,
    };
    let (key, stored) = http.storage.make_key(new, now).await?;
    Ok(Answer(NewApiKey {
        prefix: prefix(&stored.prefix)?,
        created: stored.created,
        creator: stored.creator,
        secret: Secret::new(key.expose()),
        revoked: false,
        name: stored.name,
        expiry_date: stored.expires,
    }))
}

impl From<MakeKeyError> for ApiError {
    fn from(error: MakeKeyError) -> Self {
        match error {
            MakeKeyError::Randomness(error) => {
                tracing::error!(%error, "a key cannot be made");
                internal()
            }
            MakeKeyError::Storage(error) => error.into(),
        }
    }
}
