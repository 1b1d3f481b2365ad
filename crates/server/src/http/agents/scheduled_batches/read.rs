//! `GET /api/agents/{agent_id}/scheduled_batches/{batch_id}`: reads one batch, without its calls.

use antiphon_api::rest::scheduled_batches::ReadBatch;
use axum::extract::State;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::request::Requested;
use super::{batch_resource, own_batch};

pub(in crate::http) async fn read(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReadBatch>,
) -> Answered<ReadBatch> {
    Ok(Answer(batch_resource(own_batch(&http, &account, request.path).await?)))
}
