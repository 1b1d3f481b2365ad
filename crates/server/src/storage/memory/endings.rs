//! Endings in memory.

use antiphon_api::{CallId, Timestamp};

use super::super::endings::Phase;
use super::super::{AccountId, Ending, EndingStore, EndingTimes, Pending, Summary};
use super::Memory;
use super::deliveries::{KeptEnding, Outbox};

impl EndingStore for Memory {
    fn endings(&self, now: Timestamp, limit: u32) -> Pending<'_, Vec<Ending>> {
        self.at_once(|contents| {
            let endings = contents.outbox.unfinished();
            let mut endings: Vec<(&CallId, &KeptEnding)> =
                endings.filter(|(_, ending)| ending.due.is_none_or(|due| due <= now)).collect();
            endings.sort_by_key(|(call, ending)| (ending.phase, ending.ended, **call));
            let ending = |(call, ending): (&CallId, &KeptEnding)| Ending {
                call: *call,
                ended: ending.ended,
                held: ending.phase == Phase::Held,
                attempts: ending.attempts,
            };
            Ok(endings.into_iter().take(limit as usize).map(ending).collect())
        })
    }

    fn ending_times(&self, now: Timestamp) -> Pending<'_, EndingTimes> {
        self.at_once(|contents| {
            let unfinished = || contents.outbox.unfinished().map(|(_, ending)| ending);
            let held = unfinished().filter(|ending| ending.phase == Phase::Held);
            let attempts = unfinished().filter_map(|ending| ending.due).filter(|due| *due > now);
            Ok(EndingTimes { held: held.map(|ending| ending.ended).min(), attempt: attempts.min() })
        })
    }

    fn postpone_ending(&self, call: CallId, attempts: u32, due: Timestamp) -> Pending<'_, ()> {
        self.at_once(|contents| {
            let ending = contents.outbox.endings.get_mut(&call);
            if let Some(ending) = ending.filter(|ending| ending.phase <= Phase::Late) {
                (ending.attempts, ending.due) = (attempts, Some(due));
            }
            Ok(())
        })
    }

    fn release_endings(&self, ended_by: Timestamp, now: Timestamp, limit: u32) -> Pending<'_, u32> {
        let mut released = false;
        let done = self.at_once(|contents| {
            let outbox = &mut contents.outbox;
            let held = outbox.endings.iter().filter(|(_, ending)| ending.phase == Phase::Held);
            let held = held.filter(|(_, ending)| ending.ended <= ended_by);
            let mut held: Vec<(Timestamp, CallId)> =
                held.map(|(call, ending)| (ending.ended, *call)).collect();
            held.sort_unstable();
            held.truncate(limit as usize);
            for (_, call) in &held {
                if let Some(ending) = outbox.endings.get_mut(call) {
                    ending.phase = Phase::Late;
                }
                outbox.release(*call, now);
            }
            released = !held.is_empty();
            Ok(u32::try_from(held.len()).unwrap_or(u32::MAX))
        });
        if released {
            self.kept.outbox.send_replace(());
        }
        done
    }

    fn finish_ending<'a>(
        &'a self,
        call: CallId,
        summary: Option<&'a Summary>,
        now: Timestamp,
    ) -> Pending<'a, ()> {
        self.changing(|contents| {
            let outbox = &mut contents.outbox;
            let Some(ending) = outbox.endings.get_mut(&call).filter(|ending| ending.phase <= Phase::Late)
            else {
                return Ok(());
            };
            match ending.auto_delete {
                true => ending.phase = Phase::Delivering,
                false => {
                    outbox.endings.remove(&call);
                }
            }
            if let (Some(summary), Some(kept)) = (summary, contents.calls.get_mut(&call)) {
                kept.call.summary = Some(summary.clone());
            }
            outbox.release(call, now);
            outbox.settle(call);
            Ok(())
        })
    }

    fn deletable(&self, limit: u32) -> Pending<'_, Vec<(AccountId, CallId)>> {
        self.at_once(|contents| {
            let endings = contents.outbox.endings.iter();
            let mut ready: Vec<(Timestamp, CallId)> = endings
                .filter(|(_, ending)| ending.phase == Phase::Deletable)
                .map(|(call, ending)| (ending.ended, *call))
                .collect();
            ready.sort_unstable();
            let account = |(_, call)| contents.calls.get(&call).map(|kept| (kept.call.account, call));
            Ok(ready.into_iter().take(limit as usize).filter_map(account).collect())
        })
    }
}

impl Outbox {
    /// The endings that are not summed up.
    fn unfinished(&self) -> impl Iterator<Item = (&CallId, &KeptEnding)> {
        self.endings.iter().filter(|(_, ending)| ending.phase <= Phase::Late)
    }
}
