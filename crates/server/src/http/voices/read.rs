//! `GET /api/voices/{voice_id}`: reads one voice.

use antiphon_api::rest::voices::ReadVoice;
use axum::extract::State;
use axum::http::StatusCode;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::request::Requested;
use super::all;

pub(in crate::http) async fn read(
    State(http): State<Http>,
    _account: Account,
    request: Requested<ReadVoice>,
) -> Answered<ReadVoice> {
    let voice = all(&http).into_iter().find(|voice| voice.voice_id == request.path);
    voice.map(Answer).ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "there is no such voice"))
}
