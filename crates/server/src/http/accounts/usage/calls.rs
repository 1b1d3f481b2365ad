//! `GET /api/accounts/me/usage/calls`: sums up the account's calls, as a whole, by the day and by the hour (protocol.md 7.12).

use antiphon_api::rest::accounts::{
    CallStatistics, CallUsage, DailyCallStatistics, HourlyCallStatistics, ReadCallUsage,
};
use axum::extract::State;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::calls::filter;
use super::super::super::request::Requested;
use super::super::{day, minutes};
use crate::storage::HourOfCalls;

pub(in crate::http) async fn calls(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReadCallUsage>,
) -> Answered<ReadCallUsage> {
    let filter = filter(&request.query.0, &http, &account).await?;
    let hours = http.storage.catalog.by_hour(account.0, &filter).await?;
    let mut all = HourOfCalls::default();
    // In each, the hour is that of its first calls.
    let mut days: Vec<HourOfCalls> = Vec::new();
    for hour in &hours {
        add(&mut all, hour);
        match days.last_mut().filter(|day| day.hour.div_euclid(24) == hour.hour.div_euclid(24)) {
            Some(day) => add(day, hour),
            None => days.push(*hour),
        }
    }
    Ok(Answer(CallUsage {
        all_time: statistics(&all),
        daily: days.iter().map(daily).collect(),
        hourly: hours.iter().map(hourly).collect(),
    }))
}

fn add(sum: &mut HourOfCalls, hour: &HourOfCalls) {
    sum.calls += hour.calls;
    sum.failed += hour.failed;
    sum.joined += hour.joined;
    sum.duration_us += hour.duration_us;
    sum.billed_units += hour.billed_units;
}

fn statistics(sum: &HourOfCalls) -> CallStatistics {
    CallStatistics {
        total_count: sum.calls,
        error_count: sum.failed,
        joined_count: sum.joined,
        duration: std::time::Duration::from_micros(sum.duration_us.unsigned_abs()).into(),
        billed_minutes: minutes(sum.billed_units),
    }
}

fn daily(sum: &HourOfCalls) -> DailyCallStatistics {
    let CallStatistics { total_count, error_count, joined_count, duration, billed_minutes } = statistics(sum);
    let date = day(sum.hour.div_euclid(24));
    DailyCallStatistics { total_count, error_count, joined_count, duration, billed_minutes, date }
}

fn hourly(sum: &HourOfCalls) -> HourlyCallStatistics {
    let DailyCallStatistics { total_count, error_count, joined_count, duration, billed_minutes, date } =
        daily(sum);
    let hour = u32::try_from(sum.hour.rem_euclid(24)).unwrap_or(0);
    HourlyCallStatistics { total_count, error_count, joined_count, duration, billed_minutes, date, hour }
}
