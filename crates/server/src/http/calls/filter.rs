//! Which calls a query means (protocol.md 7.14): from its words to a filter.

use antiphon_api::rest::calls::{DateOrTime, ListCallsQuery, TimeOfDay};
use antiphon_api::{Timestamp, WireDuration};
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::super::Http;
use super::super::auth::Account;
use super::super::error::ApiError;
use crate::call::voices;
use crate::storage::CallFilter;

/// The calls that `query` means. A voice goes by any of the names that a call may have asked for it by.
pub(in crate::http) async fn filter(
    query: &ListCallsQuery,
    http: &Http,
    account: &Account,
) -> Result<CallFilter, ApiError> {
    let bound = |field, duration: Option<WireDuration>| match duration.map(WireDuration::to_std) {
        None => Ok(None),
        Some(Some(duration)) => Ok(Some(duration)),
        Some(None) => Err(ApiError::field(field, "must not be negative")),
    };
    let time_of_day = match (query.time_of_day_start, query.time_of_day_end) {
        (None, None) => None,
        (start, end) => Some((
            start.map_or(0, since_midnight),
            end.map_or(since_midnight(TimeOfDay(LAST)), since_midnight),
        )),
    };
    let voices = match query.voice_id {
        None => None,
        Some(id) => {
            let own = http.storage.voices.find_voice(account.0, id).await?;
            Some(voices::spellings(&http.backends(), id, own.as_ref().map(|voice| &*voice.name)))
        }
    };
    Ok(CallFilter {
        agents: query.agent_ids.clone(),
        created_from: query.from_date.map(|from| moment(from, Time::midnight(), "fromDate")).transpose()?,
        created_to: query.to_date.map(|to| moment(to, LAST, "toDate")).transpose()?,
        lasted_at_least: bound("durationMin", query.duration_min)?,
        lasted_at_most: bound("durationMax", query.duration_max)?,
        metadata: query.metadata.clone(),
        search: query.search.clone(),
        time_of_day,
        voices,
    })
}

/// The last microsecond of a day.
const LAST: Time = Time::constant(23, 59, 59, 999_999_000);

/// A day's beginning or end, or the moment itself.
fn moment(date: DateOrTime, time: Time, field: &str) -> Result<Timestamp, ApiError> {
    match date {
        DateOrTime::Time(moment) => Ok(moment),
        DateOrTime::Date(date) => at(date, time).ok_or_else(|| ApiError::field(field, "is too far away")),
    }
}

/// A moment in UTC. None at the ends of time.
pub(in crate::http) fn at(date: Date, time: Time) -> Option<Timestamp> {
    let moment = date.to_datetime(time).to_zoned(TimeZone::UTC).ok()?;
    Some(Timestamp::from(moment.timestamp()))
}

fn since_midnight(TimeOfDay(time): TimeOfDay) -> i64 {
    let seconds = i64::from(time.hour()) * 3_600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    seconds * 1_000_000 + i64::from(time.subsec_nanosecond() / 1_000)
}
