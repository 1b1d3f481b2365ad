//! What is left to do when calls have ended: sum them up, let receivers know, and delete those that asked for that.
//!
//! What there is to do is in the store; a process that goes on where another one was cut off does it again from there. Receivers wait
//! for a summary, but not for long; one that comes later is kept all the same. One that fails is tried again a few times. Summaries are
//! written a few at a time, beside calls and never before them.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use antiphon_api::{CallId, Timestamp};
use futures::FutureExt as _;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::clock::{Clock, earlier, later, until};
use crate::call::summary::{Summarizer, SummaryError};
use crate::call::{Calls, DeleteError};
use crate::config::Summaries;
use crate::current::Current;
use crate::storage::{
    AccountId, Attempt, Deletion, Ending, Severity, Storage, StorageError, StoredCall, StoredEvent, Summary,
};

/// Calls that are looked at in one go.
const PAGE: u32 = 64;
/// The longest that goes by without a look.
const LONGEST_NAP: Duration = Duration::from_secs(60);
/// How long to wait for what could not be done.
const RETRY: Duration = Duration::from_secs(1);
/// How long object storage that is away is left alone. Each attempt takes seconds, for which everything else here would wait.
const OBJECTS_AGAIN: Duration = Duration::from_secs(60);
/// When a summary that failed is tried again, counted from the failure; then it is given up.
const AGAIN: [Duration; 4] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
];
/// The event of a call that could not be summed up.
const SUMMARY_FAILED: &str = "summary.failed";

/// Does what is left to do.
#[derive(Clone)]
pub struct Endings {
    calls: Calls,
    storage: Storage,
    rules: Arc<Current<Rules>>,
    clock: Clock,
}

/// Who sums up, and how long that may take.
struct Rules {
    summarizer: Arc<Summarizer>,
    settings: Summaries,
}

/// The calls that are being summed up.
#[derive(Default)]
struct Writing {
    tasks: JoinSet<CallId>,
    calls: HashSet<CallId>,
    /// Those that are to be, and have found no room yet.
    waiting: HashSet<CallId>,
    /// No call is deleted before this: object storage was away.
    no_deletions_before: Option<Instant>,
}

/// What became of a call that was to be deleted.
enum Deleting {
    Done,
    /// It is still being written, or the disk fails.
    Waits,
    /// Object storage is away, for all of them.
    ObjectsAway,
}

/// What is known of what is left to do.
#[derive(Default)]
struct Left {
    /// When to look again: receivers have waited long enough for a summary, or one that failed is to be tried again.
    next: Option<Timestamp>,
    /// Whether something could not be done that can be later.
    undone: bool,
}

impl Endings {
    /// For these calls, summed up by this summarizer.
    #[must_use]
    pub fn new(
        calls: Calls,
        storage: Storage,
        summarizer: Arc<Summarizer>,
        settings: Summaries,
        clock: Clock,
    ) -> Self {
        Self { calls, storage, rules: Arc::new(Current::new(Rules { summarizer, settings })), clock }
    }

    /// Has calls summed up by another summarizer, and with other settings, from now on. What is being written is finished as begun.
    pub(crate) fn renew(&self, summarizer: Arc<Summarizer>, settings: Summaries) {
        self.rules.replace(Rules { summarizer, settings });
    }

