//! Runs call scenarios that were written in JavaScript for VoxEngine, unmodified: incoming and outgoing calls, voice agents of
//! the Ultravox API, media between them, HTTP requests and timers.
//!
//! [`Session`] is one session as a state machine without clock, sound or sockets; a [`Host`] carries out its [`Command`]s and tells
//! it [`Notice`]s, and [`run`] brings both together. [`Exchange`] is a host whose calls have a [`Party`] at the other end, such as a
//! WAV file. Scenarios reach neither files nor the machine.

mod command;
mod exchange;
mod limits;
mod outcome;
mod question;
mod run;
mod script;
mod session;

pub use command::{
    Body, CallId, ClientId, ClientRequest, Command, Dial, Headers, HttpAnswer, HttpRequest, Incoming,
    Network, Notice, RequestId, Target, Unit, Voice,
};
pub use exchange::{Deed, Exchange, MakeClient, Party, Phones, Scene, Stream, WavParty, Web};
pub use limits::Limits;
pub use outcome::{Cause, Outcome};
pub use run::{Host, Log, run};
pub use session::{File, Session, Setup};
