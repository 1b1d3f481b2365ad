//! The bridge against a server that does as it is told, over a pipe and in virtual time.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod call;
mod creation;
mod events;
mod media;
mod messages;
mod units;
