//! What a client can say in a call: audio, and one method for each data message (protocol.md 3.2).

use antiphon_api::realtime::{
    ClientMessage, ForcedAgentMessage, HangUp, Medium, OpaqueNumber, Ping, SetOutputMedium, SpawnThread,
    ToolResult, Urgency, UserTextMessage,
};
use antiphon_audio::write_pcm;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// Speaks into a call. Clones speak into the same one.
#[derive(Debug, Clone)]
pub struct Sender {
    messages: mpsc::Sender<Outgoing>,
    audio: mpsc::Sender<Bytes>,
}

/// What the task that owns the socket is asked to send, beside audio.
#[derive(Debug)]
pub(super) enum Outgoing {
    Close,
    Message(Box<ClientMessage>),
}

/// The call is over, so nothing can be said any more. The events say why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the call is over")]
pub struct CallOver;

/// Why audio was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AudioRefused {
    /// Half a second of audio waits already: the network or the server is too slow. This frame is lost, later ones may not be.
    #[error("the connection is too slow for the audio, so some of it is lost")]
    Behind,
    /// The call is over.
    #[error("the call is over")]
    CallOver,
}

impl Sender {
    pub(super) fn new(messages: mpsc::Sender<Outgoing>, audio: mpsc::Sender<Bytes>) -> Self {
        Self { messages, audio }
    }

    /// Sends audio of the user at the call's input rate, 10 to 100 ms at a time, one second a second, silence included (protocol.md
    /// 4.2). Never waits.
    ///
    /// # Errors
    ///
    /// The call is over, or the connection too slow.
    pub fn audio(&self, samples: &[i16]) -> Result<(), AudioRefused> {
        let mut bytes = Vec::with_capacity(samples.len() * 2);
        write_pcm(samples, &mut bytes);
        self.audio.try_send(bytes.into()).map_err(|error| match error {
            TrySendError::Closed(_) => AudioRefused::CallOver,
            TrySendError::Full(_) => AudioRefused::Behind,
        })
    }

    /// Sends a data message; waits while many wait already.
    ///
    /// # Errors
    ///
    /// The call is over.
    pub async fn message(&self, message: impl Into<Box<ClientMessage>>) -> Result<(), CallOver> {
        self.messages.send(Outgoing::Message(message.into())).await.map_err(|_| CallOver)
    }

    /// Says something in writing, answered at the next opportunity.
    ///
    /// # Errors
    ///
    /// The call is over; likewise for all that follow.
    pub async fn user_text(&self, text: impl Into<String>) -> Result<(), CallOver> {
        self.message(ClientMessage::UserText(UserTextMessage::new(text))).await
    }

    /// Says something in writing, as urgent as `urgency` says.
    #[expect(clippy::missing_errors_doc, reason = "as of `user_text`")]
    pub async fn user_text_with(&self, text: impl Into<String>, urgency: Urgency) -> Result<(), CallOver> {
        self.message(ClientMessage::UserText(UserTextMessage { urgency, ..UserTextMessage::new(text) })).await
    }

    /// Answers an invocation of a client tool.
    #[expect(clippy::missing_errors_doc, reason = "as of `user_text`")]
    pub async fn client_tool_result(&self, result: ToolResult) -> Result<(), CallOver> {
        self.message(ClientMessage::ClientToolResult(result)).await
    }

    /// Answers an invocation of a tool of the data connection.
    #[expect(clippy::missing_errors_doc, reason = "as of `user_text`")]
    pub async fn data_connection_tool_result(&self, result: ToolResult) -> Result<(), CallOver> {
        self.message(ClientMessage::DataConnectionToolResult(result)).await
    }

    /// Has the agent say something or call tools.
    #[expect(clippy::missing_errors_doc, reason = "as of `user_text`")]
    pub async fn forced_agent_message(&self, message: ForcedAgentMessage) -> Result<(), CallOver> {
        self.message(ClientMessage::ForcedAgentMessage(message)).await
    }

    /// Ends the call, the agent saying `message` first if it is not empty.
    #[expect(clippy::missing_errors_doc, reason = "as of `user_text`")]
    pub async fn hang_up(&self, message: impl Into<String>) -> Result<(), CallOver> {
        self.message(ClientMessage::HangUp(HangUp { message: message.into() })).await
    }

    /// Asks for a `pong` with the same number.
    #[expect(clippy::missing_errors_doc, reason = "as of `user_text`")]
    pub async fn ping(&self, timestamp: impl Into<OpaqueNumber>) -> Result<(), CallOver> {
        self.message(ClientMessage::Ping(Ping { timestamp: timestamp.into() })).await
    }

    /// Has the agent speak or write from its next message on.
    #[expect(clippy::missing_errors_doc, reason = "as of `user_text`")]
    pub async fn set_output_medium(&self, medium: Medium) -> Result<(), CallOver> {
        self.message(ClientMessage::SetOutputMedium(SetOutputMedium { medium })).await
    }

    /// Begins a side thread.
    #[expect(clippy::missing_errors_doc, reason = "as of `user_text`")]
    pub async fn spawn_thread(&self, thread: SpawnThread) -> Result<(), CallOver> {
        self.message(ClientMessage::SpawnThread(thread)).await
    }

    /// Leaves the call, which ends it: what was sent before still goes out, then the socket closes with 1000. The events end with
    /// what the server makes of it. Does nothing if the call is over.
    pub async fn close(&self) {
        // The call being over already is what was wanted.
        let _ = self.messages.send(Outgoing::Close).await;
    }
}
