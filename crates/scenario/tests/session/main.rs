//! Sessions without sound or sockets: what scenarios ask for and are told, in virtual time.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]
#![expect(clippy::wildcard_enum_match_arm, reason = "every other command is a failed test")]

mod clients;
mod conversations;
mod ending;
mod limits;
mod misuse;
mod requests;
mod stand;
mod surface;
mod texts;
