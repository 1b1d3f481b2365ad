//! Calls whose server is the test, over a pipe and in virtual time.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod bridge;
mod liveness;
mod pings;
mod playback;
mod server;
mod tools;
mod voice;
