//! What comes on a client's WebSocket: texts and binaries in turn, without what is the protocol's own business.
//!
//! Has pings answered, holds a client that floods back, and says with which code one that breaks the protocol is to be closed. Knows
//! no call and no data messages.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::{Instant, sleep_until};

use super::allowance::{Allowance, Flood, Frame};
use super::rfc6455::{self, Decoder, Item};
use super::writer::Pong;
use crate::call::leg::CloseCode;
use crate::pulse::Pulse;

/// How long a client may take to answer a close.
pub(super) const CLOSE: Duration = Duration::from_secs(5);
/// How long one that floods the server with control frames is left alone, before its connection is closed: whoever comes back at
/// once is then no faster than this.
const PENALTY: Duration = Duration::from_secs(5);

/// The frames that a client sends.
pub(super) struct Frames<'a, R> {
    stream: R,
    decoder: Decoder,
    allowance: Allowance,
    pulse: &'a Pulse,
    pong: &'a Pong,
    /// What was read from a client that is too fast, and when it may count.
    held: Option<(Instant, Result<Received, End>)>,
}

/// A message as it came.
#[derive(Debug)]
pub(super) enum Received {
    Binary(Bytes),
    Text(String),
}

/// How what a client sends came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// With a close frame that said this; so says the one that it waits for.
    Goodbye(Bytes),
    /// The connection broke.
    Lost,
    /// The client broke the protocol, and is to be closed with this.
    Violated(CloseCode),
}

impl End {
    /// What the last frame says that the client is sent, a close; `None` if nothing reaches it any more.
    pub(super) fn answer(&self) -> Option<Bytes> {
        match self {
            Self::Goodbye(said) => Some(said.clone()),
            Self::Lost => None,
            Self::Violated(code) => Some(rfc6455::close(*code).into()),
        }
    }
}

impl<'a, R: AsyncRead + Unpin> Frames<'a, R> {
    /// Messages of at most `limit` bytes. Each frame shows that the client is there.
    pub(super) fn new(stream: R, limit: usize, pulse: &'a Pulse, pong: &'a Pong) -> Self {
        Self { stream, decoder: Decoder::new(limit), allowance: Allowance::new(), pulse, pong, held: None }
    }

    /// The next message, or how it ended: then it is not to be asked again. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Received, End> {
        loop {
            if let Some((until, _)) = self.held {
                sleep_until(until).await;
            }
            if let Some((_, next)) = self.held.take() {
                return next;
            }
            let item = match self.decoder.next() {
                Ok(Some(item)) => item,
                Ok(None) => match self.stream.read_buf(self.decoder.room()).await {
                    Ok(0) | Err(_) => return Err(End::Lost),
                    Ok(_) => continue,
                },
                Err(breach) => return Err(End::Violated(breach.into())),
            };
            let now = Instant::now();
            self.pulse.beat(now);
            let frame = match &item {
                Item::Binary(_) => Frame::Binary,
                Item::Text(_) => Frame::Text,
                Item::Ping(_) | Item::Pong | Item::Close(_) => Frame::Control,
            };
            let pause = match self.allowance.count(frame, now) {
                Ok(pause) => pause,
                Err(Flood) => {
                    self.held = Some((now + PENALTY, Err(End::Violated(CloseCode::ProtocolViolation))));
                    continue;
                }
            };
            let received = match item {
                Item::Binary(bytes) => Received::Binary(bytes),
                Item::Text(text) => Received::Text(text),
                Item::Ping(payload) => {
                    self.pong.owe(payload);
                    // Whoever sends it has a turn before the next may take its place.
                    tokio::task::yield_now().await;
                    continue;
                }
                Item::Pong => continue,
                Item::Close(said) => return Err(End::Goodbye(said)),
            };
            match pause {
                None => return Ok(received),
                Some(pause) => self.held = Some((now + pause, Ok(received))),
            }
        }
    }

    /// Reads on without a use for it, to see how it ends.
    pub(super) async fn discard(&mut self) -> End {
        loop {
            if let Err(end) = self.next().await {
                return end;
            }
        }
    }
}
