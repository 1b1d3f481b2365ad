//! Everything that runs: configuration, storage, the HTTP interface, calls and their transports.
//!
//! Inside, `http` and `transport` may use `call` and `storage`; `call` may use `tools`; `storage` knows nothing above it; nothing
//! imports `http` but `app`.

pub mod api_key;
pub mod app;
pub mod call;
pub mod config;
mod connections;
mod current;
pub mod doctor;
mod http;
pub mod jobs;
mod languages;
pub mod objects;
pub mod outbound;
mod private;
mod probes;
mod pulse;
mod quota;
mod readiness;
pub mod retrieval;
mod signature;
pub mod simulation;
pub mod storage;
pub mod telemetry;
mod telephony;
mod templates;
mod tls;
mod tools;
pub mod transport;
