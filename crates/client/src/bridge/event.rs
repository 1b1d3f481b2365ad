//! What a bridge tells: the events of Voximplant's `WebSocketAPIClient`, typed, each with what it was read from.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon_api::json::JsonObject;
use antiphon_api::realtime::{Debug as DebugMessage, ServerMessage, State, ToolInvocation, Transcript};
use futures::Stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::port::SendMedia;
use crate::realtime::CloseReason;
use crate::rest::RawAnswer;

/// Something that happened on a bridge.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The REST API has answered the creation of the call. First, if there was one.
    HttpResponse(HttpResponse),
    /// The call is joined.
    ConnectorInformation(ConnectorInformation),
    /// What the agent does has changed.
    State(Message<State>),
    /// A piece of what was said.
    Transcript(Message<Transcript>),
    /// The client is to run a tool.
    ClientToolInvocation(Message<ToolInvocation>),
    /// The data connection is to run a tool.
    DataConnectionToolInvocation(Message<ToolInvocation>),
    /// Something for developers to read.
    Debug(Message<DebugMessage>),
    /// What was said and not yet played is void. It has been cleared already, unless that was declined.
    PlaybackClearBuffer(JsonObject),
    /// Any other message.
    Unknown(Unknown),
    /// The agent begins to be heard, after quiet.
    MediaStarted(MediaStarted),
    /// The agent has not been heard for a second, or the call is over.
    MediaEnded(MediaEnded),
    /// The connection failed. The close follows.
    WebSocketError(WebSocketError),
    /// The connection is closed. Always the last event, and always there.
    Closed(Closed),
}

/// A data message and what it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Message<T> {
    /// What it says.
    pub value: T,
    /// The whole message as it came.
    pub json: JsonObject,
}

/// A message that has no event of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Unknown {
    /// What it says, if this version knows such messages, as it does `call_started` and `pong`.
    pub message: Option<ServerMessage>,
    /// The text as it came, mostly JSON.
    pub text: String,
}

/// The answer of the REST API.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The HTTP status.
    pub status: u16,
    /// The headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body: the call, with its join URL, or what is wrong with the request.
    pub text: String,
}

impl HttpResponse {
    /// The body, if it is JSON.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.text).ok()
    }

    /// Whether the request was granted.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What the server says is wrong, in its own words.
    pub(super) fn complaint(&self) -> String {
        let detail = self.json().and_then(|body| Some(body.get("detail")?.as_str()?.to_owned()));
        detail.unwrap_or_else(|| self.text.chars().take(200).collect())
    }
}

impl From<RawAnswer> for HttpResponse {
    fn from(answer: RawAnswer) -> Self {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        Self { status: answer.status, headers: answer.headers, text }
    }
}

/// Shows no body: whoever reads the join URL in it may join the call.
impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse")
            .field("status", &self.status)
            .field("text", &format_args!("{} bytes", self.text.len()))
            .finish_non_exhaustive()
    }
}

/// What has joined the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorInformation {
    /// This SDK's version.
    pub application_version: String,
    /// The connection's id, [`Bridge::web_socket_id`](super::Bridge::web_socket_id).
    pub id: String,
}

/// The agent begins to be heard.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MediaStarted {
    /// The stream as it comes in: the call's own, without a tag.
    pub stream: SendMedia,
}

/// The agent is not heard any more.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MediaEnded {
    /// The stream's name.
    pub tag: String,
    /// How long it was: what came since it began, less what was cleared unplayed.
    pub duration: Duration,
}

/// Why a connection failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSocketError {
    /// What is wrong.
    pub cause: String,
}

/// How a connection was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The code (RFC 6455, 7.4): 1000 if all is well, 1006 if the connection broke.
    pub code: u16,
    /// What was said about it.
    pub reason: String,
    /// Whether it was closed, and not just gone.
    pub was_clean: bool,
    /// The same in words that say who acts next.
    pub cause: CloseReason,
}

/// What a normal close is called that says nothing itself.
const NORMAL: &str = "Normal connection close";

impl Closed {
    pub(super) fn new(cause: CloseReason, code: u16) -> Self {
        let said = cause.said();
        let reason = if said.is_empty() && code == 1000 { NORMAL } else { said }.to_owned();
        Self { code, reason, was_clean: code != 1006, cause }
    }
}

