//! `GET /api/tools/{tool_id}/history`: lists the calls that had a tool, newest first.

use antiphon_api::rest::tools::{ListToolHistory, ToolHistory};
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::page::{page, window};
use super::super::request::Requested;
use super::own_tool;
use crate::call::resource::call_resource;
use crate::storage::{CallPlace, Slice};

pub(in crate::http) async fn history(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListToolHistory>,
) -> Answered<ListToolHistory> {
    let tool = own_tool(&http, &account, request.path).await?;
    let window = window(request.query.cursor.as_deref(), request.query.page_size)?;
    let slice = http.storage.tools.tool_history(account.0, tool.id, window).await?;
    let total = http.storage.tools.count_tool_history(account.0, tool.id).await?;
    let item = |(call, error_count)| {
        let call: &crate::storage::StoredCall = call;
        let place = CallPlace { created: call.created, id: call.id };
        (place, ToolHistory { call: call_resource(call, &http.public_url), error_count })
    };
    let items = slice.items.iter().map(|(call, errors)| item((call, *errors))).collect();
    Ok(Answer(page(&http.public_url, &request.uri, &window, Slice { items, more: slice.more }, total)))
}
