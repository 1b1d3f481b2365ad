//! `PATCH /api/voices/{voice_id}`: changes a voice of the account's by merging, as agents are changed (protocol.md A-49).

use antiphon_api::json::{Source, from_value};
use antiphon_api::rest::voices::{UpdateVoice, VoiceRequest};
use axum::extract::State;
use serde_json::Value;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::merge;
use super::super::request::Requested;
use super::change;

pub(in crate::http) async fn update(
    State(http): State<Http>,
    account: Account,
    request: Requested<UpdateVoice>,
) -> Answered<UpdateVoice> {
    let patch = Value::Object(request.body.changes);
    let voice = change(&http, &account, request.path, |before| {
        let parsed = from_value::<VoiceRequest>(&merge::merged(before, &patch), Source::RequestBody)?;
        if http.server.strict_fields && !parsed.ignored.is_empty() {
            return Err(ApiError::fields(parsed.ignored, "does not exist; leave it out"));
        }
        Ok(parsed.value)
    });
    Ok(Answer(voice.await?))
}
