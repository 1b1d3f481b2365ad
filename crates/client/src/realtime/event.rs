//! What happens in a call, as the program that joined it sees it.

use std::pin::Pin;
use std::task::{Context, Poll};

use antiphon_api::json::Invalid;
use antiphon_api::realtime::ServerMessage;
use futures::Stream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::CloseReason;

/// Something that happened in a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Audio of the agent to be played, at the call's output rate: what one frame completed, never empty.
    Audio(Vec<i16>),
    /// A data message. One of a type that this version does not know comes as `ServerMessage::Unknown`.
    Message(ServerMessage),
    /// A text frame that is no data message. It can be ignored.
    Unreadable {
        /// The text as it came.
        text: String,
        /// What is wrong with it.
        problem: Invalid,
    },
    /// The call is over. Always the last event, and always there.
    Closed(CloseReason),
}

/// An event with what it was read from.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) event: Event,
    /// The text frame, where it was one.
    pub(crate) text: Option<Utf8Bytes>,
    /// With [`Event::Closed`]: the code of the close frame; 1005 if it had none, 1006 if there was no such frame.
    pub(crate) close_code: Option<u16>,
}

impl Received {
    pub(super) fn audio(samples: Vec<i16>) -> Self {
        Self { event: Event::Audio(samples), text: None, close_code: None }
    }

    pub(super) fn text(event: Event, text: Utf8Bytes) -> Self {
        Self { event, text: Some(text), close_code: None }
    }

    pub(super) fn closed(reason: CloseReason, code: u16) -> Self {
        Self { event: Event::Closed(reason), text: None, close_code: Some(code) }
    }
}

/// The events of a call, in order. Also a [`Stream`]. While they are not taken, the server is slowed down; dropping them leaves the call.
#[derive(Debug)]
pub struct Events {
    incoming: mpsc::Receiver<Received>,
}

impl Events {
    pub(super) fn new(incoming: mpsc::Receiver<Received>) -> Self {
        Self { incoming }
    }

    /// The next event; nothing after [`Event::Closed`]. Can be dropped and called again without losing one.
    pub async fn next(&mut self) -> Option<Event> {
        Some(self.received().await?.event)
    }

    /// The next event as it came.
    pub(crate) async fn received(&mut self) -> Option<Received> {
        self.incoming.recv().await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.incoming.poll_recv(context).map(|received| Some(received?.event))
    }
}
