//! One id, one span and one log line for each request, and panics turned into answers.

use std::any::Any;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;
use uuid::Uuid;

use super::error::internal;
use crate::telemetry::metrics::Metrics;

/// The header with the request's id, in requests that bring one and in all answers.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Runs a request in a span of its own. The log has the route, never the path: a path can hold a call's id, which is what joins
/// the call.
pub(super) async fn trace(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let id = request.headers().get(REQUEST_ID).filter(|id| is_harmless(id)).cloned();
    let id = id.unwrap_or_else(|| {
        HeaderValue::from_str(&Uuid::new_v4().to_string()).expect("a UUID is a header's value")
    });
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!(
        "request",
        id = id.to_str().unwrap_or_default(),
        method = %request.method(),
        route = &route,
    );
    let method = name(request.method());
    let started = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let took = started.elapsed();
    metrics.answered(method, &route, response.status().as_u16(), took);
    span.in_scope(|| {
        let (status, took_ms) = (response.status().as_u16(), took.as_millis());
        tracing::debug!(status, took_ms, "answered {status} in {took_ms} ms");
    });
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// A method by its name. Those that no route takes have one together, since anybody may make some up.
fn name(method: &Method) -> &'static str {
    match method.as_str() {
        "DELETE" => "DELETE",
        "GET" => "GET",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        "POST" => "POST",
        "PUT" => "PUT",
        _ => "other",
    }
}

/// Whether an id from outside may stand in a log line.
fn is_harmless(id: &HeaderValue) -> bool {
    let bytes = id.as_bytes();
    (1..=64).contains(&bytes.len())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// What a request gets that makes a handler panic: a bug of ours, of which only this request suffers.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("of unknown kind"), "a handler panicked");
    internal().into_response()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::http::StatusCode;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::ServiceExt as _;
    use tower_http::catch_panic::CatchPanicLayer;

    use super::*;

    #[tokio::test]
    async fn a_handler_that_panics_is_a_failure_of_ours_that_gives_nothing_away() {
        async fn panics() -> StatusCode {
            panic!("a secret of the code")
        }
        let router = Router::new()
            .route("/panics", get(panics))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(from_fn_with_state(Metrics::default(), trace));
        let request = Request::builder().uri("/panics").body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(response.headers().contains_key(REQUEST_ID));
        let body = to_bytes(response.into_body(), 1000).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert!(body["detail"].as_str().unwrap().starts_with("the server failed"), "{body}");
        assert!(!body.to_string().contains("secret"));
    }
}
