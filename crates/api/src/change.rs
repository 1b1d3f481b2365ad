//! A field of a change: to be kept, cleared, or set. Null is not absence here.

use serde_json::Value;

use crate::json::{FromJson, Reader};
use crate::schema::{Describe, Schema, Schemas};

/// What a change asks of a field: absence keeps it, null clears it, a value sets it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Change<T> {
    /// As it is.
    #[default]
    Keep,
    /// Away with it.
    Clear,
    /// This from now on.
    Set(T),
}

impl<T: Describe> Describe for Change<T> {
    fn describe(schemas: &mut Schemas) -> Schema {
        T::describe(schemas).nullable(true)
    }
}

impl<T: FromJson> FromJson for Change<T> {
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        match value {
            Value::Null => Some(Self::Clear),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                T::from_json(value, reader).map(Self::Set)
            }
        }
    }

    fn if_absent() -> Option<Self> {
        Some(Self::Keep)
    }

    fn is_unset(_: &Value) -> bool {
        false
    }

    fn takes_null() -> bool {
        true
    }

    fn is_left_out(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

impl<T: serde::Serialize> serde::Serialize for Change<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // What is kept is left out of the object around it; nothing else can be written in its place.
            Self::Keep | Self::Clear => serializer.serialize_none(),
            Self::Set(value) => value.serialize(serializer),
        }
    }
}
