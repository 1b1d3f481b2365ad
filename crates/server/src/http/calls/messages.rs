//! `GET /api/calls/{call_id}/messages`: lists what was said (protocol.md 2.4, 2.8).

use antiphon_api::rest::calls::{ListCallMessages, Message, MessagesMode};
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::page::{page, window};
use super::super::request::Requested;
use super::own_call;
use crate::call::last_stage_of;
use crate::storage::{MessageChoice, Slice, StoredMessage};

pub(in crate::http) async fn messages(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListCallMessages>,
) -> Answered<ListCallMessages> {
    let call = own_call(&http, &account, request.path).await?;
    let choice = match request.query.mode {
        None | Some(MessagesMode::LastStage) => last_stage_of(&http.storage, &call).await?.messages(),
        Some(MessagesMode::InCall) => MessageChoice::InCall,
    };
    let window = window(request.query.cursor.as_deref(), request.query.page_size)?;
    let calls = &http.storage.calls;
    let slice = calls.messages(call.id, choice, window).await?;
    let total = calls.count_messages(call.id, choice).await?;
    let items = slice.items.into_iter().map(|(place, stored)| (place, message(stored))).collect();
    Ok(Answer(page(&http.public_url, &request.uri, &window, Slice { items, more: slice.more }, total)))
}

/// A message as clients see it.
pub(super) fn message(stored: StoredMessage) -> Message {
    Message {
        call_stage_id: Some(stored.stage),
        call_stage_message_index: Some(stored.index),
        ..stored.message
    }
}
