//! Room for connections: so many places, and who has to leave theirs for another.
//!
//! Whoever has waited longest for a request leaves first. A client that connects to ask something does so at once, so that ten
//! thousand that say nothing make room for it one by one. Knows no sockets.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::telemetry::metrics::{Metrics, Parting};

/// How long one that was told to leave may take until another is told, too: it may still be sent an answer.
const LEAVING: Duration = Duration::from_millis(50);

/// So many places. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Room>);

#[derive(Debug)]
struct Room {
    maximum: usize,
    free: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
    metrics: Metrics,
}

/// Who waits for a request, those who have waited longest first.
#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    queue: BTreeMap<u64, Arc<Notify>>,
}

/// A connection's place, free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    room: Places,
    /// Under which number the connection waits, if it does.
    number: Mutex<Option<u64>>,
    /// How many requests have come.
    requests: AtomicU64,
    carries_socket: AtomicBool,
    leave: Arc<Notify>,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(maximum: usize, metrics: Metrics) -> Self {
        let free = Arc::new(Semaphore::new(maximum.min(Semaphore::MAX_PERMITS)));
        Self(Arc::new(Room { maximum, free, waiting: Mutex::default(), metrics }))
    }

    pub(super) fn maximum(&self) -> usize {
        self.0.maximum
    }

    /// Places that nobody has.
    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.0.free.available_permits()
    }

    /// A place, in which somebody now waits for a request. Where there is none, those that wait have to leave; `None` when
    /// nobody does.
    pub(super) async fn take(&self) -> Option<Place> {
        let permit = loop {
            let free = Arc::clone(&self.0.free);
            if let Ok(permit) = Arc::clone(&free).try_acquire_owned() {
                break permit;
            }
            if !self.dismiss_one() {
                self.0.metrics.connection_closed(Parting::Refused);
                return None;
            }
            if let Ok(Ok(permit)) = timeout(LEAVING, free.acquire_owned()).await {
                break permit;
            }
        };
        self.0.metrics.connection_opened();
        let place = Place {
            room: self.clone(),
            number: Mutex::default(),
            requests: AtomicU64::new(0),
            carries_socket: AtomicBool::new(false),
            leave: Arc::default(),
            _permit: permit,
        };
        place.waits();
        Some(place)
    }

    /// Tells the one that has waited longest to leave; false when nobody waits.
    pub(super) fn dismiss_one(&self) -> bool {
        let Some((_, leave)) = self.waiting().queue.pop_first() else { return false };
        leave.notify_one();
        self.0.metrics.connection_closed(Parting::Dismissed);
        true
    }

    /// Counts a connection that never asked for anything.
    pub(super) fn closes_silent(&self) {
        self.0.metrics.connection_closed(Parting::Silent);
    }

    /// Held for single look-ups only; what it guards is whole whatever panicked meanwhile.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The connection has answered everything that it was asked.
    pub(super) fn waits(&self) {
        let mut waiting = self.room.waiting();
        let number = waiting.next;
        waiting.next += 1;
        waiting.queue.insert(number, Arc::clone(&self.leave));
        let before = self.number().replace(number);
        if let Some(before) = before {
            waiting.queue.remove(&before);
        }
    }

    /// The connection has been asked something.
    pub(super) fn becomes_busy(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let number = self.number().take();
        if let Some(number) = number {
            self.room.waiting().queue.remove(&number);
        }
    }

    /// The connection is a WebSocket from now on.
    pub(super) fn becomes_socket(&self) {
        self.carries_socket.store(true, Ordering::Relaxed);
    }

    pub(super) fn carries_socket(&self) -> bool {
        self.carries_socket.load(Ordering::Relaxed)
    }

    /// Whether the connection has been asked anything.
    pub(super) fn has_asked(&self) -> bool {
        self.requests() > 0
    }

    /// How many requests have come.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Returns when the place is needed for another. Cancel-safe.
    pub(super) async fn dismissed(&self) {
        self.leave.notified().await;
    }

    fn number(&self) -> MutexGuard<'_, Option<u64>> {
        self.number.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let number = self.number().take();
        if let Some(number) = number {
            self.room.waiting().queue.remove(&number);
        }
        self.room.0.metrics.connection_ended();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_has_waited_longest_makes_room() {
        let places = Places::new(3, Metrics::default());
        let [one, two, three] =
            [places.take().await.unwrap(), places.take().await.unwrap(), places.take().await.unwrap()];
        one.becomes_busy();
        one.waits();
        two.becomes_busy();
        // The third has waited longest now, since the first has asked and been answered meanwhile.
        let leaving = tokio::spawn(async move {
            three.dismissed().await;
            drop(three);
        });
        let four = places.take().await.unwrap();
        leaving.await.unwrap();
        four.becomes_busy();
        let leaving = tokio::spawn(async move {
            one.dismissed().await;
            drop(one);
        });
        places.take().await.unwrap().becomes_busy();
        leaving.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn where_nobody_waits_there_is_no_room_and_what_ends_makes_some() {
        let places = Places::new(2, Metrics::default());
        let (one, two) = (places.take().await.unwrap(), places.take().await.unwrap());
        one.becomes_busy();
        two.becomes_busy();
        assert!(places.take().await.is_none());
        drop(two);
        assert!(places.take().await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_takes_its_time_to_leave_is_not_waited_for() {
        let places = Places::new(2, Metrics::default());
        let _slow = places.take().await.unwrap();
        let quick = places.take().await.unwrap();
        tokio::spawn(async move {
            quick.dismissed().await;
            drop(quick);
        });
        assert!(places.take().await.is_some());
    }
}
