//! The timers of a session. Knows no JavaScript: a timer is a number and the times at which it rings.

use std::collections::BTreeMap;
use std::time::Duration;

/// The timers that run.
#[derive(Debug, Default)]
pub(super) struct Timers {
    running: BTreeMap<u32, Timer>,
    last: u32,
}

#[derive(Debug)]
struct Timer {
    rings_at: Duration,
    every: Option<Duration>,
}

impl Timers {
    pub(super) fn count(&self) -> usize {
        self.running.len()
    }

    /// Starts one that rings after `delay`, once or again and again, and gives its number.
    pub(super) fn start(&mut self, now: Duration, delay: Duration, repeat: bool) -> u32 {
        self.last = self.last.wrapping_add(1);
        let timer = Timer { rings_at: now + delay, every: repeat.then_some(delay) };
        self.running.insert(self.last, timer);
        self.last
    }

    pub(super) fn stop(&mut self, number: u32) {
        self.running.remove(&number);
    }

    pub(super) fn stop_all(&mut self) {
        self.running.clear();
    }

    pub(super) fn next(&self) -> Option<Duration> {
        self.running.values().map(|timer| timer.rings_at).min()
    }

    /// The timer that is to ring by now, the one that is due first. One that repeats leaves out what it has missed.
    pub(super) fn ring(&mut self, now: Duration) -> Option<u32> {
        let due = self.running.iter().filter(|(_, timer)| timer.rings_at <= now);
        let number = *due.min_by_key(|(number, timer)| (timer.rings_at, **number))?.0;
        let timer = self.running.get_mut(&number)?;
        match timer.every {
            Some(every) => {
                let next = timer.rings_at + every;
                timer.rings_at = if next > now { next } else { now + every };
            }
            None => {
                self.running.remove(&number);
            }
        }
        Some(number)
    }
}
