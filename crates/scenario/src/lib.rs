//! Runs call scenarios that were written in JavaScript for VoxEngine, unmodified: incoming and outgoing calls, voice agents of
//! the Ultravox API, media between them, HTTP requests and timers.
//!
//! [`Session`] is one session as a state machine without clock, sound or sockets; a host carries out its [`Command`]s and tells
//! it [`Notice`]s. Scenarios reach neither files nor the machine.

mod command;
mod limits;
mod outcome;
mod question;
mod script;
mod session;

pub use command::{
    Body, CallId, ClientId, ClientRequest, Command, Dial, Headers, HttpAnswer, HttpRequest, Incoming,
    Network, Notice, RequestId, Target, Unit, Voice,
};
pub use limits::Limits;
pub use outcome::{Cause, Outcome};
pub use session::{File, Session, Setup};
