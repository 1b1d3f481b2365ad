//! The join URLs (protocol.md 1.3): where a client becomes a call's participant.
//!
//! TEMPORARY until `crate::transport::websocket::join` is there, which these routes then call.

use axum::http::StatusCode;

use super::error::ApiError;

/// Joins a call.
pub(super) async fn join() -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "this server cannot be joined yet")
}
