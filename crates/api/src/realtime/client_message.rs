//! What a client tells the server (protocol.md 3.2).

use super::Medium;
use super::opaque_number::OpaqueNumber;
use super::tagged::messages;
use super::thread::SpawnThread;
use super::tool_result::ToolResult;
use super::user_text::{ForcedAgentMessage, InputTextMessage, UserTextMessage};
use crate::json::{Invalid, Parsed, Source, from_value, parse, record};

messages! {
    /// A message from a client, or from a data connection.
    ///
    /// ```
    /// use antiphon_api::realtime::{ClientMessage, Urgency};
    ///
    /// let text = r#"{"type":"user_text_message","text":"Hi","urgency":"immediate","extra":1}"#;
    /// let message = ClientMessage::parse(text)?;
    /// assert_eq!(message.ignored, ["extra"]);
    /// let ClientMessage::UserText(message) = message.value else { panic!("it is another message") };
    /// assert_eq!(message.urgency, Urgency::Immediate);
    /// # Ok::<(), antiphon_api::json::Invalid>(())
    /// ```
    pub open enum ClientMessage {
        /// What a client-implemented tool came to.
        ClientToolResult(ToolResult) = "client_tool_result",
        /// What a tool of the data connection came to.
        DataConnectionToolResult(ToolResult) = "data_connection_tool_result",
        /// Has the agent say something or call tools.
        ForcedAgentMessage(ForcedAgentMessage) = "forced_agent_message",
        /// Ends the call.
        HangUp(HangUp) = "hang_up",
        /// Says something in writing, in the older form.
        InputText(InputTextMessage) = "input_text_message",
        /// Asks for a `pong`.
        Ping(Ping) = "ping",
        /// Has the agent speak or write from now on.
        SetOutputMedium(SetOutputMedium) = "set_output_medium",
        /// Begins a side thread.
        SpawnThread(SpawnThread) = "spawn_thread",
        /// Says something in writing.
        UserText(UserTextMessage) = "user_text_message",
    }
}

impl ClientMessage {
    /// Reads a message as a client sends it. A type that is not known is no problem: it comes as `Unknown` (A-20).
    ///
    /// # Errors
    ///
    /// All problems found; the client has to send something else.
    pub fn parse(text: &str) -> Result<Parsed<Self>, Invalid> {
        let mut parsed = from_value(&parse(text.as_bytes())?, Source::RequestBody)?;
        if let Self::Ping(ping) = &mut parsed.value {
            ping.timestamp = OpaqueNumber::in_message(text, "timestamp")
                .ok_or_else(|| Invalid::one("timestamp", "is too long; send at most 64 characters"))?;
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
    /// Asks for an answer, to measure how long it takes.
    #[derive(Eq)]
    pub struct Ping {
        /// What the answer repeats.
        timestamp: OpaqueNumber,
    }
}

record! {
    /// Has the agent speak or write from its next message on.
    #[derive(Eq)]
    pub struct SetOutputMedium {
        /// Which.
        medium: Medium,
    }
}

record! {
    /// Ends the call.
    #[derive(Eq, Default)]
    pub struct HangUp {
        /// What the agent says first; nothing if empty.
        message: String => String::new(),
    }
}
