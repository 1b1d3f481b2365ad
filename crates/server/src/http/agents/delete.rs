//! `DELETE /api/agents/{agent_id}`: removes an agent. Its calls stay, and those in progress go on.

use antiphon_api::endpoint::NoBody;
use antiphon_api::rest::agents::DeleteAgent;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::request::Requested;
use super::no_agent;

pub(in crate::http) async fn delete(
    State(http): State<Http>,
    account: Account,
    request: Requested<DeleteAgent>,
) -> Answered<DeleteAgent> {
    match http.storage.agents.delete_agent(account.0, request.path).await? {
        true => Ok(Answer(NoBody)),
        false => Err(no_agent()),
    }
}
