//! What comes on a client's WebSocket: texts and binaries in turn, without what is the protocol's own business.
//!
//! Answers closes, holds a client that floods back, and says with which code one that breaks the protocol is to be closed. Knows no
//! call and no data messages.

use std::time::Duration;

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::SplitStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;

use super::allowance::{Allowance, Flood, Frame};
use crate::call::leg::CloseCode;
use crate::pulse::Pulse;

/// How long a client may take to answer a close.
pub(super) const CLOSE: Duration = Duration::from_secs(5);

/// The frames that a client sends.
pub(super) struct Frames<'a> {
    stream: SplitStream<WebSocket>,
    allowance: Allowance,
    pulse: &'a Pulse,
    /// The client has said goodbye.
    said_goodbye: bool,
}

/// A message as it came.
#[derive(Debug)]
pub(super) enum Received {
    Binary(Bytes),
    Text(Utf8Bytes),
}

impl<'a> Frames<'a> {
    /// Each frame shows that the client is there.
    pub(super) fn new(stream: SplitStream<WebSocket>, pulse: &'a Pulse) -> Self {
        Self { stream, allowance: Allowance::new(), pulse, said_goodbye: false }
    }

    /// The next message; `None` when the connection has ended. An error is the code to close with, and nothing is to be read any
    /// more.
    pub(super) async fn next(&mut self) -> Option<Result<Received, CloseCode>> {
        loop {
            let message = self.stream.next().await?;
            self.pulse.beat();
            let (frame, received) = match message {
                Ok(Message::Binary(bytes)) => (Frame::Binary, Some(Received::Binary(bytes))),
                Ok(Message::Text(text)) => (Frame::Text, Some(Received::Text(text))),
                Ok(Message::Ping(_) | Message::Pong(_)) => (Frame::Control, None),
                Ok(Message::Close(_)) => {
                    self.said_goodbye = true;
                    // Reading on sends the answer that the client waits for.
                    let _ = timeout(CLOSE, self.stream.next()).await;
                    return None;
                }
                Err(error) => return violation(error).map(Err),
            };
            match self.allowance.count(frame, Instant::now()) {
                Ok(None) => {}
                Ok(Some(pause)) => sleep(pause).await,
                Err(Flood) => return Some(Err(CloseCode::ProtocolViolation)),
            }
            if let Some(received) = received {
                return Some(Ok(received));
            }
        }
    }

    /// Whether the connection ended as the protocol has it: with a close frame of the client's.
    pub(super) fn said_goodbye(&self) -> bool {
        self.said_goodbye
    }

    /// Reads on without a use for it, so that the client's close is answered.
    pub(super) async fn discard(mut self) {
        while let Some(Ok(_)) = self.next().await {}
    }
}

/// The code for a client that broke the protocol; `None` for a connection that broke.
fn violation(error: axum::Error) -> Option<CloseCode> {
    let error = *error.into_inner().downcast::<Error>().ok()?;
    match error {
        Error::Capacity(_) => Some(CloseCode::TooBig),
        Error::Utf8(_) => Some(CloseCode::InvalidText),
        Error::Protocol(
            ProtocolError::ResetWithoutClosingHandshake
            | ProtocolError::ReceivedAfterClosing
            | ProtocolError::SendAfterClosing,
        ) => None,
        Error::Protocol(_) => Some(CloseCode::ProtocolError),
        Error::AlreadyClosed
        | Error::AttackAttempt
        | Error::ConnectionClosed
        | Error::Http(_)
        | Error::HttpFormat(_)
        | Error::Io(_)
        | Error::Tls(_)
        | Error::Url(_)
        | Error::WriteBufferFull(_) => None,
    }
}
