//! What goes to a client's WebSocket, frame by frame, and how long that may take. Knows no connection: it is told where to write.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::time::{Sleep, sleep};

use super::rfc6455::{self, Opcode};
use crate::call::leg::{CloseCode, Departure};

/// How long what is sent may take to go out before the client counts as gone.
const SEND: Duration = Duration::from_secs(20);
/// What waits for the client goes out together, up to so many bytes: more would be on its way when the agent falls silent.
const TOGETHER: usize = 2 << 10;
/// A buffer that grew for a large message is given back beyond this.
const KEPT: usize = 64 << 10;

thread_local! {
    /// Where the frames of this thread's connections are put together, which mostly go out at once: it stays in the cache, and a
    /// connection that has nothing to send has no memory for it.
    static MEMORY: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Frames on their way to a client.
#[derive(Debug, Default)]
pub(super) struct Writer {
    /// Without memory of its own where nothing is on its way.
    buffer: Vec<u8>,
    /// How much of the buffer has gone out.
    gone: usize,
    /// The answer to the client's latest ping, if there was no room for it. One that was not sent yet gives way to the next
    /// (RFC 6455, 5.5.3).
    pong: Option<Bytes>,
    /// Rings when the client has not taken what waits for it for too long; none while it takes everything.
    patience: Option<Pin<Box<Sleep>>>,
}

impl Writer {
    /// Adds a frame to what goes out next.
    pub(super) fn put(&mut self, opcode: Opcode, payload: &[u8]) {
        if self.buffer.capacity() == 0 {
            self.buffer = MEMORY.take();
        }
        rfc6455::put(&mut self.buffer, opcode, payload);
    }

    /// Adds the frame that ends the connection.
    pub(super) fn put_close(&mut self, code: CloseCode) {
        self.put(Opcode::Close, &rfc6455::close(code));
    }

    /// Adds the answer to a ping, as soon as there is room for it.
    pub(super) fn answer(&mut self, ping: Bytes) {
        match self.has_room() {
            true => self.put(Opcode::Pong, &ping),
            false => self.pong = Some(ping),
        }
    }

    /// Whether another frame may go out together with what is there.
    pub(super) fn has_room(&self) -> bool {
        self.patience.is_none() && self.buffer.len() - self.gone < TOGETHER
    }

    /// Whether there is nothing to send.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.pong.is_none()
    }

    /// Sends everything that was added. After an error, nothing can be sent any more.
    ///
    /// # Errors
    /// The connection is lost, or the client does not take what it is sent.
    pub(super) fn poll_flush<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Departure>> {
        let sent = loop {
            while self.gone < self.buffer.len() {
                match Pin::new(&mut *stream).poll_write(cx, &self.buffer[self.gone..]) {
                    Poll::Ready(Ok(bytes @ 1..)) => self.gone += bytes,
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(Departure::Lost)),
                    Poll::Pending => return self.poll_patience(cx),
                }
            }
            self.gone = 0;
            self.give_memory();
            match self.pong.take() {
                Some(ping) => self.put(Opcode::Pong, &ping),
                None => break Pin::new(&mut *stream).poll_flush(cx),
            }
        };
        match sent {
            Poll::Ready(sent) => {
                self.patience = None;
                Poll::Ready(sent.map_err(|_| Departure::Lost))
            }
            Poll::Pending => self.poll_patience(cx),
        }
    }

    /// Gives the memory back of what has gone out.
    fn give_memory(&mut self) {
        let mut memory = std::mem::take(&mut self.buffer);
        if memory.capacity() > 0 {
            memory.clear();
            memory.shrink_to(KEPT);
            MEMORY.set(memory);
        }
    }

    /// What becomes of a client that has room for no more.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Departure>> {
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(SEND)));
        ready!(patience.as_mut().poll(cx));
        Poll::Ready(Err(Departure::Silent))
    }
}
