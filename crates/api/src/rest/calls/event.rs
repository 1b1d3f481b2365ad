//! What went on behind a conversation (protocol.md 2.4, 7.16).

use crate::duration::WireDuration;
use crate::ids::{CallId, CallStageId};
use crate::json::{JsonObject, record, words};

record! {
    /// Something that happened in a call and is not part of the conversation.
    pub resource struct CallEvent {
        /// The call.
        call_id: CallId,
        /// The stage during which it happened.
        call_stage_id: CallStageId,
        /// When, from the call's join on.
        call_timestamp: WireDuration,
        /// How bad it is.
        severity: Severity => Severity::Info,
        /// What happened: a dotted lower-case name of at most 50 characters.
        kind as "type": String,
        /// What happened, for people.
        text: String,
        /// What happened, for programs.
        extras: Option<JsonObject>,
        /// When, on the wall clock, from the call's join on.
        wall_clock_timestamp: Option<WireDuration>,
    }
}

words! {
    /// How bad an event is.
    pub enum Severity {
        /// Of interest to developers.
        Debug = "debug",
        /// As it should be.
        Info = "info",
        /// Not as it should be; the call goes on well.
        Warning = "warning",
        /// Something was lost.
        Error = "error",
    }
}
