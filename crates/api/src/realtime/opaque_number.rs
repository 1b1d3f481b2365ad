//! A number that is handed back exactly as it came.

use std::fmt;

use serde::ser::Error as _;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::json::{FromJson, Reader};
use crate::schema::{Describe, Schema, Schemas};

/// Longest number text that is echoed; an f64 needs at most 24 characters.
const LONGEST: usize = 64;

/// The text of a JSON number. Clients time themselves by comparing it, so `1.0` must not become `1`, and no digit may be lost
/// (protocol.md 3.2).
#[derive(Clone, PartialEq, Eq)]
pub struct OpaqueNumber(Box<str>);

impl OpaqueNumber {
    /// The number as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number of the field `field` in a message's text, as it is spelled there.
    pub(crate) fn in_message(text: &str, field: &str) -> Option<Self> {
        let fields: std::collections::HashMap<String, &RawValue> = serde_json::from_str(text).ok()?;
        Self::from_text(fields.get(field)?.get())
    }

    fn from_text(text: &str) -> Option<Self> {
        let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        (is_number && text.len() <= LONGEST).then(|| Self(text.into()))
    }
}

impl From<f64> for OpaqueNumber {
    /// What is not finite has no JSON and becomes 0.
    fn from(number: f64) -> Self {
        let number = serde_json::Number::from_f64(number).unwrap_or_else(|| 0.into());
        Self(number.to_string().into())
    }
}

impl From<u64> for OpaqueNumber {
    fn from(number: u64) -> Self {
        Self(number.to_string().into())
    }
}

impl fmt::Debug for OpaqueNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Describe for OpaqueNumber {
    fn describe(_: &mut Schemas) -> Schema {
        Schema::of("number")
    }
}

impl FromJson for OpaqueNumber {
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        match value {
            Value::Number(number) => Some(Self(number.to_string().into())),
            Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                reader.fault("must be a number");
                None
            }
        }
    }
}

impl serde::Serialize for OpaqueNumber {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}
