//! `GET /api/corpora`: lists the account's corpora, newest first.

use antiphon_api::Timestamp;
use antiphon_api::rest::corpora::{CorpusPageQuery, ListCorpora};
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::page::{Place, page, window};
use super::super::request::Requested;
use super::corpus_resource;
use crate::storage::{CorpusPlace, Slice, StoredCorpus};

impl Place for CorpusPlace {
    fn write(self) -> String {
        format!("{}.{}", self.created.unix_micros(), self.id)
    }

    fn read(text: &str) -> Option<Self> {
        let (created, id) = text.split_once('.')?;
        let created = Timestamp::from_unix_micros(created.parse().ok()?).ok()?;
        Some(Self { created, id: id.parse().ok()? })
    }
}

pub(in crate::http) async fn list(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListCorpora>,
) -> Answered<ListCorpora> {
    let CorpusPageQuery { cursor, page_size } = request.query;
    let window = window(cursor.as_deref(), page_size)?;
    let slice = http.storage.corpora.corpora(account.0, window).await?;
    let total = match slice.whole(&window) {
        Some(total) => total,
        None => http.storage.corpora.count_corpora(account.0).await?,
    };
    let item = |corpus: StoredCorpus| (corpus.place(), corpus_resource(corpus));
    let slice = Slice { items: slice.items.into_iter().map(item).collect(), more: slice.more };
    Ok(Answer(page(&http.public_url, &request.uri, &window, slice, total)))
}
