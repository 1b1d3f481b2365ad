//! The sample rates that audio may have on the wire (protocol.md 4.1, A-33).

use std::fmt;

use serde_json::Value;

use crate::json::{FromJson, Reader, deserialize};
use crate::schema::{Describe, Schema, Schemas};

/// Samples per second. In a request it is one of [`SampleRate::SUPPORTED`]; a response may hold any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SampleRate(u32);

impl SampleRate {
    /// The rates that may be asked for.
    pub const SUPPORTED: [u32; 8] = [8_000, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];

    /// The rate, if it is supported.
    #[must_use]
    pub fn new(hz: u32) -> Option<Self> {
        Self::SUPPORTED.contains(&hz).then_some(Self(hz))
    }

    /// Samples per second.
    #[must_use]
    pub const fn hz(self) -> u32 {
        self.0
    }
}

impl fmt::Display for SampleRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

impl Describe for SampleRate {
    fn describe(_: &mut Schemas) -> Schema {
        Schema::of("integer").with("enum", Self::SUPPORTED.as_slice())
    }
}

impl FromJson for SampleRate {
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        let hz = u32::from_json(value, reader)?;
        if !Self::SUPPORTED.contains(&hz) {
            let supported = Self::SUPPORTED.map(|hz| hz.to_string()).join(", ");
            reader.refuse(format!("{hz} is not a supported sample rate; choose one of {supported}"));
        }
        Some(Self(hz))
    }
}

impl serde::Serialize for SampleRate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.0)
    }
}

impl<'de> serde::Deserialize<'de> for SampleRate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer)
    }
}
