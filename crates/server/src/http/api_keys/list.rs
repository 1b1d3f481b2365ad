//! `GET /api/api_keys`: lists the account's keys, newest first.

use antiphon_api::Timestamp;
use antiphon_api::rest::api_keys::ListApiKeys;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::page::{Place, page, window};
use super::super::request::Requested;
use super::key_resource;
use crate::storage::{KeyPlace, Slice};

impl Place for KeyPlace {
    fn write(self) -> String {
        format!("{}.{}", self.created.unix_micros(), self.prefix)
    }

    fn read(text: &str) -> Option<Self> {
        let (created, prefix) = text.split_once('.')?;
        let created = Timestamp::from_unix_micros(created.parse().ok()?).ok()?;
        Some(Self { created, prefix: prefix.to_owned() })
    }
}

pub(in crate::http) async fn list(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListApiKeys>,
) -> Answered<ListApiKeys> {
    let window = window(request.query.cursor.as_deref(), request.query.page_size)?;
    let slice = http.storage.keys.keys(account.0, window.clone()).await?;
    let total = http.storage.keys.count_keys(account.0).await?;
    let item = |key: crate::storage::StoredKey| Ok((key.place(), key_resource(key)?));
    let items = slice.items.into_iter().map(item).collect::<Result<_, ApiError>>()?;
    Ok(Answer(page(&http.public_url, &request.uri, &window, Slice { items, more: slice.more }, total)))
}
