//! What time it is, and when a while is over. Given to jobs, so that hours can pass in a test.

use std::sync::Arc;
use std::time::Duration;

use antiphon_api::Timestamp;

/// What time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A while after a moment.
pub(super) fn later(moment: Timestamp, by: Duration) -> Timestamp {
    let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_unix_micros(moment.unix_micros().saturating_add(micros)).unwrap_or(moment)
}

/// A while before a moment.
pub(super) fn earlier(moment: Timestamp, by: Duration) -> Timestamp {
    let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_unix_micros(moment.unix_micros().saturating_sub(micros)).unwrap_or(moment)
}

/// How long it is until a moment: nothing, if it has gone by.
pub(super) fn until(moment: Timestamp, now: Timestamp) -> Duration {
    let micros = moment.unix_micros().saturating_sub(now.unix_micros());
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}
