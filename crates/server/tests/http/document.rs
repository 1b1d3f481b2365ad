//! Every answer that a test of this suite gets is one that the API's document announces: its status, its media type, its shape.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use antiphon_api::openapi;
use antiphon_api::rest::operations::{Operation, operations};
use antiphon_api::schema::in_json_schema;
use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Value, json};

use crate::server::Answer;

static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(operations);
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| openapi::document("http://127.0.0.1:8080"));
static SCHEMAS: LazyLock<Value> = LazyLock::new(|| in_json_schema(DOCUMENT["components"]["schemas"].clone()));
/// By the text of the schema, since making one takes a while.
static VALIDATORS: Mutex<Option<HashMap<String, &'static Validator>>> = Mutex::new(None);

/// Fails if the document says otherwise. What is at no operation's path is none of its business.
pub(crate) fn hold(method: &Method, path: &str, answer: &Answer) {
    let Some(operation) = operation(method, path) else { return };
    let id = operation.id;
    let method = method.as_str().to_ascii_lowercase();
    let responses = &DOCUMENT["paths"][operation.path][method]["responses"];
    let status = answer.status.as_u16().to_string();
    let response = responses.get(&status).or_else(|| responses.get("default"));
    let response = response.unwrap_or_else(|| {
        panic!("{id} answers {status}, which its endpoint! does not announce: {}", answer.text);
    });
    let kind = answer.headers.get("content-type").map_or("", |kind| kind.to_str().unwrap());
    let Some(contents) = response["content"].as_object() else {
        assert_eq!(answer.text, "", "{id} {status} announces no body");
        return;
    };
    let Some(content) = contents.get(kind).or_else(|| contents.get("*/*")) else {
        panic!("{id} {status} is {kind:?}, not one of {:?}", contents.keys());
    };
    if kind == "application/json" {
        let body = serde_json::from_str(&answer.text).unwrap();
        let validator = validator(&in_json_schema(content["schema"].clone()));
        let problems: Vec<String> =
            validator.iter_errors(&body).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(
            problems.is_empty(),
            "{id} {status} is not what it announces: {}\n{body:#}",
            problems.join("\n")
        );
    }
}

/// The operation at a path: one that names it wholly comes before one with arguments.
fn operation(method: &Method, path: &str) -> Option<&'static Operation> {
    let fits = |template: &str| {
        let (mut parts, mut names) = (path.split('/'), template.split('/'));
        loop {
            match (parts.next(), names.next()) {
                (None, None) => return true,
                (Some(part), Some(name)) if part == name || (name.starts_with('{') && !part.is_empty()) => {}
                _ => return false,
            }
        }
    };
    let candidates = OPERATIONS
        .iter()
        .filter(|operation| operation.method.as_str() == method.as_str() && fits(operation.path));
    candidates.min_by_key(|operation| operation.argument_names().count())
}

fn validator(schema: &Value) -> &'static Validator {
    let mut validators = VALIDATORS.lock().unwrap();
    let text = schema.to_string();
    validators.get_or_insert_default().entry(text).or_insert_with(|| {
        let whole = json!({ "components": { "schemas": *SCHEMAS }, "allOf": [schema] });
        let validator = jsonschema::options().should_validate_formats(true).build(&whole).unwrap();
        Box::leak(Box::new(validator))
    })
}
