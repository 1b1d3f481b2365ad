//! RFC 6455 as bytes: how a client's frames become messages, and how a server's frames are written.
//!
//! Owns the wire format and its rules, and no connection: what was read goes in, what it says comes out. Knows no extension, since
//! none is agreed on, and no data messages.

mod decoder;
mod frame;

pub(super) use decoder::{Decoder, Item};
pub(super) use frame::{Opcode, put};

use crate::call::leg::CloseCode;

/// How a client broke the protocol. Nothing that it sends after that has a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breach {
    /// A frame that may not be, or not here.
    Protocol,
    /// A text, or the reason of a close, that is not UTF-8 (8.1).
    NotUtf8,
    /// A message beyond the limit.
    TooBig,
}

impl From<Breach> for CloseCode {
    /// With what the connection is closed (7.4.1).
    fn from(breach: Breach) -> Self {
        match breach {
            Breach::Protocol => Self::ProtocolError,
            Breach::NotUtf8 => Self::InvalidText,
            Breach::TooBig => Self::TooBig,
        }
    }
}

/// The contents of a close frame (5.5.1): a code, and a reason for people.
pub(super) fn close(code: CloseCode) -> Vec<u8> {
    [&code.code().to_be_bytes(), code.reason().as_bytes()].concat()
}
