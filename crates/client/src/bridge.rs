//! A bridge between a call and whatever else has a voice: phones, files, sockets, sound cards, other calls.
//!
//! A [`Bridge`] is a call's own end, with the surface of Voximplant's `WebSocketAPIClient`; a [`MediaUnit`] is anything that gives and
//! takes audio, a bridge included. Rates and encodings are converted on the way. It must not know a server or a phone line.
//!
//! | Voximplant | here |
//! |---|---|
//! | `Ultravox.createWebSocketAPIClient({endpoint: CREATE_CALL, …})` | [`Bridge::create_call`], then [`Builder::connect`] |
//! | `… CREATE_AGENT_CALL`, `… JOIN_CALL` | [`Bridge::create_agent_call`], [`Bridge::join`] |
//! | `addEventListener(Ultravox.WebSocketAPIEvents.X, …)` | [`Events::next`] and [`Event`] |
//! | `client.sendMediaTo(unit, {tag, encoding, customParameters})` | [`MediaUnit::send_media_to`] with [`SendMedia`] |
//! | `VoxEngine.sendMediaBetween(call, client)` | [`send_media_between`] |
//! | `client.clearMediaBuffer({tag})` | [`Bridge::clear_media_buffer`] |
//! | `client.userTextMessage({text})` and its siblings | [`Bridge::user_text_message`] and its siblings |
//! | `onWebSocketClose` | [`Event::Closed`] |
//!
//! A caller whose voice is a recording, bridged to a call whose server is the other end of a pipe:
//!
//! ```
//! use antiphon_client::bridge::{Bridge, Event, MediaUnit as _, SendMedia, WavUnit};
//! use antiphon_client::realtime::{self, accept};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (ours, theirs) = tokio::io::duplex(64 * 1024);
//! let joining = Bridge::join("ws://server/call").connect_over(ours);
//! let (joined, server) = tokio::join!(joining, accept(theirs));
//! let ((bridge, mut events), (server, mut heard)) = (joined?, server?);
//!
//! let caller = WavUnit::new().samples(vec![7; 1_600], 16_000).start();
//! caller.send_media_to(&bridge, SendMedia::default())?;
//! while !matches!(heard.next().await, Some(realtime::Event::Audio(samples)) if samples.contains(&7)) {}
//!
//! server.audio(&[9; 320])?;
//! assert!(matches!(events.next().await, Some(Event::ConnectorInformation(_))));
//! assert!(matches!(events.next().await, Some(Event::MediaStarted(_))));
//! # Ok(())
//! # }
//! ```
//!
//! With a server that creates the call:
//!
//! ```no_run
//! use antiphon_client::bridge::{Bridge, Event, WavUnit, send_media_between};
//! use antiphon_client::rest::Client;
//! use serde_json::json;
//!
//! # async fn call() -> Result<(), Box<dyn std::error::Error>> {
//! let body = json!({ "systemPrompt": "You answer the phone of a bakery." });
//! let (bridge, mut events) = Bridge::create_call(&Client::from_env()?)
//!     .request(&body)
//!     .connect()
//!     .await?;
//! let caller = WavUnit::new().play("question.wav")?.record("answer.wav")?.start();
//! send_media_between(&caller, &bridge)?;
//! while let Some(event) = events.next().await {
//!     match event {
//!         Event::Transcript(transcript) => println!("{:?}", transcript.value),
//!         Event::MediaEnded(_) if caller.is_done() => bridge.close().await,
//!         event => println!("{}", event.name()),
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod connect;
mod encoding;
mod event;
mod pcm_socket;
mod port;
mod run;
#[cfg(feature = "audio-devices")]
mod sound_card_unit;
mod sounding;
mod unit;
mod wav_unit;

use std::sync::Arc;
use std::time::Duration;

use antiphon_api::json::JsonObject;
use antiphon_audio::SampleRate;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::realtime::{self, CallOver, Sender};
use crate::rest::Client;

use run::{Agent, Voice};

pub use connect::{BridgeError, Builder};
pub use encoding::{Encoding, UnsupportedEncoding};
pub use event::{
    Closed, ConnectorInformation, Event, Events, HttpResponse, MediaEnded, MediaStarted, Message, Unknown,
    WebSocketError,
};
pub use pcm_socket::{PcmFormat, PcmSocket};
pub use port::{Heard, MediaError, Port, SendMedia};
#[cfg(feature = "audio-devices")]
pub use sound_card_unit::SoundCard;
pub use unit::{MediaUnit, send_media_between, stop_media_between};
pub use wav_unit::{WavUnit, WavUnitBuilder, WavUnitError};

/// Events that wait to be taken.
const EVENTS: usize = 1024;

/// A call's own end. Clones are the same end; the call is closed when the last of them is dropped.
#[derive(Debug, Clone)]
pub struct Bridge {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    id: String,
    web_socket_id: String,
    call_id: Option<String>,
    sender: Sender,
    voice: Arc<Voice>,
    /// Dropped with the last handle, which closes the call.
    _held: oneshot::Sender<()>,
}

/// Why a message was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The call is over.
    #[error(transparent)]
    CallOver(#[from] CallOver),
    /// The message is none.
    #[error("a message must be a JSON object, such as {{\"text\": \"Hello\"}}")]
    NotAnObject,
}

impl Bridge {
    /// Begins to create a call with the rest of the builder's methods.
    pub fn create_call(client: &Client) -> Builder {
        Builder::creating(client, &["api", "calls"])
    }

