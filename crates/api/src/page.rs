//! The envelope of a list (protocol.md 7.14).

use serde_json::Value;

use crate::json::{Fields, FromJson, Reader, name};

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Page<T> {
    /// The absolute URL of the next page; follow it as it is.
    pub next: Option<String>,
    /// The absolute URL of the page before.
    pub previous: Option<String>,
    /// The items of this page.
    pub results: Vec<T>,
    /// How many items the whole list has; some lists do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

impl<T: FromJson> FromJson for Page<T> {
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        let mut fields = Fields::open(value, reader)?;
        let next = fields.read(&[name!(next)], reader, FromJson::if_absent);
        let previous = fields.read(&[name!(previous)], reader, FromJson::if_absent);
        let results = fields.read(&[name!(results)], reader, || None);
        let total = fields.read(&[name!(total)], reader, FromJson::if_absent);
        fields.close(reader);
        Some(Self { next: next?, previous: previous?, results: results?, total: total? })
    }
}
