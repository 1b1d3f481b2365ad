//! `POST /api/corpora/{corpus_id}/sources`: adds a source to a corpus. It is loaded afterwards.

use antiphon_api::CorpusSourceId;
use antiphon_api::rest::corpora::CreateCorpusSource;
use axum::extract::State;
use axum::http::StatusCode;
use uuid::Uuid;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::error::ApiError;
use super::super::super::request::Requested;
use super::super::{now, own_corpus, strict};
use super::{source_resource, spec};
use crate::storage::StoredSource;

/// Sources that a corpus may have (protocol.md 12).
const MOST: u32 = 20;

pub(in crate::http) async fn create(
    State(http): State<Http>,
    account: Account,
    request: Requested<CreateCorpusSource>,
) -> Answered<CreateCorpusSource> {
    strict(&http, request.ignored)?;
    let corpus = own_corpus(&http, &account, request.path).await?;
    let source = StoredSource {
        id: CorpusSourceId::new(Uuid::new_v4()),
        corpus: corpus.id,
        spec: spec(&http, corpus.id, &request.body).await?,
        name: request.body.name.unwrap_or_default(),
        description: request.body.description.unwrap_or_default(),
        created: now(),
        revision: 0,
        loading: true,
        updated: None,
        documents: 0,
    };
    if http.storage.corpora.insert_source(&source, MOST).await? {
        http.retrieval.ring();
        return Ok(Answer(source_resource(source)));
    }
    // The corpus may have gone meanwhile.
    own_corpus(&http, &account, corpus.id).await?;
    let detail = format!("a corpus has at most {MOST} sources; delete one, or make another corpus");
    Err(ApiError::new(StatusCode::BAD_REQUEST, detail))
}
