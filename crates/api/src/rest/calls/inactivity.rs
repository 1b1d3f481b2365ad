//! What the agent says to a silent user (protocol.md 5.6).

use crate::duration::WireDuration;
use crate::json::check::Positive;
use crate::json::{record, words};

record! {
    /// One message of a sequence that goes on as long as the user is silent.
    pub struct TimedMessage {
        /// How long the user is silent, counted from the message before.
        duration: WireDuration where Positive,
        /// What the agent says.
        message: String,
        /// What follows; waiting goes on if absent.
        end_behavior: Option<EndBehavior>,
    }
}

words! {
    /// How a call ends after a message.
    pub enum EndBehavior {
        /// Unless the user says something during the message.
        HangUpSoft = "END_BEHAVIOR_HANG_UP_SOFT",
        /// Whatever the user does.
        HangUpStrict = "END_BEHAVIOR_HANG_UP_STRICT",
    }
    unset "END_BEHAVIOR_UNSPECIFIED"
}
