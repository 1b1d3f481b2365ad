//! `POST /api/webhooks`: creates a webhook (protocol.md 7.5.1).

use antiphon_api::WebhookId;
use antiphon_api::rest::webhooks::CreateWebhook;
use axum::extract::State;
use axum::http::StatusCode;
use uuid::Uuid;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::request::Requested;
use super::{changed, now, webhook_resource};
use crate::storage::{StoredWebhook, WebhookHealth};

/// How many webhooks an account may have: each is asked about every event of every call.
const MOST: u32 = 100;

pub(in crate::http) async fn create(
    State(http): State<Http>,
    account: Account,
    request: Requested<CreateWebhook>,
) -> Answered<CreateWebhook> {
    if http.server.strict_fields && !request.ignored.is_empty() {
        return Err(ApiError::fields(request.ignored, "does not exist; leave it out"));
    }
    let nothing = StoredWebhook {
        id: WebhookId::new(Uuid::new_v4()),
        account: account.0,
        created: now(),
        agent: None,
        url: String::new(),
        secrets: Vec::new(),
        events: Vec::new(),
        naive_timestamps: false,
        health: WebhookHealth::default(),
        version: 0,
    };
    let webhook = changed(&http, nothing, request.body).await?;
    match http.storage.webhooks.insert_webhook(&webhook, MOST).await? {
        true => Ok(Answer(webhook_resource(webhook))),
        false => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            format!("an account has at most {MOST} webhooks; delete some first"),
        )),
    }
}
