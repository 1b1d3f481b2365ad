//! `PATCH /api/agents/{agent_id}/scheduled_batches/{batch_id}`: changes when and how the calls are created that are left.

use antiphon_api::Timestamp;
use antiphon_api::rest::scheduled_batches::{BatchSettings, UpdateBatch};
use axum::extract::State;
use axum::http::StatusCode;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::call_throttles::named;
use super::super::super::error::{ApiError, internal};
use super::super::super::patch::{ATTEMPTS, contended, patched};
use super::super::super::request::Requested;
use super::{batch_resource, check_webhook, check_window, own_batch};
use crate::signature::new_secret;
use crate::storage::StoredBatch;

pub(in crate::http) async fn update(
    State(http): State<Http>,
    account: Account,
    request: Requested<UpdateBatch>,
) -> Answered<UpdateBatch> {
    if request.body.changes.get("calls").is_some_and(|calls| !calls.is_null()) {
        let why = "cannot be changed once they are scheduled; delete the batch and create another one";
        return Err(ApiError::field("calls", why));
    }
    for _ in 0..ATTEMPTS {
        let known = own_batch(&http, &account, request.path).await?;
        let settings: BatchSettings = patched(&http, &known.settings, &request.body.changes)?;
        if settings == known.settings {
            return Ok(Answer(batch_resource(known)));
        }
        let changed = changed(&http, &account, known, settings).await?;
        if http.storage.batches.update_batch(&changed).await? {
            return Ok(Answer(batch_resource(changed)));
        }
    }
    Err(contended("this batch"))
}

/// The batch with other settings, if they can be changed to that.
async fn changed(
    http: &Http,
    account: &Account,
    known: StoredBatch,
    mut settings: BatchSettings,
) -> Result<StoredBatch, ApiError> {
    if known.ended.is_some() {
        let why = "the batch is over, so that nothing of it can be changed; create another one";
        return Err(ApiError::new(StatusCode::CONFLICT, why));
    }
    if known.settings.paused && !settings.paused {
        let why = "a batch that is paused cannot go on; create another one with the calls that are left";
        return Err(ApiError::field("paused", why));
    }
    match (known.settings.webhook_url.is_some(), settings.webhook_url.is_some()) {
        (true, false) => {
            let why = "is needed: calls without an outgoing medium have to be joined by somebody who is told";
            return Err(ApiError::field("webhookUrl", why));
        }
        (false, true) => {
            let why =
                "has no use: all calls have outgoing media, which need nobody to join them; leave it out";
            return Err(ApiError::field("webhookUrl", why));
        }
        (true, true) | (false, false) => {}
    }
    if settings.webhook_url != known.settings.webhook_url {
        check_webhook(http, &settings)?;
    }
    if settings.webhook_url.is_some() && settings.webhook_secret.is_none() {
        settings.webhook_secret = Some(new_secret().map_err(|_| internal())?);
    }
    // It goes on under the throttle that it has, whatever that is called by now.
    let throttle = match known.throttle.filter(|_| settings.throttle == known.settings.throttle) {
        Some(id) => http.storage.throttles.find_throttle(account.0, id).await?,
        None if settings.throttle == known.settings.throttle => None,
        None => named(http, account.0, settings.throttle.as_deref()).await?,
    };
    let when =
        |settings: &BatchSettings| (settings.window_start, settings.window_end, settings.throttle.clone());
    if when(&settings) != when(&known.settings) {
        let now = Timestamp::from(jiff::Timestamp::now());
        check_window(&settings, throttle.as_ref(), known.total.saturating_sub(known.completed), now)?;
    }
    Ok(StoredBatch { settings, throttle: throttle.map(|throttle| throttle.id), ..known })
}
