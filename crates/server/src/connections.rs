//! Connections: accepts them, bounds how many there are and how long each may take, and serves HTTP/1.1 on them.
//!
//! Owns what the operating system's sockets cost the server. A connection is waiting for a request, answering one, or carrying a
//! WebSocket; only those that wait are closed to make room. Knows no routes, and of a stream only that bytes go both ways, so that
//! it may be TCP, TLS above it, or a pipe.

mod places;
mod stream;
mod turns;

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

use crate::config;
use crate::telemetry::metrics::Metrics;
use crate::tls::Tls;
use places::{Place, Places};
use stream::Stream;
use turns::Turns;

/// Largest head of a request; larger ones are answered 431. Also what a request that is never finished can make the server hold.
const HEAD_BYTES: usize = 32 << 10;
/// Largest buffer of a connection, for what is read ahead and what waits to be written.
const BUFFER_BYTES: usize = 64 << 10;
/// Bytes that the operating system keeps of a connection beyond what is on its way: two pieces of a large answer. By itself it keeps
/// 4 MiB for a client that takes nothing.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 32 << 10;
/// After the operating system refused to accept, until it is asked again.
const RESPITE: Duration = Duration::from_millis(100);
/// Between two lines in the log that say the same.
const QUIET: Duration = Duration::from_secs(10);

/// All connections of one server. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    rules: config::Connections,
    places: Places,
    turns: Turns,
    /// What they are encrypted by, if they are.
    tls: Option<Tls>,
    closing: CancellationToken,
    serving: TaskTracker,
}

impl Connections {
    /// No connections yet, and at most `maximum`, whatever the rules say.
    pub(crate) fn new(rules: config::Connections, maximum: usize, metrics: Metrics) -> Self {
        let places = Places::new(rules.maximum.min(maximum), metrics);
        Self {
            rules,
            places,
            turns: Turns::default(),
            tls: None,
            closing: CancellationToken::new(),
            serving: TaskTracker::new(),
        }
    }

    /// The same, encrypted.
    pub(crate) fn encrypted(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// Accepts and serves what connects, until [`Self::close`].
    pub(crate) async fn accept(self, listener: TcpListener, router: Router) {
        let mut complaints = Complaints::default();
        loop {
            let accepted = tokio::select! {
                () = self.closing.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_of_the_peer(&error) => continue,
                Err(error) => {
                    complaints.say(|| tracing::error!(%error, "cannot accept connections: {error}"));
                    // Most likely there is no file descriptor left.
                    self.places.dismiss_one();
                    sleep(RESPITE).await;
                    continue;
                }
            };
            let Some(place) = self.places.take().await else {
                let maximum = self.places.maximum();
                complaints.say(|| {
                    tracing::warn!(
                        maximum,
                        "connections are refused: there are {maximum}, all of them busy; raise connections.maximum, and the limit \
                         of open files with it"
                    );
                });
                continue;
            };
            if let Err(error) = prepare(&stream) {
                tracing::debug!(%error, %peer, "a connection keeps the system's settings");
            }
            let connections = self.clone();
            let router = router.clone();
            self.serving.spawn(async move { connections.begin(stream, place, router).await });
        }
    }

    /// Serves a stream that came in another way than by TCP; `None` when there is no room for it.
    pub(crate) async fn serve_stream<S>(&self, stream: S, router: Router) -> Option<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let place = self.places.take().await?;
        let connections = self.clone();
        self.serving.spawn(async move { connections.begin(stream, place, router).await });
        Some(())
    }

    /// Accepts nothing more, closes what waits for a request, and waits until all answers in progress have been sent. WebSockets are
    /// not waited for.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        self.serving.close();
        self.serving.wait().await;
    }

    /// Shakes hands first, where connections are encrypted, for as long as the head of the first request may take.
    async fn begin<S>(&self, stream: S, place: Place, router: Router)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(tls) = &self.tls else { return self.serve(stream, place, router).await };
        let shaken = tokio::select! {
            shaken = timeout(self.rules.header_timeout, tls.accept(stream)) => shaken,
            () = place.dismissed() => return,
            () = self.closing.cancelled() => return,
        };
        match shaken {
            Ok(Ok(stream)) => self.serve(stream, place, router).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => self.places.closes_silent(),
        }
    }

    /// Serves one connection until it ends or becomes a WebSocket, which takes the place with it.
    async fn serve<S>(&self, stream: S, place: Place, router: Router)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let place = Arc::new(place);
        let answered = Arc::clone(&place);
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let place = Arc::clone(&answered);
            let mut router = router.clone();
            async move {
                place.becomes_busy();
                let Ok(response) = router.call(request.map(Body::new)).await;
                match response.status() {
                    StatusCode::SWITCHING_PROTOCOLS => place.becomes_socket(),
                    _ => place.waits(),
                }
                Ok::<_, Infallible>(response)
            }
        });
        let stream = Stream::new(stream, self.rules.write_timeout, Arc::clone(&place), self.turns.clone());
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.rules.idle_timeout)
                .max_header_size(HEAD_BYTES)
                .max_buf_size(BUFFER_BYTES)
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
        );
        let mut first_request = pin!(sleep(self.rules.header_timeout));
        let (mut first_is_due, mut going) = (false, false);
        loop {
            tokio::select! {
                served = connection.as_mut() => {
                    if let Err(error) = served {
                        tracing::trace!(%error, "a connection ended early");
                    }
                    return;
                }
                () = first_request.as_mut(), if !first_is_due => {
                    if !place.has_asked() {
                        self.places.closes_silent();
                        return;
                    }
                    first_is_due = true;
                }
                () = place.dismissed(), if !going => going = true,
                () = self.closing.cancelled(), if !going => going = true,
            }
            if going {
                // Whoever has asked for nothing is owed nothing; others get the whole of the answer that they are being sent.
                if !place.has_asked() {
                    return;
                }
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Has a connection send at once what is written to it, as audio comes in small pieces, and take no more than it can send.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT)?;
    stream.set_nodelay(true)
}

/// Whether a connection that cannot be accepted is lost by its peer's doing.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    [ConnectionAborted, ConnectionRefused, ConnectionReset].contains(&error.kind())
}

/// What the log has already heard.
#[derive(Debug, Default)]
struct Complaints {
    last: Option<Instant>,
}

impl Complaints {
    /// Says it, unless something was said a moment ago.
    fn say(&mut self, complaint: impl FnOnce()) {
        let now = Instant::now();
        if self.last.is_none_or(|last| now.duration_since(last) >= QUIET) {
            self.last = Some(now);
            complaint();
        }
    }
}

#[cfg(test)]
mod tests;
