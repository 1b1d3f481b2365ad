//! `PATCH /api/agents/{agent_id}`: changes an agent, and publishes what it is then (protocol.md ). Calls that there are keep
//! what they have.

use antiphon_api::json::{Source, from_value};
use antiphon_api::rest::agents::{AgentRequest, UpdateAgent};
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::merge;
use super::super::request::Requested;
use super::{agent_resource, own_agent, revision};
use crate::storage::StoredAgent;

/// How often a change is tried that another one keeps getting ahead of.
const ATTEMPTS: usize = 8;

pub(in crate::http) async fn update(
    State(http): State<Http>,
    account: Account,
    request: Requested<UpdateAgent>,
) -> Answered<UpdateAgent> {
    for _ in 0..ATTEMPTS {
        let known = own_agent(&http, &account, request.path).await?;
        let whole = AgentRequest {
            name: Some(known.name.clone()),
            call_template: Some(known.revision.template.clone()),
        };
        let whole = serde_json::to_value(&whole).expect("wire types have string keys");
        let merged = merge::merged(whole, &Value::Object(request.body.changes.clone()));
        let parsed = from_value::<AgentRequest>(&merged, Source::RequestBody)?;
        if http.server.strict_fields && !parsed.ignored.is_empty() {
            return Err(ApiError::fields(parsed.ignored, "does not exist; leave it out"));
        }
        let AgentRequest { name, call_template } = parsed.value;
        let agent = StoredAgent {
            name: name.ok_or_else(|| ApiError::field("name", "an agent has one; leave it out to keep it"))?,
            revision: revision(call_template.unwrap_or_default())?,
            ..known.clone()
        };
        if http.storage.agents.update_agent(&agent, known.revision.id).await? {
            return Ok(Answer(agent_resource(&agent)));
        }
    }
    Err(ApiError::new(StatusCode::CONFLICT, "others keep changing this agent at the same time; try again"))
}
