//! `GET /api/voices/{voice_id}`: reads one voice.

use antiphon_api::rest::voices::ReadVoice;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::request::Requested;
use super::{name_of, voice_resource};

pub(in crate::http) async fn read(
    State(http): State<Http>,
    _account: Account,
    request: Requested<ReadVoice>,
) -> Answered<ReadVoice> {
    Ok(Answer(voice_resource(&http, name_of(&http, request.path)?)))
}
