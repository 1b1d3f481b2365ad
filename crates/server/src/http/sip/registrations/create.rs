//! `POST /api/sip/registrations`: adds a registration.

use antiphon_api::rest::sip::CreateSipRegistration;
use antiphon_api::{SipRegistrationId, Timestamp};
use axum::extract::State;
use axum::http::StatusCode;
use uuid::Uuid;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::error::ApiError;
use super::super::super::request::{Requested, insist_on_known};
use super::registration_resource;
use crate::storage::StoredRegistration;

/// How many registrations an account may have: a list of them is looked at as a whole.
const MOST: u32 = 100;

pub(in crate::http) async fn create(
    State(http): State<Http>,
    account: Account,
    request: Requested<CreateSipRegistration>,
) -> Answered<CreateSipRegistration> {
    insist_on_known(&http, request.ignored)?;
    let registration = StoredRegistration {
        id: SipRegistrationId::new(Uuid::new_v4()),
        account: account.0,
        created: Timestamp::from(jiff::Timestamp::now()),
        settings: request.body,
    };
    match http.storage.telephony.insert_registration(&registration, MOST).await? {
        true => Ok(Answer(registration_resource(registration))),
        false => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            format!("an account has at most {MOST} registrations; delete some first"),
        )),
    }
}
