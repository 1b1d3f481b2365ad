//! One turn of a batch: a few of its calls, one after another, until something has to be waited for.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use antiphon_api::Timestamp;
use antiphon_api::rest::agents::StartAgentCallRequest;
use antiphon_api::rest::webhooks::WebhookEvent;
use futures::FutureExt as _;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use super::super::clock::later;
use super::super::webhooks::letter;
use super::{STORE_RETRY, Scheduler, to_tell};
use crate::call::{CreateError, CreateOptions, agents};
use crate::storage::{
    CallAgent, ScheduledPlace, Settled, StorageError, StoredBatch, StoredCall, StoredScheduledCall,
};

/// Calls of one turn: then it is another batch's.
const CALLS: usize = 50;
/// After how long no other call is begun in a turn.
const TURN: Duration = Duration::from_secs(5);
/// How long a webhook may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the next call waits after a webhook that failed, doubling with each failure in a row.
const FIRST_DELAY: Duration = Duration::from_secs(5);
const LONGEST_DELAY: Duration = Duration::from_secs(300);
/// How long to wait while there are too many calls.
const CROWDED: Duration = Duration::from_secs(1);
/// Of all places for calls, what batches leave free for others: one in so many.
const LEFT_FREE: usize = 10;

/// What became of the attempt to create a call.
enum Attempt {
    Created(Box<StoredCall>),
    /// It makes no sense, now or ever.
    Failed(String),
    /// There is no room for it now.
    Wait(Duration),
    /// The batch is not what it was, or is gone.
    Changed,
}

