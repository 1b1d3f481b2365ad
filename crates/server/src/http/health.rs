//! `GET /healthz` and `GET /readyz`: for whatever watches over the process.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::Http;
use super::error::ApiError;

/// The process answers.
pub(super) async fn healthz() -> Response {
    ok()
}

/// The server takes new calls.
pub(super) async fn readyz(State(http): State<Http>) -> Result<Response, ApiError> {
    if !http.is_ready() {
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping"));
    }
    http.storage.check().await?;
    Ok(ok())
}

fn ok() -> Response {
    axum::Json(serde_json::json!({ "status": "ok" })).into_response()
}
