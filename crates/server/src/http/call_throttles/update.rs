//! `PATCH /api/call_throttles/{throttle_id}`: changes a throttle. What it has counted still counts.

use antiphon_api::ThrottleId;
use antiphon_api::rest::call_throttles::{CallThrottle, CallThrottleRequest, UpdateThrottle};
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::patch::{ATTEMPTS, contended, patched};
use super::super::request::Requested;
use super::{name_taken, own_throttle, settings, throttle_resource};
use crate::storage::{Keeping, StoredThrottle};

pub(in crate::http) async fn update(
    State(http): State<Http>,
    account: Account,
    request: Requested<UpdateThrottle>,
) -> Answered<UpdateThrottle> {
    let patch = |known: CallThrottleRequest| patched(&http, &known, &request.body.changes);
    change(&http, &account, request.path, patch).await.map(Answer)
}

/// Changes a throttle from what it is set to.
pub(super) async fn change(
    http: &Http,
    account: &Account,
    id: ThrottleId,
    change: impl Fn(CallThrottleRequest) -> Result<CallThrottleRequest, ApiError>,
) -> Result<CallThrottle, ApiError> {
    for _ in 0..ATTEMPTS {
        let known = own_throttle(http, account, id).await?;
        let CallThrottleRequest { name, rules } = change(settings(&known))?;
        let throttle = StoredThrottle { name, rules, ..known };
        match http.storage.throttles.update_throttle(&throttle).await? {
            Keeping::Kept => return Ok(throttle_resource(throttle)),
            Keeping::NameTaken => return Err(name_taken(&throttle.name)),
            Keeping::Changed | Keeping::Full => {}
        }
    }
    Err(contended("this throttle"))
}
