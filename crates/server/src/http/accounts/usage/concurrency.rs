//! `GET /api/accounts/me/usage/concurrency`: how many calls there were at a time (protocol.md 7.12).

use antiphon_api::Timestamp;
use antiphon_api::rest::accounts::{
    ConcurrencyBucket, ConcurrencyPoint, ConcurrencyQuery, ConcurrencyUsage, ReadConcurrency,
};
use axum::extract::State;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::error::ApiError;
use super::super::super::request::Requested;
use crate::storage::CallSpan;

const DAY_US: i64 = 86_400_000_000;
/// The most stretches of time in an answer: a week of minutes.
const STRETCHES: i64 = 10_080;
/// The most calls that are looked at.
const CALLS: u32 = 25_000;

/// A stretch of time that is looked at, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Period {
    start: i64,
    end: i64,
    /// How long each part of it is.
    bucket: i64,
}

pub(in crate::http) async fn concurrency(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReadConcurrency>,
) -> Answered<ReadConcurrency> {
    let now = Timestamp::from(jiff::Timestamp::now());
    let period = period(&request.query, now)?;
    let moment =
        |micros| Timestamp::from_unix_micros(micros).map_err(|_| ApiError::field("start", "is too far away"));
    let (start, end) = (moment(period.start)?, moment(period.end)?);
    let calls = http.storage.catalog.spans(account.0, start, end, CALLS + 1).await?;
    if calls.len() > CALLS as usize {
        let message = format!("begins a period with more than {CALLS} calls; ask for a shorter one");
        return Err(ApiError::field("start", message));
    }
    let counts = counts(&calls, period, now.unix_micros());
    let mut time_series = Vec::with_capacity(counts.len());
    for (index, count) in (0..).zip(counts) {
        time_series.push(ConcurrencyPoint {
            timestamp: moment(period.start + index * period.bucket)?,
            max_total_calls: count.total.most,
            max_joined_calls: count.joined.most,
            avg_total_calls: count.total.average(period.bucket),
            avg_joined_calls: count.joined.average(period.bucket),
        });
    }
    Ok(Answer(ConcurrencyUsage { time_series }))
}

/// From the beginning of the first stretch that is touched to the end of the last one.
fn period(query: &ConcurrencyQuery, now: Timestamp) -> Result<Period, ApiError> {
    let bucket = match query.bucket {
        None | Some(ConcurrencyBucket::Minute) => DAY_US / 24 / 60,
        Some(ConcurrencyBucket::FiveMinutes) => DAY_US / 24 / 12,
        Some(ConcurrencyBucket::Hour) => DAY_US / 24,
        Some(ConcurrencyBucket::Day) => DAY_US,
    };
    let end = query.end.unwrap_or(now).unix_micros();
    let start = query.start.map_or(end.saturating_sub(DAY_US), Timestamp::unix_micros);
    if start >= end {
        return Err(ApiError::field("start", "must be before \"end\""));
    }
    let start = start.div_euclid(bucket) * bucket;
    let stretches = (end.saturating_sub(start) - 1).div_euclid(bucket) + 1;
    if stretches > STRETCHES {
        let message =
            format!("begins a period of more than {STRETCHES} stretches; choose a longer \"bucket\"");
        return Err(ApiError::field("start", message));
    }
    Ok(Period { start, end: start + stretches * bucket, bucket })
}

/// How many calls there were in a stretch of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    total: Level,
    joined: Level,
}

/// How high something stood in a stretch of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Level {
    most: u64,
    /// Its sum over the microseconds of the stretch.
    area: i128,
}

impl Level {
    fn average(self, bucket: i64) -> f64 {
        self.area as f64 / bucket as f64
    }
}

/// What each stretch of the period counts. A call that has not ended is there until now.
fn counts(calls: &[CallSpan], period: Period, now: i64) -> Vec<Count> {
    let ends = |call: &CallSpan| call.ended.map_or(now, Timestamp::unix_micros);
    let total = calls.iter().map(|call| (call.created.unix_micros(), ends(call)));
    let joined = calls.iter().filter_map(|call| Some((call.joined?.unix_micros(), ends(call))));
    let (total, joined) = (levels(total, period), levels(joined, period));
    total.into_iter().zip(joined).map(|(total, joined)| Count { total, joined }).collect()
}

/// How many of `spans` there are at a time: those that begin at a moment count before those that end then leave, so that even the
/// shortest is seen.
fn levels(spans: impl Iterator<Item = (i64, i64)>, period: Period) -> Vec<Level> {
    let Period { start, end, bucket } = period;
    let mut steps = Vec::new();
    for (from, to) in spans {
        if from < end && to >= start {
            steps.push((from.max(start), false));
            steps.push((to.max(from).min(end), true));
        }
    }
    steps.sort_unstable();
    let stretches = usize::try_from((end - start) / bucket).unwrap_or(0);
    let mut levels = vec![Level::default(); stretches];
    let (mut standing, mut steps) = (0_u64, steps.into_iter().peekable());
    for (level, begins) in levels.iter_mut().zip((0..).map(|index| start + index * bucket)) {
        let ends = begins + bucket;
        let mut since = begins;
        level.most = standing;
        while let Some((at, leaves)) = steps.next_if(|(at, _)| *at < ends) {
            level.area += i128::from(standing) * i128::from(at - since);
            since = at;
            standing = if leaves { standing.saturating_sub(1) } else { standing + 1 };
            level.most = level.most.max(standing);
        }
        level.area += i128::from(standing) * i128::from(ends - since);
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_unix_micros(micros).unwrap()
    }

    #[test]
    fn calls_are_counted_while_they_are_there() {
        let call = |created, joined: Option<i64>, ended: Option<i64>| CallSpan {
            created: at(created),
            joined: joined.map(at),
            ended: ended.map(at),
        };
        let calls = [
            call(-50, Some(-40), Some(25)),
            call(10, None, Some(30)),
            call(105, Some(110), Some(110)),
            call(150, Some(160), None),
        ];
        let counts = counts(&calls, Period { start: 0, end: 300, bucket: 100 }, 250);
        let seen: Vec<_> = counts
            .iter()
            .map(|count| (count.total.most, count.total.area, count.joined.most, count.joined.area))
            .collect();
        // The first call's 25 and the second one's 20; the third one's 5 and the last one's 50 and 50, of which 40 and 50 joined.
        assert_eq!(seen, [(2, 45, 1, 25), (1, 55, 1, 40), (1, 50, 1, 50)]);
    }

    #[test]
    fn a_period_is_of_whole_stretches_and_bounded() {
        let query = |start, end| ConcurrencyQuery { start, end, bucket: Some(ConcurrencyBucket::Hour) };
        let hour = DAY_US / 24;
        let whole = period(&query(Some(at(hour + 1)), Some(at(3 * hour))), at(0)).unwrap();
        assert_eq!(whole, Period { start: hour, end: 3 * hour, bucket: hour });
        let usual = period(&query(None, None), at(100 * hour + 1)).unwrap();
        assert_eq!(usual, Period { start: 76 * hour, end: 101 * hour, bucket: hour });
        assert!(period(&query(Some(at(5)), Some(at(5))), at(0)).is_err());
        assert!(period(&query(Some(at(0)), Some(at(STRETCHES * hour + 1))), at(0)).is_err());
    }
}
