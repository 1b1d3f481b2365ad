//! `PUT` and `PATCH /api/corpora/{corpus_id}/sources/{source_id}`: change a source and have it loaded anew. What it had before can be
//! queried until what it has then takes its place.

use antiphon_api::rest::corpora::{CorpusSource, PatchCorpusSource, ReplaceCorpusSource};
use axum::extract::State;
use axum::http::StatusCode;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::error::ApiError;
use super::super::super::request::Requested;
use super::super::strict;
use super::{no_source, own_source, source_resource, spec};
use crate::storage::StoredSource;

pub(in crate::http) async fn replace(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReplaceCorpusSource>,
) -> Answered<ReplaceCorpusSource> {
    strict(&http, request.ignored)?;
    let known = own_source(&http, &account, request.path).await?;
    let changed = StoredSource {
        spec: spec(&http, known.corpus, &request.body).await?,
        name: request.body.name.unwrap_or_default(),
        description: request.body.description.unwrap_or_default(),
        ..known
    };
    keep(&http, &account, changed).await.map(Answer)
}

pub(in crate::http) async fn patch(
    State(http): State<Http>,
    account: Account,
    request: Requested<PatchCorpusSource>,
) -> Answered<PatchCorpusSource> {
    strict(&http, request.ignored)?;
    let known = own_source(&http, &account, request.path).await?;
    let changed = StoredSource {
        spec: match request.body.spec() {
            None => known.spec.clone(),
            Some(_) => spec(&http, known.corpus, &request.body).await?,
        },
        name: request.body.name.unwrap_or_else(|| known.name.clone()),
        description: request.body.description.unwrap_or_else(|| known.description.clone()),
        ..known
    };
    keep(&http, &account, changed).await.map(Answer)
}

async fn keep(http: &Http, account: &Account, source: StoredSource) -> Result<CorpusSource, ApiError> {
    if http.storage.corpora.update_source(&source).await? {
        http.retrieval.ring();
        return Ok(source_resource(StoredSource { loading: true, ..source }));
    }
    own_source(http, account, (source.corpus, source.id)).await.map_err(|_| no_source())?;
    Err(ApiError::new(StatusCode::CONFLICT, "somebody else changed this source at the same time; try again"))
}
