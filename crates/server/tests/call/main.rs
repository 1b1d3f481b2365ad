//! Calls over real loopback sockets, seen by a client that knows nothing but WebSocket and JSON: what is on the wire, in which
//! order, and what the server makes of bad input. Model, voice and transcriber are scripted, so every run is the same; the
//! user's speech is real audio, sent at once, so nothing waits for the clock but the agent's own voice.

#![expect(clippy::unwrap_used, reason = "a failed expectation fails the test")]

mod bad_input;
mod batches;
mod built_ins;
mod caller;
mod capabilities;
mod conversation;
mod corpora;
mod data_connection;
mod document;
mod draining;
#[path = "../outbound/endpoint.rs"]
mod endpoint;
mod ends;
mod http_tools;
mod journals;
mod lasting_tools;
mod participant;
mod puppet;
mod rates;
mod recording;
mod reload;
mod retention;
mod speech;
mod stages;
mod stand;
mod threads;
mod tool_definitions;
mod traces;
mod voices;
