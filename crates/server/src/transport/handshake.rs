//! The way from an HTTP request to a WebSocket (RFC 6455, 4.2). No extension and no subprotocol is agreed on, whatever is offered.

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::{
    CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// A request to become a WebSocket, which may be accepted.
#[derive(Debug)]
pub struct Handshake {
    /// What proves to the client that it was understood.
    accept: String,
    upgrade: OnUpgrade,
}

/// A connection that is a WebSocket: frames go over it from now on.
#[derive(Debug)]
pub struct Socket {
    pub(crate) stream: TokioIo<Upgraded>,
    /// Largest message that a client may send, in bytes.
    pub(super) limit: usize,
}

/// Why a request is no handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoHandshake {
    /// It does not ask for a WebSocket.
    #[error("this is a WebSocket: send a GET with `Connection: upgrade` and `Upgrade: websocket`")]
    NotAsked,
    /// It has no `Sec-WebSocket-Key`.
    #[error("a WebSocket handshake needs a `Sec-WebSocket-Key`")]
    NoKey,
    /// It wants another version of the protocol than 13, or does not say which.
    #[error("only version 13 of the WebSocket protocol is known: send `Sec-WebSocket-Version: 13`")]
    Version,
    /// What it came by cannot become anything else.
    #[error("this connection cannot become a WebSocket: use HTTP/1.1")]
    Fixed,
}

impl Handshake {
    /// Accepts, and hands the connection to whoever carries it, in a task of its own.
    #[must_use = "the client is waiting for the response"]
    pub fn accept<F>(self, limit: usize, carry: impl FnOnce(Socket) -> F + Send + 'static) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Self { accept, upgrade } = self;
        tokio::spawn(async move {
            match upgrade.await {
                Ok(upgraded) => carry(Socket { stream: TokioIo::new(upgraded), limit }).await,
                Err(error) => tracing::debug!(%error, "a connection ended in its handshake"),
            }
        });
        let headers = [
            (CONNECTION, HeaderValue::from_static("upgrade")),
            (UPGRADE, HeaderValue::from_static("websocket")),
        ];
        (StatusCode::SWITCHING_PROTOCOLS, headers, [(SEC_WEBSOCKET_ACCEPT, accept)], Body::empty())
            .into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Handshake {
    type Rejection = NoHandshake;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, NoHandshake> {
        let headers = &parts.headers;
        if parts.method != Method::GET
            || !lists(headers, &CONNECTION, "upgrade")
            || !lists(headers, &UPGRADE, "websocket")
        {
            return Err(NoHandshake::NotAsked);
        }
        if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            return Err(NoHandshake::Version);
        }
        let key = headers.get(SEC_WEBSOCKET_KEY).ok_or(NoHandshake::NoKey)?;
        let accept = derive_accept_key(key.as_bytes());
        let upgrade = parts.extensions.remove().ok_or(NoHandshake::Fixed)?;
        Ok(Self { accept, upgrade })
    }
}

/// Whether this is among what a header lists, which is separated by commas and may be in several lines.
fn lists(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|listed| listed.trim().eq_ignore_ascii_case(wanted))
}

impl IntoResponse for NoHandshake {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, self.to_string()).into_response()
    }
}
