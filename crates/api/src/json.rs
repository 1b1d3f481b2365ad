//! How wire types read themselves from JSON: liberal in what they take, complete in what they complain about.
//!
//! Owns the [`Reader`] (path, problems, ignored fields), the [`FromJson`] trait and the macros that define a wire type in one
//! place. Knows no resource and no message.
//!
//! The rules that hold for every type (protocol.md 0 and 9):
//!
//! - Every known field is taken in camelCase and in snake_case; camelCase wins.
//! - `null` and `..._UNSPECIFIED` mean unset.
//! - Whole numbers may come as `60`, `60.0` and `"60"`.
//! - Unknown fields are ignored and reported by path.
//! - All problems of one text are found in one reading, except that the rules which compare fields of one object are only
//!   applied once each of those fields could be read.
//! - A response is read more kindly than a request: bounds are not applied to it, and kinds and words which this version does
//!   not know count as unset, so that a client outlives its server's next release.

pub(crate) mod check;
pub(crate) mod choice;
pub(crate) mod fields;
pub(crate) mod name;
mod query;
mod reader;
pub(crate) mod record;
mod values;
pub(crate) mod words;

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::Value;

use crate::schema::Describe;

pub(crate) use check::Check;
pub(crate) use choice::choice;
pub(crate) use fields::Fields;
pub(crate) use name::{Name, name};
pub use query::{from_query, to_query};
pub(crate) use reader::quoted;
pub use reader::{Invalid, Parsed, Problem, Reader, Source};
pub(crate) use record::record;
pub(crate) use words::words;

/// A JSON object with free contents, in the order in which it was written.
pub type JsonObject = serde_json::Map<String, Value>;

/// A type that can be read from JSON, with every problem reported to a [`Reader`], and that says how it is written.
pub trait FromJson: Describe + Sized {
    /// Reads `value`. `None` means that there is no value; if that is a problem, the reader has been told.
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self>;

    /// What a field of this type holds when it is not there, if it may be left out.
    fn if_absent() -> Option<Self> {
        None
    }

    /// Whether `value` says that the field is not set.
    fn is_unset(value: &Value) -> bool {
        value.is_null()
    }

    /// Whether null may stand where such a field is: because it is unset then, or because null says something.
    fn takes_null() -> bool {
        Self::is_unset(&Value::Null)
    }

    /// Whether a field that holds this is left out when an object is written that leaves out what is unset.
    fn is_left_out(&self) -> bool {
        false
    }
}

/// Reads a request's body. An empty body is an empty object, since every body may be left out (protocol.md 10.1, 15).
///
/// # Errors
///
/// All problems found, each with the path of its field.
pub fn from_request<T: FromJson>(body: &[u8]) -> Result<Parsed<T>, Invalid> {
    if body.trim_ascii().is_empty() {
        return from_value(&Value::Object(JsonObject::new()), Source::RequestBody);
    }
    from_value(&parse(body)?, Source::RequestBody)
}

/// Reads a response's body.
///
/// # Errors
///
/// All problems found, each with the path of its field.
pub fn from_response<T: FromJson>(body: &[u8]) -> Result<Parsed<T>, Invalid> {
    from_value(&parse(body)?, Source::Response)
}

/// Reads a value that is already parsed.
///
/// # Errors
///
/// All problems found, each with the path of its field.
pub fn from_value<T: FromJson>(value: &Value, source: Source) -> Result<Parsed<T>, Invalid> {
    let mut reader = Reader::new(source);
    let read = T::from_json(value, &mut reader);
    reader.finish(read)
}

/// Parses JSON text. Its depth is bounded by `serde_json` (128 levels), so reading it cannot exhaust the stack.
pub(crate) fn parse(text: &[u8]) -> Result<Value, Invalid> {
    serde_json::from_slice(text).map_err(|error| Invalid::one("", format!("cannot be parsed: {error}")))
}

/// The whole of `Deserialize` for a wire type: whoever deserializes one reads what a server or a store has written.
pub(crate) fn deserialize<'de, D: serde::Deserializer<'de>, T: FromJson>(
    deserializer: D,
) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    from_value(&value, Source::Response).map(|parsed| parsed.value).map_err(D::Error::custom)
}
