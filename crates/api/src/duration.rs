//! Durations as they are written on the wire: decimal seconds and an `s` (protocol.md 0).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde_json::Value;

use crate::json::{FromJson, Reader, deserialize, quoted};
use crate::schema::{Describe, Schema, Schemas};

const NANOS_PER_SECOND: i128 = 1_000_000_000;
/// Digits that the format allows before the point.
const SECONDS_DIGITS: usize = 12;
/// Digits that the format allows behind the point.
const FRACTION_DIGITS: usize = 9;

/// A duration of the form `^-?(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,9})?s$`, such as `30s` or `0.384s`.
///
/// Written without trailing zeros. The format has negative durations and no field has a meaning for one, so a request that
/// holds one is refused.
///
/// ```
/// use antiphon_api::WireDuration;
///
/// let pipecat: WireDuration = "3600.000000s".parse()?;
/// assert_eq!(pipecat, WireDuration::from_secs(3600));
/// assert_eq!(pipecat.to_string(), "3600s");
/// # Ok::<(), antiphon_api::DurationError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WireDuration {
    nanos: i128,
}

/// A text that is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is not a duration; write seconds with an s, for example \"300s\"", quoted(.0))]
pub struct DurationError(String);

impl WireDuration {
    /// No time.
    pub const ZERO: Self = Self { nanos: 0 };
    /// The longest duration that can be written.
    pub const MAX: Self = Self { nanos: 1_000_000_000_000 * NANOS_PER_SECOND - 1 };

    /// So many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u32) -> Self {
        Self { nanos: seconds as i128 * NANOS_PER_SECOND }
    }

    /// So many milliseconds.
    #[must_use]
    pub const fn from_millis(milliseconds: u32) -> Self {
        Self { nanos: milliseconds as i128 * 1_000_000 }
    }

    /// The duration as the standard library has it; `None` for a negative one.
    #[must_use]
    pub fn to_std(self) -> Option<Duration> {
        let seconds = u64::try_from(self.nanos / NANOS_PER_SECOND).ok()?;
        let nanos = u32::try_from(self.nanos % NANOS_PER_SECOND).ok()?;
        Some(Duration::new(seconds, nanos))
    }
}

impl From<Duration> for WireDuration {
    /// Durations beyond [`WireDuration::MAX`] (31,000 years) become that.
    fn from(duration: Duration) -> Self {
        let nanos = i128::from(duration.as_secs()) * NANOS_PER_SECOND + i128::from(duration.subsec_nanos());
        Self { nanos: nanos.min(Self::MAX.nanos) }
    }
}

impl FromStr for WireDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        parse(text).ok_or_else(|| DurationError(text.into()))
    }
}

fn parse(text: &str) -> Option<WireDuration> {
    let number = text.strip_suffix('s')?;
    let (sign, number) = number.strip_prefix('-').map_or((1, number), |number| (-1, number));
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (number, None),
    };
    let leads_with_zero = whole.len() > 1 && whole.starts_with('0');
    let seconds = digits(whole, SECONDS_DIGITS).filter(|_| !leads_with_zero)?;
    let nanos = match fraction {
        None => 0,
        Some(fraction) => {
            let missing = FRACTION_DIGITS.checked_sub(fraction.len())?;
            digits(fraction, FRACTION_DIGITS)? * 10_i128.pow(u32::try_from(missing).ok()?)
        }
    };
    Some(WireDuration { nanos: sign * (seconds * NANOS_PER_SECOND + nanos) })
}

fn digits(text: &str, most: usize) -> Option<i128> {
    let only_digits = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if only_digits { text.parse().ok() } else { None }
}

impl fmt::Display for WireDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.nanos < 0 { "-" } else { "" };
        let nanos = self.nanos.unsigned_abs();
        let (seconds, fraction) =
            (nanos / NANOS_PER_SECOND.unsigned_abs(), nanos % NANOS_PER_SECOND.unsigned_abs());
        if fraction == 0 {
            return write!(f, "{sign}{seconds}s");
        }
        let fraction = format!("{fraction:09}");
        write!(f, "{sign}{seconds}.{}s", fraction.trim_end_matches('0'))
    }
}

impl Describe for WireDuration {
    fn describe(_: &mut Schemas) -> Schema {
        Schema::of("string")
            .with("pattern", r"^(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,9})?s$")
            .with("example", "30s")
    }
}

impl FromJson for WireDuration {
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        let parsed = match value {
            Value::String(text) => text.parse().map_err(|error: DurationError| error.to_string()),
            Value::Number(number) => Err(DurationError(number.to_string()).to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                Err("must be a duration: seconds with an s, for example \"300s\"".into())
            }
        };
        match parsed {
            Ok(duration) => {
                if duration < Self::ZERO {
                    reader.refuse(format!("{duration} is negative; choose 0s or more"));
                }
                Some(duration)
            }
            Err(message) => {
                reader.fault(message);
                None
            }
        }
    }
}

impl serde::Serialize for WireDuration {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for WireDuration {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_in_their_shortest_form() {
        for (text, canonical) in [
            ("30s", "30s"),
            ("0s", "0s"),
            ("-0s", "0s"),
            ("0.384s", "0.384s"),
            ("180.000000s", "180s"),
            ("0.000000001s", "0.000000001s"),
            ("999999999999.999999999s", "999999999999.999999999s"),
            ("-1.5s", "-1.5s"),
        ] {
            assert_eq!(text.parse::<WireDuration>().unwrap().to_string(), canonical);
        }
        assert_eq!("999999999999.999999999s".parse(), Ok(WireDuration::MAX));
    }

    #[test]
    fn everything_else_is_no_duration() {
        for text in [
            "",
            "s",
            "30",
            "30m",
            "1h",
            "5 minutes",
            " 30s",
            "30s ",
            "+30s",
            "030s",
            "30.s",
            ".5s",
            "1e3s",
            "--1s",
            "1000000000000s",
            "0.0000000001s",
            "٣s",
            "30S",
        ] {
            assert!(text.parse::<WireDuration>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_standard_librarys_durations_fit() {
        assert_eq!(WireDuration::from(Duration::from_millis(384)).to_string(), "0.384s");
        assert_eq!(WireDuration::from(Duration::MAX), WireDuration::MAX);
        assert_eq!(WireDuration::from_millis(384).to_std(), Some(Duration::from_millis(384)));
        assert_eq!("-1s".parse::<WireDuration>().unwrap().to_std(), None);
        assert_eq!("-0.5s".parse::<WireDuration>().unwrap().to_std(), None);
    }
}
