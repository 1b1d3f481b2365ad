//! Creates the calls of scheduled batches when their time has come, and tells the batch's webhook of each (protocol.md 7.9).
//!
//! What is to be done is in the store, and each call is created in one go with the note that it is: whenever the process ends, no
//! call is created twice and none is forgotten. Batches take turns, a bounded number at a time, of all and of each account, and a turn
//! is short; within a batch one call comes after another, since its webhook is told synchronously. Nothing is kept in memory but the
//! turns under way.
//!
//! Owns the schedule. What becomes of a call that is created is the call's business.

mod turn;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use antiphon_api::BatchId;
use antiphon_api::rest::calls::CallMedium;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::Clock;
use super::clock::until;
use super::webhooks::Courier;
use crate::call::Calls;
use crate::config::PublicUrl;
use crate::storage::{AccountId, ScheduledPlace, Settled, Storage, StorageError, StoredBatch, StoredCall};

/// Batches whose turn it is at a time.
const TURNS: usize = 32;
/// How many of them may be one account's, so that none keeps all others waiting.
const TURNS_OF_ONE: usize = 16;
/// The longest that goes by without a look: another process may have left something.
const LONGEST_NAP: Duration = Duration::from_secs(60);
/// How long to wait after a failure of the store.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// How long turns under way may take when the server stops: a post that has begun should come to its end.
const FAREWELL: Duration = Duration::from_secs(5);
/// Calls that are looked at in one go at the start.
const PAGE: u32 = 100;

/// Creates what is in the store.
#[derive(Clone)]
pub struct Scheduler {
    calls: Calls,
    storage: Storage,
    courier: Arc<dyn Courier>,
    public_url: PublicUrl,
    clock: Clock,
}

/// The turns under way.
#[derive(Default)]
struct Turns {
    tasks: JoinSet<()>,
    /// Whose each is; by this it is found again even if it panicked.
    batches: HashMap<tokio::task::Id, (BatchId, AccountId)>,
}

impl Scheduler {
    /// Creates calls among these, and posts by this courier. `public_url` is the base of the URLs in what is posted.
    #[must_use]
    pub fn new(
        calls: Calls,
        storage: Storage,
        courier: Arc<dyn Courier>,
        public_url: PublicUrl,
        clock: Clock,
    ) -> Self {
        Self { calls, storage, courier, public_url, clock }
    }

