//! `/api/agents`: one operation a file. What they share: finding an agent that is the asker's own, checking it, and showing it.

pub(super) mod calls;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod list;
pub(super) mod read;
pub(super) mod scheduled_batches;
pub(super) mod telephony_xml;
pub(super) mod update;
pub(super) mod usage;

use antiphon_api::rest::agents::{Agent, AgentStatistics, CallTemplate};
use antiphon_api::{AgentId, AgentRevisionId, Timestamp};
use axum::http::StatusCode;
use uuid::Uuid;

use super::auth::Account;
use super::error::ApiError;
use super::{Http, merge};
use crate::call::{SetupError, agents};
use crate::storage::{StoredAgent, StoredRevision};

/// The account's agent with this id. Another account's agent is no agent.
pub(super) async fn own_agent(http: &Http, account: &Account, id: AgentId) -> Result<StoredAgent, ApiError> {
    http.storage.agents.find_agent(account.0, id).await?.ok_or_else(no_agent)
}

fn no_agent() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "there is no such agent")
}

/// A new revision of an agent, if calls can be made of it.
fn revision(template: CallTemplate) -> Result<StoredRevision, ApiError> {
    if let Some(field) = merge::hidden(&template) {
        let message =
            format!("is {:?}, which stands for a secret; send the secret itself", antiphon_api::HIDDEN);
        return Err(ApiError::field(&format!("callTemplate.{field}"), message));
    }
    agents::check(&template)?;
    // What it says of itself is the agent's own.
    let template = CallTemplate { name: None, created: None, updated: None, ..template };
    Ok(StoredRevision { id: AgentRevisionId::new(Uuid::new_v4()), created: now(), template })
}

/// An agent as clients see it. Secrets stay behind here.
fn agent_resource(agent: &StoredAgent) -> Agent {
    let template = CallTemplate {
        name: Some(agent.name.clone()),
        created: Some(agent.created),
        updated: Some(agent.revision.created),
        ..agent.revision.template.without_secrets()
    };
    Agent {
        agent_id: agent.id,
        published_revision_id: Some(agent.revision.id),
        name: agent.name.clone(),
        created: agent.created,
        call_template: Some(template),
        statistics: AgentStatistics { calls: agent.calls },
    }
}

fn now() -> Timestamp {
    Timestamp::from(jiff::Timestamp::now())
}

impl From<SetupError> for ApiError {
    fn from(error: SetupError) -> Self {
        Self::field(&error.field, error.message)
    }
}
