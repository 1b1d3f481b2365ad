//! Calls in progress.

pub mod live;
