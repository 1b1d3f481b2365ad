//! `POST /api/corpora`: creates a corpus.

use antiphon_api::CorpusId;
use antiphon_api::rest::corpora::{CorpusRequest, CreateCorpus};
use axum::extract::State;
use axum::http::StatusCode;
use uuid::Uuid;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::request::Requested;
use super::{corpus_resource, now, strict};
use crate::storage::{CorpusStatistics, StoredCorpus};

pub(in crate::http) async fn create(
    State(http): State<Http>,
    account: Account,
    request: Requested<CreateCorpus>,
) -> Answered<CreateCorpus> {
    strict(&http, request.ignored)?;
    let CorpusRequest { name, description } = request.body;
    let corpus = StoredCorpus {
        id: CorpusId::new(Uuid::new_v4()),
        account: account.0,
        name: name.unwrap_or_default(),
        description: description.unwrap_or_default(),
        created: now(),
        statistics: CorpusStatistics::default(),
    };
    let most = http.corpora.corpora_per_account;
    match http.storage.corpora.insert_corpus(&corpus, most).await? {
        true => Ok(Answer(corpus_resource(corpus))),
        false => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            format!(
                "an account has at most {most} corpora on this server; delete one, or have its operator raise \
                 retrieval.corpora_per_account"
            ),
        )),
    }
}
