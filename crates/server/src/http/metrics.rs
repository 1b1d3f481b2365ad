//! `GET /metrics`: the server's figures, on an address of their own, since whoever reaches the API need not see them.

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::telemetry::metrics::{MEDIA_TYPE, Metrics};

/// The one route.
pub(crate) fn figures(metrics: Metrics) -> Router {
    Router::new().route("/metrics", get(read)).with_state(metrics)
}

async fn read(State(metrics): State<Metrics>) -> impl IntoResponse {
    ([(CONTENT_TYPE, MEDIA_TYPE)], metrics.render())
}
