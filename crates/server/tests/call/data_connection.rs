//! Data connections in whole calls: a WebSocket server that the call dials, over real sockets (protocol.md 2.9, 3.4, 4.6, 7.7).

mod line;
mod messages;
mod sound;
mod tools;

use serde_json::{Value, json};

use crate::caller::{Caller, Seen};
use crate::participant::{Participant, extend};
use crate::puppet;
use crate::stand::Stand;

/// A call by text that wants this data connection and tells its client all events, with more fields in its request.
async fn call(stand: &Stand, data_connection: Value, fields: Value) -> (Value, Caller) {
    let mut request = json!({
        "dataConnection": data_connection,
        "medium": {"serverWebSocket": {"inputSampleRate": 16000, "dataMessages": {"callEvent": true}}},
    });
    extend(&mut request, fields);
    puppet::call_with(stand, request).await
}

/// The same, and somebody is there.
async fn connected(stand: &Stand, participant: &Participant, fields: Value) -> (Value, Caller, Caller) {
    let config = participant.config(json!({}));
    let ((call, mut caller), peer) = tokio::join!(call(stand, config, fields), participant.accept());
    event(&mut caller, "data_connection.connected").await;
    (call, caller, peer)
}

/// What the client is told of the next event of this type.
async fn event(caller: &mut Caller, kind: &str) -> String {
    let event = caller.until(kind, |m| m["type"] == "call_event" && m["eventType"] == kind).await;
    event["text"].as_str().unwrap().to_owned()
}

/// The kinds of all messages that somebody was sent, in the order of their first coming.
fn kinds(caller: &Caller) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    for seen in &caller.seen {
        if let Seen::Text(message) = seen {
            let kind = message["type"].as_str().unwrap().to_owned();
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
    }
    kinds
}

/// A tool that runs on the data connection.
fn tool(fields: Value) -> Value {
    let mut definition = json!({"modelToolName": "look", "dataConnection": {}});
    extend(&mut definition, fields);
    json!({"temporaryTool": definition})
}
