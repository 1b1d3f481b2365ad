//! The commands over the REST API: the real program against a real server on loopback.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod calls;
mod corpora;
mod definitions;
mod mistakes;
mod scheduling;
mod server;
mod settings;
mod telephony;
