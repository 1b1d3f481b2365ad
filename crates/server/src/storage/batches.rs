//! Batches of scheduled calls: what is to be created when, and what became of it.
//!
//! A call of a batch is created in one go with the note that it is, so that no call is created twice, whenever a process ends: see
//! [`Terms`](super::Terms). Nothing here reads a batch's calls as a whole.

use antiphon_api::rest::scheduled_batches::{BatchSettings, ScheduledCallRequest, ScheduledCallStatus};
use antiphon_api::{AgentId, BatchId, CallId, ThrottleId, Timestamp};
use tokio::sync::watch;

use super::{AccountId, Pending, Slice, StoredCall, Window};

/// A batch as it is kept, without its calls.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredBatch {
    /// Its id.
    pub id: BatchId,
    /// Whose it is.
    pub account: AccountId,
    /// The agent whose calls are created.
    pub agent: AgentId,
    /// When it was created.
    pub created: Timestamp,
    /// When and how its calls are created. They hold the secret of the webhook.
    pub settings: BatchSettings,
    /// The throttle that the settings name.
    pub throttle: Option<ThrottleId>,
    /// How many calls it has. Counted by the store, as all that follows.
    pub total: u64,
    /// How many of them were created or failed.
    pub completed: u64,
    /// When nothing was left to do.
    pub ended: Option<Timestamp>,
    /// How often the webhook failed in a row.
    pub failures: u32,
    /// How often its settings were changed.
    pub version: u64,
}

/// A call of a batch as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredScheduledCall {
    /// Its place in the batch, counted from 0.
    pub position: u32,
    /// What became of it.
    pub status: ScheduledCallStatus,
    /// The call, once it is created.
    pub call: Option<CallId>,
    /// Why it failed.
    pub error: Option<String>,
    /// What it is created from.
    pub request: ScheduledCallRequest,
}

/// A batch's place in a list ordered by creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BatchPlace {
    /// When it was created.
    pub created: Timestamp,
    /// Its id, which orders batches of one microsecond.
    pub id: BatchId,
}

/// Which call of which batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduledPlace {
    /// The batch.
    pub batch: BatchId,
    /// The call's place in it, counted from 0.
    pub position: u32,
}

/// What a call of a batch came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It was created, and everybody who has to knows.
    Success,
    /// It could not be created, or nobody was told. Why is said for people.
    Error(String),
}

impl StoredBatch {
    /// Its place in any list.
    #[must_use]
    pub fn place(&self) -> BatchPlace {
        BatchPlace { created: self.created, id: self.id }
    }

    /// When there is something to do for it, going by its settings alone: never, if it is over.
    pub(super) fn next_us(&self) -> Option<i64> {
        let end = self.settings.window_end.map(Timestamp::unix_micros);
        let start = self.settings.window_start.map_or(0, Timestamp::unix_micros);
        match (self.ended, self.settings.paused) {
            (Some(_), _) => None,
            (None, true) => end,
            (None, false) => Some(end.map_or(start, |end| start.min(end))),
        }
    }

    /// Whether a call may be created for it at this time.
    #[must_use]
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.ended.is_none()
            && !self.settings.paused
            && self.settings.window_start.is_none_or(|start| at >= start)
            && self.settings.window_end.is_none_or(|end| at < end)
    }
}

/// Where batches are kept.
pub trait BatchStore: Send + Sync {
    /// Keeps a new batch with its calls, unless the account then had more than `most` batches. Says whether it is kept.
    fn insert_batch<'a>(
        &'a self,
        batch: &'a StoredBatch,
        calls: &'a [ScheduledCallRequest],
        most: u32,
    ) -> Pending<'a, bool>;
    /// The batch with this id of the account's agent.
    fn find_batch(&self, account: AccountId, agent: AgentId, id: BatchId)
    -> Pending<'_, Option<StoredBatch>>;
    /// Part of the batches of the account's agent, newest first.
    fn batches(
        &self,
        account: AccountId,
        agent: AgentId,
        window: Window<BatchPlace>,
    ) -> Pending<'_, Slice<StoredBatch>>;
    /// How many batches the account's agent has.
    fn count_batches(&self, account: AccountId, agent: AgentId) -> Pending<'_, u64>;
    /// Changes the settings of a batch, if it still has this version. False if it does not.
    fn update_batch<'a>(&'a self, batch: &'a StoredBatch) -> Pending<'a, bool>;
    /// Deletes a batch of the account's agent. Calls that were created stay. False if it is not there.
    fn delete_batch(&self, account: AccountId, agent: AgentId, id: BatchId) -> Pending<'_, bool>;

    /// Part of the calls of a batch, by their places.
    fn scheduled_calls(
        &self,
        batch: BatchId,
        status: Option<ScheduledCallStatus>,
        window: Window<u32>,
    ) -> Pending<'_, Slice<StoredScheduledCall>>;
    /// How many calls of a batch came to this.
    fn count_scheduled_calls(&self, batch: BatchId, status: Option<ScheduledCallStatus>) -> Pending<'_, u64>;
    /// Part of the calls that were created of a batch and are still there, by their places in it.
    fn created_calls(&self, batch: BatchId, window: Window<u32>) -> Pending<'_, Slice<(u32, StoredCall)>>;
    /// How many those are.
    fn count_created_calls(&self, batch: BatchId) -> Pending<'_, u64>;

    /// Tells whenever there may be something to do earlier than was known.
    fn schedule(&self) -> watch::Receiver<()>;
    /// Batches for which there is something to do by now, those first that have waited longest; none of the accounts `but`. At most
    /// `limit`.
    fn due_batches<'a>(
        &'a self,
        now: Timestamp,
        but: &'a [AccountId],
        limit: u32,
    ) -> Pending<'a, Vec<StoredBatch>>;
    /// When there is something to do next, for any batch for which there is nothing now.
    fn next_due(&self, now: Timestamp) -> Pending<'_, Option<Timestamp>>;
    /// The first call of a batch whose turn has not come.
    fn next_scheduled_call(&self, batch: BatchId) -> Pending<'_, Option<StoredScheduledCall>>;
    /// Calls of a batch, or of all, that are created and of which nobody was told yet, with their places. At most `limit`.
    fn untold_calls(&self, batch: Option<BatchId>, limit: u32) -> Pending<'_, Vec<(ScheduledPlace, CallId)>>;
    /// Notes what a call came to that was not settled before. A batch of which nothing is left has ended then.
    fn settle_call<'a>(
        &'a self,
        place: ScheduledPlace,
        settled: &'a Settled,
        at: Timestamp,
    ) -> Pending<'a, ()>;
    /// Lets everything of a batch expire whose turn has not come.
    fn expire_batch(&self, batch: BatchId, at: Timestamp) -> Pending<'_, ()>;
    /// Notes that there is nothing to do for a batch before `until`, and how often its webhook has failed in a row; unless its settings
    /// were changed since this version.
    fn postpone_batch(
        &self,
        batch: BatchId,
        version: u64,
        until: Timestamp,
        failures: u32,
    ) -> Pending<'_, ()>;
}
