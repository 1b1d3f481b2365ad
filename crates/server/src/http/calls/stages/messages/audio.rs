//! `GET /api/calls/{call_id}/stages/{stage_id}/messages/{index}/audio`: reads what one message sounded like: its stretch of the
//! recording, mono, its speaker's side (protocol.md 2.4).

use antiphon_api::rest::calls::ReadMessageAudio;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::super::super::super::Http;
use super::super::super::super::auth::Account;
use super::super::super::super::error::ApiError;
use super::super::super::super::request::Requested;
use super::super::super::own_call;
use super::super::super::recording::{recorded, unreadable, wav};
use super::super::own_stage;
use crate::call::recording::stretch_of;

pub(in crate::http) async fn audio(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReadMessageAudio>,
) -> Result<Response, ApiError> {
    let (call, stage, index) = request.path;
    let call = own_call(&http, &account, call).await?;
    let recorded = recorded(&http, &call).await?;
    let stage = own_stage(&http, &call, stage).await?;
    let stored = http.storage.calls.message(call.id, stage.messages(), index).await?;
    let stored = stored.ok_or_else(|| {
        ApiError::new(StatusCode::NOT_FOUND, "there is no message with this index in this stage")
    })?;
    let (side, stretch) = stretch_of(&stored.message)
        .ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "the message was not spoken in the call"))?;
    let side = recorded.side(side, stretch).await;
    let (length, audio) = side.map_err(|error| unreadable(&call, &error))?;
    Ok((wav(length), Body::from_stream(audio)).into_response())
}
