//! The one body of everything that fails: `{"detail": ..., "errors": {...}}` (protocol.md A-56), and which status it has.

use std::time::Duration;

use antiphon_api::ErrorBody;
use antiphon_api::json::Invalid;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::storage::StorageError;

/// Why a request fails, as its sender is told.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    body: ErrorBody,
    retry_after: Option<Duration>,
}

impl ApiError {
    /// A failure that is not about a field.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, body: ErrorBody::new(detail), retry_after: None }
    }

    /// A request whose `field` is at fault: 400.
    pub(crate) fn field(field: &str, message: impl Into<String>) -> Self {
        Self::from(Invalid::one(field, message))
    }

    /// A request in which each of `fields` is at fault in the same way: 400.
    pub(crate) fn fields(fields: Vec<String>, message: &str) -> Self {
        let detail = format!("{}: {message}", fields.join(", "));
        let errors = fields.into_iter().map(|field| (field, vec![message.to_owned()])).collect();
        Self { status: StatusCode::BAD_REQUEST, body: ErrorBody { detail, errors }, retry_after: None }
    }

    /// The same about fields that lie within the field `at` of the request.
    pub(crate) fn within(mut self, at: &str) -> Self {
        if !self.body.errors.is_empty() {
            self.body.detail = format!("{at}.{}", self.body.detail);
            let errors = std::mem::take(&mut self.body.errors);
            self.body.errors =
                errors.into_iter().map(|(field, problems)| (format!("{at}.{field}"), problems)).collect();
        }
        self
    }

    /// There is no such call, or it is another account's: 404.
    pub(crate) fn no_call() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such call")
    }

    /// Object storage does not do its work now: 503. `what` cannot be had, or be removed.
    pub(crate) fn no_objects(what: &str) -> Self {
        let detail = format!("the server cannot reach the object storage that {what} lies in; try again");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(Duration::from_secs(5))
    }

    /// The same, and when to try again.
    pub(crate) fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }
}

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> Self {
        Self { status: StatusCode::BAD_REQUEST, body: ErrorBody::from(&invalid), retry_after: None }
    }
}

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        // Here the failure is handled, so here it is logged; what the database says is no client's business.
        tracing::error!(%error, "storage failed");
        match error {
            StorageError::Database(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "the server cannot reach its database; try again")
                    .retry_after(Duration::from_secs(1))
            }
            StorageError::Inconsistent { .. } => internal(),
        }
    }
}

/// A failure of ours that says nothing of itself: 500. The log has the rest, under the request's id.
pub(super) fn internal() -> ApiError {
    ApiError::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the server failed; its operator finds the reason in the log, under the X-Request-Id of this answer",
    )
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.body).expect("an error body has string keys");
        let mut response = (self.status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        if let Some(delay) = self.retry_after {
            // Whole seconds (protocol.md 7.15), rounded up so that nobody comes too early.
            let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
