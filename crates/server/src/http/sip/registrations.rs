//! `/api/sip/registrations`: one operation a file. Passwords stay behind here.

pub(in crate::http) mod create;
pub(in crate::http) mod delete;
pub(in crate::http) mod list;
pub(in crate::http) mod read;
pub(in crate::http) mod update;

use antiphon_api::rest::sip::SipRegistration;
use axum::http::StatusCode;

use super::super::error::ApiError;
use crate::storage::StoredRegistration;

fn no_registration() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "there is no such registration")
}

fn registration_resource(registration: StoredRegistration) -> SipRegistration {
    let settings = registration.settings;
    SipRegistration {
        registration_id: registration.id,
        created: registration.created,
        username: settings.username,
        proxy: settings.proxy,
        outbound_proxy: settings.outbound_proxy,
        auth_user: settings.auth_user,
        // Nothing registers so far, so that nobody knows.
        successful: None,
    }
}
