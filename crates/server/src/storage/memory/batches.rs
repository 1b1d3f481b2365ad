//! Batches in memory.

use std::cmp::Reverse;

use antiphon_api::rest::scheduled_batches::{ScheduledCallRequest, ScheduledCallStatus};
use antiphon_api::{AgentId, BatchId, CallId, Timestamp};
use tokio::sync::watch;

use super::super::{
    AccountId, Admission, BatchPlace, BatchStore, Pending, ScheduledPlace, Settled, Slice, StoredBatch,
    StoredCall, StoredScheduledCall, Window,
};
use super::{Contents, Kept, Memory, nonsense_about, slice};

/// A batch with its calls, and when there is something to do for it.
pub(super) struct KeptBatch {
    batch: StoredBatch,
    calls: Vec<StoredScheduledCall>,
    next_us: Option<i64>,
}

impl BatchStore for Memory {
    fn insert_batch<'a>(
        &'a self,
        batch: &'a StoredBatch,
        calls: &'a [ScheduledCallRequest],
        most: u32,
    ) -> Pending<'a, bool> {
        let inserted = self.at_once(|contents| {
            if contents.batches.contains_key(&batch.id) {
                return Err(nonsense_about("batches", &batch.id, "the id is taken"));
            }
            let own = contents.batches.values().filter(|kept| kept.batch.account == batch.account);
            if own.count() >= most as usize {
                return Ok(false);
            }
            let scheduled = |(position, request): (u32, &ScheduledCallRequest)| StoredScheduledCall {
                position,
                status: ScheduledCallStatus::Future,
                call: None,
                error: None,
                request: request.clone(),
            };
            let calls: Vec<_> = (0..).zip(calls).map(scheduled).collect();
            let batch = StoredBatch {
                total: calls.len() as u64,
                completed: 0,
                failures: 0,
                version: 0,
                ..batch.clone()
            };
            let next_us = batch.next_us();
            contents.batches.insert(batch.id, KeptBatch { batch, calls, next_us });
            Ok(true)
        });
        self.kept.schedule.send_replace(());
        inserted
    }

    fn find_batch(
        &self,
        account: AccountId,
        agent: AgentId,
        id: BatchId,
    ) -> Pending<'_, Option<StoredBatch>> {
        self.at_once(|contents| {
            let found = contents.of_agent(account, agent).find(|batch| batch.id == id);
            Ok(found.cloned())
        })
    }

    fn batches(
        &self,
        account: AccountId,
        agent: AgentId,
        window: Window<BatchPlace>,
    ) -> Pending<'_, Slice<StoredBatch>> {
        self.at_once(|contents| {
            let mut batches: Vec<&StoredBatch> = contents.of_agent(account, agent).collect();
            batches.sort_by_key(|batch| Reverse(batch.place()));
            let own =
                batches.partition_point(|batch| window.after.is_some_and(|after| batch.place() > after));
            let behind =
                batches.partition_point(|batch| window.after.is_some_and(|after| batch.place() >= after));
            Ok(slice(&batches, &window, own..behind).map(|batch| StoredBatch::clone(batch)))
        })
    }

    fn count_batches(&self, account: AccountId, agent: AgentId) -> Pending<'_, u64> {
        self.at_once(|contents| Ok(contents.of_agent(account, agent).count() as u64))
    }

    fn update_batch<'a>(&'a self, batch: &'a StoredBatch) -> Pending<'a, bool> {
        let updated = self.at_once(|contents| {
            let same = |kept: &&mut KeptBatch| {
                kept.batch.account == batch.account
                    && kept.batch.version == batch.version
                    && kept.batch.ended.is_none()
            };
            let Some(kept) = contents.batches.get_mut(&batch.id).filter(same) else { return Ok(false) };
            kept.batch.settings = batch.settings.clone();
            kept.batch.throttle = batch.throttle;
            kept.batch.failures = 0;
            kept.batch.version += 1;
            kept.next_us = kept.batch.next_us();
            Ok(true)
        });
        self.kept.schedule.send_replace(());
        updated
    }

    fn delete_batch(&self, account: AccountId, agent: AgentId, id: BatchId) -> Pending<'_, bool> {
        self.at_once(|contents| {
            let is_own = contents.of_agent(account, agent).any(|batch| batch.id == id);
            Ok(is_own && contents.batches.remove(&id).is_some())
        })
    }

    fn scheduled_calls(
        &self,
        batch: BatchId,
        status: Option<ScheduledCallStatus>,
        window: Window<u32>,
    ) -> Pending<'_, Slice<StoredScheduledCall>> {
        self.at_once(|contents| {
            let calls: Vec<_> = contents.scheduled(batch, status).collect();
            let own = calls.partition_point(|call| window.after.is_some_and(|after| call.position < after));
            let behind =
                calls.partition_point(|call| window.after.is_some_and(|after| call.position <= after));
            Ok(slice(&calls, &window, own..behind).map(|call| StoredScheduledCall::clone(call)))
        })
    }

    fn count_scheduled_calls(&self, batch: BatchId, status: Option<ScheduledCallStatus>) -> Pending<'_, u64> {
        self.at_once(|contents| Ok(contents.scheduled(batch, status).count() as u64))
    }

    fn created_calls(&self, batch: BatchId, window: Window<u32>) -> Pending<'_, Slice<(u32, StoredCall)>> {
        self.at_once(|contents| {
            let mut calls: Vec<(u32, &Kept)> = contents.created(batch).collect();
            calls.sort_by_key(|(position, _)| *position);
            let own = calls.partition_point(|(at, _)| window.after.is_some_and(|after| *at < after));
            let behind = calls.partition_point(|(at, _)| window.after.is_some_and(|after| *at <= after));
            Ok(slice(&calls, &window, own..behind).map(|(at, kept)| (*at, kept.call.clone())))
        })
    }

    fn count_created_calls(&self, batch: BatchId) -> Pending<'_, u64> {
        self.at_once(|contents| Ok(contents.created(batch).count() as u64))
    }

    fn schedule(&self) -> watch::Receiver<()> {
        self.kept.schedule.subscribe()
    }

    fn due_batches<'a>(
        &'a self,
        now: Timestamp,
        but: &'a [AccountId],
        limit: u32,
    ) -> Pending<'a, Vec<StoredBatch>> {
        self.at_once(|contents| {
            let is_due = |kept: &&KeptBatch| {
                kept.next_us.is_some_and(|next| next <= now.unix_micros())
                    && !but.contains(&kept.batch.account)
            };
            let mut due: Vec<&KeptBatch> = contents.batches.values().filter(is_due).collect();
            due.sort_by_key(|kept| (kept.next_us, kept.batch.id));
            Ok(due.into_iter().take(limit as usize).map(|kept| kept.batch.clone()).collect())
        })
    }

    fn next_due(&self, now: Timestamp) -> Pending<'_, Option<Timestamp>> {
        self.at_once(|contents| {
            let next = contents.batches.values().filter_map(|kept| kept.next_us);
            let next = next.filter(|next| *next > now.unix_micros()).min();
            Ok(next.and_then(|next| Timestamp::from_unix_micros(next).ok()))
        })
    }

    fn next_scheduled_call(&self, batch: BatchId) -> Pending<'_, Option<StoredScheduledCall>> {
        self.at_once(|contents| {
            Ok(contents.scheduled(batch, Some(ScheduledCallStatus::Future)).next().cloned())
        })
    }

    fn untold_calls(&self, batch: Option<BatchId>, limit: u32) -> Pending<'_, Vec<(ScheduledPlace, CallId)>> {
        self.at_once(|contents| {
            let asked = |kept: &&KeptBatch| batch.is_none_or(|batch| kept.batch.id == batch);
            let untold = contents.batches.values().filter(asked).flat_map(|kept| {
                let pending = kept.calls.iter().filter(|call| call.status == ScheduledCallStatus::Pending);
                pending.filter_map(|call| {
                    let place = ScheduledPlace { batch: kept.batch.id, position: call.position };
                    Some((place, call.call?))
                })
            });
            Ok(untold.take(limit as usize).collect())
        })
    }

    fn settle_call<'a>(
        &'a self,
        place: ScheduledPlace,
        settled: &'a Settled,
        at: Timestamp,
    ) -> Pending<'a, ()> {
        self.at_once(|contents| {
            let Some(kept) = contents.batches.get_mut(&place.batch) else { return Ok(()) };
            let unsettled = |call: &&mut StoredScheduledCall| match call.status {
                ScheduledCallStatus::Future | ScheduledCallStatus::Pending => true,
                ScheduledCallStatus::Success | ScheduledCallStatus::Expired | ScheduledCallStatus::Error => {
                    false
                }
            };
            let Some(call) = kept.calls.get_mut(place.position as usize).filter(unsettled) else {
                return Ok(());
            };
            match settled {
                Settled::Success => call.status = ScheduledCallStatus::Success,
                Settled::Error(why) => {
                    call.status = ScheduledCallStatus::Error;
                    call.error = Some(why.clone());
                }
            }
            kept.batch.completed += 1;
            kept.end_if_done(at);
            Ok(())
        })
    }

    fn expire_batch(&self, batch: BatchId, at: Timestamp) -> Pending<'_, ()> {
        self.at_once(|contents| {
            let Some(kept) = contents.batches.get_mut(&batch) else { return Ok(()) };
            for call in &mut kept.calls {
                if call.status == ScheduledCallStatus::Future {
                    call.status = ScheduledCallStatus::Expired;
                }
            }
            kept.next_us = None;
            kept.end_if_done(at);
            Ok(())
        })
    }

    fn postpone_batch(
        &self,
        batch: BatchId,
        version: u64,
        until: Timestamp,
        failures: u32,
    ) -> Pending<'_, ()> {
        self.at_once(|contents| {
            let known = contents.batches.get_mut(&batch);
            let same = |kept: &&mut KeptBatch| kept.batch.version == version && kept.batch.ended.is_none();
            if let Some(kept) = known.filter(same) {
                kept.next_us = Some(until.unix_micros());
                kept.batch.failures = failures;
            }
            Ok(())
        })
    }
}

