//! Turns of large answers: each is written in pieces, one piece of one answer at a time, and between two pieces every other task of
//! the thread has its turn. However many ask for something large at one moment, a call waits for one piece.
//!
//! The beginning of an answer is written at once, so that small ones wait for nobody. Knows no sockets.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker, ready};

use futures::task::AtomicWaker;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;
use tokio_util::sync::PollSemaphore;

/// Bytes of one piece, and of what is written of each answer before it needs a turn: some 10 µs of a core.
pub(super) const PIECE: usize = 16 << 10;

/// Whose turn it is. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

/// What one connection writes of its answers.
#[derive(Debug)]
pub(super) struct Answering {
    turns: Turns,
    /// Which request is answered, and how many bytes were written since it came.
    request: u64,
    written: usize,
    /// Whether the peer has to take something first.
    stalls: bool,
    /// Made for the first large answer.
    queue: Option<PollSemaphore>,
    turn: Option<Turn>,
}

/// The right to write one piece, when the thread has done what else there is to do. Only the one that writes next has it, so that
/// all others wait elsewhere than in the thread's queue.
#[derive(Debug)]
struct Turn {
    round: Arc<Round>,
    _permit: OwnedSemaphorePermit,
}

/// One way around the thread's queue. A connection is looked at more than once on one visit, so that being looked at says nothing.
#[derive(Debug, Default)]
struct Round {
    over: AtomicBool,
    waiting: AtomicWaker,
}

impl Answering {
    pub(super) fn new(turns: Turns) -> Self {
        Self { turns, request: 0, written: 0, stalls: false, queue: None, turn: None }
    }

    /// How many bytes of the answer to `request` may be written now: at least one.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>, request: u64) -> Poll<usize> {
        if self.request != request {
            (self.request, self.written, self.turn) = (request, 0, None);
        }
        if self.written < PIECE {
            return Poll::Ready(PIECE - self.written);
        }
        // Whether the peer has taken something is found out by trying, which costs nothing if it has not.
        if self.stalls {
            return Poll::Ready(PIECE);
        }
        if self.turn.is_none() {
            let queue = self.queue.get_or_insert_with(|| PollSemaphore::new(Arc::clone(&self.turns.0)));
            let permit = ready!(queue.poll_acquire(cx));
            self.turn = permit.map(|permit| Turn { round: Round::begin(), _permit: permit });
        }
        if let Some(turn) = &self.turn {
            ready!(turn.round.poll(cx));
        }
        self.turn = None;
        Poll::Ready(PIECE)
    }

    /// So many bytes were written, or none, since the peer has to take some first.
    pub(super) fn wrote(&mut self, bytes: Poll<usize>) {
        self.stalls = bytes.is_pending();
        if let Poll::Ready(bytes) = bytes {
            self.written = self.written.saturating_add(bytes);
        }
    }
}

impl Round {
    fn begin() -> Arc<Self> {
        let round = Arc::<Self>::default();
        let waker = Waker::from(Arc::clone(&round));
        // It is pending, and wakes the round after everything else.
        if pin!(yield_now()).poll(&mut Context::from_waker(&waker)).is_ready() {
            round.over.store(true, Ordering::Release);
        }
        round
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.waiting.register(cx.waker());
        if self.over.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Wake for Round {
    fn wake(self: Arc<Self>) {
        self.over.store(true, Ordering::Release);
        self.waiting.wake();
    }
}
