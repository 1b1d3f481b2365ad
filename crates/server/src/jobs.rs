//! What the server does by itself, beside calls and requests.

pub mod loading;
pub mod retention;
