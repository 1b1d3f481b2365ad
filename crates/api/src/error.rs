//! The body of every answer that is an error (protocol.md 7.15, A-56).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::json::{Fields, FromJson, Invalid, JsonObject, Reader, name};
use crate::schema::{Describe, Object, Schema, Schemas};

/// `{"detail": "...", "errors": {"field": ["message"]}}`; `errors` only where fields of the request are at fault.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ErrorBody {
    /// What went wrong and who does what about it.
    pub detail: String,
    /// What is wrong with each field, by its dotted path; empty if the error is not about fields.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<String, Vec<String>>,
}

impl ErrorBody {
    /// An error that is not about fields.
    pub fn new(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), errors: BTreeMap::new() }
    }
}

impl From<&Invalid> for ErrorBody {
    fn from(invalid: &Invalid) -> Self {
        let mut errors = BTreeMap::<_, Vec<_>>::new();
        for problem in invalid.problems().iter().filter(|problem| !problem.path.is_empty()) {
            errors.entry(problem.path.clone()).or_default().push(problem.message.clone());
        }
        Self { detail: invalid.to_string(), errors }
    }
}

impl Describe for ErrorBody {
    fn describe(schemas: &mut Schemas) -> Schema {
        schemas.named::<Self>("Error", |_| {
            let messages = Schema::map(Schema::list(Schema::of("string")));
            Object::default()
                .required("detail", Schema::of("string"), "What went wrong, and who does what about it.")
                .optional("errors", messages, "What is wrong with each field, by its dotted path.")
                .into_schema("Why a request failed.")
        })
    }
}

impl FromJson for ErrorBody {
    /// Also takes the form in which each field is a key of its own, which other servers may use.
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        let mut fields = Fields::open(value, reader)?;
        let errors = match fields.take(name!(errors)) {
            Some((_, Value::Object(errors))) => messages(errors),
            Some(_) | None => BTreeMap::new(),
        };
        let Some((_, Value::String(detail))) = fields.take(name!(detail)) else {
            let errors = messages(value.as_object().expect("it was opened as an object"));
            return Some(Self { detail: value.to_string(), errors });
        };
        Some(Self { detail: detail.clone(), errors })
    }
}

fn messages(errors: &JsonObject) -> BTreeMap<String, Vec<String>> {
    let texts = |value: &Value| -> Option<Vec<String>> {
        Some(value.as_array()?.iter().filter_map(Value::as_str).map(String::from).collect())
    };
    errors.iter().filter_map(|(field, value)| Some((field.clone(), texts(value)?))).collect()
}
