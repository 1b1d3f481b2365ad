//! The data messages of a call as an `AsyncAPI` 3.0 document, made of what the messages say of themselves.
//!
//! Owns what a document says beyond them: which connections there are, who says what on each of them.

use serde_json::{Value, json};

use crate::json::JsonObject;
use crate::realtime::{ClientMessage, MessageKind, Messages as _, ServerMessage};
use crate::schema::{Schemas, Side, in_json_schema};

const INTRODUCTION: &str = "\
What client and server tell each other during a call, as text frames of JSON. On a `serverWebSocket` the binary frames are audio: \
PCM, 16 bits, little-endian, mono.

Every field is read in snake_case, too, and fields that are not known are ignored, as are messages of a type that is not known.";

/// The document.
#[must_use]
pub fn document() -> Value {
    let mut schemas = Schemas::default();
    let sent = schemas.on(Side::Request, ClientMessage::messages);
    let received = schemas.on(Side::Response, ServerMessage::messages);
    let schemas: JsonObject = schemas
        .finish()
        .into_iter()
        .map(|(name, schema)| (name, in_json_schema(Value::Object(schema.into_json()))))
        .collect();
    let kinds = || sent.iter().chain(&received);
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Antiphon: a call",
            "version": env!("CARGO_PKG_VERSION"),
            "description": INTRODUCTION,
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "channels": {
            "call": {
                "address": null,
                "description": "The WebSocket at a call's `joinUrl`, as its client has it.",
                "messages": kinds().map(in_channel).collect::<JsonObject>(),
            },
            "dataConnection": {
                "address": null,
                "description": "The WebSocket that the server dials for `dataConnection.websocketUrl`. What the server is told there \
                    means what it means from a client.",
                "messages": kinds().map(in_channel).collect::<JsonObject>(),
            },
        },
        "operations": {
            "clientSays": operation("send", "call", "What a client may say.", &sent),
            "clientHears": operation("receive", "call", "What a client is told, as far as its `dataMessages` say.", &received),
            "dataConnectionSays": operation("send", "dataConnection", "What a data connection may say.", &sent),
            "dataConnectionHears": operation(
                "receive",
                "dataConnection",
                "What a data connection is told, as far as its `dataMessages` say.",
                &received,
            ),
        },
        "components": {
            "messages": kinds().map(message).collect::<JsonObject>(),
            "schemas": schemas,
        },
    })
}

fn in_channel(kind: &MessageKind) -> (String, Value) {
    (kind.word.into(), json!({ "$ref": format!("#/components/messages/{}", kind.word) }))
}

fn message(kind: &MessageKind) -> (String, Value) {
    let message = json!({
        "name": kind.word,
        "summary": kind.description,
        "payload": kind.schema.json(),
    });
    (kind.word.into(), message)
}

fn operation(action: &str, channel: &str, summary: &str, kinds: &[MessageKind]) -> Value {
    let messages =
        kinds.iter().map(|kind| json!({ "$ref": format!("#/channels/{channel}/messages/{}", kind.word) }));
    json!({
        "action": action,
        "channel": { "$ref": format!("#/channels/{channel}") },
        "summary": summary,
        "messages": messages.collect::<Vec<Value>>(),
    })
}
