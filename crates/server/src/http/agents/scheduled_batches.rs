//! `/api/agents/{agent_id}/scheduled_batches`: one operation a file (protocol.md 7.9). What they share: finding a batch that the asker
//! may use, what its settings have to be, and showing it.

pub(in crate::http) mod create;
pub(in crate::http) mod created_calls;
pub(in crate::http) mod delete;
pub(in crate::http) mod list;
pub(in crate::http) mod read;
pub(in crate::http) mod scheduled_calls;
pub(in crate::http) mod update;

use std::time::Duration;

use antiphon_api::rest::scheduled_batches::{BatchSettings, ScheduledCallBatch};
use antiphon_api::{AgentId, BatchId, Timestamp};
use axum::http::StatusCode;

use super::super::Http;
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::page::Place;
use super::own_agent;
use crate::storage::throttles::shortest_time;
use crate::storage::{BatchPlace, StoredBatch, StoredThrottle};

impl Place for BatchPlace {
    fn write(self) -> String {
        format!("{}.{}", self.created.unix_micros(), self.id)
    }

    fn read(text: &str) -> Option<Self> {
        let (created, id) = text.split_once('.')?;
        let created = Timestamp::from_unix_micros(created.parse().ok()?).ok()?;
        Some(Self { created, id: id.parse().ok()? })
    }
}

/// A call's place in its batch.
impl Place for u32 {
    fn write(self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// The batch with this id of the account's agent. Another agent's batch is no batch here.
async fn own_batch(
    http: &Http,
    account: &Account,
    (agent, batch): (AgentId, BatchId),
) -> Result<StoredBatch, ApiError> {
    own_agent(http, account, agent).await?;
    http.storage.batches.find_batch(account.0, agent, batch).await?.ok_or_else(no_batch)
}

fn no_batch() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "there is no such batch")
}

/// A batch as clients see it. The webhook's secret is among it: whoever checks its signatures has to know it.
fn batch_resource(batch: StoredBatch) -> ScheduledCallBatch {
    let StoredBatch { id, created, settings, total, completed, ended, .. } = batch;
    ScheduledCallBatch {
        batch_id: id,
        created,
        window_start: settings.window_start,
        window_end: settings.window_end,
        throttle: settings.throttle,
        webhook_url: settings.webhook_url,
        webhook_secret: settings.webhook_secret,
        paused: settings.paused,
        total_count: total,
        completed_count: completed,
        ended_at: ended,
    }
}

/// Whether so many calls fit into the window.
fn check_window(
    settings: &BatchSettings,
    throttle: Option<&StoredThrottle>,
    calls: u64,
    now: Timestamp,
) -> Result<(), ApiError> {
    let Some(end) = settings.window_end else { return Ok(()) };
    let refused = |why: String| Err(ApiError::field("windowEnd", why));
    if settings.window_start.is_some_and(|start| end <= start) {
        return refused("must be later than \"windowStart\"".to_owned());
    }
    if end <= now {
        return refused("is over already; choose a later time".to_owned());
    }
    let begin = settings.window_start.map_or(now, |start| start.max(now));
    let micros = u64::try_from(end.unix_micros() - begin.unix_micros()).unwrap_or(0);
    let (window, least) = (Duration::from_micros(micros), throttled_time(throttle, calls));
    if window < least {
        return refused(format!(
            "is too early: {calls} calls under this throttle take at least {}s, and the window has {}s; choose a later time, or \
             fewer calls",
            least.as_secs(),
            window.as_secs()
        ));
    }
    Ok(())
}

fn throttled_time(throttle: Option<&StoredThrottle>, calls: u64) -> Duration {
    throttle.map_or(Duration::ZERO, |throttle| shortest_time(&throttle.rules, calls))
}

/// Whether the webhook may be dialled, as far as its URL says.
fn check_webhook(http: &Http, settings: &BatchSettings) -> Result<(), ApiError> {
    let Some(url) = &settings.webhook_url else { return Ok(()) };
    http.outbound.check_receiver(url).map_err(|why| ApiError::field("webhookUrl", why))
}
