//! `DELETE /api/agents/{agent_id}/scheduled_batches/{batch_id}`: removes a batch. Calls that were created stay.

use antiphon_api::endpoint::NoBody;
use antiphon_api::rest::scheduled_batches::DeleteBatch;
use axum::extract::State;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::request::Requested;
use super::super::own_agent;
use super::no_batch;

pub(in crate::http) async fn delete(
    State(http): State<Http>,
    account: Account,
    request: Requested<DeleteBatch>,
) -> Answered<DeleteBatch> {
    let (agent, batch) = request.path;
    own_agent(&http, &account, agent).await?;
    match http.storage.batches.delete_batch(account.0, agent, batch).await? {
        true => Ok(Answer(NoBody)),
        false => Err(no_batch()),
    }
}
