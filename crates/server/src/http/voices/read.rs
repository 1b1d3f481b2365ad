//! `GET /api/voices/{voice_id}`: reads one voice.

use antiphon_api::rest::voices::ReadVoice;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::request::Requested;
use super::{Usable, own_resource, public_resource, usable};

pub(in crate::http) async fn read(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReadVoice>,
) -> Answered<ReadVoice> {
    let backends = http.backends();
    Ok(Answer(match usable(&http, &backends, &account, request.path).await? {
        Usable::Own(voice) => own_resource(&http, &voice),
        Usable::Public(voice) => public_resource(&http, &backends, &voice),
    }))
}
