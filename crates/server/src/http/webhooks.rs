//! `/api/webhooks`: one operation a file (protocol.md 7.5). What they share: finding a webhook that is the asker's own, checking
//! what one is asked to be, and showing it.

pub(super) mod create;
pub(super) mod delete;
pub(super) mod deliveries;
pub(super) mod list;
pub(super) mod read;
pub(super) mod replace;
pub(super) mod update;

use antiphon_api::rest::webhooks::{Webhook, WebhookEvent, WebhookRequest, WebhookStatus};
use antiphon_api::{Timestamp, WebhookId};
use axum::http::StatusCode;

use super::Http;
use super::auth::Account;
use super::error::{ApiError, internal};
use crate::signature::new_secret;
use crate::storage::{EventNumber, StoredWebhook};

/// How often a change is tried that another one keeps getting ahead of.
const ATTEMPTS: usize = 8;

/// The account's webhook with this id. Another account's webhook is no webhook.
async fn own_webhook(http: &Http, account: &Account, id: WebhookId) -> Result<StoredWebhook, ApiError> {
    let webhook = http.storage.webhooks.find_webhook(id).await?;
    webhook.filter(|webhook| webhook.account == account.0).ok_or_else(no_webhook)
}

fn no_webhook() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "there is no such webhook")
}

/// `known` as a request wants it, if that makes sense. Secrets that the request leaves out stay.
async fn changed(
    http: &Http,
    known: StoredWebhook,
    request: WebhookRequest,
) -> Result<StoredWebhook, ApiError> {
    let WebhookRequest { agent_id, url, secrets, events, naive_timestamps } = request;
    http.outbound.check_receiver(&url).map_err(|why| ApiError::field("url", why))?;
    if let Some(agent) = agent_id
        && http.storage.agents.find_agent(known.account, agent).await?.is_none()
    {
        return Err(ApiError::field("agentId", "names no agent of this account; leave it out for all calls"));
    }
    let mut events: Vec<EventNumber> = events.0.into_iter().map(EventNumber::from).collect();
    events.sort_unstable();
    events.dedup();
    Ok(StoredWebhook {
        agent: agent_id,
        url,
        secrets: match secrets {
            None if !known.secrets.is_empty() => known.secrets,
            Some(secrets) if !secrets.is_empty() => secrets,
            None | Some(_) => vec![new_secret().map_err(|_| internal())?],
        },
        events: events.into_iter().map(WebhookEvent::from).collect(),
        naive_timestamps: naive_timestamps.unwrap_or(false),
        ..known
    })
}

/// A webhook as its owner sees it, secrets included: a receiver cannot check signatures without them.
fn webhook_resource(webhook: StoredWebhook) -> Webhook {
    Webhook {
        webhook_id: webhook.id,
        agent_id: webhook.agent,
        created: webhook.created,
        url: webhook.url,
        secrets: webhook.secrets,
        events: webhook.events,
        status: match webhook.health.unhealthy {
            true => WebhookStatus::Unhealthy,
            false => WebhookStatus::Normal,
        },
        last_status_change: webhook.health.changed,
        recent_failures: webhook.health.recent,
        naive_timestamps: webhook.naive_timestamps,
    }
}

fn now() -> Timestamp {
    Timestamp::from(jiff::Timestamp::now())
}