impl KeptBatch {
    fn end_if_done(&mut self, at: Timestamp) {
        let is_open = |call: &StoredScheduledCall| match call.status {
            ScheduledCallStatus::Future | ScheduledCallStatus::Pending => true,
            ScheduledCallStatus::Success | ScheduledCallStatus::Expired | ScheduledCallStatus::Error => false,
        };
        if self.batch.ended.is_none() && !self.calls.iter().any(is_open) {
            self.batch.ended = Some(at);
            self.next_us = None;
        }
    }
}

impl Contents {
    fn of_agent(&self, account: AccountId, agent: AgentId) -> impl Iterator<Item = &StoredBatch> {
        let own = self.batches.values().map(|kept| &kept.batch);
        own.filter(move |batch| batch.account == account && batch.agent == agent)
    }

    fn scheduled(
        &self,
        batch: BatchId,
        status: Option<ScheduledCallStatus>,
    ) -> impl Iterator<Item = &StoredScheduledCall> {
        let calls = self.batches.get(&batch).into_iter().flat_map(|kept| &kept.calls);
        calls.filter(move |call| status.is_none_or(|status| call.status == status))
    }

    fn created(&self, batch: BatchId) -> impl Iterator<Item = (u32, &Kept)> {
        self.calls.values().filter_map(move |kept| {
            let place = kept.scheduled.filter(|place| place.batch == batch)?;
            Some((place.position, kept))
        })
    }

