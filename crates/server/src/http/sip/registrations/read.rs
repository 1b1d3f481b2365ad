//! `GET /api/sip/registrations/{registration_id}`: reads one registration.

use antiphon_api::rest::sip::ReadSipRegistration;
use axum::extract::State;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::request::Requested;
use super::{no_registration, registration_resource};

pub(in crate::http) async fn read(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReadSipRegistration>,
) -> Answered<ReadSipRegistration> {
    let found = http.storage.telephony.find_registration(account.0, request.path).await?;
    let (registration, _) = found.ok_or_else(no_registration)?;
    Ok(Answer(registration_resource(registration)))
}
