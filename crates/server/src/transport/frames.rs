//! What comes on a client's WebSocket: texts and binaries in turn, without what is the protocol's own business.
//!
//! Has pings answered, holds a client that floods back, and says with which code one that breaks the protocol is to be closed. Knows
//! no call, no data messages, and no connection: it is told where to read.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::{Instant, Sleep, sleep};

use super::allowance::{Allowance, Flood, Frame};
use super::rfc6455::{self, Decoder, Item};
use super::writer::Writer;
use crate::call::leg::CloseCode;
use crate::pulse::SILENCE;

/// How long one that floods the server with control frames is left alone, before its connection is closed: whoever comes back at
/// once is then no faster than this.
const PENALTY: Duration = Duration::from_secs(5);

thread_local! {
    /// Where all connections of this thread read to: a frame that has come whole is done with before the next one comes, whoever
    /// sends it. So it stays in the cache, and a connection that waits has no memory for it.
    static MEMORY: Cell<BytesMut> = Cell::default();
}

/// What a client sends, as far as it was read.
pub(super) struct Frames {
    decoder: Decoder,
    allowance: Allowance,
    /// When the last frame came.
    last: Instant,
    held: Option<Held>,
}

/// What was read from a client that is too fast, and when it may count.
struct Held {
    until: Pin<Box<Sleep>>,
    next: Result<Received, End>,
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

impl Frames {
    /// Messages of at most `limit` bytes. Each frame shows that the client is there.
    pub(super) fn new(limit: usize) -> Self {
        Self { decoder: Decoder::new(limit), allowance: Allowance::new(), last: Instant::now(), held: None }
    }

    /// When the last frame came, or when the connection began.
    pub(super) fn last(&self) -> Instant {
        self.last
    }

    /// Whether the client has been silent for so long that it is gone.
    pub(super) fn is_lost(&self) -> bool {
        self.last.elapsed() >= SILENCE
    }

    /// The next message, or how it ended: then it is not to be asked again. Pings are left to the writer to answer.
    pub(super) fn poll_next<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        writer: &mut Writer,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Received, End>> {
        let mut memory = MEMORY.take();
        self.decoder.take_memory(&mut memory);
        let next = self.poll_message(stream, writer, cx);
        self.decoder.give_memory(&mut memory);
        MEMORY.set(memory);
        next
    }

    fn poll_message<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        writer: &mut Writer,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Received, End>> {
        loop {
            if let Some(held) = &mut self.held {
                ready!(held.until.as_mut().poll(cx));
            }
            if let Some(Held { next, .. }) = self.held.take() {
                return Poll::Ready(next);
            }
            let item = match self.decoder.next() {
                Ok(Some(item)) => item,
                Ok(None) => match ready!(pin!(stream.read_buf(self.decoder.room())).poll(cx)) {
                    Ok(0) | Err(_) => return Poll::Ready(Err(End::Lost)),
                    Ok(_) => continue,
                },
                Err(breach) => return Poll::Ready(Err(End::Violated(breach.into()))),
            };
            let now = Instant::now();
            self.last = now;
            let frame = match &item {
                Item::Binary(_) => Frame::Binary,
                Item::Text(_) => Frame::Text,
                Item::Ping(_) | Item::Pong | Item::Close(_) => Frame::Control,
            };
            let pause = match self.allowance.count(frame, now) {
                Ok(pause) => pause,
                Err(Flood) => {
                    self.hold(PENALTY, Err(End::Violated(CloseCode::ProtocolViolation)));
                    continue;
                }
            };
            let received = match item {
                Item::Binary(bytes) => Received::Binary(bytes),
                Item::Text(text) => Received::Text(text),
                Item::Ping(payload) => {
                    writer.answer(payload);
                    continue;
                }
                Item::Pong => continue,
                Item::Close(said) => return Poll::Ready(Err(End::Goodbye(said))),
            };
            match pause {
                None => return Poll::Ready(Ok(received)),
                Some(pause) => self.hold(pause, Ok(received)),
            }
        }
    }

    fn hold(&mut self, length: Duration, next: Result<Received, End>) {
        self.held = Some(Held { until: Box::pin(sleep(length)), next });
    }
}
