//! `GET /api/corpora/{corpus_id}/sources/{source_id}/documents/{document_id}`: reads one document.

use antiphon_api::rest::corpora::ReadCorpusDocument;
use axum::extract::State;
use axum::http::StatusCode;

use super::super::super::super::Http;
use super::super::super::super::answer::{Answer, Answered};
use super::super::super::super::auth::Account;
use super::super::super::super::error::ApiError;
use super::super::super::super::request::Requested;
use super::super::own_source;
use super::document_resource;

pub(in crate::http) async fn read(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReadCorpusDocument>,
) -> Answered<ReadCorpusDocument> {
    let (corpus, source, document) = request.path;
    let source = own_source(&http, &account, (corpus, source)).await?;
    let document = http.storage.passages.find_document(source.id, document).await?;
    let document =
        document.ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "there is no such document"))?;
    Ok(Answer(document_resource(document)))
}
