//! The user's audio on its way to the socket: a short queue that loses its oldest frames rather than let audio grow old.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

/// Frames that wait at most: half a second of 20 ms frames.
const MOST: usize = 25;

/// Frames that wait to be sent.
#[derive(Debug, Default)]
pub(super) struct VoiceQueue {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Bytes>,
    lost: u64,
    is_closed: bool,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It waits.
    Kept,
    /// It waits, and the oldest that waited is lost.
    Displaced,
    /// Nobody sends any more.
    Closed,
}

impl VoiceQueue {
    pub(super) fn push(&self, frame: Bytes) -> Taken {
        let mut waiting = self.lock();
        if waiting.is_closed {
            return Taken::Closed;
        }
        let is_full = waiting.frames.len() >= MOST;
        if is_full {
            waiting.frames.pop_front();
            waiting.lost += 1;
        }
        waiting.frames.push_back(frame);
        drop(waiting);
        self.changed.notify_one();
        if is_full { Taken::Displaced } else { Taken::Kept }
    }

    /// The next frame, as soon as there is one. Loses none when dropped.
    pub(super) async fn next(&self) -> Bytes {
        loop {
            if let Some(frame) = self.try_next() {
                return frame;
            }
            self.changed.notified().await;
        }
    }

    /// The next frame, if one waits.
    pub(super) fn try_next(&self) -> Option<Bytes> {
        self.lock().frames.pop_front()
    }

    /// Nothing is taken from here on.
    pub(super) fn close(&self) {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        waiting.frames.clear();
    }

    /// Frames that were lost since the beginning.
    pub(super) fn lost(&self) -> u64 {
        self.lock().lost
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // What is under it is whole between any two instructions that can panic.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_queue_that_nobody_empties_keeps_what_is_newest() {
        let queue = VoiceQueue::default();
        for frame in 0..100_u8 {
            let taken = queue.push(vec![frame].into());
            assert_eq!(taken, if usize::from(frame) < MOST { Taken::Kept } else { Taken::Displaced });
        }
        assert_eq!(queue.next().await[..], [75]);
        assert_eq!(queue.lost(), 75);
        queue.close();
        assert_eq!(queue.push(Bytes::new()), Taken::Closed);
        assert_eq!(queue.try_next(), None);
    }
}
