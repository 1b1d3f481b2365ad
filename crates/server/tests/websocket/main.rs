//! The server's WebSocket held to RFC 6455, frame by frame, with what Autobahn's test suite tries (its numbers are in the names of
//! the cases). The peer is a pipe and bytes that are written here; what repeats is `/echo`, on the stack and with the limits of a
//! call's WebSocket. `docs/compatibility.md` says where we differ.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]
#![expect(clippy::print_stdout, reason = "how many cases there were is for people")]

mod closing;
mod control;
mod fragments;
mod framing;
mod handshake;
mod limits;
mod peer;
mod text;
