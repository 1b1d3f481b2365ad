//! The envelope of a list (protocol.md 7.14).

use serde_json::Value;

use crate::json::{Fields, FromJson, Reader, name};
use crate::schema::{Describe, Object, Schema, Schemas};

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

impl<T: Describe> Describe for Page<T> {
    fn describe(schemas: &mut Schemas) -> Schema {
        let item = T::describe(schemas);
        let name = format!("{}Page", item.name().unwrap_or_default());
        schemas.named::<Self>(&name, |_| {
            let link = || Schema::text("uri").nullable(true);
            Object::default()
                .required("next", link(), "The URL of the next page; follow it as it is.")
                .required("previous", link(), "The URL of the page before.")
                .required("results", Schema::list(item), "The items of this page.")
                .optional(
                    "total",
                    u64::describe(&mut Schemas::default()),
                    "How many items the whole list has; some lists do not say.",
                )
                .into_schema("One page of a list.")
        })
    }
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
