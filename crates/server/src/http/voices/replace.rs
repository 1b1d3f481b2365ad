//! `PUT /api/voices/{voice_id}`: replaces what an account says of its voice. A secret that comes back as it was shown stays.

use antiphon_api::json::{Source, from_value};
use antiphon_api::rest::voices::{ReplaceVoice, VoiceRequest};
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::merge;
use super::super::request::Requested;
use super::change;

pub(in crate::http) async fn replace(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReplaceVoice>,
) -> Answered<ReplaceVoice> {
    if http.server.strict_fields && !request.ignored.is_empty() {
        return Err(ApiError::fields(request.ignored, "does not exist; leave it out"));
    }
    let new = serde_json::to_value(&request.body).expect("wire types have string keys");
    let voice = change(&http, &account, request.path, |before| {
        let replaced = merge::replacing(&before, &new);
        Ok(from_value::<VoiceRequest>(&replaced, Source::RequestBody)?.value)
    });
    Ok(Answer(voice.await?))
}
