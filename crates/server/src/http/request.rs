//! A request as the api crate describes it: path, query and body read by the endpoint's types, and everything that can be wrong
//! with them as one kind of error.

use antiphon_api::endpoint::{Endpoint, Method, PathArguments, Payload};
use antiphon_api::json::{Parsed, from_query};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Query, RawPathParams, Request};
use axum::http::{HeaderMap, StatusCode, Uri, header};

use tokio::task::spawn_blocking;

use super::Http;
use super::error::{ApiError, internal};

/// Bytes of a body that are read by another thread.
const LARGE: usize = 256 << 10;

/// A request to the endpoint `E`.
pub(super) struct Requested<E: Endpoint> {
    /// The arguments in the path.
    pub(super) path: E::Path,
    /// The parameters of the query. Unknown ones are ignored: clients send some (protocol.md 7.14).
    pub(super) query: E::Query,
    /// The body.
    pub(super) body: E::Body,
    /// Dotted paths of the body's fields that mean nothing here (protocol.md A-13).
    pub(super) ignored: Vec<String>,
    /// Path and query as they came.
    pub(super) uri: Uri,
}

impl<E: Endpoint<Path: Send, Query: Send, Body: Send + 'static>> FromRequest<Http> for Requested<E> {
    type Rejection = ApiError;

    async fn from_request(request: Request, http: &Http) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let uri = parts.uri.clone();

        let arguments = RawPathParams::from_request_parts(&mut parts, http)
            .await
            .map_err(|_| ApiError::new(StatusCode::NOT_FOUND, "the path is not valid UTF-8"))?;
        let path = E::Path::parse(arguments.iter().map(|(_, argument)| argument))
            .map_err(|error| ApiError::new(StatusCode::NOT_FOUND, error.to_string()))?;

        let Query(pairs) = Query::<Vec<(String, String)>>::from_request_parts(&mut parts, http)
            .await
            .map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, error.body_text()))?;
        let query = from_query(pairs)?.value;

        // What comes with a GET or a DELETE means nothing, so that it is not even read.
        let body = match E::METHOD {
            Method::Delete | Method::Get | Method::Head | Method::Options => Bytes::new(),
            Method::Patch | Method::Post | Method::Put => {
                let headers = parts.headers.clone();
                let limit = E::MAX_BODY_BYTES.unwrap_or(0).max(http.server.max_body_bytes);
                let mut request = Request::from_parts(parts, body);
                DefaultBodyLimit::max(limit).apply(&mut request);
                let body =
                    Bytes::from_request(request, http).await.map_err(|error| unreadable(&error, limit))?;
                insist_on_json(&headers, &body)?;
                body
            }
        };
        let body = read::<E::Body>(body).await?;
        Ok(Self { path, query, body: body.value, ignored: body.ignored, uri })
    }
}

/// Reads a body. A large one takes its time, in which calls have to go on.
async fn read<B: Payload + Send + 'static>(body: Bytes) -> Result<Parsed<B>, ApiError> {
    if body.len() < LARGE {
        return Ok(B::from_request(&body)?);
    }
    match spawn_blocking(move || B::from_request(&body)).await {
        Ok(read) => Ok(read?),
        Err(error) => {
            tracing::error!(%error, "reading a body failed: this is a bug of the server");
            Err(internal())
        }
    }
}

/// Fields that mean nothing are a mistake, if the operator wants it so (protocol.md A-13).
pub(super) fn insist_on_known(http: &Http, ignored: Vec<String>) -> Result<(), ApiError> {
    match http.server.strict_fields && !ignored.is_empty() {
        true => Err(ApiError::fields(ignored, "does not exist; leave it out")),
        false => Ok(()),
    }
}

fn unreadable(error: &BytesRejection, limit: usize) -> ApiError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than {limit} bytes, which is the most this server takes"),
        ),
        status => ApiError::new(status, error.body_text()),
    }
}

/// A body says what it is, or nothing. One that says something else is a mistake better told than parsed.
fn insist_on_json(headers: &HeaderMap, body: &[u8]) -> Result<(), ApiError> {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let essence = kind.to_str().unwrap_or("").split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if body.is_empty() || essence == "application/json" || essence.ends_with("+json") {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "the body must be JSON; send it with \"Content-Type: application/json\"",
    ))
}