    /// Creates calls until it is told to stop; then only what is under way comes to its end, if that takes no longer than five
    /// seconds. Dropping the future stops at once; whoever goes on takes up what was under way.
    pub async fn run(self, stop: CancellationToken) {
        let mut schedule = self.storage.batches.schedule();
        let mut turns = Turns::default();
        tokio::select! {
            () = stop.cancelled() => return,
            () = self.take_up(None, "the server stopped before the webhook answered") => {}
        }
        loop {
            schedule.borrow_and_update();
            let nap = match self.begin_turns(&mut turns, &stop).await {
                Ok(nap) => nap,
                Err(error) => {
                    error!(%error, "scheduled batches cannot be looked up; trying on");
                    STORE_RETRY
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                done = turns.tasks.join_next_with_id(), if !turns.tasks.is_empty() => turns.collect(done),
                // The sender is the store's own.
                _ = schedule.changed() => {}
                () = sleep(nap) => {}
            }
            while let Some(done) = turns.tasks.try_join_next_with_id() {
                turns.collect(Some(done));
            }
        }
        let finished = timeout(FAREWELL, async { while turns.tasks.join_next().await.is_some() {} }).await;
        if finished.is_err() {
            info!(left = turns.tasks.len(), "webhooks of batches did not answer before the server stopped");
        }
    }

    /// Begins the turns of batches that are due and have none, as long as there is room. Gives how long nothing else will be due.
    async fn begin_turns(
        &self,
        turns: &mut Turns,
        stop: &CancellationToken,
    ) -> Result<Duration, StorageError> {
        let now = (self.clock)();
        let room = TURNS - turns.tasks.len();
        if room == 0 {
            // Whichever ends first makes room.
            return Ok(LONGEST_NAP);
        }
        // Accounts that have as many turns as they may are passed over, in another look if they have got them in this one.
        loop {
            let passed_over = turns.accounts_with_all();
            // Those whose turn it is are still due.
            for batch in self.storage.batches.due_batches(now, &passed_over, TURNS as u32).await? {
                if turns.have_room_for(&batch) {
                    let (scheduler, stop) = (self.clone(), stop.clone());
                    let whose = (batch.id, batch.account);
                    let task = turns.tasks.spawn(async move { scheduler.turn(batch, &stop).await });
                    turns.batches.insert(task.id(), whose);
                }
            }
            if turns.accounts_with_all().len() == passed_over.len() {
                break;
            }
        }
        let next = self.storage.batches.next_due(now).await?;
        Ok(next.map_or(LONGEST_NAP, |next| until(next, now)).min(LONGEST_NAP))
    }

    /// Settles what turns that were cut off left behind, in a batch or in all: calls that are created and of which it is not known
    /// whether anybody was told. `why` is what cut them off.
    async fn take_up(&self, batch: Option<BatchId>, why: &str) {
        loop {
            match self.settle_untold(batch, why).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    error!(%error, "scheduled calls that nobody may have been told of cannot be settled; trying on");
                    sleep(STORE_RETRY).await;
                }
            }
        }
    }

    /// Settles a page of them. False if there were none.
    async fn settle_untold(&self, batch: Option<BatchId>, why: &str) -> Result<bool, StorageError> {
        let untold = self.storage.batches.untold_calls(batch, PAGE).await?;
        for (place, call) in &untold {
            let kept = self.storage.calls.find(*call).await?;
            let settled = match self.is_known(*place, kept.as_ref()).await? {
                true => Settled::Success,
                false => {
                    warn!(batch = %place.batch, %call, %why, "it is not known whether a batch's webhook was told");
                    Settled::Error(why.to_owned())
                }
            };
            self.storage.batches.settle_call(*place, &settled, (self.clock)()).await?;
        }
        Ok(!untold.is_empty())
    }

    /// Whether everybody knows of a call who has to: the webhook is told once and not again, who has joined was told, and of some calls
    /// nobody needs to know.
    async fn is_known(&self, place: ScheduledPlace, call: Option<&StoredCall>) -> Result<bool, StorageError> {
        let Some((call, agent)) = call.and_then(|call| Some((call, call.agent.as_ref()?))) else {
            return Ok(false);
        };
        if call.joined.is_some() {
            return Ok(true);
        }
        let batch = self.storage.batches.find_batch(call.account, agent.id, place.batch).await?;
        Ok(batch.is_some_and(|batch| to_tell(&batch, call).is_none()))
    }
}

/// Whom a batch tells of a call: nobody, if the server dials it itself.
fn to_tell<'b>(batch: &'b StoredBatch, call: &StoredCall) -> Option<&'b str> {
    let is_outgoing = call.request.medium.as_ref().is_some_and(CallMedium::is_outgoing);
    batch.settings.webhook_url.as_deref().filter(|_| !is_outgoing)
}

impl Turns {
    /// Whether a batch may have a turn beside those there are.
    fn have_room_for(&self, batch: &StoredBatch) -> bool {
        self.tasks.len() < TURNS
            && self.count_of(batch.account) < TURNS_OF_ONE
            && !self.batches.values().any(|(other, _)| *other == batch.id)
    }

    fn count_of(&self, account: AccountId) -> usize {
        self.batches.values().filter(|(_, whose)| *whose == account).count()
    }

    /// The accounts that have as many turns as one may.
    fn accounts_with_all(&self) -> Vec<AccountId> {
        let mut accounts: Vec<AccountId> = Vec::new();
        for (_, account) in self.batches.values() {
            if !accounts.contains(account) && self.count_of(*account) >= TURNS_OF_ONE {
                accounts.push(*account);
            }
        }
        accounts
    }

    fn collect(&mut self, done: Option<Result<(tokio::task::Id, ()), tokio::task::JoinError>>) {
        let id = match done {
            None => return,
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => {
                error!(%error, "a turn of a batch failed: this is a bug of the server");
                error.id()
            }
        };
        self.batches.remove(&id);
    }
}
