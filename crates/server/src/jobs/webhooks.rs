//! Tells receivers what happened to calls: every event at least once, of each call in order (protocol.md 7.5).
//!
//! What is to be told is in the store, and every step of it is recorded there, so that nothing is lost when the process ends at any
//! moment and nothing is kept in memory but what is being posted. Receivers are independent: each has a few posts under way at most,
//! one that fails has one, and all that fail together get half of the room, so that none keeps another waiting.
//!
//! Owns the schedule and who is served when. What is posted and how is `letter`'s and `courier`'s business.

mod courier;
pub(in crate::jobs) mod letter;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use antiphon_api::rest::webhooks::{DeliveryAttempt, WebhookEvent};
use antiphon_api::{CallId, Timestamp, WireDuration};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::clock::{Clock, earlier, later, until};
use crate::config::PublicUrl;
use crate::storage::{
    Attempt, AttemptOutcome, DeliveryKey, DueDelivery, EventNumber, Pending, Receiver, Severity, Storage,
    StorageError, StoredEvent,
};

pub use courier::{Courier, Reply};

/// How often a delivery is attempted again (protocol.md 7.5.3).
const RETRIES: u32 = 10;
/// When for the first time; each further time takes twice as long.
const FIRST_RETRY: Duration = Duration::from_secs(30);
/// How long a receiver may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Posts under way.
const POSTS: usize = 256;
/// Of these, to receivers whose last attempt failed.
const FAILING_POSTS: usize = POSTS / 2;
/// Posts under way to one receiver, and to one that fails.
const POSTS_EACH: usize = 8;
const FAILING_POSTS_EACH: usize = 1;
/// Receivers that are looked at in one go, beside those that are busy.
const PAGE: usize = 64;
/// The longest that goes by without a look: another process may have left something.
const LONGEST_NAP: Duration = Duration::from_secs(60);
/// How long to wait after a failure of the store.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// How long posts under way may take when the server stops. What they come to is not known then, so they are made again.
const FAREWELL: Duration = Duration::from_secs(5);
/// The event of a call whose callback was given up.
const CALLBACK_FAILED: &str = "callback.failed";
/// Log entries that are forgotten in one go, and how often is looked for old ones.
const FORGET: u32 = 1_000;
const FORGET_EVERY: Duration = Duration::from_secs(60 * 60);

/// Delivers what is in the store.
#[derive(Clone)]
pub struct Dispatcher {
    storage: Storage,
    courier: Arc<dyn Courier>,
    public_url: PublicUrl,
    clock: Clock,
}

/// The posts under way to one receiver.
#[derive(Default)]
struct Lane {
    posts: Vec<(CallId, EventNumber)>,
}

/// Everything under way.
#[derive(Default)]
struct Traffic {
    lanes: HashMap<Receiver, Lane>,
    failing: usize,
    posts: JoinSet<()>,
    /// What each post is about; by this it is found again even if it panicked.
    about: HashMap<tokio::task::Id, (DeliveryKey, bool)>,
}

impl Dispatcher {
    /// Delivers by this courier. `public_url` is the base of the URLs in what is posted.
    #[must_use]
    pub fn new(storage: Storage, courier: Arc<dyn Courier>, public_url: PublicUrl, clock: Clock) -> Self {
        Self { storage, courier, public_url, clock }
    }

