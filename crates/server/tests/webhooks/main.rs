//! What receivers are told, when, and in which order: hours pass in no time, and the receivers are the test's own.

#![expect(clippy::unwrap_used, reason = "a failed expectation fails the test")]

mod callbacks;
mod fairness;
mod order;
mod stand;
mod summaries;
mod town;
