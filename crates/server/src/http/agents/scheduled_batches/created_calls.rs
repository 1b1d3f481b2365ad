//! `GET /api/agents/{agent_id}/scheduled_batches/{batch_id}/created_calls`: lists the calls that were created, in the batch's order.

use antiphon_api::rest::scheduled_batches::ListCreatedCalls;
use axum::extract::State;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::page::{page, window};
use super::super::super::request::Requested;
use super::own_batch;
use crate::call::resource::call_resource;
use crate::storage::Slice;

pub(in crate::http) async fn created_calls(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListCreatedCalls>,
) -> Answered<ListCreatedCalls> {
    let batch = own_batch(&http, &account, request.path).await?.id;
    let window = window(request.query.cursor.as_deref(), request.query.page_size)?;
    let slice = http.storage.batches.created_calls(batch, window).await?;
    let total = match slice.whole(&window) {
        Some(total) => total,
        None => http.storage.batches.count_created_calls(batch).await?,
    };
    let items = slice.items.iter().map(|(place, call)| (*place, call_resource(call, &http.public_url)));
    let slice = Slice { items: items.collect(), more: slice.more };
    Ok(Answer(page(&http.public_url, &request.uri, &window, slice, total)))
}
