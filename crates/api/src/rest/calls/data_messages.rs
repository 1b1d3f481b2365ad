//! Which messages a connection is sent (protocol.md 3.4).

use crate::json::record;

record! {
    /// Switches messages on and off; what is absent is as [`EnabledDataMessages::or_default`] says.
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
    /// The same with every switch set: where it was not, to the default for `kind`.
    #[must_use]
    pub fn or_default(&self, kind: ConnectionKind) -> Self {
        let (is_data_connection, has_buffer) = match kind {
            ConnectionKind::DataConnection { audio } => (true, audio),
            ConnectionKind::ServerWebSocket => (false, true),
            ConnectionKind::WebRtc => (false, false),
        };
        let or = |switch: Option<bool>, default: bool| Some(switch.unwrap_or(default));
        Self {
            pong: or(self.pong, true),
            state: or(self.state, true),
            transcript: or(self.transcript, true),
            client_tool_invocation: or(self.client_tool_invocation, true),
            data_connection_tool_invocation: or(self.data_connection_tool_invocation, is_data_connection),
            playback_clear_buffer: or(self.playback_clear_buffer, has_buffer),
            call_started: or(self.call_started, true),
            debug: or(self.debug, false),
            call_event: or(self.call_event, false),
            tool_used: or(self.tool_used, false),
            user_started_speaking: or(self.user_started_speaking, false),
            user_stopped_speaking: or(self.user_stopped_speaking, false),
            invoking_tool: or(self.invoking_tool, false),
        }
    }
}
