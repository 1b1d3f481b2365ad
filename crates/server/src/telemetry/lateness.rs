//! How late calls are woken: the one figure that says whether a server has too much to do, since audio leaves as late as its call
//! is woken.
//!
//! Counts without a lock: every call notes every wake-up. Besides the sums since the start, it knows the last few seconds, by
//! which new calls are let in or not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Upper bounds of the counted ranges; above the last one is one more.
pub const BOUNDS: [Duration; 9] = [
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_secs(1),
];

/// Seconds that count as the present.
const PRESENT: u64 = 5;
/// Slots of a second each, more than [`PRESENT`] so that none is used anew while it is read.
const SLOTS: usize = 8;
/// Wake-ups that say something about a server. Fewer are those of a few calls, which one hiccup of the machine makes late.
const ENOUGH: u64 = 1_000;

/// How late calls were woken since the start, and in the last seconds.
#[derive(Debug)]
pub struct Lateness {
    counts: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
    began: Instant,
    slots: [Slot; SLOTS],
}

/// One second.
#[derive(Debug, Default)]
struct Slot {
    /// Which one, since the beginning; what is in it belongs to no other.
    second: AtomicU64,
    counts: [AtomicU64; BOUNDS.len() + 1],
}

impl Default for Lateness {
    fn default() -> Self {
        Self {
            counts: Default::default(),
            micros: AtomicU64::new(0),
            began: Instant::now(),
            slots: Default::default(),
        }
    }
}

impl Lateness {
    /// A call was woken so much later than it had asked for.
    pub fn note(&self, late: Duration) {
        let range = BOUNDS.iter().position(|bound| late <= *bound).unwrap_or(BOUNDS.len());
        self.counts[range].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(u64::try_from(late.as_micros()).unwrap_or(0), Ordering::Relaxed);
        let second = self.second();
        let slot = &self.slots[second as usize % SLOTS];
        // Whoever comes first in a second empties its slot. Others may lose a count meanwhile, which changes no percentile.
        if slot.second.swap(second, Ordering::Relaxed) != second {
            slot.counts.iter().for_each(|count| count.store(0, Ordering::Relaxed));
        }
        slot.counts[range].fetch_add(1, Ordering::Relaxed);
    }

    /// How many wake-ups were in each range of [`BOUNDS`], and above.
    #[must_use]
    pub fn counts(&self) -> [u64; BOUNDS.len() + 1] {
        std::array::from_fn(|range| self.counts[range].load(Ordering::Relaxed))
    }

    /// All lateness together.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.micros.load(Ordering::Relaxed))
    }

    /// The bound that 99 of 100 wake-ups of the last seconds kept; nothing while there were too few to say. More than the last bound
    /// is [`Duration::MAX`].
    #[must_use]
    pub fn present(&self) -> Option<Duration> {
        let now = self.second();
        let mut counts = [0; BOUNDS.len() + 1];
        for slot in &self.slots {
            let age = now.checked_sub(slot.second.load(Ordering::Relaxed));
            if age.is_some_and(|age| age < PRESENT) {
                for (sum, count) in counts.iter_mut().zip(&slot.counts) {
                    *sum += count.load(Ordering::Relaxed);
                }
            }
        }
        let all: u64 = counts.iter().sum();
        if all < ENOUGH {
            return None;
        }
        let mut later = all;
        let range = counts.iter().position(|count| {
            later -= count;
            later * 100 <= all
        });
        let bound = range.and_then(|range| BOUNDS.get(range)).copied();
        Some(bound.unwrap_or(Duration::MAX))
    }

    /// Seconds since the beginning, from 1: a slot that was never used is of none of them.
    fn second(&self) -> u64 {
        self.began.elapsed().as_secs() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn note(lateness: &Lateness, times: u64, late: Duration) {
        (0..times).for_each(|_| lateness.note(late));
    }

    #[tokio::test(start_paused = true)]
    async fn one_in_a_hundred_may_be_later() {
        let lateness = Lateness::default();
        note(&lateness, 990, ms(1));
        note(&lateness, 9, ms(90));
        assert_eq!(lateness.present(), None, "too few to say");
        note(&lateness, 1, ms(90));
        assert_eq!(lateness.present(), Some(ms(1)));
        note(&lateness, 1, ms(90));
        assert_eq!(lateness.present(), Some(ms(100)));
        note(&lateness, 200, ms(3_000));
        assert_eq!(lateness.present(), Some(Duration::MAX));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_is_forgotten_after_some_seconds_and_stays_in_the_sums() {
        let lateness = Lateness::default();
        note(&lateness, 2_000, ms(200));
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(lateness.present(), Some(ms(250)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(lateness.present(), None);
        note(&lateness, 2_000, ms(1));
        assert_eq!(lateness.present(), Some(ms(1)));
        // A slot that is used again is another second's.
        tokio::time::advance(Duration::from_secs(3)).await;
        note(&lateness, 2_000, ms(1));
        assert_eq!(lateness.present(), Some(ms(1)));
        assert_eq!(lateness.counts().iter().sum::<u64>(), 6_000);
        assert_eq!(lateness.sum(), ms(200) * 2_000 + ms(1) * 4_000);
    }
}
