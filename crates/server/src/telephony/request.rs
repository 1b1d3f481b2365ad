//! What a provider posts: a form or a JSON object, and which of its fields become an agent's variables (protocol.md 7.6.5).

use std::collections::BTreeMap;

use antiphon_api::json::JsonObject;
use serde_json::Value;

/// Fields that a form may have: of more, somebody plays with the server.
const FIELDS: usize = 1_000;

/// A body as it was posted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Posted {
    /// A form: pairs in their order.
    Form(Vec<(String, String)>),
    /// A JSON object.
    Json(JsonObject),
}

impl Posted {
    /// Reads a body of this `Content-Type`. What has none is a form if it does not look like JSON. `None` if it is neither.
    pub(crate) fn read(content_type: Option<&str>, body: &[u8]) -> Option<Self> {
        let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let is_json = match essence.to_ascii_lowercase().as_str() {
            "" => body.trim_ascii_start().starts_with(b"{"),
            "application/x-www-form-urlencoded" => false,
            "application/json" => true,
            _ => return None,
        };
        if is_json {
            return serde_json::from_slice(body).ok().map(Self::Json);
        }
        let pairs: Vec<_> = url::form_urlencoded::parse(body).into_owned().take(FIELDS + 1).collect();
        (pairs.len() <= FIELDS).then_some(Self::Form(pairs))
    }

    /// The fields of a form, none of JSON.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        match self {
            Self::Form(pairs) => pairs,
            Self::Json(_) => &[],
        }
    }

    /// The variables that `mapping` makes of it: from dotted fields to dotted names. A field that is not there makes none.
    pub(crate) fn context(&self, mapping: &BTreeMap<String, String>) -> JsonObject {
        let mut context = JsonObject::new();
        for (field, name) in mapping {
            if let Some(value) = self.field(field) {
                put(&mut context, name, value);
            }
        }
        context
    }

    fn field(&self, dotted: &str) -> Option<Value> {
        match self {
            Self::Form(pairs) => {
                pairs.iter().find(|(key, _)| key == dotted).map(|(_, value)| Value::String(value.clone()))
            }
            Self::Json(object) => {
                let (first, rest) = match dotted.split_once('.') {
                    Some((first, rest)) => (first, Some(rest)),
                    None => (dotted, None),
                };
                let inner = |value: &Value, rest: &str| {
                    rest.split('.').try_fold(value.clone(), |value, key| match value {
                        Value::Object(mut fields) => fields.remove(key),
                        Value::Array(mut items) => {
                            let index: usize = key.parse().ok()?;
                            (index < items.len()).then(|| items.swap_remove(index))
                        }
                        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
                    })
                };
                object.get(dotted).cloned().or_else(|| inner(object.get(first)?, rest?))
            }
        }
    }
}

/// Puts a value at a dotted name. What is there as no object gives way.
fn put(context: &mut JsonObject, dotted: &str, value: Value) {
    match dotted.split_once('.') {
        None => {
            context.insert(dotted.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = context.entry(first).or_insert_with(|| Value::Object(JsonObject::new()));
            if !inner.is_object() {
                *inner = Value::Object(JsonObject::new());
            }
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_become_variables_where_they_are_there() {
        let mapping = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(field, name)| ((*field).to_owned(), (*name).to_owned())).collect()
        };
        let form = Posted::read(
            Some("application/x-www-form-urlencoded; charset=UTF-8"),
            b"From=%2B15550100&To=%2B15550199&a.b=x+y",
        );
        let wanted = mapping(&[("From", "user.phone_number"), ("a.b", "user.note"), ("Nothing", "n")]);
        assert_eq!(
            Value::Object(form.unwrap().context(&wanted)),
            json!({"user": {"phone_number": "+15550100", "note": "x y"}})
        );

        let body = br#"{"data": {"payload": {"from": "+1", "tags": ["vip"]}}, "x.y": 1}"#;
        let posted = Posted::read(Some("application/json"), body).unwrap();
        let wanted = mapping(&[
            ("data.payload.from", "caller"),
            ("data.payload.tags.0", "tag"),
            ("data.payload.tags.1", "none"),
            ("data.payload.from.x", "none2"),
            ("x.y", "flat"),
        ]);
        assert_eq!(Value::Object(posted.context(&wanted)), json!({"caller": "+1", "tag": "vip", "flat": 1}));
    }

    #[test]
    fn what_is_neither_a_form_nor_an_object_is_nothing() {
        for (kind, body) in [
            (Some("text/xml"), "<a/>"),
            (Some("application/json"), "[1]"),
            (Some("application/json"), "{"),
            (None, "{"),
        ] {
            assert_eq!(Posted::read(kind, body.as_bytes()), None, "{kind:?} {body}");
        }
        assert!(Posted::read(None, "a=1&".repeat(1_001).as_bytes()).is_none());
        assert_eq!(Posted::read(None, b""), Some(Posted::Form(Vec::new())));
    }
}
