//! Moments as they are written on the wire: RFC 3339 in UTC with six fractional digits (protocol.md 11).

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use crate::json::{FromJson, Reader, deserialize, quoted};
use crate::schema::{Describe, Schema, Schemas};

/// A moment, to the microsecond: `2026-11-20T08:45:00.000000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    unix_micros: i64,
}

/// A text or a number that is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// The text has another form.
    #[error(
        "{} is not a moment; write RFC 3339 with an offset, for example \"2026-11-20T08:45:00Z\"",
        quoted(.0)
    )]
    Form(String),
    /// The moment lies outside the years that can be written.
    #[error("{0} µs since 1970 is outside the years -9999 to 9999")]
    Range(i64),
}

impl Timestamp {
    /// The moment so many microseconds after the beginning of 1970.
    ///
    /// # Errors
    ///
    /// The moment lies outside the years that can be written.
    pub fn from_unix_micros(unix_micros: i64) -> Result<Self, TimestampError> {
        jiff::Timestamp::from_microsecond(unix_micros)
            .map(Self::from)
            .map_err(|_| TimestampError::Range(unix_micros))
    }

    /// Microseconds since the beginning of 1970.
    #[must_use]
    pub const fn unix_micros(self) -> i64 {
        self.unix_micros
    }
}

impl From<jiff::Timestamp> for Timestamp {
    fn from(moment: jiff::Timestamp) -> Self {
        Self { unix_micros: moment.as_microsecond() }
    }
}

impl From<Timestamp> for jiff::Timestamp {
    fn from(moment: Timestamp) -> Self {
        Self::from_microsecond(moment.unix_micros).expect("it was made from such a moment")
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        text.parse::<jiff::Timestamp>().map(Self::from).map_err(|_| TimestampError::Form(text.into()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", jiff::Timestamp::from(*self))
    }
}

impl Describe for Timestamp {
    fn describe(_: &mut Schemas) -> Schema {
        Schema::text("date-time")
    }
}

impl FromJson for Timestamp {
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        let text = String::from_json(value, reader)?;
        text.parse().map_err(|error: TimestampError| reader.fault(error.to_string())).ok()
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc_with_six_digits() {
        for (text, written) in [
            ("2026-11-20T08:45:00Z", "2026-11-20T08:45:00.000000Z"),
            ("2026-11-20T09:45:00.1234567+01:00", "2026-11-20T08:45:00.123456Z"),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), written);
        }
    }

    #[test]
    fn what_names_no_moment_is_refused() {
        for text in ["", "2026-11-20", "2026-11-20T08:45:00", "yesterday", "1763628300"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
        assert!(Timestamp::from_unix_micros(i64::MAX).is_err());
    }
}
