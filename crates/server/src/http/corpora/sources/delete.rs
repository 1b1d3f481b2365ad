//! `DELETE /api/corpora/{corpus_id}/sources/{source_id}`: removes a source with its documents. Uploads that it took stay.

use antiphon_api::endpoint::NoBody;
use antiphon_api::rest::corpora::DeleteCorpusSource;
use axum::extract::State;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::request::Requested;
use super::super::own_corpus;
use super::no_source;

pub(in crate::http) async fn delete(
    State(http): State<Http>,
    account: Account,
    request: Requested<DeleteCorpusSource>,
) -> Answered<DeleteCorpusSource> {
    let (corpus, source) = request.path;
    let corpus = own_corpus(&http, &account, corpus).await?;
    match http.storage.corpora.delete_source(corpus.id, source).await? {
        true => Ok(Answer(NoBody)),
        false => Err(no_source()),
    }
}
