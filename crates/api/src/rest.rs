//! The resources of the REST API, one file each, and their endpoints.

pub mod accounts;
pub mod agents;
pub mod api_keys;
pub mod call_throttles;
pub mod calls;
pub mod corpora;
pub mod deleted_calls;
pub mod models;
pub mod operations;
pub mod scheduled_batches;
pub mod schema;
pub mod sip;
pub mod telephony_configs;
pub mod tools;
pub mod voices;
pub mod webhooks;
