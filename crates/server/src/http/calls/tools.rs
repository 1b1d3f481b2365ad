//! `GET /api/calls/{call_id}/tools`: lists the tools that a call has in its last stage, as a plain array.

use antiphon_api::rest::calls::ListCallTools;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::request::Requested;
use super::own_call;
use super::stages::tools::tools_of;
use crate::call::last_stage_of;

pub(in crate::http) async fn tools(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListCallTools>,
) -> Answered<ListCallTools> {
    let call = own_call(&http, &account, request.path).await?;
    let stage = last_stage_of(&http.storage, &call).await?;
    Ok(Answer(tools_of(&http, &call, &stage).await?))
}
