//! `GET /api/agents/{agent_id}/scheduled_batches`: lists an agent's batches, newest first.

use antiphon_api::rest::scheduled_batches::ListBatches;
use axum::extract::State;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::page::{page, window};
use super::super::super::request::Requested;
use super::super::own_agent;
use super::batch_resource;
use crate::storage::Slice;

pub(in crate::http) async fn list(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListBatches>,
) -> Answered<ListBatches> {
    let agent = own_agent(&http, &account, request.path).await?.id;
    let window = window(request.query.cursor.as_deref(), request.query.page_size)?;
    let slice = http.storage.batches.batches(account.0, agent, window).await?;
    let total = match slice.whole(&window) {
        Some(total) => total,
        None => http.storage.batches.count_batches(account.0, agent).await?,
    };
    let items = slice.items.into_iter().map(|batch| (batch.place(), batch_resource(batch))).collect();
    Ok(Answer(page(&http.public_url, &request.uri, &window, Slice { items, more: slice.more }, total)))
}
