//! Everything that runs: configuration, storage, the HTTP interface, calls and their transports.
//!
//! Inside, `http` and `transport` may use `call` and `storage`; `storage` knows nothing above it; nothing imports `http`.

pub mod api_key;
pub mod config;
