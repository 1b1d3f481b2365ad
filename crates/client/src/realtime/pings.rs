//! Pings that wait for their pong, to measure how long the way to the server and back takes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use antiphon_api::realtime::OpaqueNumber;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Pings that wait at a time. Beyond, the oldest is given up.
const MOST: usize = 16;

/// The pings of a call.
#[derive(Debug, Default)]
pub(super) struct Pings {
    waiting: Mutex<Vec<Ping>>,
}

#[derive(Debug)]
struct Ping {
    timestamp: f64,
    sent: Instant,
    answer: oneshot::Sender<Duration>,
}

impl Pings {
    /// Begins to wait for a pong: gives the number that it will have.
    pub(super) fn begin(&self) -> (f64, oneshot::Receiver<Duration>) {
        let (answer, answered) = oneshot::channel();
        let mut waiting = self.lock();
        waiting.retain(|ping| !ping.answer.is_closed());
        if waiting.len() >= MOST {
            waiting.remove(0);
        }
        // Seconds since 1970 with milliseconds by convention (protocol.md 3.2), and never the same twice.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut timestamp = now.as_millis() as f64 / 1_000.0;
        while waiting.iter().any(|ping| ping.timestamp >= timestamp) {
            timestamp += 0.001;
        }
        waiting.push(Ping { timestamp, sent: Instant::now(), answer });
        (timestamp, answered)
    }

    /// Takes a pong, which nobody need have asked for.
    pub(super) fn pong(&self, timestamp: &OpaqueNumber) {
        let Ok(timestamp) = timestamp.as_str().parse::<f64>() else { return };
        let mut waiting = self.lock();
        // A server may write the number with other digits.
        if let Some(at) = waiting.iter().position(|ping| (ping.timestamp - timestamp).abs() < 0.000_5) {
            let ping = waiting.remove(at);
            // Nobody may wait any more.
            let _ = ping.answer.send(ping.sent.elapsed());
        }
    }

    /// The call is over: nobody waits any longer.
    pub(super) fn close(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Ping>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
