//! `PUT /api/webhooks/{webhook_id}`: replaces what a webhook is. Its secrets stay, unless new ones are given.

use antiphon_api::rest::webhooks::ReplaceWebhook;
use axum::extract::State;
use axum::http::StatusCode;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::request::Requested;
use super::{ATTEMPTS, changed, own_webhook, webhook_resource};

pub(in crate::http) async fn replace(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReplaceWebhook>,
) -> Answered<ReplaceWebhook> {
    if http.server.strict_fields && !request.ignored.is_empty() {
        return Err(ApiError::fields(request.ignored, "does not exist; leave it out"));
    }
    for _ in 0..ATTEMPTS {
        let known = own_webhook(&http, &account, request.path).await?;
        let webhook = changed(&http, known, request.body.clone()).await?;
        if http.storage.webhooks.update_webhook(&webhook).await? {
            return Ok(Answer(webhook_resource(webhook)));
        }
    }
    Err(ApiError::new(StatusCode::CONFLICT, "others keep changing this webhook at the same time; try again"))
}
