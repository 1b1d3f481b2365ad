//! An object being read field by field, which knows in the end which of its keys nobody asked for.

use serde_json::Value;

use super::{FromJson, JsonObject, Name, Reader};

/// A type whose fields may lie in an object together with others.
pub(crate) trait FromFields: Sized {
    fn from_fields(fields: &mut Fields<'_>, reader: &mut Reader) -> Option<Self>;
}

/// An object being read.
#[derive(Debug)]
pub(crate) struct Fields<'v> {
    object: &'v JsonObject,
    known: Vec<Name>,
}

impl<'v> Fields<'v> {
    /// Begins to read `value`, which must be an object.
    pub(crate) fn open(value: &'v Value, reader: &mut Reader) -> Option<Self> {
        match value {
            Value::Object(object) => Some(Self { object, known: Vec::with_capacity(8) }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                reader.fault(super::values::mismatch("an object", value));
                None
            }
        }
    }

    /// Reads a whole object as a `T`.
    pub(crate) fn read_all<T: FromFields>(value: &'v Value, reader: &mut Reader) -> Option<T> {
        let mut fields = Self::open(value, reader)?;
        let read = T::from_fields(&mut fields, reader);
        fields.close(reader);
        read
    }

    /// The raw value of a field in either spelling, and the spelling it was found in.
    pub(crate) fn take(&mut self, name: Name) -> Option<(&'static str, &'v Value)> {
        self.known.push(name);
        [name.camel, name.snake].into_iter().find_map(|spelling| Some((spelling, self.object.get(spelling)?)))
    }

    /// Reads the field that has one of `names`, the first of which is its proper one.
    pub(crate) fn read<T: FromJson>(
        &mut self,
        names: &[Name],
        reader: &mut Reader,
        if_absent: impl FnOnce() -> Option<T>,
    ) -> Option<T> {
        let mut found = None;
        for name in names {
            found = found.or(self.take(*name).filter(|(_, value)| !T::is_unset(value)));
        }
        let Some((spelling, value)) = found else {
            let absent = if_absent();
            if absent.is_none() {
                let proper = names.first().expect("a field has a name").camel;
                reader.at(proper, |reader| reader.fault("is missing"));
            }
            return absent;
        };
        let problems = reader.problem_count();
        reader.at(spelling, |reader| {
            let read = T::from_json(value, reader);
            if read.is_some() || reader.problem_count() > problems {
                return read;
            }
            let absent = if_absent();
            if absent.is_none() {
                reader.fault("is of a kind that is not known here");
            }
            absent
        })
    }

    /// Ends the reading: whatever was not asked for is ignored.
    pub(crate) fn close(self, reader: &mut Reader) {
        for key in self.object.keys() {
            let known = self.known.iter().any(|name| name.camel == key || name.snake == key);
            if !known && !reader.ignore_field(key) {
                return;
            }
        }
    }
}
