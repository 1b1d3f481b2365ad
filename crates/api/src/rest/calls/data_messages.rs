//! Which messages a connection is sent (protocol.md 3.4).

use crate::json::record;
use crate::realtime::ServerMessage;

record! {
    /// Switches messages on and off; what is absent is as [`EnabledDataMessages::allow`] says.
    #[derive(Default, Eq)]
    pub struct EnabledDataMessages {
        /// `pong`.
        pong: Option<bool>,
        /// `state`.
        state: Option<bool>,
        /// `transcript`.
        transcript: Option<bool>,
        /// `client_tool_invocation`.
        client_tool_invocation: Option<bool>,
        /// `data_connection_tool_invocation`.
        data_connection_tool_invocation: Option<bool>,
        /// `playback_clear_buffer`.
        playback_clear_buffer: Option<bool>,
        /// `call_started`.
        call_started: Option<bool>,
        /// `debug`.
        debug: Option<bool>,
        /// `call_event`.
        call_event: Option<bool>,
        /// `tool_used`.
        tool_used: Option<bool>,
        /// `user_started_speaking`.
        user_started_speaking: Option<bool>,
        /// `user_stopped_speaking`.
        user_stopped_speaking: Option<bool>,
        /// `invoking_tool`.
        invoking_tool: Option<bool>,
    }
}

/// What a connection is, as far as it decides which messages go there by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionKind {
    /// A connection that the server has dialled.
    DataConnection {
        /// Whether it carries audio: only then is there a buffer to clear.
        audio: bool,
    },
    /// A client on a WebSocket that carries its audio.
    ServerWebSocket,
    /// A client on WebRTC.
    WebRtc,
}

impl EnabledDataMessages {
    /// Whether a connection of this kind is sent `message`. Messages without a switch are sent to all.
    #[must_use]
    pub fn allow(&self, message: &ServerMessage, kind: ConnectionKind) -> bool {
        let (is_data_connection, has_buffer) = match kind {
            ConnectionKind::DataConnection { audio } => (true, audio),
            ConnectionKind::ServerWebSocket => (false, true),
            ConnectionKind::WebRtc => (false, false),
        };
        let (switch, default) = match message {
            ServerMessage::CallEvent(_) => (self.call_event, false),
            ServerMessage::CallStarted(_) => (self.call_started, true),
            ServerMessage::ClientToolInvocation(_) => (self.client_tool_invocation, true),
            ServerMessage::DataConnectionToolInvocation(_) => {
                (self.data_connection_tool_invocation, is_data_connection)
            }
            ServerMessage::Debug(_) => (self.debug, false),
            ServerMessage::InvokingTool(_) => (self.invoking_tool, false),
            ServerMessage::PlaybackClearBuffer => (self.playback_clear_buffer, has_buffer),
            ServerMessage::Pong(_) => (self.pong, true),
            ServerMessage::State(_) => (self.state, true),
            ServerMessage::ToolUsed(_) => (self.tool_used, false),
            ServerMessage::Transcript(_) => (self.transcript, true),
            ServerMessage::UserStartedSpeaking(_) => (self.user_started_speaking, false),
            ServerMessage::UserStoppedSpeaking(_) => (self.user_stopped_speaking, false),
            ServerMessage::Error(_)
            | ServerMessage::Rejoined(_)
            | ServerMessage::RoomInfo(_)
            | ServerMessage::SideGenerationCompleted(_)
            | ServerMessage::SideGenerationDelta(_)
            | ServerMessage::ThreadRejected(_)
            | ServerMessage::ThreadSpawned(_)
            | ServerMessage::ThreadTerminated(_)
            | ServerMessage::Unknown(_) => (None, true),
        };
        switch.unwrap_or(default)
    }
}
