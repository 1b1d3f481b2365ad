//! `GET /api/webhooks/{webhook_id}`: reads one webhook.

use antiphon_api::rest::webhooks::ReadWebhook;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::request::Requested;
use super::{own_webhook, webhook_resource};

pub(in crate::http) async fn read(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReadWebhook>,
) -> Answered<ReadWebhook> {
    Ok(Answer(webhook_resource(own_webhook(&http, &account, request.path).await?)))
}
