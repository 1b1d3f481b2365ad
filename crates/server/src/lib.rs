//! Everything that runs: configuration, storage.
//!
//! `storage` knows nothing above it.

pub mod api_key;
pub mod config;
pub mod storage;
