//! `GET /api/call_throttles/{throttle_id}`: reads one throttle.

use antiphon_api::rest::call_throttles::ReadThrottle;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::request::Requested;
use super::{own_throttle, throttle_resource};

pub(in crate::http) async fn read(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReadThrottle>,
) -> Answered<ReadThrottle> {
    Ok(Answer(throttle_resource(own_throttle(&http, &account, request.path).await?)))
}
