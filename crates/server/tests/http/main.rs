//! The REST interface over real loopback sockets, as a client meets it: statuses, bodies, headers.

#![expect(clippy::unwrap_used, reason = "a failed expectation fails the test")]
// The whole Call resource is one literal.
#![recursion_limit = "256"]

mod accounts;
mod agents;
mod api_keys;
mod bad_input;
mod batches;
mod calls;
mod corpora;
mod crawling;
mod document;
#[path = "../outbound/endpoint.rs"]
mod endpoint;
mod files;
mod lifecycle;
mod limits;
mod lists;
mod metrics;
mod recording;
mod reload;
mod schema;
mod server;
mod sip;
mod surroundings;
mod telephony;
mod tenants;
mod throttles;
mod tools;
mod voices;
mod webhooks;
