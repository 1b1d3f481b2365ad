//! `DELETE /api/calls/{call_id}`: removes an ended call with all it left, but for a tombstone (protocol.md 1.8).

use antiphon_api::endpoint::NoBody;
use antiphon_api::rest::calls::DeleteCall;
use axum::extract::State;
use axum::http::StatusCode;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::request::Requested;
use crate::storage::Deletion;

pub(in crate::http) async fn delete(
    State(http): State<Http>,
    account: Account,
    request: Requested<DeleteCall>,
) -> Answered<DeleteCall> {
    // A call whose end is recorded may still have messages on their way to the database.
    if http.calls.is_live(request.path) {
        let own = http.storage.calls.find(request.path).await?.is_some_and(|call| call.account == account.0);
        return Err(if own { too_early() } else { ApiError::no_call() });
    }
    let now = jiff::Timestamp::now().into();
    match http.storage.calls.delete(account.0, request.path, now).await? {
        Deletion::Deleted => {
            http.calls.forget(request.path).await;
            Ok(Answer(NoBody))
        }
        Deletion::Live => Err(too_early()),
        Deletion::Unknown => Err(ApiError::no_call()),
    }
}

fn too_early() -> ApiError {
    ApiError::new(StatusCode::TOO_EARLY, "the call has not ended; end it first, or try again when it has")
}
