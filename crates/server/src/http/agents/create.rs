//! `POST /api/agents`: creates an agent (protocol.md 7.2).

use antiphon_api::AgentId;
use antiphon_api::rest::agents::{AgentRequest, CreateAgent};
use axum::extract::State;
use uuid::Uuid;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::request::Requested;
use super::{agent_resource, now, revision};
use crate::storage::StoredAgent;

/// What an agent is called that nobody has named.
const UNNAMED: &str = "Unnamed agent";

pub(in crate::http) async fn create(
    State(http): State<Http>,
    account: Account,
    request: Requested<CreateAgent>,
) -> Answered<CreateAgent> {
    if http.server.strict_fields && !request.ignored.is_empty() {
        return Err(ApiError::fields(request.ignored, "does not exist; leave it out"));
    }
    let AgentRequest { name, call_template } = request.body;
    let agent = StoredAgent {
        id: AgentId::new(Uuid::new_v4()),
        account: account.0,
        name: name.unwrap_or_else(|| UNNAMED.to_owned()),
        created: now(),
        revision: revision(call_template.unwrap_or_default())?,
        calls: 0,
    };
    http.storage.agents.insert_agent(&agent).await?;
    Ok(Answer(agent_resource(&agent)))
}
