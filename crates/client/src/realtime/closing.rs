//! Why a call's socket closed, in words that say who acts next (protocol.md 1.7, A-9, A-10).

use std::fmt;

/// Why a call's socket closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseReason {
    /// 1000 or 1001: the call has ended as calls end.
    Normal {
        /// What the server says, often nothing.
        reason: String,
    },
    /// This side closed, and the server did not object.
    Ours,
    /// 4400: the join URL or what was appended to it is wrong.
    BadParameters {
        /// What the server says.
        reason: String,
    },
    /// 1009: a message was too long for the server.
    MessageTooLong {
        /// What the server says.
        reason: String,
    },
    /// 4503, 4429 or 1013: the server takes no more calls.
    NoCapacity {
        /// What the server says.
        reason: String,
    },
    /// 4410: the call has ended already, or nobody joined in time.
    Over {
        /// What the server says.
        reason: String,
    },
    /// 4598: no audio came for longer than the call allows.
    Idle {
        /// What the server says.
        reason: String,
    },
    /// 4409: somebody has joined the call already.
    InUse {
        /// What the server says.
        reason: String,
    },
    /// 1011, 4500, 4502 or 4504: the server failed.
    ServerFailed {
        /// What the server says.
        reason: String,
    },
    /// 4404: there is no such call.
    Unknown {
        /// What the server says.
        reason: String,
    },
    /// 4401 or 4403: whoever joins may not.
    NotAllowed {
        /// What the server says.
        reason: String,
    },
    /// 1002, 1003, 1007 or 1008: this client does not speak as the server expects.
    Violation {
        /// What the server says.
        reason: String,
    },
    /// Another code.
    Other {
        /// The code; 1005 if the server gave none.
        code: u16,
        /// What the server says.
        reason: String,
    },
    /// The connection broke without a word.
    Lost {
        /// What broke.
        cause: String,
    },
}

impl CloseReason {
    /// The reason that a close frame gives.
    #[must_use]
    pub fn from_frame(code: u16, reason: &str) -> Self {
        let reason = reason.to_owned();
        match code {
            1000 | 1001 => Self::Normal { reason },
            1002 | 1003 | 1007 | 1008 => Self::Violation { reason },
            1009 => Self::MessageTooLong { reason },
            1011 | 4500 | 4502 | 4504 => Self::ServerFailed { reason },
            1013 | 4429 | 4503 => Self::NoCapacity { reason },
            4400 | 4422 => Self::BadParameters { reason },
            4401 | 4403 => Self::NotAllowed { reason },
            4404 => Self::Unknown { reason },
            4409 => Self::InUse { reason },
            4410 => Self::Over { reason },
            4598 => Self::Idle { reason },
            code => Self::Other { code, reason },
        }
    }

    /// What the server said, or what broke; nothing if there was nothing to say.
    #[must_use]
    pub fn said(&self) -> &str {
        match self {
            Self::Ours => "",
            Self::Normal { reason }
            | Self::BadParameters { reason }
            | Self::MessageTooLong { reason }
            | Self::NoCapacity { reason }
            | Self::Over { reason }
            | Self::Idle { reason }
            | Self::InUse { reason }
            | Self::NotAllowed { reason }
            | Self::ServerFailed { reason }
            | Self::Unknown { reason }
            | Self::Violation { reason }
            | Self::Other { reason, .. } => reason,
            Self::Lost { cause } => cause,
        }
    }

    /// Whether the call ended as calls end.
    #[must_use]
    pub fn is_normal(&self) -> bool {
        match self {
            Self::Normal { .. } | Self::Ours => true,
            Self::BadParameters { .. }
            | Self::MessageTooLong { .. }
            | Self::NoCapacity { .. }
            | Self::Over { .. }
            | Self::Idle { .. }
            | Self::InUse { .. }
            | Self::NotAllowed { .. }
            | Self::ServerFailed { .. }
            | Self::Unknown { .. }
            | Self::Violation { .. }
            | Self::Other { .. }
            | Self::Lost { .. } => false,
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, said) = match self {
            Self::Normal { reason } => ("the call has ended", reason),
            Self::Ours => return f.write_str("the call has ended: this side hung up"),
            Self::BadParameters { reason } => {
                ("the server does not accept the join's parameters; check the API version", reason)
            }
            Self::MessageTooLong { reason } => {
                ("a message was too long for the server; send shorter ones", reason)
            }
            Self::NoCapacity { reason } => ("the server takes no more calls; try again later", reason),
            Self::Over { reason } => ("the call is over, or was not joined in time; create another", reason),
            Self::Idle { reason } => (
                "no audio came for longer than the call allows; send audio all the time, silence too",
                reason,
            ),
            Self::InUse { reason } => {
                ("somebody has joined this call already; create another, each takes one client", reason)
            }
            Self::NotAllowed { reason } => {
                ("the server does not let this client join; copy the join URL of a call of yours", reason)
            }
            Self::ServerFailed { reason } => ("the server failed; look into its log", reason),
            Self::Unknown { reason } => ("there is no such call; copy its whole join URL", reason),
            Self::Violation { reason } => {
                ("the server gave up on this client, which broke the protocol; report this", reason)
            }
            Self::Other { code, reason } => {
                write!(f, "the server closed with the unusual code {code}; look into its log")?;
                ("", reason)
            }
            Self::Lost { cause } => {
                ("the connection broke; the call has ended with it, create another", cause)
            }
        };
        f.write_str(what)?;
        if said.is_empty() { Ok(()) } else { write!(f, " (\"{}\")", said.escape_debug()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_1000_and_1001_and_our_own_are_normal() {
        for code in 1000..5000 {
            assert_eq!(CloseReason::from_frame(code, "").is_normal(), code <= 1001, "{code}");
        }
        assert!(CloseReason::Ours.is_normal());
        assert!(!CloseReason::Lost { cause: String::new() }.is_normal());
    }

    #[test]
    fn every_code_of_the_protocol_says_who_acts_next() {
        for (code, text) in [
            (1000, "the call has ended"),
            (1008, "the server gave up on this client, which broke the protocol; report this"),
            (4400, "the server does not accept the join's parameters; check the API version"),
            (4401, "the server does not let this client join; copy the join URL of a call of yours"),
            (4429, "the server takes no more calls; try again later"),
            (4500, "the server failed; look into its log"),
            (4404, "there is no such call; copy its whole join URL"),
            (4409, "somebody has joined this call already; create another, each takes one client"),
            (4410, "the call is over, or was not joined in time; create another"),
            (4503, "the server takes no more calls; try again later"),
            (4598, "no audio came for longer than the call allows; send audio all the time, silence too"),
            (4999, "the server closed with the unusual code 4999; look into its log"),
        ] {
            assert_eq!(CloseReason::from_frame(code, "").to_string(), text);
        }
    }

    #[test]
    fn what_the_server_says_cannot_reach_the_terminal_raw() {
        let reason = CloseReason::from_frame(1000, "bye\u{1b}[2J");
        assert_eq!(reason.to_string(), r#"the call has ended ("bye\u{1b}[2J")"#);
    }
}
