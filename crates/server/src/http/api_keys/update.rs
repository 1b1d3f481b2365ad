//! `PUT` and `PATCH /api/api_keys/{api_key_prefix}`: revoke a key. What else may be in the body cannot be changed and is ignored, so
//! that what was read can be sent back.

use antiphon_api::ApiKeyPrefix;
use antiphon_api::rest::api_keys::{ApiKey, ApiKeyChange, ReplaceApiKey, UpdateApiKey};
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::request::Requested;
use super::{key_resource, own_key, part_with};
use crate::storage::Farewell;

pub(in crate::http) async fn update(
    State(http): State<Http>,
    account: Account,
    request: Requested<UpdateApiKey>,
) -> Answered<UpdateApiKey> {
    Ok(Answer(changed(&http, &account, &request.path, &request.body).await?))
}

pub(in crate::http) async fn replace(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReplaceApiKey>,
) -> Answered<ReplaceApiKey> {
    Ok(Answer(changed(&http, &account, &request.path, &request.body).await?))
}

async fn changed(
    http: &Http,
    account: &Account,
    prefix: &ApiKeyPrefix,
    change: &ApiKeyChange,
) -> Result<ApiKey, ApiError> {
    let key = own_key(http, account, prefix).await?;
    match (change.revoked, key.revoked) {
        (None, _) | (Some(false), None) | (Some(true), Some(_)) => key_resource(key),
        (Some(false), Some(_)) => {
            Err(ApiError::field("revoked", "cannot be undone; make another key with POST /api/api_keys"))
        }
        (Some(true), None) => {
            part_with(http, account, prefix, Farewell::Revoked).await?;
            key_resource(own_key(http, account, prefix).await?)
        }
    }
}
