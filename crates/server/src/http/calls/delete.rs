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
use super::own_call;
use crate::call::DeleteError;
use crate::storage::Deletion;

pub(in crate::http) async fn delete(
    State(http): State<Http>,
    account: Account,
    request: Requested<DeleteCall>,
) -> Answered<DeleteCall> {
    let call = own_call(&http, &account, request.path).await?;
    // A call whose end is recorded may still have messages on their way to the database.
    if http.calls.is_live(call.id) || call.ended.is_none() {
        return Err(too_early());
    }
    let now = jiff::Timestamp::now().into();
    let deletion = http.calls.delete(account.0, call.id, now).await.map_err(|error| match error {
        DeleteError::Recording(error) => {
            tracing::error!(call = %call.id, %error, "a recording cannot be removed");
            ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the recording of the call cannot be removed; try again",
            )
        }
        DeleteError::Objects(error) => {
            tracing::error!(call = %call.id, %error, "a call cannot be deleted");
            ApiError::no_objects("the recording or the journal of the call")
        }
        DeleteError::Storage(error) => error.into(),
    })?;
    match deletion {
        Deletion::Deleted => Ok(Answer(NoBody)),
        Deletion::Live => Err(too_early()),
        Deletion::Unknown => Err(ApiError::no_call()),
    }
}

fn too_early() -> ApiError {
    ApiError::new(StatusCode::TOO_EARLY, "the call has not ended; end it first, or try again when it has")
}