    /// Works until it is told to stop; then receivers are let know of all calls, and summaries are begun anew at the next start.
    pub async fn run(self, stop: CancellationToken) {
        let mut outbox = self.storage.deliveries.outbox();
        let mut writing = Writing::default();
        loop {
            outbox.borrow_and_update();
            let nap = match self.work(&mut writing).await {
                Ok(left) => self.nap(&left),
                Err(error) => {
                    error!(%error, "calls that ended cannot be looked after; trying on");
                    RETRY
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                done = writing.tasks.join_next(), if !writing.tasks.is_empty() => writing.collect(done),
                // The sender is the store's own.
                _ = outbox.changed() => {}
                () = sleep(nap) => {}
            }
        }
        drop(writing);
        if self.storage.cluster.is_some() {
            // Whichever node goes on knows who waits for what.
            return;
        }
        let now = (self.clock)();
        if let Err(error) = self.release(now, now).await {
            error!(%error, "receivers are told of the last calls at the next start");
        }
    }

    fn nap(&self, left: &Left) -> Duration {
        let next = left.next.map(|moment| until(moment, (self.clock)()));
        let nap = next.map_or(LONGEST_NAP, |next| next.min(LONGEST_NAP));
        if left.undone { nap.min(RETRY) } else { nap }
    }

    /// Does what can be done now, and begins the summaries that find room.
    async fn work(&self, writing: &mut Writing) -> Result<Left, StorageError> {
        let now = (self.clock)();
        let wait = self.rules.get().settings.wait;
        self.release(earlier(now, wait), now).await?;
        let mut left = Left::default();
        loop {
            let limit = PAGE.saturating_add(u32::try_from(writing.calls.len()).unwrap_or(0));
            let endings = self.storage.endings.endings(now, limit).await?;
            let full_page = endings.len() >= limit as usize;
            writing.waiting.retain(|call| endings.iter().any(|ending| ending.call == *call));
            let mut finished = false;
            for ending in endings {
                finished |= self.look_after(ending, writing).await?;
            }
            if !(full_page && finished) {
                break;
            }
        }
        let times = self.storage.endings.ending_times(now).await?;
        let patience = times.held.map(|ended| later(ended, wait));
        left.next = patience.into_iter().chain(times.attempt).min();
        if writing.no_deletions_before.is_some_and(|moment| Instant::now() < moment) {
            return Ok(left);
        }
        writing.no_deletions_before = None;
        for (account, call) in self.storage.endings.deletable(PAGE).await? {
            match self.delete(account, call).await? {
                Deleting::Done => {}
                Deleting::Waits => left.undone = true,
                Deleting::ObjectsAway => {
                    writing.no_deletions_before = Some(Instant::now() + OBJECTS_AGAIN);
                    break;
                }
            }
        }
        Ok(left)
    }

    /// Has a call summed up, or is done with it. Whether it is.
    async fn look_after(&self, ending: Ending, writing: &mut Writing) -> Result<bool, StorageError> {
        let rules = self.rules.get();
        let room = writing.calls.len() < rules.settings.concurrency;
        let call = ending.call;
        if writing.calls.contains(&call) || (!room && writing.waiting.contains(&call)) {
            return Ok(false);
        }
        // One that was deleted meanwhile has no ending any more.
        let Some(stored) = self.storage.calls.find(call).await? else { return Ok(false) };
        if !rules.summarizer.wants(&stored) {
            self.storage.endings.finish_ending(call, None, (self.clock)()).await?;
            return Ok(true);
        }
        if room {
            writing.waiting.remove(&call);
            writing.calls.insert(call);
            writing.tasks.spawn(self.clone().sum_up(stored, ending.attempts));
        } else {
            writing.waiting.insert(call);
        }
        Ok(false)
    }

    /// Sums a call up, whatever comes of it, after so many attempts that failed.
    async fn sum_up(self, call: StoredCall, failed: u32) -> CallId {
        let id = call.id;
        let rules = self.rules.get();
        let work = AssertUnwindSafe(rules.summarizer.summarize(&call)).catch_unwind();
        let why = match timeout(rules.settings.timeout, work).await {
            Ok(Ok(Ok(summary))) => {
                self.finish(id, summary.as_ref()).await;
                return id;
            }
            // The store is away: the ending stays, and is looked after again.
            Ok(Ok(Err(SummaryError::Storage(error)))) => {
                error!(call = %id, %error, "a call cannot be summed up; trying again");
                sleep(RETRY).await;
                return id;
            }
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(_)) => {
                error!(call = %id, "summing a call up failed: this is a bug of the server");
                "the server failed".to_owned()
            }
            Err(_) => format!("there was none within {:?}", rules.settings.timeout),
        };
        match AGAIN.get(failed as usize) {
            Some(wait) => {
                warn!(call = %id, why, ?wait, "a call could not be summed up; trying again");
                self.postpone(id, failed + 1, *wait).await;
            }
            None => {
                warn!(call = %id, why, "a call could not be summed up");
                let event = StoredEvent {
                    stage: None,
                    at: (self.clock)(),
                    severity: Severity::Warning,
                    kind: SUMMARY_FAILED.to_owned(),
                    text: format!("the call could not be summed up in {} attempts: {why}", failed + 1),
                    extras: None,
                };
                // The call may be deleted by now: the log has it.
                let _ = self.storage.calls.append_events(id, &[event], Attempt::First).await;
                self.finish(id, None).await;
            }
        }
        id
    }

    /// Notes until it is noted: nothing is tried without end.
    async fn postpone(&self, call: CallId, failed: u32, wait: Duration) {
        let due = later((self.clock)(), wait);
        while let Err(error) = self.storage.endings.postpone_ending(call, failed, due).await {
            error!(%call, %error, "a summary's failure cannot be noted; trying on");
            sleep(RETRY).await;
        }
    }

    /// Keeps until it is kept: a summary is not asked for twice.
    async fn finish(&self, call: CallId, summary: Option<&Summary>) {
        while let Err(error) = self.storage.endings.finish_ending(call, summary, (self.clock)()).await {
            error!(%call, %error, "a call's summary cannot be kept; trying on");
            sleep(RETRY).await;
        }
    }

    /// Lets receivers know of all calls that ended by a moment.
    async fn release(&self, ended_by: Timestamp, now: Timestamp) -> Result<(), StorageError> {
        while self.storage.endings.release_endings(ended_by, now, PAGE).await? >= PAGE {}
        Ok(())
    }

    /// Deletes a call that asked for it.
    async fn delete(&self, account: AccountId, call: CallId) -> Result<Deleting, StorageError> {
        if self.calls.is_leaving(call) {
            return Ok(Deleting::Waits);
        }
        match self.calls.delete(account, call, (self.clock)()).await {
            Ok(Deletion::Deleted) => info!(%call, "deleted, as its retention policy asks"),
            Ok(Deletion::Live | Deletion::Unknown) => {}
            Err(DeleteError::Storage(error)) => return Err(error),
            Err(error @ DeleteError::Recording(_)) => {
                error!(%call, %error, "a call cannot be deleted as its retention policy asks; trying on");
                return Ok(Deleting::Waits);
            }
            Err(error @ DeleteError::Objects(_)) => {
                error!(%call, %error, "a call cannot be deleted as its retention policy asks; trying on");
                return Ok(Deleting::ObjectsAway);
            }
        }
        Ok(Deleting::Done)
    }
}

impl Writing {
    fn collect(&mut self, done: Option<Result<CallId, JoinError>>) {
        match done {
            Some(Ok(call)) => {
                self.calls.remove(&call);
            }
            Some(Err(error)) => error!(%error, "a summary's task failed: this is a bug of the server"),
            None => {}
        }
    }
}
