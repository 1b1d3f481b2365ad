//! A WebSocket that says what it is told (feature `echo-route`): for tests that hold the stack to RFC 6455, which need a peer that
//! repeats. What it reads and sends goes the ways of a call's.

use axum::extract::ws::{Message, WebSocket};
use futures::StreamExt as _;

use super::frames::{Frames, Received};
use super::websocket::{close_frame, send};
use crate::pulse::Pulse;

/// Repeats every message until the client closes, or breaks the protocol.
pub async fn echo(socket: WebSocket) {
    let (mut sink, stream) = socket.split();
    let pulse = Pulse::new();
    let mut frames = Frames::new(stream, &pulse);
    while let Some(received) = frames.next().await {
        let (message, last) = match received {
            Ok(Received::Binary(bytes)) => (Message::Binary(bytes), false),
            Ok(Received::Text(text)) => (Message::Text(text), false),
            Err(code) => (close_frame(code), true),
        };
        if send(&mut sink, message).await.is_err() || last {
            return;
        }
    }
}
