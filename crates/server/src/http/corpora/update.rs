//! `PUT` and `PATCH /api/corpora/{corpus_id}`: rename a corpus. Its sources stay as they are.

use antiphon_api::rest::corpora::{Corpus, CorpusRequest, PatchCorpus, ReplaceCorpus};
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::request::Requested;
use super::{corpus_resource, no_corpus, own_corpus, strict};
use crate::storage::StoredCorpus;

pub(in crate::http) async fn replace(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReplaceCorpus>,
) -> Answered<ReplaceCorpus> {
    strict(&http, request.ignored)?;
    let known = own_corpus(&http, &account, request.path).await?;
    let CorpusRequest { name, description } = request.body;
    let changed = StoredCorpus {
        name: name.unwrap_or_default(),
        description: description.unwrap_or_default(),
        ..known
    };
    keep(&http, changed).await.map(Answer)
}

pub(in crate::http) async fn patch(
    State(http): State<Http>,
    account: Account,
    request: Requested<PatchCorpus>,
) -> Answered<PatchCorpus> {
    strict(&http, request.ignored)?;
    let known = own_corpus(&http, &account, request.path).await?;
    let CorpusRequest { name, description } = request.body;
    let changed = StoredCorpus {
        name: name.unwrap_or_else(|| known.name.clone()),
        description: description.unwrap_or_else(|| known.description.clone()),
        ..known
    };
    keep(&http, changed).await.map(Answer)
}

async fn keep(http: &Http, corpus: StoredCorpus) -> Result<Corpus, ApiError> {
    match http.storage.corpora.update_corpus(&corpus).await? {
        true => Ok(corpus_resource(corpus)),
        false => Err(no_corpus()),
    }
}
