//! `PATCH /api/webhooks/{webhook_id}`: changes what the body says (protocol.md A-49).

use antiphon_api::json::{Source, from_value};
use antiphon_api::rest::webhooks::{UpdateWebhook, WebhookEvents, WebhookRequest};
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::merge::merged;
use super::super::request::Requested;
use super::{ATTEMPTS, changed, own_webhook, webhook_resource};
use crate::storage::StoredWebhook;

pub(in crate::http) async fn update(
    State(http): State<Http>,
    account: Account,
    request: Requested<UpdateWebhook>,
) -> Answered<UpdateWebhook> {
    for _ in 0..ATTEMPTS {
        let known = own_webhook(&http, &account, request.path).await?;
        let whole = serde_json::to_value(settings(&known)).expect("wire types have string keys");
        let merged = merged(whole, &Value::Object(request.body.changes.clone()));
        let parsed = from_value::<WebhookRequest>(&merged, Source::RequestBody)?;
        if http.server.strict_fields && !parsed.ignored.is_empty() {
            return Err(ApiError::fields(parsed.ignored, "does not exist; leave it out"));
        }
        // Secrets that are not there now were cleared: there is none to keep.
        let known = StoredWebhook { secrets: Vec::new(), ..known };
        let webhook = changed(&http, known, parsed.value).await?;
        if http.storage.webhooks.update_webhook(&webhook).await? {
            return Ok(Answer(webhook_resource(webhook)));
        }
    }
    Err(ApiError::new(StatusCode::CONFLICT, "others keep changing this webhook at the same time; try again"))
}

/// What its owner sets of a webhook.
fn settings(webhook: &StoredWebhook) -> WebhookRequest {
    WebhookRequest {
        agent_id: webhook.agent,
        url: webhook.url.clone(),
        secrets: Some(webhook.secrets.clone()),
        events: WebhookEvents(webhook.events.clone()),
        naive_timestamps: Some(webhook.naive_timestamps),
    }
}
