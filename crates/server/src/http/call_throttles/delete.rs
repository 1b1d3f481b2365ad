//! `DELETE /api/call_throttles/{throttle_id}`: removes a throttle, unless a batch that is not over counts on it.

use antiphon_api::endpoint::NoBody;
use antiphon_api::rest::call_throttles::DeleteThrottle;
use axum::extract::State;
use axum::http::StatusCode;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::request::Requested;
use super::no_throttle;
use crate::storage::ThrottleDeletion;

pub(in crate::http) async fn delete(
    State(http): State<Http>,
    account: Account,
    request: Requested<DeleteThrottle>,
) -> Answered<DeleteThrottle> {
    match http.storage.throttles.delete_throttle(account.0, request.path).await? {
        ThrottleDeletion::Deleted => Ok(Answer(NoBody)),
        ThrottleDeletion::InUse => Err(ApiError::new(
            StatusCode::CONFLICT,
            "scheduled batches that are not over count on this throttle; pause, change or delete them first",
        )),
        ThrottleDeletion::Unknown => Err(no_throttle()),
    }
}
