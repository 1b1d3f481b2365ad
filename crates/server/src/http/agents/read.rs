//! `GET /api/agents/{agent_id}`: reads one agent.

use antiphon_api::rest::agents::ReadAgent;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::request::Requested;
use super::{agent_resource, own_agent};

pub(in crate::http) async fn read(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReadAgent>,
) -> Answered<ReadAgent> {
    Ok(Answer(agent_resource(&own_agent(&http, &account, request.path).await?)))
}
