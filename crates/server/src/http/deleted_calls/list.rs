//! `GET /api/deleted_calls`: lists what is left of deleted calls, those that were created last first.

use antiphon_api::rest::deleted_calls::ListDeletedCalls;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::calls::filter;
use super::super::page::{page, window};
use super::super::request::Requested;
use super::tombstone_resource;
use crate::storage::{CallPlace, Slice};

pub(in crate::http) async fn list(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListDeletedCalls>,
) -> Answered<ListDeletedCalls> {
    let filter = filter(&request.query.0, &http, &account).await?;
    let window = window(request.query.0.cursor.as_deref(), request.query.0.page_size)?;
    let catalog = &http.storage.catalog;
    let slice = catalog.tombstones(account.0, &filter, window).await?;
    let total = match slice.whole(&window) {
        Some(total) => Some(total),
        None => catalog.count_tombstones(account.0, &filter).await?,
    };
    let items = slice.items.iter();
    let items = items
        .map(|stone| (CallPlace { created: stone.created, id: stone.id }, tombstone_resource(stone)))
        .collect();
    Ok(Answer(page(&http.public_url, &request.uri, &window, Slice { items, more: slice.more }, total)))
}
