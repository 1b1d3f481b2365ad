//! Moments and durations as people read them.

use antiphon_api::{Timestamp, WireDuration};
use jiff::tz::TimeZone;

/// What moments are told by.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    now: jiff::Timestamp,
    /// Where the reader is.
    zone: TimeZone,
}

impl Clock {
    /// The clock of this machine.
    pub(super) fn of_this_machine() -> Self {
        Self { now: jiff::Timestamp::now(), zone: TimeZone::system() }
    }

    /// How long ago a moment was, or its date if that is long.
    pub(super) fn relative(&self, moment: Timestamp) -> String {
        let seconds = (self.now.as_millisecond() - jiff::Timestamp::from(moment).as_millisecond()) / 1_000;
        let told = |count: i64, unit: &str| match seconds {
            0.. => format!("{count} {unit} ago"),
            _ => format!("in {count} {unit}"),
        };
        match seconds.abs() {
            0..60 => told(seconds.abs(), "s"),
            60..3_600 => told(seconds.abs() / 60, "min"),
            3_600..86_400 => told(seconds.abs() / 3_600, "h"),
            86_400..604_800 => told(seconds.abs() / 86_400, "d"),
            _ => self.zoned(moment, "%Y-%m-%d"),
        }
    }

    /// A moment where the reader is, and how long ago that was.
    pub(super) fn exact(&self, moment: Timestamp) -> String {
        format!("{} ({})", self.zoned(moment, "%Y-%m-%d %H:%M:%S %Z"), self.relative(moment))
    }

    fn zoned(&self, moment: Timestamp, format: &str) -> String {
        jiff::Timestamp::from(moment).to_zoned(self.zone.clone()).strftime(format).to_string()
    }
}

/// A duration in at most two units.
pub(super) fn duration(duration: WireDuration) -> String {
    let Some(duration) = duration.to_std() else { return duration.to_string() };
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1}s", duration.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_near_or_far_and_durations_short() {
        let clock = Clock { now: "2026-11-20T12:00:00Z".parse().unwrap(), zone: TimeZone::UTC };
        for (moment, told) in [
            ("2026-11-20T11:59:48Z", "12 s ago"),
            ("2026-11-20T12:05:00Z", "in 5 min"),
            ("2026-11-20T11:00:01Z", "59 min ago"),
            ("2026-11-20T01:00:00Z", "11 h ago"),
            ("2026-11-14T12:00:00Z", "6 d ago"),
            ("2026-10-01T12:00:00Z", "2026-10-01"),
        ] {
            assert_eq!(clock.relative(moment.parse().unwrap()), told);
        }
        let moment = "2026-11-20T10:00:00Z".parse().unwrap();
        assert_eq!(clock.exact(moment), "2026-11-20 10:00:00 UTC (2 h ago)");
        for (wire, told) in
            [("0s", "0.0s"), ("9.96s", "10.0s"), ("59.9s", "59s"), ("61s", "1m 01s"), ("3725s", "1h 02m")]
        {
            assert_eq!(duration(wire.parse().unwrap()), told);
        }
    }
}
