//! `GET /api/calls/{call_id}/recording`: reads what a call sounded like (protocol.md 7.8, A-53).

use std::time::Duration;

use antiphon_api::Timestamp;
use antiphon_api::endpoint::WavFile;
use antiphon_api::rest::calls::ReadCallRecording;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::super::Http;
use super::super::auth::Account;
use super::super::error::{ApiError, internal};
use super::super::range::{Wanted, wanted};
use super::super::request::Requested;
use super::own_call;
use crate::call::recording::{Recorded, Unreadable};
use crate::storage::StoredCall;

/// How long the recording of a call that has ended is expected in object storage: a minute.
const ON_THE_WAY_MICROS: i64 = 60_000_000;

pub(in crate::http) async fn recording(
    State(http): State<Http>,
    account: Account,
    headers: HeaderMap,
    request: Requested<ReadCallRecording>,
) -> Result<Response, ApiError> {
    let call = own_call(&http, &account, request.path).await?;
    let recorded = recorded(&http, &call).await?;
    let size = recorded.size();
    let (status, part) = match wanted(&headers, size) {
        Wanted::Whole => (StatusCode::OK, 0..size),
        Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Wanted::Nothing => {
            let detail = format!("the recording has {size} bytes, and the range lies behind them");
            let error = ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, detail);
            return Ok(([(header::CONTENT_RANGE, format!("bytes */{size}"))], error).into_response());
        }
    };
    let range = format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1));
    let length = part.end - part.start;
    let body = Body::from_stream(recorded.bytes(part).await.map_err(|error| unreadable(&call, &error))?);
    let mut response = (status, wav(length), [(header::ACCEPT_RANGES, "bytes")], body).into_response();
    if status == StatusCode::PARTIAL_CONTENT {
        let range = range.parse().expect("numbers make a header");
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    Ok(response)
}

/// The recording of a call that has ended.
pub(super) async fn recorded(http: &Http, call: &StoredCall) -> Result<Recorded, ApiError> {
    if !call.request.recording_enabled.unwrap_or(false) {
        return Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "the call was not recorded; create calls with \"recordingEnabled\": true",
        ));
    }
    // One that is not here may be at another node.
    if http.calls.is_live(call.id) || (http.storage.cluster.is_some() && call.ended.is_none()) {
        return Err(ApiError::new(
            StatusCode::TOO_EARLY,
            "the call has not ended; its recording can be had when it has",
        ));
    }
    let recorded = http.recordings.open(call.id).await.map_err(|error| unreadable(call, &error))?;
    recorded.ok_or_else(|| {
        if http.recordings.may_be_on_their_way() && may_be_on_its_way(call) {
            let detail = "the recording is not in object storage yet; try again soon";
            return ApiError::new(StatusCode::TOO_EARLY, detail).retry_after(Duration::from_secs(5));
        }
        ApiError::new(
            StatusCode::NOT_FOUND,
            "there is no recording of the call: nobody joined it, or it could not be written",
        )
    })
}

/// Whether the recording of a call may still lie with another node, which hands it over.
fn may_be_on_its_way(call: &StoredCall) -> bool {
    let Some((ended, _)) = call.joined.and(call.ended) else { return false };
    let now = Timestamp::from(jiff::Timestamp::now());
    now.unix_micros().saturating_sub(ended.unix_micros()) < ON_THE_WAY_MICROS
}

/// The headers of a WAV file of so many bytes.
pub(super) fn wav(length: u64) -> [(HeaderName, String); 2] {
    [(header::CONTENT_TYPE, WavFile::CONTENT_TYPE.to_owned()), (header::CONTENT_LENGTH, length.to_string())]
}

pub(super) fn unreadable(call: &StoredCall, error: &Unreadable) -> ApiError {
    tracing::error!(call = %call.id, %error, "a recording cannot be read");
    match error {
        Unreadable::Disk(_) => internal(),
        Unreadable::Store(_) => ApiError::no_objects("the recording"),
    }
}
