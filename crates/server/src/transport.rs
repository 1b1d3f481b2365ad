//! Carriers: how a client's audio and messages reach a call, and the call's reach the client.
//!
//! Every carrier becomes a [leg](crate::call::leg), a pair of bounded queues; the call knows nothing else of it.

mod allowance;
#[cfg(feature = "echo-route")]
pub mod echo;
mod frames;
pub mod handshake;
mod rfc6455;
pub mod websocket;
mod writer;
