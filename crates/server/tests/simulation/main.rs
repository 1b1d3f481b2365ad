//! Scenarios: those that come with the project pass, and every kind of expectation and step can fail and says how.

#![expect(clippy::unwrap_used, reason = "a failed expectation fails the test")]

mod failures;
mod files;
mod library;
mod real_model;
