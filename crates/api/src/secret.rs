//! Values that may be sent and must not be shown.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::json::{FromJson, Reader, deserialize};
use crate::schema::{Describe, Schema, Schemas};

/// A text that only its receiver should see. It is written where a request needs it, and never shown: not by `Debug`, not in
/// an error.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Makes a text secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// What stands in the place of a secret where its name is shown.
pub const HIDDEN: &str = "[hidden]";

/// The same names, their values hidden: shows which headers are set.
pub(crate) fn hidden(secrets: &BTreeMap<String, Secret>) -> BTreeMap<String, Secret> {
    secrets.keys().map(|name| (name.clone(), Secret::new(HIDDEN))).collect()
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl Describe for Secret {
    fn describe(_: &mut Schemas) -> Schema {
        Schema::of("string")
    }
}

impl FromJson for Secret {
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        String::from_json(value, reader).map(Self)
    }
}

impl serde::Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer)
    }
}
