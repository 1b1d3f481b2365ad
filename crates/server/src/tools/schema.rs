//! JSON Schemas of parameters: made self-contained when a tool is defined, held against a model's values, and used to see what a
//! slightly wrong value means.
//!
//! References are filled in, so that a schema means the same wherever it stands. Recursive ones are refused: what is left is a
//! finite tree, and checking a value against it takes a bounded time, whoever wrote it.

use antiphon_api::json::JsonObject;
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Number, Value, json};

/// Nodes of a schema once its references are filled in.
const NODES: usize = 10_000;
/// How deep it may be then.
const DEPTH: usize = 64;
/// Problems that a model is told at once, and characters of each.
const TOLD: usize = 5;
const TOLD_CHARS: usize = 200;

/// Words that refer in ways that cannot be filled in.
const UNSUPPORTED: [&str; 2] = ["$dynamicRef", "$recursiveRef"];
/// Words that mean nothing once references are filled in.
const DROPPED: [&str; 8] =
    ["$defs", "definitions", "$id", "id", "$schema", "$anchor", "$dynamicAnchor", "nullable"];
/// Words behind which stands a schema, or a list of them.
const SCHEMAS: [&str; 16] = [
    "items",
    "prefixItems",
    "additionalItems",
    "additionalProperties",
    "contains",
    "propertyNames",
    "not",
    "if",
    "then",
    "else",
    "allOf",
    "anyOf",
    "oneOf",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
];
/// Words behind which stand schemas by names.
const NAMED_SCHEMAS: [&str; 3] = ["properties", "patternProperties", "dependentSchemas"];

/// `schema` with everything filled in that it refers to in `root`.
pub(super) fn inlined(schema: &Value, root: &Value) -> Result<Value, String> {
    Inlining { root, nodes: 0 }.schema(schema, 0)
}

struct Inlining<'r> {
    root: &'r Value,
    nodes: usize,
}

impl Inlining<'_> {
    fn schema(&mut self, schema: &Value, depth: usize) -> Result<Value, String> {
        self.count(1, depth)?;
        let Value::Object(fields) = schema else { return Ok(schema.clone()) };
        if let Some(word) = UNSUPPORTED.into_iter().find(|word| fields.contains_key(*word)) {
            return Err(format!("uses {word}, which is not supported; write the schema out"));
        }
        let Some(Value::String(reference)) = fields.get("$ref") else {
            return self.fields(fields, depth).map(Value::Object);
        };
        let pointer = reference
            .strip_prefix('#')
            .ok_or_else(|| format!("refers to {reference:?}, which is not in it; write the schema out"))?;
        let target = self.root.pointer(pointer);
        let target = target.ok_or_else(|| format!("refers to {reference:?}, which is not there"))?;
        let mut beside = fields.clone();
        beside.remove("$ref");
        let (target, beside) = (self.schema(target, depth + 1)?, self.fields(&beside, depth)?);
        if let Value::Object(fields) = &target
            && beside.keys().all(|key| is_annotation(key))
        {
            let fields = fields.clone().into_iter().chain(beside);
            return Ok(Value::Object(fields.collect()));
        }
        Ok(Value::Object(both(beside, target)))
    }

    fn fields(&mut self, fields: &JsonObject, depth: usize) -> Result<JsonObject, String> {
        let mut filled = JsonObject::new();
        for (word, value) in fields {
            let word = word.as_str();
            if DROPPED.contains(&word) {
                continue;
            }
            let below = depth + 1;
            let named = value.as_object().filter(|_| NAMED_SCHEMAS.contains(&word));
            let value = if let Some(named) = named {
                let each = named.iter().map(|(name, schema)| Ok((name.clone(), self.schema(schema, below)?)));
                Value::Object(each.collect::<Result<_, String>>()?)
            } else if !SCHEMAS.contains(&word) {
                self.count(size(value), depth)?;
                value.clone()
            } else if let Value::Array(schemas) = value {
                let each = schemas.iter().map(|schema| self.schema(schema, below));
                Value::Array(each.collect::<Result<_, _>>()?)
            } else {
                self.schema(value, below)?
            };
            filled.insert(word.to_owned(), value);
        }
        modernize(&mut filled, fields.get("nullable") == Some(&Value::Bool(true)));
        Ok(filled)
    }

    fn count(&mut self, nodes: usize, depth: usize) -> Result<(), String> {
        self.nodes += nodes;
        if self.nodes > NODES || depth > DEPTH {
            return Err(
                "is recursive, or too large once its references are filled in; make it simpler".to_owned()
            );
        }
        Ok(())
    }
}

