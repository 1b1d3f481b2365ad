//! `POST /api/corpora/{corpus_id}/query`: finds what of a corpus fits a query.

use antiphon_api::rest::corpora::QueryCorpus;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::request::Requested;
use super::{own_corpus, strict};
use crate::retrieval::{USUAL_RESULTS, result};

pub(in crate::http) async fn query(
    State(http): State<Http>,
    account: Account,
    request: Requested<QueryCorpus>,
) -> Answered<QueryCorpus> {
    strict(&http, request.ignored)?;
    let corpus = own_corpus(&http, &account, request.path).await?;
    if request.body.query.trim().is_empty() {
        return Err(ApiError::field("query", "there is nothing to look for; write a question or some words"));
    }
    let most = request.body.max_results.unwrap_or(USUAL_RESULTS);
    let found = http.retrieval.search(corpus.id, &request.body.query, most).await?;
    Ok(Answer(found.into_iter().map(result).collect()))
}
