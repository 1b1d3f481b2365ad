//! The REST API as an `OpenAPI` 3.0 document, made of what the endpoints and their types say of themselves.
//!
//! Owns what a document says beyond them: the way in, what goes without saying for every operation, what each status means.

use serde_json::{Value, json};

use crate::endpoint::{ANY_KIND, JSON};
use crate::error::ErrorBody;
use crate::json::JsonObject;
use crate::rest::operations::{Mark, Operation, Shape, operations};
use crate::schema::{Describe as _, Object, Schema, Schemas, Side, description};

const INTRODUCTION: &str = "\
The REST API of Antiphon, which is that of Ultravox Realtime.

This document describes the form in which requests are best written and answers are written. More than that is read: every field \
in snake_case, too, words in any letter case, numbers and truth values as text, `null` for what may be left out. Fields that are \
not known are ignored.";

/// The document. `server` is the base of all paths.
#[must_use]
pub fn document(server: &str) -> Value {
    let mut schemas = Schemas::default();
    let mut paths = JsonObject::new();
    for operation in operations() {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Value::Object(path) = path {
            path.insert(operation.method.as_str().to_ascii_lowercase(), described(&operation, &mut schemas));
        }
    }
    let schemas: JsonObject = schemas
        .finish()
        .into_iter()
        .map(|(name, schema)| (name, Value::Object(schema.into_json())))
        .collect();
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "Antiphon",
            "version": env!("CARGO_PKG_VERSION"),
            "description": INTRODUCTION,
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": server }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                KEY: { "type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key of the account." },
            },
        },
    })
}

/// What the document calls the key.
const KEY: &str = "apiKeyAuth";

fn described(operation: &Operation, schemas: &mut Schemas) -> Value {
    let shape = operation.shape(schemas);
    let text = description(operation.doc);
    let responses = responses(operation, &shape, schemas);
    let mut described = json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": text.split_once(['.', ':']).map_or(text.as_str(), |(first, _)| first),
        "description": text,
        "security": if operation.needs_key() { json!([{ KEY: [] }]) } else { json!([{}]) },
        "responses": responses,
    });
    if !shape.body.is_empty() {
        let required = shape.body.iter().all(|(_, schema)| schemas.insists(schema));
        described["requestBody"] = json!({ "required": required, "content": contents(shape.body) });
    }
    let parameters = parameters(operation, shape.arguments, shape.query);
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if operation.marks.contains(&Mark::Deprecated) {
        described["deprecated"] = true.into();
    }
    described
}

fn parameters(operation: &Operation, arguments: Vec<Schema>, query: Object) -> Vec<Value> {
    let arguments = operation.argument_names().zip(arguments).map(|(name, schema)| {
        json!({ "in": "path", "name": name, "required": true, "schema": schema.into_json() })
    });
    let query = query.into_fields().map(|(name, required, mut schema)| {
        // A parameter that is null cannot be written.
        schema.remove("nullable");
        let description = schema.remove("description");
        let mut parameter = json!({ "in": "query", "name": name, "required": required, "schema": schema });
        if let Some(description) = description {
            parameter["description"] = description;
        }
        parameter
    });
    arguments.chain(query).collect()
}

fn contents(contents: Vec<(&'static str, Schema)>) -> JsonObject {
    let content = |(kind, schema): (&str, Schema)| (kind.to_owned(), json!({ "schema": schema.into_json() }));
    contents.into_iter().map(content).collect()
}

fn responses(operation: &Operation, shape: &Shape, schemas: &mut Schemas) -> JsonObject {
    let error = schemas.on(Side::Response, ErrorBody::describe);
    let answer = |status: u16| {
        let content = if status < 400 { shape.answer.clone() } else { vec![(JSON, error.clone())] };
        let mut answer = json!({ "description": meaning(status) });
        if !content.is_empty() {
            answer["content"] = contents(content).into();
        }
        if matches!(status, 429 | 503) {
            let seconds = json!({ "description": "Seconds to wait.", "schema": { "type": "integer" } });
            answer["headers"] = json!({ "Retry-After": seconds });
        }
        answer
    };
    let mut statuses = failures(operation, shape);
    statuses.push(operation.success);
    statuses.sort_unstable();
    statuses.dedup();
    let mut responses: JsonObject =
        statuses.into_iter().map(|status| (status.to_string(), answer(status))).collect();
    if shape.answer.iter().any(|(kind, _)| *kind == ANY_KIND) {
        responses.insert(
            "default".into(),
            json!({ "description": "As the other side has answered.", "content": contents(shape.answer.clone()) }),
        );
    }
    responses
}

/// The statuses that an operation may have besides that of its success.
fn failures(operation: &Operation, shape: &Shape) -> Vec<u16> {
    let mut statuses = operation.failures.to_vec();
    if operation.needs_key() {
        // Who asks has to be looked up, and may have asked too often.
        statuses.extend([401, 429, 503]);
    }
    if !shape.arguments.is_empty() {
        statuses.push(404);
    }
    if !shape.query.is_empty() {
        statuses.push(400);
    }
    if !shape.body.is_empty() {
        statuses.extend([400, 413, 415]);
    }
    statuses
}

/// What a status says, whatever the operation.
fn meaning(status: u16) -> &'static str {
    match status {
        200 => "Here it is.",
        201 => "It was created.",
        204 => "It was done.",
        206 => "Here is the part of it that the header `Range` asks for.",
        302 => "It is elsewhere.",
        400 => "Something in the request is wrong; `errors` says in which fields.",
        401 => "The API key is missing or not valid.",
        403 => "The API key does not permit this.",
        404 => "There is no such thing in this account.",
        406 => "There is no such form of it; the header `Accept` permits none that there is.",
        409 => "It collides with something else that goes on; try again.",
        413 => "The body is larger than the server takes.",
        415 => "The body is of a kind that this operation does not take.",
        416 => "The header `Range` asks for what lies behind the end.",
        422 => "The thing is in a state in which this cannot be done.",
        425 => "The call has not ended; try again when it has.",
        429 => "Too much at a time; try again after `Retry-After`.",
        502 => "The other side cannot be reached, or not understood.",
        503 => "The server is full, stopping, or without its database; try again after `Retry-After`.",
        504 => "The other side took too long.",
        _ => "As the standard says.",
    }
}
