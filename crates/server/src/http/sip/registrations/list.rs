//! `GET /api/sip/registrations`: lists the account's registrations, newest first.

use antiphon_api::rest::sip::ListSipRegistrations;
use axum::extract::State;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::page::{numbered, page, part, window};
use super::super::super::request::Requested;
use super::registration_resource;

pub(in crate::http) async fn list(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListSipRegistrations>,
) -> Answered<ListSipRegistrations> {
    let window = window(request.query.cursor.as_deref(), request.query.page_size)?;
    // An account has a bounded number of registrations, so that all of them can be looked at.
    let all: Vec<_> = http
        .storage
        .telephony
        .registrations(account.0)
        .await?
        .into_iter()
        .map(registration_resource)
        .collect();
    let total = all.len() as u64;
    Ok(Answer(page(&http.public_url, &request.uri, &window, part(numbered(all), &window), total)))
}
