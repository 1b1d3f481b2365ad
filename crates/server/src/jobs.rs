//! What the server does by itself, beside calls and requests.

pub mod batches;
pub mod endings;
pub mod loading;
pub mod retention;
pub mod webhooks;
