//! `DELETE /api/sip/registrations/{registration_id}`: removes a registration.

use antiphon_api::endpoint::NoBody;
use antiphon_api::rest::sip::DeleteSipRegistration;
use axum::extract::State;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::request::Requested;
use super::no_registration;

pub(in crate::http) async fn delete(
    State(http): State<Http>,
    account: Account,
    request: Requested<DeleteSipRegistration>,
) -> Answered<DeleteSipRegistration> {
    match http.storage.telephony.delete_registration(account.0, request.path).await? {
        true => Ok(Answer(NoBody)),
        false => Err(no_registration()),
    }
}
