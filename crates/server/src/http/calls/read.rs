//! `GET /api/calls/{call_id}`: reads one call (protocol.md 2.4).

use antiphon_api::rest::calls::ReadCall;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::request::Requested;
use super::own_call;
use crate::call::resource::call_resource;

pub(in crate::http) async fn read(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReadCall>,
) -> Answered<ReadCall> {
    let call = own_call(&http, &account, request.path).await?;
    Ok(Answer(call_resource(&call, &http.public_url)))
}
