//! `GET /api/agents/{agent_id}/calls`: lists the agent's calls, newest first.

use antiphon_api::rest::agents::ListAgentCalls;
use axum::extract::State;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::page::{page, window};
use super::super::super::request::Requested;
use super::super::own_agent;
use crate::call::resource::call_resource;
use crate::storage::{CallFilter, CallKey, CallSort, Slice};

pub(in crate::http) async fn list(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListAgentCalls>,
) -> Answered<ListAgentCalls> {
    let agent = own_agent(&http, &account, request.path).await?;
    let filter = CallFilter { agents: vec![agent.id], ..CallFilter::default() };
    let sort = CallSort { by: CallKey::Created, descending: true };
    let window = window(request.query.cursor.as_deref(), request.query.page_size)?;
    let catalog = &http.storage.catalog;
    let slice = catalog.list(account.0, &filter, sort, window).await?;
    let total = match slice.whole(&window) {
        Some(total) => total,
        None => catalog.count(account.0, &filter).await?,
    };
    let items = slice.items.iter();
    let items = items.map(|call| (call.sort_place(sort.by), call_resource(call, &http.public_url))).collect();
    Ok(Answer(page(&http.public_url, &request.uri, &window, Slice { items, more: slice.more }, total)))
}
