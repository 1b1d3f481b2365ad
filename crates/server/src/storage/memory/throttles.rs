//! Throttles in memory, and what they count.

use antiphon_api::{ThrottleId, Timestamp};

use super::super::throttles::{LONGEST_WINDOW, leaves, window_start};
use super::super::{AccountId, Admission, Keeping, Pending, StoredThrottle, ThrottleDeletion, ThrottleStore};
use super::{Contents, Memory};

impl ThrottleStore for Memory {
    fn insert_throttle<'a>(&'a self, throttle: &'a StoredThrottle, most: u32) -> Pending<'a, Keeping> {
        self.at_once(|contents| {
            if contents.name_is_taken(throttle) {
                return Ok(Keeping::NameTaken);
            }
            let own = contents.throttles.iter().filter(|(known, _)| known.account == throttle.account);
            if own.count() >= most as usize {
                return Ok(Keeping::Full);
            }
            contents.throttles.push((StoredThrottle { version: 0, ..throttle.clone() }, Vec::new()));
            Ok(Keeping::Kept)
        })
    }

    fn find_throttle(&self, account: AccountId, id: ThrottleId) -> Pending<'_, Option<StoredThrottle>> {
        self.at_once(|contents| Ok(contents.own_throttles(account).find(|known| known.id == id).cloned()))
    }

    fn throttle_named<'a>(
        &'a self,
        account: AccountId,
        name: &'a str,
    ) -> Pending<'a, Option<StoredThrottle>> {
        self.at_once(|contents| Ok(contents.own_throttles(account).find(|known| known.name == name).cloned()))
    }

    fn throttles(&self, account: AccountId) -> Pending<'_, Vec<StoredThrottle>> {
        self.at_once(|contents| {
            let mut own: Vec<_> = contents.own_throttles(account).cloned().collect();
            own.sort_by_key(|throttle| std::cmp::Reverse((throttle.created, throttle.id)));
            Ok(own)
        })
    }

    fn update_throttle<'a>(&'a self, throttle: &'a StoredThrottle) -> Pending<'a, Keeping> {
        self.at_once(|contents| {
            if contents.name_is_taken(throttle) {
                return Ok(Keeping::NameTaken);
            }
            let same = |(known, _): &&mut (StoredThrottle, Vec<Timestamp>)| {
                known.id == throttle.id
                    && known.account == throttle.account
                    && known.version == throttle.version
            };
            let Some((known, _)) = contents.throttles.iter_mut().find(same) else {
                return Ok(Keeping::Changed);
            };
            known.name.clone_from(&throttle.name);
            known.rules.clone_from(&throttle.rules);
            known.version += 1;
            Ok(Keeping::Kept)
        })
    }

    fn delete_throttle(&self, account: AccountId, id: ThrottleId) -> Pending<'_, ThrottleDeletion> {
        self.at_once(|contents| {
            if contents.own_throttles(account).all(|known| known.id != id) {
                return Ok(ThrottleDeletion::Unknown);
            }
            if contents.is_in_use(id) {
                return Ok(ThrottleDeletion::InUse);
            }
            contents.throttles.retain(|(known, _)| known.id != id);
            contents.release(id);
            Ok(ThrottleDeletion::Deleted)
        })
    }
}

impl Contents {
    fn own_throttles(&self, account: AccountId) -> impl Iterator<Item = &StoredThrottle> {
        self.throttles.iter().map(|(known, _)| known).filter(move |known| known.account == account)
    }

    fn name_is_taken(&self, throttle: &StoredThrottle) -> bool {
        self.own_throttles(throttle.account)
            .any(|known| known.name == throttle.name && known.id != throttle.id)
    }

    /// Counts a call, if the throttle lets it pass; says why not if it does not.
    pub(super) fn count(&mut self, id: ThrottleId, at: Timestamp) -> Result<(), Admission> {
        let Some((throttle, counted)) = self.throttles.iter_mut().find(|(known, _)| known.id == id) else {
            return Err(Admission::NoThrottle);
        };
        let longest = i64::try_from(LONGEST_WINDOW.as_micros()).unwrap_or(i64::MAX);
        counted.retain(|created| created.unix_micros() > at.unix_micros() - longest);
        let until = throttle.rules.iter().filter_map(|rule| {
            let mut within: Vec<i64> = counted.iter().map(|created| created.unix_micros()).collect();
            within.retain(|created| *created > window_start(rule, at));
            within.sort_unstable();
            let last = within.len().checked_sub(rule.max_calls as usize)?;
            Some(leaves(rule, within[last]))
        });
        match until.max() {
            Some(until) => Err(Admission::throttled(until)),
            None => {
                counted.push(at);
                Ok(())
            }
        }
    }
}
