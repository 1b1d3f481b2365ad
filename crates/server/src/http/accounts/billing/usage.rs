//! `GET /api/accounts/me/billing/usage`: how many minutes are billed, or would be, by the day.

use antiphon_api::rest::accounts::{BillingUsage, BillingUsageDay, BillingUsageQuery, ReadBillingUsage};
use antiphon_api::rest::calls::Day;
use axum::extract::State;
use jiff::ToSpan as _;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::calls::at;
use super::super::super::error::ApiError;
use super::super::super::request::Requested;
use super::super::{day, minutes};
use crate::storage::CallFilter;

/// The most days (protocol.md 7.12).
const DAYS: i32 = 90;

pub(in crate::http) async fn usage(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReadBillingUsage>,
) -> Answered<ReadBillingUsage> {
    let filter = period(&request.query, jiff::Timestamp::now().to_zoned(TimeZone::UTC).date())?;
    // Added up as whole units: sums of tenths of minutes are not exact.
    let mut days: Vec<(i64, i64)> = Vec::new();
    for hour in http.storage.catalog.by_hour(account.0, &filter).await? {
        let number = hour.hour.div_euclid(24);
        match days.last_mut().filter(|(last, _)| *last == number) {
            Some((_, units)) => *units += hour.billed_units,
            None => days.push((number, hour.billed_units)),
        }
    }
    let total = days.iter().map(|(_, units)| units).sum();
    let billed =
        |(number, units)| BillingUsageDay { date: day(number), minutes: minutes(units), sip_minutes: 0.0 };
    Ok(Answer(BillingUsage {
        daily_usage: days.into_iter().map(billed).collect(),
        total_minutes: minutes(total),
        total_sip_minutes: 0.0,
    }))
}

/// The calls of the days that are asked for; without any, those of this month.
fn period(query: &BillingUsageQuery, today: Date) -> Result<CallFilter, ApiError> {
    let far = |field| ApiError::field(field, "is too far away");
    let from = query.from_date.map_or_else(|| today.first_of_month(), |Day(from)| from);
    let longest = from.checked_add(DAYS.days()).map_err(|_| far("fromDate"))?;
    let to = match query.to_date {
        Some(Day(to)) => to,
        None => today.tomorrow().map_err(|_| far("toDate"))?.min(longest),
    };
    if to > longest {
        return Err(ApiError::field("toDate", format!("is more than {DAYS} days after \"fromDate\"")));
    }
    let last = to.yesterday().map_err(|_| far("toDate"))?;
    Ok(CallFilter {
        created_from: Some(at(from, Time::midnight()).ok_or_else(|| far("fromDate"))?),
        created_to: Some(at(last, Time::constant(23, 59, 59, 999_999_000)).ok_or_else(|| far("toDate"))?),
        ..CallFilter::default()
    })
}
