//! `DELETE /api/voices/{voice_id}`: removes a voice of the account's, and the recording that it was cloned from. Calls that speak with
//! it go on.

use antiphon_api::endpoint::NoBody;
use antiphon_api::rest::voices::DeleteVoice;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::{ApiError, internal};
use super::super::request::Requested;
use super::{no_voice, own_voice};
use crate::call::voices::samples::DeleteError;
use crate::storage::VoiceSource;

pub(in crate::http) async fn delete(
    State(http): State<Http>,
    account: Account,
    request: Requested<DeleteVoice>,
) -> Answered<DeleteVoice> {
    let voice = own_voice(&http, &account, request.path).await?;
    // The recording first: as long as it is there, the voice says so and can be deleted again.
    if let VoiceSource::Recording(_) = voice.source {
        http.samples.delete(voice.id).await.map_err(|error| {
            tracing::error!(voice = %voice.id, %error, "the recording of a voice cannot be deleted");
            match error {
                DeleteError::Disk(_) => internal(),
                DeleteError::Store(_) => ApiError::no_objects("the recording of the voice"),
            }
        })?;
    }
    match http.storage.voices.delete_voice(account.0, voice.id).await? {
        Some(_) => Ok(Answer(NoBody)),
        None => Err(no_voice("there is no such voice")),
    }
}
