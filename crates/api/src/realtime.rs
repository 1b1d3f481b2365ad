//! Data messages: what client and server tell each other during a call (protocol.md 3).
//!
//! Each is one JSON object with a `type`. On a WebSocket they are the text frames; the binary frames are audio.

mod client_message;
mod injected;
mod opaque_number;
mod server_message;
mod tagged;
mod thread;
mod tool_result;
mod transcript;
mod user_text;

use crate::json::words;

pub use client_message::{ClientMessage, HangUp, Ping, SetOutputMedium};
pub use injected::InjectedMessage;
pub use opaque_number::OpaqueNumber;
pub use server_message::{
    AgentState, CallEventMessage, CallStarted, Debug, ErrorMessage, InvokingTool, Pong, Rejoined, RoomInfo,
    ServerMessage, State, ToolInvocation, ToolUsed, UserSpeaking,
};
pub use tagged::{MessageKind, Messages, UnknownMessage};
pub use thread::{
    IfThreadExists, SideGenerationCompleted, SideGenerationDelta, SpawnThread, ThreadLimits, ThreadMessage,
    ThreadRejected, ThreadSpawned, ThreadTerminated, ToolFilter,
};
pub use tool_result::{
    AgentReaction, HangUpResult, ResponseType, ResultText, SendToThread, SideThreadMessage, StateUpdate,
    ToolErrorType, ToolResult,
};
pub use transcript::{Speaker, Transcript, TranscriptText};
pub use user_text::{
    ForcedAgentMessage, ForcedToolCall, ForcedUrgency, InputTextMessage, Urgency, UserTextMessage,
};

/// The thread that has the audio: every other thread is a side thread (protocol.md 7.11).
pub const MAIN_THREAD: &str = "UI";

words! {
    /// How something is said.
    pub enum Medium {
        /// Written.
        Text = "text",
        /// Spoken.
        Voice = "voice",
    }
}
