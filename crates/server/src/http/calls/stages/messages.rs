//! `GET /api/calls/{call_id}/stages/{stage_id}/messages`: lists the history that a stage goes on with.

pub(in crate::http) mod audio;

use antiphon_api::rest::calls::ListStageMessages;
use axum::extract::State;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::page::{page, window};
use super::super::super::request::Requested;
use super::super::messages::message;
use super::super::own_call;
use super::own_stage;
use crate::storage::Slice;

pub(in crate::http) async fn messages(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListStageMessages>,
) -> Answered<ListStageMessages> {
    let (call, stage) = request.path;
    let call = own_call(&http, &account, call).await?;
    let choice = own_stage(&http, &call, stage).await?.messages();
    let window = window(request.query.cursor.as_deref(), request.query.page_size)?;
    let calls = &http.storage.calls;
    let slice = calls.messages(call.id, choice, window).await?;
    let total = calls.count_messages(call.id, choice).await?;
    let items = slice.items.into_iter().map(|(place, stored)| (place, message(stored))).collect();
    Ok(Answer(page(&http.public_url, &request.uri, &window, Slice { items, more: slice.more }, total)))
}
