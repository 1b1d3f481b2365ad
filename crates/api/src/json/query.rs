//! Query strings as wire types: the pairs of a query make an object, and the object reads like any other.
//!
//! Repeated keys make a list; `metadata.key=value` makes an entry of a map. Percent-encoding is the HTTP library's.

use serde::Serialize;
use serde_json::Value;

use super::{FromJson, Invalid, JsonObject, Parsed, Source, from_value};

/// Reads the decoded pairs of a query.
///
/// # Errors
///
/// All problems found, each with the name of its parameter.
pub fn from_query<T: FromJson>(
    pairs: impl IntoIterator<Item = (String, String)>,
) -> Result<Parsed<T>, Invalid> {
    let mut object = JsonObject::new();
    for (key, text) in pairs {
        match key.split_once('.') {
            Some((map, key)) => {
                let inner = object.entry(map).or_insert_with(|| Value::Object(JsonObject::new()));
                if let Value::Object(inner) = inner {
                    add(inner, key, text);
                }
            }
            None => add(&mut object, &key, text),
        }
    }
    from_value(&Value::Object(object), Source::RequestQuery)
}

fn add(object: &mut JsonObject, key: &str, text: String) {
    match object.get_mut(key) {
        None => {
            object.insert(key.into(), Value::String(text));
        }
        Some(Value::Array(items)) => items.push(Value::String(text)),
        Some(first) => *first = Value::Array(vec![first.take(), Value::String(text)]),
    }
}

/// The pairs that say the same as `query`, not yet percent-encoded.
#[must_use]
pub fn to_query<T: Serialize>(query: &T) -> Vec<(String, String)> {
    let query = serde_json::to_value(query).expect("wire types have string keys");
    let mut pairs = Vec::new();
    if let Value::Object(object) = query {
        object.into_iter().for_each(|(key, value)| push(&mut pairs, key, value));
    }
    pairs
}

fn push(pairs: &mut Vec<(String, String)>, key: String, value: Value) {
    match value {
        Value::Null => {}
        Value::Bool(value) => pairs.push((key, value.to_string())),
        Value::Number(number) => pairs.push((key, number.to_string())),
        Value::String(text) => pairs.push((key, text)),
        Value::Array(items) => items.into_iter().for_each(|item| push(pairs, key.clone(), item)),
        Value::Object(object) => {
            object.into_iter().for_each(|(inner, value)| push(pairs, format!("{key}.{inner}"), value));
        }
    }
}
