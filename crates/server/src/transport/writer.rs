//! What goes to a client's WebSocket, frame by frame, and what the connection's reader would have said there.

use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::task::AtomicWaker;
use tokio::io::AsyncWrite;
use tokio::time::timeout;

use super::rfc6455::{self, Opcode};
use crate::call::leg::{CloseCode, Departure};

/// How long what is sent may take to go out before the client counts as gone.
const SEND: Duration = Duration::from_secs(20);
/// A buffer that grew for a large message is given back beyond this.
const KEPT: usize = 64 << 10;

/// Frames on their way to a client.
#[derive(Debug)]
pub(super) struct Writer<W> {
    stream: W,
    buffer: Vec<u8>,
    /// How much of the buffer has gone out.
    gone: usize,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    pub(super) fn new(stream: W) -> Self {
        Self { stream, buffer: Vec::new(), gone: 0 }
    }

    /// Adds a frame to what goes out with the next [`Self::flush`].
    pub(super) fn put(&mut self, opcode: Opcode, payload: &[u8]) {
        rfc6455::put(&mut self.buffer, opcode, payload);
    }

    /// Adds the frame that ends the connection.
    pub(super) fn put_close(&mut self, code: CloseCode) {
        self.put(Opcode::Close, &rfc6455::close(code));
    }

    /// How many bytes are to go out.
    pub(super) fn waiting(&self) -> usize {
        self.buffer.len() - self.gone
    }

    /// Sends everything that was added. After an error, nothing can be sent any more.
    ///
    /// # Errors
    /// The connection is lost, or the client does not take what it is sent.
    pub(super) async fn flush(&mut self) -> Result<(), Departure> {
        let mut sent = std::future::poll_fn(|cx| self.poll_flush(cx));
        // Nearly always there is room for all of it, and no clock is asked.
        let sent = match (&mut sent).now_or_never() {
            Some(sent) => sent,
            None => timeout(SEND, sent).await.map_err(|_| Departure::Silent)?,
        };
        sent.map_err(|_| Departure::Lost)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.waiting() > 0 {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.buffer[self.gone..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                bytes => self.gone += bytes,
            }
        }
        self.gone = 0;
        self.buffer.clear();
        self.buffer.shrink_to(KEPT);
        Pin::new(&mut self.stream).poll_flush(cx)
    }
}

/// The answer to a client's ping, from the reader to the writer. One that was not sent yet gives way to the next (RFC 6455, 5.5.3).
#[derive(Debug, Default)]
pub(super) struct Pong {
    due: Mutex<Option<Bytes>>,
    bell: AtomicWaker,
}

impl Pong {
    /// The client asked for this.
    pub(super) fn owe(&self, payload: Bytes) {
        self.due().replace(payload);
        self.bell.wake();
    }

    /// What is to be sent. Cancel-safe, and for one who waits.
    pub(super) async fn next(&self) -> Bytes {
        std::future::poll_fn(|cx| {
            self.bell.register(cx.waker());
            self.due().take().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Held for a single look; what it guards is whole whatever panicked meanwhile.
    fn due(&self) -> MutexGuard<'_, Option<Bytes>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
