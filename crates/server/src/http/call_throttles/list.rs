//! `GET /api/call_throttles`: lists the account's throttles, newest first.

use antiphon_api::rest::call_throttles::ListThrottles;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::page::{numbered, page, part, window};
use super::super::request::Requested;
use super::throttle_resource;

pub(in crate::http) async fn list(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListThrottles>,
) -> Answered<ListThrottles> {
    let window = window(request.query.cursor.as_deref(), request.query.page_size)?;
    // An account has a bounded number of throttles, so that all of them can be looked at.
    let throttles: Vec<_> =
        http.storage.throttles.throttles(account.0).await?.into_iter().map(throttle_resource).collect();
    let total = throttles.len() as u64;
    Ok(Answer(page(&http.public_url, &request.uri, &window, part(numbered(throttles), &window), total)))
}
