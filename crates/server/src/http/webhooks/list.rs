//! `GET /api/webhooks`: lists the account's webhooks, newest first.

use antiphon_api::Timestamp;
use antiphon_api::rest::webhooks::{ListWebhooks, ListWebhooksQuery};
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::page::{Place, page, window};
use super::super::request::Requested;
use super::webhook_resource;
use crate::storage::{Slice, WebhookPlace, Window};

impl Place for WebhookPlace {
    fn write(self) -> String {
        format!("{}.{}", self.created.unix_micros(), self.id)
    }

    fn read(text: &str) -> Option<Self> {
        let (created, id) = text.split_once('.')?;
        let created = Timestamp::from_unix_micros(created.parse().ok()?).ok()?;
        Some(Self { created, id: id.parse().ok()? })
    }
}

pub(in crate::http) async fn list(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListWebhooks>,
) -> Answered<ListWebhooks> {
    let ListWebhooksQuery { agent_id, cursor, page_size } = request.query;
    let webhooks = &http.storage.webhooks;
    let window: Window<WebhookPlace> = window(cursor.as_deref(), page_size)?;
    let slice = webhooks.webhooks(account.0, agent_id, window).await?;
    let total = webhooks.count_webhooks(account.0, agent_id).await?;
    let items = slice.items.into_iter().map(|webhook| (webhook.place(), webhook_resource(webhook))).collect();
    Ok(Answer(page(&http.public_url, &request.uri, &window, Slice { items, more: slice.more }, total)))
}