/// A schema that says what `beside` and `target` say.
fn both(mut beside: JsonObject, target: Value) -> JsonObject {
    let all = beside.entry("allOf").or_insert_with(|| json!([]));
    if let Value::Array(all) = all {
        all.push(target);
    }
    beside
}

/// What older schemas and OpenAPI 3.0 say otherwise.
fn modernize(schema: &mut JsonObject, nullable: bool) {
    if nullable && let Some(Value::String(kind)) = schema.get("type") {
        let kind = json!([kind, "null"]);
        schema.insert("type".to_owned(), kind);
    }
    for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        let Some(Value::Bool(excluded)) = schema.get(exclusive).cloned() else { continue };
        schema.remove(exclusive);
        if excluded && let Some(bound) = schema.remove(bound) {
            schema.insert(exclusive.to_owned(), bound);
        }
    }
}

fn is_annotation(word: &str) -> bool {
    ["description", "title", "default", "example", "examples", "deprecated", "readOnly", "writeOnly"]
        .contains(&word)
}

fn size(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(fields) => fields.values().map(size).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// What checks values against a self-contained schema.
pub(super) fn validator(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        // The linear one: a pattern may come from anybody.
        .with_pattern_options(PatternOptions::regex().size_limit(1 << 20))
        .build(schema)
        .map_err(|error| format!("is no JSON Schema: {}", shortened(&error.to_string())))
}

/// What is wrong with a value, for a model to correct. None if nothing is.
pub(super) fn problems(validator: &Validator, value: &Value) -> Option<String> {
    let told: Vec<_> = validator
        .iter_errors(value)
        .take(TOLD)
        .map(|error| {
            let path = error.instance_path().to_string();
            let what = shortened(&error.to_string());
            match path.trim_start_matches('/') {
                "" => what,
                place => format!("{}: {what}", place.replace('/', ".")),
            }
        })
        .collect();
    (!told.is_empty()).then(|| told.join("; "))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(TOLD_CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// What a value probably means to a schema that it may not fit: numbers and truth values written as text and the reverse, JSON in a
/// text, one value for a list of one, nulls for what may be left out. Whoever asks checks the result.
pub(super) fn meant(schema: &Value, value: Value) -> Value {
    let Some(wanted) = schema.get("type") else { return value };
    let wants = |kind: &str| match wanted {
        Value::String(wanted) => wanted == kind,
        Value::Array(wanted) => wanted.iter().any(|wanted| wanted == kind),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    };
    let read = |text: &str| serde_json::from_str::<Value>(text.trim()).ok();
    match value {
        Value::String(text) if !wants("string") => match read(&text) {
            Some(Value::Number(number)) if wants("number") || wants("integer") => {
                whole(Value::Number(number), wants("number"))
            }
            Some(Value::Bool(truth)) if wants("boolean") => Value::Bool(truth),
            Some(object @ Value::Object(_)) if wants("object") => meant(schema, object),
            Some(list @ Value::Array(_)) if wants("array") => meant(schema, list),
            _ if wants("boolean") && text.trim().eq_ignore_ascii_case("true") => Value::Bool(true),
            _ if wants("boolean") && text.trim().eq_ignore_ascii_case("false") => Value::Bool(false),
            _ if wants("array") => listed(schema, Value::String(text)),
            _ => Value::String(text),
        },
        Value::Number(_) if !wants("number") && wants("integer") => whole(value, false),
        Value::Number(_) | Value::Bool(_) if wants("string") && !wants_kind_of(&value, &wants) => {
            Value::String(value.to_string())
        }
        Value::Number(_) | Value::Bool(_) if wants("array") && !wants_kind_of(&value, &wants) => {
            listed(schema, value)
        }
        Value::Object(_) if !wants("object") && wants("array") => listed(schema, value),
        Value::Object(fields) if wants("object") => Value::Object(members(schema, fields)),
        Value::Array(items) if wants("array") => {
            let item = schema.get("items").cloned().unwrap_or(Value::Null);
            Value::Array(items.into_iter().map(|value| meant(&item, value)).collect())
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => value,
    }
}

fn wants_kind_of(value: &Value, wants: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::Number(_) => wants("number") || wants("integer"),
        Value::Bool(_) => wants("boolean"),
        Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

/// A number without a fraction as a whole one, unless fractions are wanted.
fn whole(value: Value, fractions: bool) -> Value {
    match value.as_f64() {
        Some(float)
            if !fractions && value.as_i64().is_none() && float.fract() == 0.0 && float.abs() < 9e15 =>
        {
            Value::Number(Number::from(float as i64))
        }
        _ => value,
    }
}

fn listed(schema: &Value, value: Value) -> Value {
    let item = schema.get("items").cloned().unwrap_or(Value::Null);
    Value::Array(vec![meant(&item, value)])
}

/// Members as their schemas mean them; a null where something else is wanted and nothing has to be is left out.
fn members(schema: &Value, fields: JsonObject) -> JsonObject {
    let required = |name: &str| {
        schema.get("required").and_then(Value::as_array).is_some_and(|all| all.iter().any(|one| one == name))
    };
    let properties = schema.get("properties");
    let member = |(name, value): (String, Value)| {
        let Some(schema) = properties.and_then(|properties| properties.get(&name)) else {
            return Some((name, value));
        };
        let takes_null = match schema.get("type") {
            Some(Value::String(kind)) => kind == "null",
            Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "null"),
            Some(_) | None => true,
        };
        if value.is_null() && !takes_null && !required(&name) {
            return None;
        }
        let value = meant(schema, value);
        Some((name, value))
    };
    fields.into_iter().filter_map(member).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_filled_in() {
        let schema = json!({
            "$defs": {"name": {"type": "string", "maxLength": 5}, "$ref": {"type": "null"}},
            "type": "object",
            "properties": {
                "first": {"$ref": "#/$defs/name", "description": "the first one"},
                "last": {"$ref": "#/$defs/name", "minLength": 2},
                "$ref": {"type": "integer"},
            },
            "default": {"$ref": "#/nowhere"},
        });
        assert_eq!(
            inlined(&schema, &schema).unwrap(),
            json!({
                "type": "object",
                "properties": {
                    "first": {"type": "string", "maxLength": 5, "description": "the first one"},
                    "last": {"minLength": 2, "allOf": [{"type": "string", "maxLength": 5}]},
                    "$ref": {"type": "integer"},
                },
                "default": {"$ref": "#/nowhere"},
            })
        );
    }

    #[test]
    fn schemas_that_would_take_without_end_are_refused() {
        let mut exponential = json!({"$defs": {"d0": {"type": "string"}}, "$ref": "#/$defs/d40"});
        for level in 1..=40 {
            let below = json!({"$ref": format!("#/$defs/d{}", level - 1)});
            exponential["$defs"][format!("d{level}")] = json!({"anyOf": [below, below]});
        }
        for schema in [
            json!({"$ref": "#"}),
            json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
            json!({"type": "object", "properties": {"next": {"$ref": "#"}}}),
            json!({"$ref": "https://example.com/schema"}),
            json!({"$ref": "#/$defs/missing"}),
            json!({"$dynamicRef": "#x"}),
            exponential,
        ] {
            assert!(inlined(&schema, &schema).is_err(), "{schema}");
        }
    }

    #[test]
    fn older_words_are_understood() {
        let old = json!({"type": "number", "minimum": 1, "exclusiveMinimum": true, "maximum": 9, "exclusiveMaximum": false,
            "nullable": true});
        let new = json!({"type": ["number", "null"], "maximum": 9, "exclusiveMinimum": 1});
        assert_eq!(inlined(&old, &old).unwrap(), new);
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        for schema in
            [json!({"type": "STRING"}), json!({"type": 7}), json!({"pattern": "("}), json!({"minimum": "1"})]
        {
            assert!(validator(&schema).is_err(), "{schema}");
        }
    }

    #[test]
    fn odd_schemas_and_odd_values_do_no_harm() {
        let schemas = [
            json!({"multipleOf": 0}),
            json!({"multipleOf": 1e-300}),
            json!({"maxLength": -1}),
            json!({"enum": []}),
            json!({"required": "x"}),
            json!({"minimum": 1e308}),
            json!({"properties": 7}),
            json!({"items": 5}),
            json!({"$ref": 5}),
            json!({"$ref": ""}),
            json!({"pattern": "(a{1000}){1000}"}),
            json!({"pattern": "(a+)+$"}),
            json!({"type": []}),
            json!({"type": [7]}),
            json!({"allOf": []}),
            json!({"allOf": {"a": 1}}),
            json!({"not": {}}),
            json!({"items": [{"type": "integer"}]}),
            json!({"uniqueItems": true}),
            json!({"const": {"$ref": "#"}}),
            json!({"propertyNames": {"pattern": "["}}),
            json!({"if": true, "then": false}),
            json!({"$id": "::", "$schema": "x"}),
            json!({"minItems": 1e300}),
            json!({"dependentRequired": {"a": "b"}}),
            json!({"unevaluatedProperties": false}),
        ];
        let long = "a".repeat(50_000) + "!";
        let values = [
            json!(null),
            json!(true),
            json!(0),
            json!(1e308),
            json!(-1e-308),
            json!(u64::MAX),
            json!(""),
            json!(long),
            json!([]),
            json!([1, [2, {}]]),
            json!({}),
            json!({"a": {"a": {"a": null}}}),
        ];
        for schema in schemas {
            let Ok(schema) = inlined(&schema, &schema) else { continue };
            let Ok(validator) = validator(&schema) else { continue };
            for value in &values {
                let _ = meant(&schema, value.clone());
                if let Some(told) = problems(&validator, value) {
                    assert!(told.len() < 8 * TOLD * TOLD_CHARS, "{schema}");
                }
            }
        }
    }

    #[test]
    fn values_are_taken_for_what_they_mean() {
        let list = json!({"type": "array", "items": {"type": "integer"}});
        let object = json!({"type": "object", "properties": {"n": {"type": "integer"}, "s": {"type": "string"}}, "required": ["s"]});
        for (schema, value, expected) in [
            (json!({"type": "integer"}), json!("5"), json!(5)),
            (json!({"type": "integer"}), json!(5.0), json!(5)),
            (json!({"type": "number"}), json!("5.5"), json!(5.5)),
            (json!({"type": "boolean"}), json!("True"), json!(true)),
            (json!({"type": "string"}), json!(12345), json!("12345")),
            (json!({"type": ["string", "null"]}), json!(true), json!("true")),
            (list.clone(), json!("[1, \"2\"]"), json!([1, 2])),
            (list.clone(), json!(3), json!([3])),
            (list, json!("4"), json!([4])),
            (object.clone(), json!("{\"n\": \"1\", \"s\": \"x\"}"), json!({"n": 1, "s": "x"})),
            (object.clone(), json!({"n": null, "s": null}), json!({"s": null})),
            // What is right, or is anybody's guess, stays.
            (json!({"type": "string"}), json!("5"), json!("5")),
            (json!({"type": ["string", "integer"]}), json!("5"), json!("5")),
            (json!({"type": ["string", "integer"]}), json!(5), json!(5)),
            (json!({"type": "integer"}), json!("five"), json!("five")),
            (json!({"type": "integer"}), json!(5.5), json!(5.5)),
            (json!({"type": "boolean"}), json!("yes"), json!("yes")),
            (json!({}), json!("5"), json!("5")),
        ] {
            assert_eq!(meant(&schema, value.clone()), expected, "{schema} {value}");
        }
    }
}
