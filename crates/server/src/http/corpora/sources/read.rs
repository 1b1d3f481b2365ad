//! `GET /api/corpora/{corpus_id}/sources/{source_id}`: reads one source.

use antiphon_api::rest::corpora::ReadCorpusSource;
use axum::extract::State;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::request::Requested;
use super::{own_source, source_resource};

pub(in crate::http) async fn read(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReadCorpusSource>,
) -> Answered<ReadCorpusSource> {
    Ok(Answer(source_resource(own_source(&http, &account, request.path).await?)))
}