    /// Delivers until it is told to stop; then what can be delivered at once, if that takes no longer than five seconds.
    /// Dropping the future stops at once; what was under way is posted again by whoever goes on.
    pub async fn run(self, stop: CancellationToken) {
        let mut outbox = self.storage.deliveries.outbox();
        let mut traffic = Traffic::default();
        loop {
            outbox.borrow_and_update();
            let nap = match self.send_due(&mut traffic).await {
                Ok(next) => next.map_or(LONGEST_NAP, |next| until(next, (self.clock)())).min(LONGEST_NAP),
                Err(error) => {
                    error!(%error, "what is to be delivered cannot be looked up; trying on");
                    STORE_RETRY
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                done = traffic.posts.join_next_with_id(), if !traffic.posts.is_empty() => {
                    traffic.collect(done);
                }
                // The sender is the store's own.
                _ = outbox.changed() => {}
                () = sleep(nap) => {}
            }
            while let Some(done) = traffic.posts.try_join_next_with_id() {
                traffic.collect(Some(done));
            }
        }
        if timeout(FAREWELL, self.send_last(&mut traffic)).await.is_err() {
            info!(
                left = traffic.posts.len(),
                "what is being posted to webhooks will be posted again at the next start"
            );
        }
    }

    /// Delivers what can be delivered without waiting for another attempt: calls end with the server.
    async fn send_last(&self, traffic: &mut Traffic) {
        while self.send_due(traffic).await.is_ok() && !traffic.posts.is_empty() {
            let done = traffic.posts.join_next_with_id().await;
            traffic.collect(done);
        }
    }

    /// Forgets what was delivered or given up longer ago than this, now and again until it is dropped.
    pub async fn keep_log(self, keep: Duration) {
        loop {
            let before = earlier((self.clock)(), keep);
            match self.storage.deliveries.forget_deliveries(before, FORGET).await {
                Ok(forgotten) if forgotten >= u64::from(FORGET) => continue,
                Ok(_) => {}
                Err(error) => warn!(%error, "old deliveries cannot be forgotten; trying again later"),
            }
            sleep(FORGET_EVERY).await;
        }
    }

    /// Begins whatever is due and has room. Gives when something will be due next, as far as that is known.
    async fn send_due(&self, traffic: &mut Traffic) -> Result<Option<Timestamp>, StorageError> {
        let mut next: Option<Timestamp> = None;
        for failing in [false, true] {
            // Once more while whole pages of receivers were served.
            while self.send_due_of(failing, traffic, &mut next).await? {}
        }
        Ok(next)
    }

    /// The same for receivers that fail, or for those that do not. Whether there may be more to begin.
    async fn send_due_of(
        &self,
        failing: bool,
        traffic: &mut Traffic,
        next: &mut Option<Timestamp>,
    ) -> Result<bool, StorageError> {
        if traffic.room(failing) == 0 {
            return Ok(false);
        }
        let now = (self.clock)();
        // Those that are busy may stand in front of all others, and are not to hide them.
        let limit = traffic.lanes.len() + PAGE;
        let deliveries = &self.storage.deliveries;
        let queues = deliveries.queues(failing, count(limit)).await?;
        let mut begun = false;
        let full_page = queues.len() == limit;
        for queue in queues {
            if queue.due > now {
                *next = Some(next.map_or(queue.due, |next| next.min(queue.due)));
                return Ok(false);
            }
            let busy = traffic.lanes.get(&queue.receiver).map_or(0, |lane| lane.posts.len());
            let each = if failing { FAILING_POSTS_EACH } else { POSTS_EACH };
            let room = each.saturating_sub(busy).min(traffic.room(failing));
            if room == 0 {
                continue;
            }
            let due = deliveries.due(&queue.receiver, now, count(busy + room)).await?;
            let fresh = due.into_iter().filter(|due| !traffic.is_under_way(&due.key));
            for due in fresh.take(room).collect::<Vec<_>>() {
                begun = true;
                let key = due.key.clone();
                let post = self.clone().deliver(due);
                traffic.begin(key, failing, post);
            }
        }
        Ok(begun && full_page)
    }

    /// One attempt at a delivery, and its record.
    async fn deliver(self, due: DueDelivery) {
        let DueDelivery { key, attempts } = due;
        let letter = match letter::write(&self.storage, &key, &self.public_url, (self.clock)()).await {
            Ok(letter) => letter,
            Err(error) => {
                error!(call = %key.call, %error, "what is to be delivered cannot be read; trying on");
                return sleep(STORE_RETRY).await;
            }
        };
        let Some(letter) = letter else {
            return self.insist(|| self.storage.deliveries.cancel_delivery(&key, (self.clock)())).await;
        };
        let (at, began) = ((self.clock)(), Instant::now());
        let reply = match letter {
            Ok(request) => match timeout(PATIENCE, self.courier.post(request)).await {
                Ok(reply) => reply,
                Err(_) => Err(format!("there was no answer within {PATIENCE:?}")),
            },
            Err(why) => Err(why),
        };
        let (status, failure) = match reply {
            Ok(reply) => (Some(u32::from(reply.status)), reply.failure()),
            Err(why) => (None, Some(why)),
        };
        let now = (self.clock)();
        let outcome = match &failure {
            None => AttemptOutcome::Delivered,
            Some(_) => retry_after(attempts)
                .map_or(AttemptOutcome::GivenUp, |wait| AttemptOutcome::Retry(later(now, wait))),
        };
        let attempt =
            DeliveryAttempt { timestamp: at, latency: WireDuration::from(began.elapsed()), status, failure };
        self.insist(|| self.storage.deliveries.attempted(&key, &attempt, outcome, now)).await;
        self.tell(&key, &attempt, outcome, attempts + 1).await;
    }

    /// Says how an attempt went: in the log, and of a callback that was given up in the call's events, since nobody can ask for it
    /// anywhere else.
    async fn tell(
        &self,
        key: &DeliveryKey,
        attempt: &DeliveryAttempt,
        outcome: AttemptOutcome,
        attempts: u32,
    ) {
        let (call, receiver, event) = (key.call, &key.receiver, WebhookEvent::from(key.event));
        let Some(failure) = &attempt.failure else {
            return debug!(%call, %receiver, %event, attempts, "delivered");
        };
        match outcome {
            AttemptOutcome::Delivered => {}
            AttemptOutcome::Retry(at) => debug!(%call, %receiver, %event, attempts, next = %at, failure),
            AttemptOutcome::GivenUp => {
                warn!(%call, %receiver, %event, attempts, failure, "a receiver was not told: all attempts failed");
                if let Receiver::Callback { .. } = receiver {
                    let text = format!(
                        "the callback for {event} failed {attempts} times and is given up: {failure}"
                    );
                    let event = StoredEvent {
                        stage: None,
                        at: (self.clock)(),
                        severity: Severity::Warning,
                        kind: CALLBACK_FAILED.to_owned(),
                        text,
                        extras: Some(
                            json!({"event": event.as_str(), "attempts": attempts, "failure": failure}),
                        ),
                    };
                    // The call may be deleted by now: the log has it.
                    let _ = self.storage.calls.append_events(call, &[event], Attempt::First).await;
                }
            }
        }
    }

    /// Writes until it is written.
    async fn insist<'a>(&self, write: impl Fn() -> Pending<'a, ()>) {
        while let Err(error) = write().await {
            error!(%error, "what became of a delivery cannot be recorded; trying on");
            sleep(STORE_RETRY).await;
        }
    }
}

