//! How often something may be done: quotas, and who has used how much of theirs.
//!
//! A bucket is one moment: when it will be full again. So what is idle is as if it had never been there, and is forgotten. Knows
//! neither accounts nor requests, and no clock.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Buckets that are never looked through for idle ones.
const FEW: usize = 64;

/// So many in a period, which may come at once; from then on as many as fit evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    /// In which one more fits.
    interval: Duration,
    /// In which as many fit as may come at once.
    period: Duration,
}

impl Quota {
    /// So many in `period`; 0 is no quota.
    pub(crate) fn new(count: u32, period: Duration) -> Option<Self> {
        let count = NonZeroU32::new(count)?;
        Some(Self { interval: period / count.get(), period })
    }
}

/// Who has used how much of their quota.
#[derive(Debug)]
pub(crate) struct Buckets<K>(Mutex<Table<K>>);

#[derive(Debug)]
struct Table<K> {
    full_at: HashMap<K, Instant>,
    /// As many as there may be until idle ones are looked for.
    room: usize,
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self(Mutex::new(Table { full_at: HashMap::new(), room: FEW }))
    }
}

impl<K: Hash + Eq> Buckets<K> {
    /// Takes one from the bucket of `key`, or says how long it will be until there is one.
    pub(crate) fn take(&self, key: K, quota: Quota, now: Instant) -> Result<(), Duration> {
        let mut table = self.table();
        table.forget_idle(now);
        let full_at = table.full_at.entry(key).or_insert(now);
        let after = (*full_at).max(now) + quota.interval;
        // Rounding leaves the last of those that may come at once a little short of its moment, never beyond it.
        match after.duration_since(now).checked_sub(quota.period).filter(|wait| !wait.is_zero()) {
            Some(wait) => Err(wait),
            None => {
                *full_at = after;
                Ok(())
            }
        }
    }

    /// Gives one back that was taken for what did not come about.
    pub(crate) fn give_back(&self, key: &K, quota: Quota) {
        if let Some(full_at) = self.table().full_at.get_mut(key) {
            // What is full before now is as full as now.
            *full_at = full_at.checked_sub(quota.interval).unwrap_or(*full_at);
        }
    }

    /// Held for single look-ups only; what it guards is whole whatever panicked meanwhile.
    fn table(&self) -> MutexGuard<'_, Table<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq> Table<K> {
    /// Each time that the buckets have doubled, those that are full again go: a constant share of the work of filling them.
    fn forget_idle(&mut self, now: Instant) {
        if self.full_at.len() >= self.room {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.room = FEW.max(2 * self.full_at.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn as_many_may_come_at_once_as_there_are_in_a_period_and_then_evenly() {
        let start = Instant::now();
        for count in [1, 3, 7, 200, 500] {
            let (buckets, quota) = (Buckets::default(), Quota::new(count, SECOND).unwrap());
            for _ in 0..count {
                assert_eq!(buckets.take("a", quota, start), Ok(()), "{count}");
            }
            let wait = buckets.take("a", quota, start).unwrap_err();
            assert!(wait <= SECOND / count && wait + Duration::from_micros(1) >= SECOND / count, "{wait:?}");
            assert_eq!(buckets.take("a", quota, start), Err(wait), "asking costs nothing");
            assert_eq!(buckets.take("b", quota, start), Ok(()), "everybody has their own");
            assert_eq!(buckets.take("a", quota, start + wait), Ok(()));
            assert!(buckets.take("a", quota, start + wait).is_err());
        }
        assert_eq!(Quota::new(0, SECOND), None);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_is_no_more_than_that() {
        let start = Instant::now();
        let (buckets, quota) = (Buckets::default(), Quota::new(2, SECOND).unwrap());
        buckets.give_back(&"a", quota);
        for _ in 0..5 {
            buckets.take("a", quota, start).unwrap();
            buckets.give_back(&"a", quota);
        }
        let later = start + SECOND;
        assert_eq!([buckets.take("a", quota, later), buckets.take("a", quota, later)], [Ok(()), Ok(())]);
        assert!(buckets.take("a", quota, later).is_err(), "nothing is saved up");
    }

    #[test]
    fn over_any_time_no_more_than_the_quota_and_one_burst_comes_through() {
        let start = Instant::now();
        let (buckets, quota) = (Buckets::default(), Quota::new(5, SECOND).unwrap());
        let mut through = 0;
        for millis in 0..60_000 {
            through += usize::from(buckets.take((), quota, start + Duration::from_millis(millis)).is_ok());
        }
        assert!((5 * 60..=5 * 60 + 5).contains(&through), "{through}");
    }

    #[test]
    fn buckets_that_are_full_again_are_forgotten() {
        let start = Instant::now();
        let (buckets, quota) = (Buckets::default(), Quota::new(10, SECOND).unwrap());
        for key in 0..100_000_u32 {
            // A thousand a second: each is full again after a tenth of one.
            buckets.take(key, quota, start + Duration::from_millis(key.into())).unwrap();
            assert!(buckets.table().full_at.len() <= 256, "{key}");
        }
    }
}
