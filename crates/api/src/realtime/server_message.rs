//! What the server tells a client or a data connection (protocol.md 3.3).

use serde_json::Value;

use super::opaque_number::OpaqueNumber;
use super::tagged::messages;
use super::thread::{
    SideGenerationCompleted, SideGenerationDelta, ThreadRejected, ThreadSpawned, ThreadTerminated,
};
use super::tool_result::ResultText;
use super::transcript::Transcript;
use crate::duration::WireDuration;
use crate::ids::CallId;
use crate::json::{Invalid, JsonObject, Parsed, Source, from_value, parse, record, words};
use crate::rest::calls::Severity;

messages! {
    /// A message from the server.
    pub open enum ServerMessage {
        /// Something happened behind the conversation. Experimental.
        CallEvent(CallEventMessage) = "call_event",
        /// The call has begun: always the first message.
        CallStarted(CallStarted) = "call_started",
        /// The client is to run a tool.
        ClientToolInvocation(ToolInvocation) = "client_tool_invocation",
        /// The data connection is to run a tool.
        DataConnectionToolInvocation(ToolInvocation) = "data_connection_tool_invocation",
        /// Something for developers to read.
        Debug(Debug) = "debug",
        /// Something is beyond repair. Some clients then end the conversation.
        Error(ErrorMessage) = "error",
        /// A tool is about to run. Experimental.
        InvokingTool(InvokingTool) = "invoking_tool",
        /// Audio that is not yet played is to be dropped.
        PlaybackClearBuffer = "playback_clear_buffer",
        /// Answers a `ping`.
        Pong(Pong) = "pong",
        /// The call goes on over another connection. An extension: only for clients that ask for it.
        Rejoined(Rejoined) = "rejoined",
        /// Where the WebRTC room is: the first and only message of a control socket.
        RoomInfo(RoomInfo) = "room_info",
        /// A side thread has generated.
        SideGenerationCompleted(SideGenerationCompleted) = "side_generation_completed",
        /// A side thread is generating.
        SideGenerationDelta(SideGenerationDelta) = "side_generation_delta",
        /// What the agent does has changed.
        State(State) = "state",
        /// A side thread has not begun.
        ThreadRejected(ThreadRejected) = "thread_rejected",
        /// A side thread has begun.
        ThreadSpawned(ThreadSpawned) = "thread_spawned",
        /// A side thread has been stopped.
        ThreadTerminated(ThreadTerminated) = "thread_terminated",
        /// A tool has run. Experimental.
        ToolUsed(ToolUsed) = "tool_used",
        /// A piece of what was said.
        Transcript(Transcript) = "transcript",
        /// The user began to speak. Experimental.
        UserStartedSpeaking(UserSpeaking) = "user_started_speaking",
        /// The user stopped speaking. Experimental.
        UserStoppedSpeaking(UserSpeaking) = "user_stopped_speaking",
    }
}

impl ServerMessage {
    /// Reads a message as a server sends it. A type that is not known is no problem: it comes as `Unknown`.
    ///
    /// # Errors
    ///
    /// All problems found; the server does not speak this protocol.
    pub fn parse(text: &str) -> Result<Parsed<Self>, Invalid> {
        let mut parsed = from_value(&parse(text.as_bytes())?, Source::Response)?;
        if let Self::Pong(pong) = &mut parsed.value {
            pong.timestamp = OpaqueNumber::in_message(text, "timestamp")
                .ok_or_else(|| Invalid::one("timestamp", "is longer than 64 characters"))?;
        }
        Ok(parsed)
    }

    /// The message as it is sent.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("wire types have string keys")
    }
}

record! {
    /// The call has begun.
    #[derive(Eq)]
    pub struct CallStarted {
        /// The call.
        call_id: CallId,
        /// How long the call waits for a client that lost its connection. An extension: only for clients that ask for it.
        rejoin_window: Option<WireDuration>,
    }
}

record! {
    /// The call goes on over another connection: the first message there, which is not counted.
    #[derive(Eq)]
    pub struct Rejoined {
        /// The number of the message that follows, counted from the call's first one on, which has the number 1.
        next_message: u64,
        /// Messages before it that the client has not received, and that are gone.
        lost_messages: u64 => 0,
        /// Milliseconds of the agent's audio that the client has not received, and that count as played.
        lost_audio_ms: u64 => 0,
    }
}

record! {
    /// What the agent does.
    #[derive(Eq)]
    pub struct State {
        /// What it does from now on.
        state: AgentState,
    }
}

words! {
    /// What the agent does (protocol.md 5.3).
    pub open enum AgentState {
        /// Nothing yet.
        Idle = "idle",
        /// It listens.
        Listening = "listening",
        /// It speaks.
        Speaking = "speaking",
        /// It makes up an answer.
        Thinking = "thinking",
    }
}

record! {
    /// A tool is to be run.
    pub struct ToolInvocation {
        /// The name that the model knows the tool by.
        tool_name: String,
        /// The invocation's id, which the result repeats.
        invocation_id: String,
        /// The arguments: always an object, and always written.
        parameters: JsonObject,
    }
}

record! {
    /// Answers a `ping`.
    #[derive(Eq)]
    pub struct Pong {
        /// The ping's own.
        timestamp: OpaqueNumber,
    }
}

record! {
    /// Something for developers to read.
    #[derive(Eq)]
    pub struct Debug {
        /// The text, which promises nothing.
        message: String => String::new(),
    }
}

record! {
    /// Something is beyond repair.
    pub struct ErrorMessage {
        /// What it is. This server writes text.
        error: Value,
    }
}

record! {
    /// Where a WebRTC room is.
    pub struct RoomInfo {
        /// The room's URL.
        room_url: String,
        /// What permits to enter it.
        token: crate::Secret,
    }
}

record! {
    /// Something happened behind the conversation.
    pub struct CallEventMessage {
        /// The call.
        call_id: Option<CallId>,
        /// How bad it is.
        severity: Severity => Severity::Info,
        /// What happened: a dotted lower-case name.
        event_type: String => String::new(),
        /// What happened, for people.
        text: String => String::new(),
        /// What happened, for programs.
        extras: Option<JsonObject>,
    }
}

record! {
    /// A tool is about to run.
    pub struct InvokingTool {
        /// The name that the model knows the tool by.
        tool_name: String,
        /// The invocation's id.
        invocation_id: String,
        /// The arguments.
        parameters: JsonObject,
    }
}

record! {
    /// A tool has run.
    pub struct ToolUsed {
        /// The name that the model knows the tool by.
        tool_name: String,
        /// The invocation's id.
        invocation_id: String,
        /// What the model sees.
        result: Option<ResultText>,
        /// Why it failed.
        error: Option<String>,
    }
}

record! {
    /// The user began or stopped speaking.
    #[derive(Eq, Default)]
    pub struct UserSpeaking {
        /// When, from the call's join on.
        call_timestamp: Option<WireDuration>,
    }
}
