//! Scenarios against a real server: sockets on loopback, sound both ways in real time, models and voices that the test scripts.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod ends;
mod scenarios;
mod stand;
mod talker;