impl Scheduler {
    pub(super) async fn turn(&self, batch: StoredBatch, stop: &CancellationToken) {
        let id = batch.id;
        let why = match AssertUnwindSafe(self.create_calls(batch, stop)).catch_unwind().await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => {
                error!(batch = %id, %error, "a scheduled batch cannot go on; trying on");
                "the database failed before it was noted that the webhook answered"
            }
            Err(_) => {
                error!(batch = %id, "a turn of a batch failed: this is a bug of the server");
                "the server failed before the webhook answered"
            }
        };
        sleep(STORE_RETRY).await;
        self.take_up(Some(id), why).await;
    }

    async fn create_calls(
        &self,
        mut batch: StoredBatch,
        stop: &CancellationToken,
    ) -> Result<(), StorageError> {
        let begin = Instant::now();
        for _ in 0..CALLS {
            if stop.is_cancelled() {
                return Ok(());
            }
            if begin.elapsed() >= TURN {
                break;
            }
            // It may have been changed, paused or deleted meanwhile.
            let Some(now_is) = self.storage.batches.find_batch(batch.account, batch.agent, batch.id).await?
            else {
                return Ok(());
            };
            batch = now_is;
            let now = (self.clock)();
            if batch.settings.window_end.is_some_and(|end| end <= now) {
                info!(batch = %batch.id, "the window of a batch is over");
                return self.storage.batches.expire_batch(batch.id, now).await;
            }
            if !batch.is_open(now) {
                let start = batch.settings.window_start.filter(|start| *start > now);
                let Some(until) = start.or(batch.settings.window_end) else { return Ok(()) };
                return self.postpone(&batch, until, batch.failures).await;
            }
            let Some(scheduled) = self.storage.batches.next_scheduled_call(batch.id).await? else {
                // Nothing is left that could expire, and the store notes that it is over.
                return self.storage.batches.expire_batch(batch.id, now).await;
            };
            let place = ScheduledPlace { batch: batch.id, position: scheduled.position };
            match self.attempt(&batch, place, scheduled, now).await? {
                Attempt::Created(call) => {
                    let told = self.tell(&batch, &call).await;
                    let at = (self.clock)();
                    if let Err(why) = told {
                        debug!(batch = %batch.id, call = %call.id, %why, "a batch's webhook failed");
                        let failures = batch.failures.saturating_add(1);
                        let settled = Settled::Error(format!("the webhook was not told: {why}"));
                        self.storage.batches.settle_call(place, &settled, at).await?;
                        return self.postpone(&batch, later(at, delay(failures)), failures).await;
                    }
                    self.storage.batches.settle_call(place, &Settled::Success, at).await?;
                    if batch.failures > 0 {
                        self.postpone(&batch, at, 0).await?;
                    }
                }
                Attempt::Failed(why) => {
                    self.storage.batches.settle_call(place, &Settled::Error(why), now).await?;
                }
                Attempt::Wait(wait) => return self.postpone(&batch, later(now, wait), batch.failures).await,
                Attempt::Changed => {}
            }
        }
        // Behind those that are waiting.
        self.postpone(&batch, (self.clock)(), batch.failures).await
    }

    /// Creates a call, if there is room for it.
    async fn attempt(
        &self,
        batch: &StoredBatch,
        place: ScheduledPlace,
        scheduled: StoredScheduledCall,
        now: Timestamp,
    ) -> Result<Attempt, StorageError> {
        let most = self.calls.most_of_all();
        if self.calls.count() >= most - most / LEFT_FREE {
            return Ok(Attempt::Wait(CROWDED));
        }
        let Some(agent) = self.storage.agents.find_agent(batch.account, batch.agent).await? else {
            return Ok(Attempt::Changed);
        };
        let of = CallAgent { id: agent.id, name: agent.name, revision: agent.revision.id };
        let start = StartAgentCallRequest {
            template_context: scheduled.request.template_context,
            metadata: scheduled.request.metadata,
            medium: scheduled.request.medium,
            experimental_settings: scheduled.request.experimental_settings,
            ..StartAgentCallRequest::default()
        };
        let (request, of_agent) = match agents::request(of, &agent.revision.template, start) {
            Ok(made) => made,
            Err(error) => return Ok(Attempt::Failed(error.to_string())),
        };
        let options = CreateOptions {
            greeting_prompt: true,
            agent: Some(of_agent),
            throttle: batch.throttle,
            scheduled: Some(place),
            at: Some(now),
            ..CreateOptions::default()
        };
        match self.calls.create(batch.account, request, options).await {
            Ok(call) => Ok(Attempt::Created(Box::new(call))),
            Err(
                CreateError::Capacity { retry_after }
                | CreateError::Overloaded { retry_after }
                | CreateError::Throttled { retry_after },
            ) => Ok(Attempt::Wait(retry_after)),
            Err(CreateError::Limited(limited)) => Ok(Attempt::Wait(limited.retry_after())),
            Err(CreateError::Stopping) => Ok(Attempt::Wait(CROWDED)),
            Err(CreateError::Invalid(error)) => Ok(Attempt::Failed(error.to_string())),
            Err(CreateError::Unscheduled | CreateError::NoThrottle) => Ok(Attempt::Changed),
            Err(error @ CreateError::NoPriorCall) => Ok(Attempt::Failed(error.to_string())),
            Err(CreateError::Storage(error)) => Err(error),
        }
    }

    /// Tells the batch's webhook of a call, once.
    async fn tell(&self, batch: &StoredBatch, call: &StoredCall) -> Result<(), String> {
        let Some(url) = to_tell(batch, call) else { return Ok(()) };
        let secrets = batch.settings.webhook_secret.as_slice();
        let now = (self.clock)();
        let request = letter::of_call(call, WebhookEvent::Started, url, secrets, &self.public_url, now)?;
        match timeout(PATIENCE, self.courier.post(request)).await {
            Err(_) => Err(format!("there was no answer within {PATIENCE:?}")),
            Ok(Err(why)) => Err(why),
            Ok(Ok(reply)) => reply.failure().map_or(Ok(()), Err),
        }
    }

    /// Lets a batch rest until then, but not beyond the end of its window.
    async fn postpone(
        &self,
        batch: &StoredBatch,
        until: Timestamp,
        failures: u32,
    ) -> Result<(), StorageError> {
        let until = batch.settings.window_end.map_or(until, |end| until.min(end));
        self.storage.batches.postpone_batch(batch.id, batch.version, until, failures).await
    }
}

/// How long the next call waits after so many failures in a row.
fn delay(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    (FIRST_DELAY * 2_u32.pow(doublings)).min(LONGEST_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_in_a_row_makes_the_next_call_wait_longer() {
        for (failures, seconds) in [(1, 5), (2, 10), (3, 20), (6, 160), (7, 300), (u32::MAX, 300)] {
            assert_eq!(delay(failures), Duration::from_secs(seconds), "{failures}");
        }
    }
}
