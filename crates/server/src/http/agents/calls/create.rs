//! `POST /api/agents/{agent_id}/calls`: creates a call from an agent's template (protocol.md 2.2).

use antiphon_api::rest::agents::StartAgentCall;
use axum::extract::State;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::call_throttles::named;
use super::super::super::error::ApiError;
use super::super::super::request::Requested;
use super::super::own_agent;
use crate::call::resource::call_resource;
use crate::call::{CreateOptions, agents};
use crate::storage::CallAgent;

pub(in crate::http) async fn create(
    State(http): State<Http>,
    account: Account,
    request: Requested<StartAgentCall>,
) -> Answered<StartAgentCall> {
    let agent = own_agent(&http, &account, request.path).await?;
    let throttle = named(&http, account.0, request.query.throttle.as_deref()).await?;
    if http.server.strict_fields && !request.ignored.is_empty() {
        return Err(ApiError::fields(request.ignored, "cannot be set for a call of an agent; leave it out"));
    }
    let of = CallAgent { id: agent.id, name: agent.name, revision: agent.revision.id };
    let (call, of_agent) = agents::request(of, &agent.revision.template, request.body)?;
    let options = CreateOptions {
        greeting_prompt: true,
        prior_call: None,
        agent: Some(of_agent),
        ignored_fields: request.ignored,
        throttle: throttle.map(|throttle| throttle.id),
        ..CreateOptions::default()
    };
    let call = http.calls.create(account.0, call, options).await?;
    Ok(Answer(call_resource(&call, &http.public_url)))
}
