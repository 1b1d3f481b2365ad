//! What a client can say in a call: audio, and one method for each data message (protocol.md 3.2).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use antiphon_api::json::JsonObject;
use antiphon_api::realtime::{
    ClientMessage, ForcedAgentMessage, HangUp, InputTextMessage, Medium, OpaqueNumber, Ping, SetOutputMedium,
    SpawnThread, ToolResult, Urgency, UserTextMessage,
};
use antiphon_audio::write_pcm;
use tokio::sync::{Notify, mpsc};

use super::pings::Pings;
use super::socket::FAREWELL;
use super::voice_queue::{Taken, VoiceQueue};

/// How long a server has to answer a ping.
const PONG_TIMEOUT: Duration = Duration::from_secs(10);

/// Speaks into a call. Clones speak into the same one.
#[derive(Debug, Clone)]
pub struct Sender {
    messages: mpsc::Sender<Outgoing>,
    voice: Arc<VoiceQueue>,
    pings: Arc<Pings>,
    closing: Arc<Notify>,
    is_muted: Arc<AtomicBool>,
}

/// What the task that owns the socket is asked to send, beside audio.
#[derive(Debug)]
pub(super) enum Outgoing {
    Close,
    Message(Box<ClientMessage>),
    /// Whatever the caller has put together.
    Raw(String),
}

/// The call is over, so nothing can be said any more. The events say why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the call is over")]
pub struct CallOver;

/// Why there is no round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PingError {
    /// The call is over.
    #[error("the call is over")]
    CallOver,
    /// No pong came. Pongs may be switched off in the call's `dataMessages`, and events have to be taken for one to be read.
    #[error("the server did not answer the ping within {} s; are pongs switched off for this call, or are events not taken?", PONG_TIMEOUT.as_secs())]
    NoPong,
}

/// Why audio was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AudioRefused {
    /// Half a second of audio waited already: the network or the server is too slow. The oldest of it is lost, so that what is sent
    /// never grows old; this frame waits in its place.
    #[error("the connection is too slow for the audio, so some of it is lost")]
    Behind,
    /// The call is over.
    #[error("the call is over")]
    CallOver,
}

impl Sender {
    pub(super) fn new(
        messages: mpsc::Sender<Outgoing>,
        voice: Arc<VoiceQueue>,
        pings: Arc<Pings>,
        closing: Arc<Notify>,
    ) -> Self {
        Self { messages, voice, pings, closing, is_muted: Arc::default() }
    }

    /// Sends audio of the user at the call's input rate, 10 to 100 ms at a time, one second a second, silence included (protocol.md
    /// 4.2). Never waits. While the user is [muted](Self::mute), as much silence is sent.
    ///
    /// # Errors
    ///
    /// The call is over, or the connection too slow.
    pub fn audio(&self, samples: &[i16]) -> Result<(), AudioRefused> {
        let mut bytes = Vec::with_capacity(samples.len() * 2);
        if self.is_muted() {
            bytes.resize(samples.len() * 2, 0);
        } else {
            write_pcm(samples, &mut bytes);
        }
        match self.voice.push(bytes.into()) {
            Taken::Kept => Ok(()),
            Taken::Displaced => Err(AudioRefused::Behind),
            Taken::Closed => Err(AudioRefused::CallOver),
        }
    }

    /// Has silence sent in the place of the user's audio, or the audio again. Holds for all clones.
    pub fn mute(&self, is_muted: bool) {
        self.is_muted.store(is_muted, Ordering::Relaxed);
    }

    /// Whether the user is muted.
    #[must_use]
    pub fn is_muted(&self) -> bool {
        self.is_muted.load(Ordering::Relaxed)
    }

    /// Frames of audio that were lost because the connection was too slow.
    #[must_use]
    pub fn lost_frames(&self) -> u64 {
        self.voice.lost()
    }

    /// Sends a data message as it stands, for what this version does not know; waits while many wait already.
    ///
    /// # Errors
    ///
    /// The call is over.
    pub async fn raw(&self, message: &JsonObject) -> Result<(), CallOver> {
        let text = serde_json::to_string(message).expect("a JSON object has string keys");
        self.messages.send(Outgoing::Raw(text)).await.map_err(|_| CallOver)
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

    /// Measures how long it takes to the server and back: a ping and its pong, which is also among the events.
    ///
    /// # Errors
    ///
    /// The call is over, or no pong came within 10 s.
    pub async fn round_trip(&self) -> Result<Duration, PingError> {
        let (timestamp, answered) = self.pings.begin();
        self.ping(timestamp).await.map_err(|CallOver| PingError::CallOver)?;
        match tokio::time::timeout(PONG_TIMEOUT, answered).await {
            Err(_) => Err(PingError::NoPong),
            Ok(Err(_)) => Err(PingError::CallOver),
            Ok(Ok(took)) => Ok(took),
        }
    }

    /// Says something in writing, in the older form that all official SDKs send.
    #[expect(clippy::missing_errors_doc, reason = "as of `user_text`")]
    pub async fn input_text(
        &self,
        text: impl Into<String>,
        defer_response: Option<bool>,
    ) -> Result<(), CallOver> {
        self.message(ClientMessage::InputText(InputTextMessage { text: text.into(), defer_response })).await
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
    /// what the server makes of it. A server that takes nothing any more is left after 10 s. Does nothing if the call is over.
    pub async fn close(&self) {
        self.closing.notify_one();
        // The call being over already is what was wanted.
        let _ = tokio::time::timeout(FAREWELL, self.messages.send(Outgoing::Close)).await;
    }
}
