//! One client's WebSocket: messages come and frames go, over one stream that one task owns.
//!
//! Nothing in it waits for the other direction: a client that is slow to take does not keep what it says from being heard.

use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::frames::{End, Frames, Received};
use super::writer::Writer;
use crate::call::leg::Departure;

/// How long a client may take to answer a close.
const CLOSE: Duration = Duration::from_secs(5);

/// See the head of this file.
pub(super) struct Line<S> {
    stream: S,
    pub(super) frames: Frames,
    pub(super) writer: Writer,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    /// A stream on which frames begin, with messages of at most `limit` bytes from the client.
    pub(super) fn new(stream: S, limit: usize) -> Self {
        Self { stream, frames: Frames::new(limit), writer: Writer::default() }
    }

    /// The next message, or how what the client sends came to its end: then it is not to be asked again.
    pub(super) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, End>> {
        self.frames.poll_next(&mut self.stream, &mut self.writer, cx)
    }

    /// Sends everything that was put.
    ///
    /// # Errors
    /// The connection is lost, or the client does not take what it is sent.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Departure>> {
        self.writer.poll_flush(&mut self.stream, cx)
    }

    /// The next message, for whoever waits for nothing else. Pings are answered meanwhile. Cancel-safe.
    pub(super) async fn receive(&mut self) -> Result<Received, End> {
        std::future::poll_fn(|cx| {
            let received = self.poll_receive(cx);
            // If that fails, the end is read sooner or later.
            let _ = self.poll_flush(cx);
            received
        })
        .await
    }

    /// Sends everything that was put, for whoever waits for nothing else.
    pub(super) async fn flush(&mut self) -> Result<(), Departure> {
        std::future::poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Sends everything that was put, the close among it, if the client takes it in the time that a close may take.
    pub(super) async fn flush_close(&mut self) {
        let _ = timeout(CLOSE, self.flush()).await;
    }

    /// Reads on without a use for it, for as long as a client may take to answer a close, to see how it ends.
    pub(super) async fn await_close(&mut self) -> Option<End> {
        let discard = async {
            loop {
                if let Err(end) = self.receive().await {
                    return end;
                }
            }
        };
        timeout(CLOSE, discard).await.ok()
    }
}
