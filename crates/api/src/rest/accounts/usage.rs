//! What an account has used (protocol.md 7.12).

use crate::duration::WireDuration;
use crate::json::{record, words};
use crate::rest::calls::Day;
use crate::timestamp::Timestamp;

record! {
    /// The account's calls, summed up.
    pub resource struct CallUsage {
        /// All of them.
        all_time: CallStatistics => CallStatistics::default(),
        /// By the day (UTC) of their creation, oldest first; days without calls are left out.
        daily: Vec<DailyCallStatistics>,
        /// By the hour (UTC) of their creation, oldest first; hours without calls are left out.
        hourly: Vec<HourlyCallStatistics>,
    }
}

record! {
    /// Some calls, summed up.
    #[derive(Default)]
    pub resource struct CallStatistics {
        /// How many were created.
        total_count: u64 => 0,
        /// How many ended because something failed.
        error_count: u64 => 0,
        /// How many were joined.
        joined_count: u64 => 0,
        /// How long they lasted together, from their joins on.
        duration: WireDuration => WireDuration::ZERO,
        /// Minutes that are billed, or would be.
        billed_minutes: f64 => 0.0,
    }
}

record! {
    /// The calls of a day, summed up.
    pub resource struct DailyCallStatistics {
        /// How many were created.
        total_count: u64 => 0,
        /// How many ended because something failed.
        error_count: u64 => 0,
        /// How many were joined.
        joined_count: u64 => 0,
        /// How long they lasted together, from their joins on.
        duration: WireDuration => WireDuration::ZERO,
        /// Minutes that are billed, or would be.
        billed_minutes: f64 => 0.0,
        /// The day.
        date: Day,
    }
}

record! {
    /// The calls of an hour, summed up.
    pub resource struct HourlyCallStatistics {
        /// How many were created.
        total_count: u64 => 0,
        /// How many ended because something failed.
        error_count: u64 => 0,
        /// How many were joined.
        joined_count: u64 => 0,
        /// How long they lasted together, from their joins on.
        duration: WireDuration => WireDuration::ZERO,
        /// Minutes that are billed, or would be.
        billed_minutes: f64 => 0.0,
        /// The day.
        date: Day,
        /// The hour of the day, 0 to 23.
        hour: u32 => 0,
    }
}

record! {
    /// The query of [`ReadConcurrency`](super::ReadConcurrency).
    #[derive(Default)]
    pub struct ConcurrencyQuery {
        /// How long each stretch is; a minute if not given.
        bucket: Option<ConcurrencyBucket>,
        /// Where the time ends; now if not given.
        end: Option<Timestamp>,
        /// Where the time begins; a day before its end if not given.
        start: Option<Timestamp>,
    }
}

words! {
    /// How long a stretch of time is.
    pub enum ConcurrencyBucket {
        /// A day.
        Day = "day",
        /// Five minutes.
        FiveMinutes = "5min",
        /// An hour.
        Hour = "hour",
        /// A minute.
        Minute = "minute",
    }
}

record! {
    /// How many calls there were at a time.
    pub resource struct ConcurrencyUsage {
        /// By stretches of time, oldest first.
        time_series: Vec<ConcurrencyPoint>,
    }
}

record! {
    /// How many calls there were at a time in a stretch of it.
    pub resource struct ConcurrencyPoint {
        /// Where the stretch begins.
        timestamp: Timestamp,
        /// The most calls at a moment.
        max_total_calls: u64 => 0,
        /// The most joined calls at a moment.
        max_joined_calls: u64 => 0,
        /// Calls on average.
        avg_total_calls: f64 => 0.0,
        /// Joined calls on average.
        avg_joined_calls: f64 => 0.0,
    }
}

record! {
    /// The query of [`ReadBillingUsage`](super::ReadBillingUsage).
    #[derive(Default)]
    pub struct BillingUsageQuery {
        /// The first day (UTC); the first of this month if not given.
        from_date: Option<Day>,
        /// The day (UTC) before which it ends, at most 90 days later.
        to_date: Option<Day>,
    }
}

record! {
    /// How many minutes are billed.
    pub resource struct BillingUsage {
        /// By the day (UTC), oldest first; days without calls are left out.
        daily_usage: Vec<BillingUsageDay>,
        /// Together.
        total_minutes: f64 => 0.0,
        /// Of SIP, together.
        total_sip_minutes: f64 => 0.0,
    }
}

record! {
    /// How many minutes of a day are billed.
    pub resource struct BillingUsageDay {
        /// The day.
        date: Day,
        /// Minutes.
        minutes: f64 => 0.0,
        /// Minutes of SIP.
        sip_minutes: f64 => 0.0,
    }
}
