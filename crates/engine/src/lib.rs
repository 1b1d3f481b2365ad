//! One call's conversation as a state machine.
//!
//! The engine is pure: no clock, no randomness, no sockets, no tasks, no locks. Time and results come in as [`Input`]s, work
//! and news go out as [`Output`]s, and equal inputs give equal outputs. It must not know how anything is spelled on the wire,
//! where a voice or a model runs, or what a sample sounds like.

pub mod config;
mod conversation;
pub mod ids;
pub mod input;
pub mod message;
pub mod notices;
pub mod output;
pub mod stage;
pub mod time;
pub mod timers;

mod answering;
mod context;
mod history;
mod hygiene;
mod inactivity;
mod interruption;
mod listening;
mod playout;
mod sentences;
mod speaking;
mod threads;
mod tools;
pub mod wording;

pub use config::Config;
pub use conversation::Conversation;
pub use input::Input;
pub use output::Output;
pub use stage::NewStage;
pub use time::{AudioTime, CallTime};
