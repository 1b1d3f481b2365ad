//! How a configuration file writes a length of time: a whole number and a unit, `"250ms"`, `"30s"`, `"5m"`, `"1h"`, `"30d"`. The wire's
//! own duration format is another one and lives in the api crate.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de};

/// Units, longest first in time, so that writing picks the roundest.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| {
        de::Error::custom(format!(
            "\"{text}\" is not a length of time; write a whole number and a unit, such as \"250ms\", \"30s\", \"5m\", \"1h\" or \"30d\""
        ))
    })
}

pub(super) fn serialize<S: Serializer>(period: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&write(*period))
}

/// A length of time that may be left out.
pub(super) mod optional {
    use std::time::Duration;

    use serde::{Deserializer, Serializer};

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        super::deserialize(deserializer).map(Some)
    }

    /// One that is left out is skipped before it gets here.
    pub(in super::super) fn serialize<S: Serializer>(
        period: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        super::serialize(&period.unwrap_or_default(), serializer)
    }
}

fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = text.split_at(digits);
    let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
    count.parse::<u64>().ok()?.checked_mul(*millis).map(Duration::from_millis)
}

fn write(period: Duration) -> String {
    let millis = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
    let (unit, size) =
        UNITS.into_iter().find(|(_, size)| millis >= *size && millis % size == 0).unwrap_or(("s", 1_000));
    format!("{}{unit}", millis / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_reads_back_as_written() {
        for text in ["250ms", "30s", "5m", "1h", "90s", "30d", "36h", "0s"] {
            assert_eq!(parse(text).map(write).as_deref(), Some(text));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "30", "s", "1.5s", "-1s", "30 s", "1w", "99999999999999999999s", "18446744073709551615h"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
