//! `GET /api/calls/{call_id}/sip_logs`: leads to what a call's SIP leg logged (protocol.md 7.6.6). There is no SIP backend so far, so that
//! there are no logs.

use antiphon_api::rest::calls::ReadCallSipLogs;
use axum::extract::State;
use axum::http::StatusCode;

use super::super::Http;
use super::super::answer::Answered;
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::request::Requested;
use super::own_call;

pub(in crate::http) async fn sip_logs(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReadCallSipLogs>,
) -> Answered<ReadCallSipLogs> {
    let call = own_call(&http, &account, request.path).await?;
    Err(match call.ended {
        None => ApiError::new(StatusCode::TOO_EARLY, "the call has not ended; ask again when it has"),
        Some(_) => ApiError::new(StatusCode::NOT_FOUND, "the call left no SIP logs: it had no SIP leg"),
    })
}
