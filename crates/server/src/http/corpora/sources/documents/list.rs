//! `GET /api/corpora/{corpus_id}/sources/{source_id}/documents`: lists a source's documents, oldest first.

use antiphon_api::Timestamp;
use antiphon_api::rest::corpora::{CorpusPageQuery, ListCorpusDocuments};
use axum::extract::State;

use super::super::super::super::Http;
use super::super::super::super::answer::{Answer, Answered};
use super::super::super::super::auth::Account;
use super::super::super::super::page::{Place, page, window};
use super::super::super::super::request::Requested;
use super::super::own_source;
use super::document_resource;
use crate::storage::{DocumentPlace, Slice, StoredDocument};

impl Place for DocumentPlace {
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
    request: Requested<ListCorpusDocuments>,
) -> Answered<ListCorpusDocuments> {
    let source = own_source(&http, &account, request.path).await?;
    let CorpusPageQuery { cursor, page_size } = request.query;
    let window = window(cursor.as_deref(), page_size)?;
    let slice = http.storage.passages.documents(source.id, window).await?;
    let total = http.storage.passages.count_documents(source.id).await?;
    let item = |document: StoredDocument| (document.place(), document_resource(document));
    let slice = Slice { items: slice.items.into_iter().map(item).collect(), more: slice.more };
    Ok(Answer(page(&http.public_url, &request.uri, &window, slice, total)))
}
