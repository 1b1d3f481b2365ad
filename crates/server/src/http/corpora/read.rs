//! `GET /api/corpora/{corpus_id}`: reads one corpus.

use antiphon_api::rest::corpora::ReadCorpus;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::request::Requested;
use super::{corpus_resource, own_corpus};

pub(in crate::http) async fn read(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReadCorpus>,
) -> Answered<ReadCorpus> {
    Ok(Answer(corpus_resource(own_corpus(&http, &account, request.path).await?)))
}
