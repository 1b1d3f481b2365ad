//! When the other end of a WebSocket was last heard of, which tells one that is silent from one that is gone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// An end that answers nothing for this long is gone.
pub(crate) const SILENCE: Duration = Duration::from_secs(60);

/// When the other end was last heard of.
pub(crate) struct Pulse {
    start: Instant,
    last_ms: AtomicU64,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), last_ms: AtomicU64::new(0) }
    }

    /// It was heard of now.
    pub(crate) fn beat(&self, now: Instant) {
        let elapsed = u64::try_from(now.duration_since(self.start).as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(elapsed, Ordering::Relaxed);
    }

    pub(crate) fn is_lost(&self) -> bool {
        let last = self.start + Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        last.elapsed() >= SILENCE
    }
}
