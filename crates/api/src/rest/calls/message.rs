//! One message of a conversation, as REST shows it and as a call is started with it (protocol.md 2.8).

use crate::duration::WireDuration;
use crate::ids::CallStageId;
use crate::json::{JsonObject, record, words};

record! {
    /// Something said, called or answered.
    pub struct Message {
        /// Who it is from.
        role: MessageRole,
        /// What was said; a tool call's arguments as JSON text; a tool's result. An empty user message makes the agent
        /// speak.
        text: String => String::new(),
        /// Pairs a tool call with its result.
        invocation_id: Option<String>,
        /// The tool, for its call and its result.
        tool_name: Option<String>,
        /// Why a tool failed, for developers; the model sees only `text`.
        error_details: Option<String>,
        /// Spoken or written.
        medium: Option<MessageMedium>,
        /// Its place in its stage, from 0.
        call_stage_message_index: Option<u32>,
        /// Its stage.
        call_stage_id: Option<CallStageId>,
        /// The call's state after this message, if the message changed it.
        call_state: Option<JsonObject>,
        /// When it was, on the clock of the user's audio; absent for messages from before the call.
        timespan: Option<Timespan>,
        /// When it was, on the wall clock from the join on; absent for messages from before the call.
        wall_clock_timespan: Option<Timespan>,
        /// The developer's own.
        metadata: Option<JsonObject>,
    }
}

words! {
    /// Who a message is from.
    pub open enum MessageRole {
        /// The agent.
        Agent = "MESSAGE_ROLE_AGENT",
        /// The agent, calling a tool.
        ToolCall = "MESSAGE_ROLE_TOOL_CALL",
        /// A tool.
        ToolResult = "MESSAGE_ROLE_TOOL_RESULT",
        /// The user.
        User = "MESSAGE_ROLE_USER",
    }
    unset "MESSAGE_ROLE_UNSPECIFIED"
}

words! {
    /// How a message travels, as REST spells it; the short spelling is taken too.
    pub enum MessageMedium {
        /// Written.
        Text = "MESSAGE_MEDIUM_TEXT" | "text",
        /// Spoken.
        Voice = "MESSAGE_MEDIUM_VOICE" | "voice",
    }
    unset "MESSAGE_MEDIUM_UNSPECIFIED"
}

record! {
    /// A stretch of a call, from its join on.
    #[derive(Default)]
    pub struct Timespan {
        /// Where it begins.
        start: Option<WireDuration>,
        /// Where it ends.
        end: Option<WireDuration>,
    }
}

impl Message {
    /// A message that only says something.
    pub fn new(role: MessageRole, text: impl Into<String>) -> Self {
        Self {
            role,
            text: text.into(),
            invocation_id: None,
            tool_name: None,
            error_details: None,
            medium: None,
            call_stage_message_index: None,
            call_stage_id: None,
            call_state: None,
            timespan: None,
            wall_clock_timespan: None,
            metadata: None,
        }
    }
}
