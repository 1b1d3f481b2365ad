//! An answer that has been read to its end, or refused.

use std::time::Duration;

use antiphon_api::endpoint::Payload;
use reqwest::RequestBuilder;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};

use super::error::RestError;

/// Bytes of an answer that are read; a page of 1000 calls has about a tenth of that.
const LONGEST: usize = 64 * 1024 * 1024;

/// What a server answered with success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status, from 200 to 299.
    pub status: u16,
    /// What the server calls the request in its log.
    pub request_id: Option<String>,
    /// What the body is.
    pub content_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as what it should be.
    pub(super) fn parsed<R: Payload>(self) -> Result<R, RestError> {
        let Self { status, request_id, content_type: _, body } = self;
        match R::from_response(&body) {
            Ok(parsed) => Ok(parsed.value),
            Err(problem) => Err(RestError::Unreadable { status, problem, request_id }),
        }
    }
}

/// Sends a request and reads the whole answer.
pub(super) async fn answer_to(request: RequestBuilder) -> Result<Answer, RestError> {
    let response = accepted(request).await?;
    let (status, headers) = (response.status().as_u16(), response.headers());
    let (request_id, content_type) = (text(headers, REQUEST_ID), text(headers, CONTENT_TYPE.as_str()));
    Ok(Answer { status, request_id, content_type, body: read(response).await? })
}

/// Sends a request and reads the answer only if it is a refusal.
pub(super) async fn accepted(request: RequestBuilder) -> Result<reqwest::Response, RestError> {
    let response = request.send().await.map_err(RestError::unreachable)?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status().as_u16();
    let (request_id, retry_after) = (text(response.headers(), REQUEST_ID), retry_after(response.headers()));
    let body = read(response).await?;
    Err(RestError::refused(status, request_id, retry_after, &body))
}

const REQUEST_ID: &str = "x-request-id";

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// How long to wait, in seconds or until a date (protocol.md 7.15). A date that is past means at once.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(std::time::SystemTime::now()).unwrap_or_default())
}

pub(super) async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, RestError> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(RestError::unreachable)? {
        if body.len() + piece.len() > LONGEST {
            return Err(RestError::TooLong(LONGEST));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}
