//! `PATCH /api/sip/registrations/{registration_id}`: changes a registration. A password that is not given stays.

use antiphon_api::rest::sip::UpdateSipRegistration;
use axum::extract::State;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::patch::{ATTEMPTS, contended, patched};
use super::super::super::request::Requested;
use super::{no_registration, registration_resource};
use crate::storage::StoredRegistration;

pub(in crate::http) async fn update(
    State(http): State<Http>,
    account: Account,
    request: Requested<UpdateSipRegistration>,
) -> Answered<UpdateSipRegistration> {
    for _ in 0..ATTEMPTS {
        let found = http.storage.telephony.find_registration(account.0, request.path).await?;
        let (known, version) = found.ok_or_else(no_registration)?;
        let settings = patched(&http, &known.settings, &request.body.changes)?;
        let changed = StoredRegistration { settings, ..known };
        if http.storage.telephony.update_registration(&changed, version).await? {
            return Ok(Answer(registration_resource(changed)));
        }
    }
    Err(contended("this registration"))
}
