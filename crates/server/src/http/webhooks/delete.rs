//! `DELETE /api/webhooks/{webhook_id}`: removes a webhook. What waits for it is not delivered any more.

use antiphon_api::endpoint::NoBody;
use antiphon_api::rest::webhooks::DeleteWebhook;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::request::Requested;
use super::no_webhook;

pub(in crate::http) async fn delete(
    State(http): State<Http>,
    account: Account,
    request: Requested<DeleteWebhook>,
) -> Answered<DeleteWebhook> {
    match http.storage.webhooks.delete_webhook(account.0, request.path).await? {
        true => Ok(Answer(NoBody)),
        false => Err(no_webhook()),
    }
}
