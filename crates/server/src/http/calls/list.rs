//! `GET /api/calls`: lists the account's calls (protocol.md 7.14).

use antiphon_api::rest::calls::{CallSort as Sort, ListCalls};
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::page::{Place, page, window};
use super::super::request::Requested;
use super::filter::filter;
use crate::call::resource::call_resource;
use crate::storage::{CallKey, CallSort, Slice, SortPlace};

impl Place for SortPlace {
    fn write(self) -> String {
        format!("{}.{}", self.key, self.id)
    }

    fn read(text: &str) -> Option<Self> {
        let (key, id) = text.split_once('.')?;
        Some(Self { key: key.parse().ok()?, id: id.parse().ok()? })
    }
}

pub(in crate::http) async fn list(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListCalls>,
) -> Answered<ListCalls> {
    let (filter, sort) = (filter(&request.query, &http, &account).await?, order(request.query.sort));
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

fn order(sort: Option<Sort>) -> CallSort {
    let (by, descending) = match sort {
        None | Some(Sort::CreatedDescending) => (CallKey::Created, true),
        Some(Sort::Created) => (CallKey::Created, false),
        Some(Sort::BilledDuration) => (CallKey::Duration, false),
        Some(Sort::BilledDurationDescending) => (CallKey::Duration, true),
        Some(Sort::Ended) => (CallKey::Ended, false),
        Some(Sort::EndedDescending) => (CallKey::Ended, true),
        Some(Sort::Joined) => (CallKey::Joined, false),
        Some(Sort::JoinedDescending) => (CallKey::Joined, true),
    };
    CallSort { by, descending }
}