impl Event {
    /// What Voximplant calls it: `Transcript`, `WebSocketMediaStarted`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::HttpResponse(_) => "HTTPResponse",
            Self::ConnectorInformation(_) => "ConnectorInformation",
            Self::State(_) => "State",
            Self::Transcript(_) => "Transcript",
            Self::ClientToolInvocation(_) => "ClientToolInvocation",
            Self::DataConnectionToolInvocation(_) => "DataConnectionToolInvocation",
            Self::Debug(_) => "Debug",
            Self::PlaybackClearBuffer(_) => "PlaybackClearBuffer",
            Self::Unknown(_) => "Unknown",
            Self::MediaStarted(_) => "WebSocketMediaStarted",
            Self::MediaEnded(_) => "WebSocketMediaEnded",
            Self::WebSocketError(_) => "WebSocketError",
            Self::Closed(_) => "WebSocketClose",
        }
    }

    /// What it says, as JSON: data messages exactly as they came, the others in the shape that Voximplant's scenarios know. That of
    /// an HTTP response has the join URL in it, so it is not for logs.
    #[must_use]
    pub fn payload(&self) -> Value {
        match self {
            Self::HttpResponse(response) => {
                let headers: Vec<Value> = response
                    .headers
                    .iter()
                    .map(|(key, value)| json!({ "key": key, "value": value }))
                    .collect();
                let text = response.json().unwrap_or_else(|| Value::from(response.text.as_str()));
                json!({ "code": response.status, "text": text, "headers": headers })
            }
            Self::ConnectorInformation(information) => json!({
                "applicationVersion": information.application_version,
                "id": information.id,
                "endpoint": "/ultravox",
            }),
            Self::State(Message { json, .. })
            | Self::Transcript(Message { json, .. })
            | Self::ClientToolInvocation(Message { json, .. })
            | Self::DataConnectionToolInvocation(Message { json, .. })
            | Self::Debug(Message { json, .. })
            | Self::PlaybackClearBuffer(json) => Value::Object(json.clone()),
            Self::Unknown(unknown) => {
                serde_json::from_str(&unknown.text).unwrap_or_else(|_| Value::from(unknown.text.as_str()))
            }
            Self::MediaStarted(MediaStarted { stream }) => json!({
                "tag": stream.tag,
                "encoding": stream.encoding.map(super::Encoding::as_str),
                "customParameters": stream.custom_parameters,
            }),
            Self::MediaEnded(ended) => json!({
                "tag": ended.tag,
                "mediaInfo": { "duration": ended.duration.as_secs_f64() },
            }),
            Self::WebSocketError(error) => json!({ "error": error.cause }),
            Self::Closed(closed) => json!({
                "code": closed.code,
                "reason": closed.reason,
                "wasClean": closed.was_clean,
            }),
        }
    }

    /// The event of a text frame.
    pub(super) fn of_text(text: &str, message: Option<ServerMessage>) -> Self {
        let json = || match serde_json::from_str(text) {
            Ok(Value::Object(json)) => json,
            // What was read as a message is an object.
            Ok(_) | Err(_) => JsonObject::new(),
        };
        match message {
            Some(ServerMessage::State(value)) => Self::State(Message { value, json: json() }),
            Some(ServerMessage::Transcript(value)) => Self::Transcript(Message { value, json: json() }),
            Some(ServerMessage::ClientToolInvocation(value)) => {
                Self::ClientToolInvocation(Message { value, json: json() })
            }
            Some(ServerMessage::DataConnectionToolInvocation(value)) => {
                Self::DataConnectionToolInvocation(Message { value, json: json() })
            }
            Some(ServerMessage::Debug(value)) => Self::Debug(Message { value, json: json() }),
            Some(ServerMessage::PlaybackClearBuffer) => Self::PlaybackClearBuffer(json()),
            Some(
                message @ (ServerMessage::CallEvent(_)
                | ServerMessage::CallStarted(_)
                | ServerMessage::Error(_)
                | ServerMessage::InvokingTool(_)
                | ServerMessage::Pong(_)
                | ServerMessage::Rejoined(_)
                | ServerMessage::RoomInfo(_)
                | ServerMessage::SideGenerationCompleted(_)
                | ServerMessage::SideGenerationDelta(_)
                | ServerMessage::ThreadRejected(_)
                | ServerMessage::ThreadSpawned(_)
                | ServerMessage::ThreadTerminated(_)
                | ServerMessage::ToolUsed(_)
                | ServerMessage::Unknown(_)
                | ServerMessage::UserStartedSpeaking(_)
                | ServerMessage::UserStoppedSpeaking(_)),
            ) => Self::Unknown(Unknown { message: Some(message), text: text.to_owned() }),
            None => Self::Unknown(Unknown { message: None, text: text.to_owned() }),
        }
    }
}

/// The events of a bridge, in order, from the REST API's answer on. Also a [`Stream`].
///
/// 1024 of them may wait. While they do, the call is not read, so that the server slows down; whoever wants none drops this, and the
/// bridge goes on.
#[derive(Debug)]
pub struct Events {
    incoming: mpsc::Receiver<Event>,
}

impl Events {
    pub(super) fn new(incoming: mpsc::Receiver<Event>) -> Self {
        Self { incoming }
    }

    /// The next event; nothing after [`Event::Closed`]. Can be dropped and called again without losing one.
    pub async fn next(&mut self) -> Option<Event> {
        self.incoming.recv().await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.incoming.poll_recv(context)
    }
}
