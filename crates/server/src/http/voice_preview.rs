//! `POST /api/voice_preview`: lets a voice be heard that is not registered (protocol.md 7.4).

use antiphon_api::rest::voices::PreviewVoice;
use axum::extract::State;
use axum::response::Response;

use super::Http;
use super::auth::Account;
use super::error::ApiError;
use super::request::Requested;
use super::voices::definition_of;
use super::voices::preview::{Whose, casting, heard, mute};

pub(super) async fn preview(
    State(http): State<Http>,
    account: Account,
    request: Requested<PreviewVoice>,
) -> Result<Response, ApiError> {
    let language = request.body.primary_language.clone();
    let backends = http.backends();
    let voice = casting(&http, &backends, &account).preview(&*definition_of(request.body)?).await?;
    let voice = voice.map_err(|why| mute(&why))?;
    heard(&*voice, language.as_deref(), Whose::Asker).await
}
