//! `/api/voices`: the voices of this server (protocol.md 7.4).

pub(super) mod list;
pub(super) mod preview;
pub(super) mod read;

use antiphon_api::VoiceId;
use antiphon_api::json::JsonObject;
use antiphon_api::rest::tools::Ownership;
use antiphon_api::rest::voices::{Voice, VoiceBillingStyle};

use axum::http::StatusCode;

use super::Http;
use super::error::ApiError;
use crate::call::voices;

/// The name of the voice with this id.
fn name_of(http: &Http, wanted: VoiceId) -> Result<&str, ApiError> {
    let mut names = http.backends.voices.keys();
    let name = names.find(|name| voices::id(name) == wanted);
    name.map(|name| &**name).ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "there is no such voice"))
}

/// All voices there are, by name.
fn all(http: &Http) -> Vec<Voice> {
    http.backends.voices.keys().map(|name| voice_resource(http, name)).collect()
}

fn voice_resource(http: &Http, name: &str) -> Voice {
    let id = voices::id(name);
    Voice {
        voice_id: id,
        name: name.to_owned(),
        description: None,
        primary_language: None,
        language_label: None,
        preview_url: http.public_url.rest(&format!("/api/voices/{id}/preview")),
        ownership: Ownership::Public,
        billing_style: VoiceBillingStyle::Included,
        provider: None,
        definition: JsonObject::new(),
    }
}
