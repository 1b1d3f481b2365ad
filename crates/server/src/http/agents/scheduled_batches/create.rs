//! `POST /api/agents/{agent_id}/scheduled_batches`: schedules calls of an agent (protocol.md 7.9).

use antiphon_api::rest::agents::{CallTemplate, StartAgentCallRequest};
use antiphon_api::rest::calls::CallMedium;
use antiphon_api::rest::scheduled_batches::{CreateBatch, ScheduledCallRequest};
use antiphon_api::{BatchId, Timestamp};
use axum::extract::State;
use axum::http::StatusCode;
use uuid::Uuid;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::call_throttles::named;
use super::super::super::error::{ApiError, internal};
use super::super::super::request::{Requested, insist_on_known};
use super::super::own_agent;
use super::{batch_resource, check_webhook, check_window};
use crate::call::{CreateOptions, SetupError, agents};
use crate::signature::new_secret;
use crate::storage::{CallAgent, StoredAgent, StoredBatch};

/// How many batches an account may have, those included that are over.
const MOST: u32 = 10_000;
/// Calls that are checked without letting others go on.
const AT_A_TIME: usize = 1_000;

pub(in crate::http) async fn create(
    State(http): State<Http>,
    account: Account,
    request: Requested<CreateBatch>,
) -> Answered<CreateBatch> {
    let agent = own_agent(&http, &account, request.path).await?;
    insist_on_known(&http, request.ignored)?;
    let (mut settings, calls) = request.body.into_parts();
    if settings.paused {
        let why = "would never begin, since a pause cannot be undone; leave it out";
        return Err(ApiError::field("paused", why));
    }
    let throttle = named(&http, account.0, settings.throttle.as_deref()).await?;
    let now = Timestamp::from(jiff::Timestamp::now());
    check_window(&settings, throttle.as_ref(), calls.len() as u64, now)?;
    insist_on_webhook(&agent.revision.template, &calls, settings.webhook_url.is_some())?;
    check_webhook(&http, &settings)?;
    check_calls(&http, &account, &agent, &calls).await?;
    if settings.webhook_url.is_some() && settings.webhook_secret.is_none() {
        settings.webhook_secret = Some(new_secret().map_err(|_| internal())?);
    }
    let batch = StoredBatch {
        id: BatchId::new(Uuid::new_v4()),
        account: account.0,
        agent: agent.id,
        created: now,
        settings,
        throttle: throttle.map(|throttle| throttle.id),
        total: calls.len() as u64,
        completed: 0,
        ended: None,
        failures: 0,
        version: 0,
    };
    match http.storage.batches.insert_batch(&batch, &calls, MOST).await? {
        true => Ok(Answer(batch_resource(batch))),
        false => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            format!("an account has at most {MOST} batches; delete some that are over"),
        )),
    }
}

/// Somebody has to be told of calls that the server does not place itself, and nobody of calls that it does.
fn insist_on_webhook(
    template: &CallTemplate,
    calls: &[ScheduledCallRequest],
    has_webhook: bool,
) -> Result<(), ApiError> {
    let to_tell = calls.iter().position(|call| {
        !call.medium.as_ref().or(template.medium.as_ref()).is_some_and(CallMedium::is_outgoing)
    });
    match (to_tell, has_webhook) {
        (Some(index), false) => Err(ApiError::field(
            "webhookUrl",
            format!(
                "is missing: calls[{index}] has no outgoing medium, so that somebody has to be told to join it"
            ),
        )),
        (None, true) => {
            let why =
                "has no use: all calls have outgoing media, which need nobody to join them; leave it out";
            Err(ApiError::field("webhookUrl", why))
        }
        (Some(_), true) | (None, false) => Ok(()),
    }
}

/// Refuses what could never become a call: all media and contexts, and the first call as a whole. What a text needs more than its
/// schema says is found out when each call is created, as the agent is then.
async fn check_calls(
    http: &Http,
    account: &Account,
    agent: &StoredAgent,
    calls: &[ScheduledCallRequest],
) -> Result<(), ApiError> {
    let template = &agent.revision.template;
    let contexts = agents::Contexts::of(template)?;
    for (index, call) in calls.iter().enumerate() {
        let at =
            |error: SetupError| ApiError::field(&format!("calls[{index}].{}", error.field), error.message);
        http.calls.check_medium(call.medium.as_ref().or(template.medium.as_ref())).map_err(at)?;
        contexts.check(call.template_context.as_ref()).map_err(at)?;
        if index % AT_A_TIME == AT_A_TIME - 1 {
            tokio::task::yield_now().await;
        }
    }
    let Some(first) = calls.first() else { return Ok(()) };
    let of = CallAgent { id: agent.id, name: agent.name.clone(), revision: agent.revision.id };
    let start = StartAgentCallRequest {
        template_context: first.template_context.clone(),
        metadata: first.metadata.clone(),
        medium: first.medium.clone(),
        experimental_settings: first.experimental_settings.clone(),
        ..StartAgentCallRequest::default()
    };
    let (call, of_agent) = agents::request(of, template, start)?;
    let options = CreateOptions { greeting_prompt: true, agent: Some(of_agent), ..CreateOptions::default() };
    // Fields of a call of the agent's are no fields of this request, so that they are named as the call's.
    let refused = http.calls.check(account.0, call, &options).await;
    refused.map_err(|error| ApiError::from(error).within("calls[0]"))
}
