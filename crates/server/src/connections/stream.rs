//! A stream that its peer has to take from, and to which it brings no more than there is time for: whoever takes nothing for too
//! long is let go, and whoever floods a WebSocket is read from no faster than a call could ever need. Large answers are written in
//! pieces, in turns with all others.
//!
//! Holds the connection's place for as long as there is a stream, whatever becomes of the HTTP connection above it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::places::Place;
use super::turns::{Answering, Turns};

/// Bytes a second that are read from a WebSocket in the long run: twenty times the audio of the highest rate.
const SOCKET_RATE: u32 = 2 << 20;
/// Bytes that may come at once beyond that: one message of the usual limit.
const SOCKET_BURST: Duration = Duration::from_millis(500);
/// Bytes after which other tasks of the thread have their turn: in frames of no length, which is the most work, a third of a
/// millisecond.
const IN_ONE_GO: usize = 32 << 10;

/// See the head of this file.
pub(super) struct Stream<S> {
    inner: S,
    patience: Duration,
    /// Made when a peer is slow for the first time, and set anew each time.
    timer: Option<Pin<Box<Sleep>>>,
    stalls: bool,
    /// When all that was read from a WebSocket has been paid for, at [`SOCKET_RATE`].
    paid_at: Instant,
    /// That was too long ahead when it was last read from.
    in_debt: bool,
    /// Made when a peer is too fast for the first time.
    pause: Option<Pin<Box<Sleep>>>,
    in_one_go: usize,
    answering: Answering,
    /// It carries a WebSocket, as far as is known here: the place is shared with others, and asked no longer than it can change.
    carries_socket: bool,
    place: Arc<Place>,
}

impl<S> Stream<S> {
    pub(super) fn new(inner: S, patience: Duration, place: Arc<Place>, turns: Turns) -> Self {
        Self {
            inner,
            patience,
            timer: None,
            stalls: false,
            paid_at: Instant::now(),
            in_debt: false,
            pause: None,
            in_one_go: 0,
            answering: Answering::new(turns),
            carries_socket: false,
            place,
        }
    }

    fn carries_socket(&mut self) -> bool {
        self.carries_socket = self.carries_socket || self.place.carries_socket();
        self.carries_socket
    }

    /// How many bytes may be written at once. What a call sends waits for nobody.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        match self.carries_socket() {
            true => Poll::Ready(usize::MAX),
            false => self.answering.poll_room(cx, self.place.requests()),
        }
    }

    /// What becomes of a write of bytes that got so far.
    fn written(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.answering.wrote(match written {
            Poll::Ready(Ok(bytes)) => Poll::Ready(bytes),
            Poll::Ready(Err(_)) => Poll::Ready(0),
            Poll::Pending => Poll::Pending,
        });
        self.held_to_time(cx, written)
    }

    /// What becomes of a write that got so far.
    fn held_to_time<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalls = false;
            return written;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(self.patience)));
        if !self.stalls {
            self.stalls = true;
            timer.as_mut().reset(Instant::now() + self.patience);
        }
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing of what it is sent")))
    }
}

/// How many of the pieces fit into so many bytes as a whole.
fn fitting(pieces: &[IoSlice<'_>], room: usize) -> usize {
    let ends = pieces.iter().scan(0_usize, |end, piece| {
        *end = end.saturating_add(piece.len());
        Some(*end)
    });
    ends.take_while(|end| *end <= room).count()
}

impl<S: AsyncRead + Unpin> Stream<S> {
    fn poll_read_paced(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.in_one_go >= IN_ONE_GO {
            self.in_one_go = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        // The clock is not asked for nothing: a WebSocket is looked at far more often than something has come.
        if self.in_debt {
            let until = self.paid_at - SOCKET_BURST;
            let pause = self.pause.get_or_insert_with(|| Box::pin(sleep_until(until)));
            pause.as_mut().reset(until);
            ready!(pause.as_mut().poll(cx));
            self.in_debt = false;
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        let bytes = buffer.filled().len() - before;
        match read {
            Poll::Pending => self.in_one_go = 0,
            Poll::Ready(_) => self.in_one_go += bytes,
        }
        if bytes > 0 {
            let now = Instant::now();
            let price = Duration::from_nanos(bytes as u64 * 1_000_000_000 / u64::from(SOCKET_RATE));
            self.paid_at = self.paid_at.max(now) + price;
            self.in_debt = self.paid_at > now + SOCKET_BURST;
        }
        read
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.carries_socket() {
            true => self.poll_read_paced(cx, buffer),
            false => Pin::new(&mut self.inner).poll_read(cx, buffer),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let room = ready!(self.poll_room(cx));
        let written = Pin::new(&mut self.inner).poll_write(cx, &bytes[..bytes.len().min(room)]);
        self.written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let room = ready!(self.poll_room(cx));
        let written = match pieces.iter().find(|piece| !piece.is_empty()) {
            Some(first) if first.len() > room => Pin::new(&mut self.inner).poll_write(cx, &first[..room]),
            _ => Pin::new(&mut self.inner).poll_write_vectored(cx, &pieces[..fitting(pieces, room)]),
        };
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.held_to_time(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.held_to_time(cx, shut)
    }
}
