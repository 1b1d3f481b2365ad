//! Bodies of requests that come too slowly: 408, so that nobody holds a request open for ever by sending a byte now and then.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures::{StreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

use super::error::ApiError;

/// Bytes a second that a body comes at, at the least, in the long run.
const SLOWEST: f64 = 16.0 * 1024.0;

/// Gives a body `patience`, and a second more for each 16 KiB that came.
pub(super) async fn hold_to_time(State(patience): State<Duration>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let late = Arc::new(AtomicBool::new(false));
    let was_late = Arc::clone(&late);
    let request = request.map(|body| timed(body, patience, late));
    let response = next.run(request).await;
    if was_late.load(Ordering::Relaxed) {
        let detail = "the body of the request came too slowly; send it at once, or in smaller parts";
        return ApiError::new(StatusCode::REQUEST_TIMEOUT, detail).into_response();
    }
    response
}

fn timed(body: Body, patience: Duration, late: Arc<AtomicBool>) -> Body {
    let deadline = Instant::now() + patience;
    let pieces = stream::unfold(Some((body.into_data_stream(), deadline)), move |state| {
        let late = Arc::clone(&late);
        async move {
            let (mut pieces, deadline) = state?;
            let piece = match timeout_at(deadline, pieces.next()).await {
                Ok(None) => return None,
                Ok(Some(piece)) => piece.map_err(io::Error::other),
                Err(_) => {
                    late.store(true, Ordering::Relaxed);
                    Err(io::ErrorKind::TimedOut.into())
                }
            };
            let next = piece.as_ref().ok().map(|piece| {
                let more = Duration::from_secs_f64(piece.len() as f64 / SLOWEST);
                (pieces, deadline + more)
            });
            Some((piece, next))
        }
    });
    Body::from_stream(pieces)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Bytes, to_bytes};
    use axum::middleware::from_fn_with_state;
    use axum::routing::post;
    use tokio::time::sleep;
    use tower::ServiceExt as _;

    use super::*;

    /// Posts `count` pieces of so many bytes, one after each pause; gives the answer and how long it took.
    async fn posted(count: usize, bytes: usize, pause: Duration) -> (StatusCode, String, Duration) {
        let pieces = stream::iter(0..count).then(move |_| async move {
            sleep(pause).await;
            Ok::<_, io::Error>(vec![b'x'; bytes])
        });
        let router = Router::new()
            .route("/", post(async |body: Bytes| body.len().to_string()))
            .layer(from_fn_with_state(Duration::from_secs(30), hold_to_time));
        let request = Request::post("/").body(Body::from_stream(pieces)).unwrap();
        let since = Instant::now();
        let response = router.oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1_000).await.unwrap();
        (status, String::from_utf8_lossy(&body).into_owned(), since.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_now_and_then_is_408() {
        let (status, body, took) = posted(1_000, 1, Duration::from_secs(1)).await;
        assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
        assert!(body.contains("came too slowly"), "{body}");
        assert!(took >= Duration::from_secs(30) && took < Duration::from_secs(31), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_body_over_a_thin_line_is_taken() {
        let (status, body, took) = posted(64, 16 << 10, Duration::from_secs(1)).await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "1048576"));
        assert!(took >= Duration::from_secs(64), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_breaks_off_is_no_late_one() {
        let pieces = stream::iter([Ok(vec![b'x']), Err(io::Error::from(io::ErrorKind::ConnectionReset))]);
        let router = Router::new()
            .route("/", post(async |body: Bytes| body.len().to_string()))
            .layer(from_fn_with_state(Duration::from_secs(30), hold_to_time));
        let request = Request::post("/").body(Body::from_stream(pieces)).unwrap();
        assert_eq!(router.oneshot(request).await.unwrap().status(), StatusCode::BAD_REQUEST);
    }
}
