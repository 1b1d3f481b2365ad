//! When the calls of scheduled batches are created, and who is told: days pass in no time, and the receivers are the test's own
//! (protocol.md 7.9).

#![expect(clippy::unwrap_used, reason = "a failed expectation fails the test")]

mod changes;
mod failures;
mod restarts;
mod room;
mod stand;
#[path = "../webhooks/town.rs"]
mod town;
mod windows;
