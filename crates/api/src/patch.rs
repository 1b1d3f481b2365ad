//! Bodies that change a part of something.

use std::marker::PhantomData;

use serde_json::Value;

use crate::json::{FromJson, JsonObject, Reader};
use crate::schema::{Describe, DescribeFields, Schema, Schemas, description};

/// Some fields of a `T`: objects are merged, all else is replaced, and null clears. What comes of it is for the server to check,
/// since only it has the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch<T> {
    /// The fields as they came.
    pub changes: JsonObject,
    of: PhantomData<fn() -> T>,
}

impl<T> Patch<T> {
    /// These changes.
    #[must_use]
    pub fn new(changes: JsonObject) -> Self {
        Self { changes, of: PhantomData }
    }
}

impl<T: DescribeFields + Describe> Describe for Patch<T> {
    fn describe(schemas: &mut Schemas) -> Schema {
        // Only for its name: it may be that nothing else is written as a whole.
        let whole = T::describe(&mut Schemas::default());
        let name = format!("{}Patch", whole.name().unwrap_or_default());
        let text = description(&format!(
            "What is changed: as `{}`, but with any of its fields, and at any depth. Objects are merged, all else is replaced, \
             and null clears.",
            whole.name().unwrap_or_default()
        ));
        schemas.named::<Self>(&name, |schemas| T::describe_fields(schemas).any_of_them().into_schema(&text))
    }
}

impl<T: DescribeFields + Describe> FromJson for Patch<T> {
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        JsonObject::from_json(value, reader).map(Self::new)
    }
}

impl<T> serde::Serialize for Patch<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.changes.serialize(serializer)
    }
}
