//! `DELETE /api/corpora/{corpus_id}`: removes a corpus with all that is in it. Calls that look things up in it find nothing any more.

use antiphon_api::endpoint::NoBody;
use antiphon_api::rest::corpora::DeleteCorpus;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::request::Requested;
use super::no_corpus;

pub(in crate::http) async fn delete(
    State(http): State<Http>,
    account: Account,
    request: Requested<DeleteCorpus>,
) -> Answered<DeleteCorpus> {
    match http.storage.corpora.delete_corpus(account.0, request.path).await? {
        true => Ok(Answer(NoBody)),
        false => Err(no_corpus()),
    }
}
