//! `GET /api/corpora/{corpus_id}/sources`: lists a corpus's sources, newest first.

use antiphon_api::rest::corpora::{CorpusPageQuery, ListCorpusSources};
use axum::extract::State;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::page::{page, window};
use super::super::super::request::Requested;
use super::super::own_corpus;
use super::source_resource;
use crate::storage::{Slice, StoredSource};

pub(in crate::http) async fn list(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListCorpusSources>,
) -> Answered<ListCorpusSources> {
    let corpus = own_corpus(&http, &account, request.path).await?;
    let CorpusPageQuery { cursor, page_size } = request.query;
    let window = window(cursor.as_deref(), page_size)?;
    let slice = http.storage.corpora.sources(corpus.id, window).await?;
    let total = http.storage.corpora.count_sources(corpus.id).await?;
    let item = |source: StoredSource| (source.place(), source_resource(source));
    let slice = Slice { items: slice.items.into_iter().map(item).collect(), more: slice.more };
    Ok(Answer(page(&http.public_url, &request.uri, &window, slice, total)))
}
