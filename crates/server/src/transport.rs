//! Carriers: how a client's audio and messages reach a call, and the call's reach the client.
//!
//! Every carrier is one end of a [leg](crate::call::leg); the call knows nothing else of it.

mod allowance;
#[cfg(feature = "echo-route")]
pub mod echo;
mod frames;
pub mod handshake;
mod line;
mod rfc6455;
pub mod websocket;
mod writer;
