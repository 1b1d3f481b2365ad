//! Schemas in JSON Schema, which most other tools speak: it has no `nullable`, and knows no mapping of a discriminator.

use serde_json::{Value, json};

use crate::json::JsonObject;

/// The same schema, or a document full of them, in JSON Schema.
#[must_use]
pub fn in_json_schema(value: Value) -> Value {
    match value {
        Value::Object(schema) => object_in_json_schema(schema),
        Value::Array(items) => Value::Array(items.into_iter().map(in_json_schema).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

fn object_in_json_schema(schema: JsonObject) -> Value {
    let mut schema: JsonObject =
        schema.into_iter().map(|(keyword, value)| (keyword, in_json_schema(value))).collect();
    if schema.get("discriminator").is_some_and(Value::is_object) {
        schema.insert("discriminator".into(), "type".into());
    }
    // A field may be called like the keyword.
    if schema.get("nullable") != Some(&Value::Bool(true)) {
        return schema.into();
    }
    schema.remove("nullable");
    if let Some(kind) = schema.get_mut("type") {
        *kind = json!([kind.take(), "null"]);
        return schema.into();
    }
    let mut outside = JsonObject::new();
    for keyword in ["description", "default"] {
        outside.extend(schema.remove(keyword).map(|value| (keyword.to_owned(), value)));
    }
    outside.insert("anyOf".into(), json!([schema, { "type": "null" }]));
    outside.into()
}
