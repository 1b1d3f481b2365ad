//! Calls in virtual time: no socket, no disk, no waiting. The client holds the carrier's end of a leg, backends are scripted,
//! and an hour of a call takes as long as its events do.

#![expect(clippy::unwrap_used, reason = "a failed expectation fails the test")]

mod client;
mod dictation;
mod failures;
mod footprint;
mod interruption;
mod keep_alive;
mod limits;
mod media;
mod models;
mod pacing;
mod pauses;
mod record;
mod rehearing;
mod rejoin;
mod stand;
mod voices;
