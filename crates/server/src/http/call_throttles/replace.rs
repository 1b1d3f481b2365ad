//! `PUT /api/call_throttles/{throttle_id}`: replaces name and rules of a throttle. What it has counted still counts.

use antiphon_api::rest::call_throttles::{CallThrottleRequest, ReplaceThrottle};
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::request::{Requested, insist_on_known};
use super::update::change;

pub(in crate::http) async fn replace(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReplaceThrottle>,
) -> Answered<ReplaceThrottle> {
    insist_on_known(&http, request.ignored)?;
    let whole: CallThrottleRequest = request.body;
    change(&http, &account, request.path, |_| Ok(whole.clone())).await.map(Answer)
}