    /// Begins to create a call of an agent, by its id.
    pub fn create_agent_call(client: &Client, agent_id: &str) -> Builder {
        Builder::creating(client, &["api", "agents", agent_id, "calls"])
    }

    /// Begins to join a call that was created elsewhere.
    pub fn join(join_url: impl Into<String>) -> Builder {
        Builder::joining(join_url.into())
    }

    fn begin(
        (sender, incoming): (Sender, realtime::Events),
        (input, output): (SampleRate, SampleRate),
        clears: bool,
        call_id: Option<String>,
        response: Option<Event>,
    ) -> (Self, Events) {
        let (id, web_socket_id) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
        let information = Event::ConnectorInformation(ConnectorInformation {
            application_version: env!("CARGO_PKG_VERSION").to_owned(),
            id: web_socket_id.clone(),
        });
        let voice = Arc::new(Voice::new(Port::of_agent(output, input)));
        let (outbox, events) = mpsc::channel(EVENTS);
        // Only at this rate the stream is one of Voximplant's encodings; others are 16-bit linear, too.
        let encoding =
            Encoding::ALL.into_iter().find(|known| known.law().is_none() && known.rate() == output);
        let stream = SendMedia { encoding, ..SendMedia::default() };
        let agent = Agent { incoming, voice: voice.clone(), stream, clears, outbox };
        tokio::spawn(agent.run(response.into_iter().chain([information]).collect()));
        tokio::spawn(run::listen(voice.port.clone(), sender.clone()));
        let (held, dropped) = oneshot::channel::<()>();
        let closing = sender.clone();
        tokio::spawn(async move {
            let _ = dropped.await;
            closing.close().await;
        });
        let shared = Shared { id, web_socket_id, call_id, sender, voice, _held: held };
        (Self { shared: Arc::new(shared) }, Events::new(events))
    }

    /// The bridge's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// The connection's id.
    #[must_use]
    pub fn web_socket_id(&self) -> &str {
        &self.shared.web_socket_id
    }

    /// The call's id, if this side created it.
    #[must_use]
    pub fn call_id(&self) -> Option<&str> {
        self.shared.call_id.as_deref()
    }

    /// What speaks into the call, for typed messages, muting and the user's lost audio.
    #[must_use]
    pub fn sender(&self) -> &Sender {
        &self.shared.sender
    }

    /// Drops what the agent has said and nobody has heard yet, in the streams that were sent with this tag, or in all if there is
    /// none or it is empty. Gives the longest that was dropped.
    pub fn clear_media_buffer(&self, tag: Option<&str>) -> Duration {
        self.shared.voice.clear(tag)
    }

    /// Leaves the call, which ends it. What was sent before still goes out.
    pub async fn close(&self) {
        self.shared.sender.close().await;
    }

    /// Says something in writing, in the older form: `{"text": …}`. A `type` in the message is kept, as in all that follow.
    ///
    /// # Errors
    ///
    /// The call is over, or the message is no JSON object; likewise for all that follow.
    pub async fn input_text_message(&self, message: Value) -> Result<(), SendError> {
        self.send("input_text_message", message).await
    }

    /// Says something in writing: `{"text": …, "urgency": …}`.
    #[expect(clippy::missing_errors_doc, reason = "as of `input_text_message`")]
    pub async fn user_text_message(&self, message: Value) -> Result<(), SendError> {
        self.send("user_text_message", message).await
    }

    /// Has the agent say something or call tools: `{"content": …}`.
    #[expect(clippy::missing_errors_doc, reason = "as of `input_text_message`")]
    pub async fn forced_agent_message(&self, message: Value) -> Result<(), SendError> {
        self.send("forced_agent_message", message).await
    }

    /// Has the agent speak or write from its next message on: `{"medium": "voice"}`.
    #[expect(clippy::missing_errors_doc, reason = "as of `input_text_message`")]
    pub async fn set_output_medium(&self, message: Value) -> Result<(), SendError> {
        self.send("set_output_medium", message).await
    }

    /// Answers an invocation of a client tool: `{"invocationId": …, "result": …}`.
    #[expect(clippy::missing_errors_doc, reason = "as of `input_text_message`")]
    pub async fn client_tool_result(&self, message: Value) -> Result<(), SendError> {
        self.send("client_tool_result", message).await
    }

    /// Answers an invocation of a tool of the data connection.
    #[expect(clippy::missing_errors_doc, reason = "as of `input_text_message`")]
    pub async fn data_connection_tool_result(&self, message: Value) -> Result<(), SendError> {
        self.send("data_connection_tool_result", message).await
    }

    /// Ends the call, the agent saying `{"message": …}` first.
    #[expect(clippy::missing_errors_doc, reason = "as of `input_text_message`")]
    pub async fn hang_up(&self, message: Value) -> Result<(), SendError> {
        self.send("hang_up", message).await
    }

    async fn send(&self, kind: &str, message: Value) -> Result<(), SendError> {
        let Value::Object(mut message) = message else { return Err(SendError::NotAnObject) };
        if !message.contains_key("type") {
            // The type first, as people write it.
            let mut typed = JsonObject::from_iter([("type".to_owned(), Value::from(kind))]);
            typed.extend(message);
            message = typed;
        }
        Ok(self.shared.sender.raw(&message).await?)
    }
}

impl MediaUnit for Bridge {
    fn port(&self) -> &Port {
        &self.shared.voice.port
    }
}