impl Traffic {
    /// How many more posts may be under way.
    fn room(&self, failing: bool) -> usize {
        let all = POSTS.saturating_sub(self.posts.len());
        if failing { all.min(FAILING_POSTS.saturating_sub(self.failing)) } else { all }
    }

    fn is_under_way(&self, key: &DeliveryKey) -> bool {
        let lane = self.lanes.get(&key.receiver);
        lane.is_some_and(|lane| lane.posts.contains(&(key.call, key.event)))
    }

    fn begin(&mut self, key: DeliveryKey, failing: bool, post: impl Future<Output = ()> + Send + 'static) {
        self.failing += usize::from(failing);
        self.lanes.entry(key.receiver.clone()).or_default().posts.push((key.call, key.event));
        let id = self.posts.spawn(post).id();
        self.about.insert(id, (key, failing));
    }

    /// A post is over.
    fn collect(&mut self, done: Option<Result<(tokio::task::Id, ()), tokio::task::JoinError>>) {
        let id = match done {
            None => return,
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => {
                // It is due as before, and is attempted again.
                error!(%error, "a delivery failed: this is a bug of the server");
                error.id()
            }
        };
        let Some((key, failing)) = self.about.remove(&id) else { return };
        self.failing -= usize::from(failing);
        if let Some(lane) = self.lanes.get_mut(&key.receiver) {
            lane.posts.retain(|post| *post != (key.call, key.event));
            if lane.posts.is_empty() {
                self.lanes.remove(&key.receiver);
            }
        }
    }
}

/// How long to wait for the next attempt after so many attempts and one more; none if that was the last.
fn retry_after(attempts: u32) -> Option<Duration> {
    (attempts < RETRIES).then(|| FIRST_RETRY * 2_u32.pow(attempts))
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_ten_retries_after_half_a_minute_and_twice_as_long_each_time() {
        let waits: Vec<u64> = (0..).map_while(retry_after).map(|wait| wait.as_secs()).collect();
        assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1_920, 3_840, 7_680, 15_360]);
    }
}
