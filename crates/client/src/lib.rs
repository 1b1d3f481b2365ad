//! Rust SDK for the Ultravox Realtime API, hosted or served by Antiphon.
//!
//! [`transcript`] merges the pieces of what is said, and [`playback`] holds the agent's audio until it is played. Samples are
//! `i16`, mono. Nothing here knows the server's code, a sound card or a terminal.

pub mod playback;
pub mod transcript;