    /// Whether a batch that is not over counts on a throttle.
    pub(super) fn is_in_use(&self, throttle: antiphon_api::ThrottleId) -> bool {
        self.batches
            .values()
            .map(|kept| &kept.batch)
            .any(|batch| batch.throttle == Some(throttle) && batch.ended.is_none() && !batch.settings.paused)
    }

    /// No batch names a throttle any more that is gone.
    pub(super) fn release(&mut self, throttle: antiphon_api::ThrottleId) {
        for kept in self.batches.values_mut().filter(|kept| kept.batch.throttle == Some(throttle)) {
            kept.batch.throttle = None;
        }
    }

    /// Removes the batches of an agent that is gone.
    pub(super) fn forget_batches(&mut self, agent: AgentId) {
        self.batches.retain(|_, kept| kept.batch.agent != agent);
    }

    /// Whether a call's turn in its batch may come, and has not.
    pub(super) fn is_its_turn(&self, place: ScheduledPlace, at: Timestamp) -> Result<(), Admission> {
        let kept = self.batches.get(&place.batch).filter(|kept| kept.batch.is_open(at));
        let call = kept.and_then(|kept| kept.calls.get(place.position as usize));
        match call.map(|call| call.status) {
            Some(ScheduledCallStatus::Future) => Ok(()),
            Some(
                ScheduledCallStatus::Pending
                | ScheduledCallStatus::Success
                | ScheduledCallStatus::Expired
                | ScheduledCallStatus::Error,
            )
            | None => Err(Admission::Unscheduled),
        }
    }

    /// Notes that a call of a batch is created.
    pub(super) fn mark_created(&mut self, place: ScheduledPlace, call: CallId) {
        let kept = self.batches.get_mut(&place.batch);
        if let Some(scheduled) = kept.and_then(|kept| kept.calls.get_mut(place.position as usize)) {
            scheduled.status = ScheduledCallStatus::Pending;
            scheduled.call = Some(call);
        }
    }
}
