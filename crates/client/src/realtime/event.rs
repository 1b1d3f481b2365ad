//! What happens in a call, as the program that joined it sees it.

use antiphon_api::json::Invalid;
use antiphon_api::realtime::ServerMessage;
use tokio::sync::mpsc;

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

/// The events of a call, in order. While they are not taken, the server is slowed down; dropping them leaves the call.
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
