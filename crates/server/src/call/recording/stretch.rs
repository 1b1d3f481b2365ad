//! Where in the recording a message is: noted on the message itself, since the record's other times are on other clocks
//! (`timespan` on that of the user's audio, `wallClockTimespan` on the engine's idea of it).

use std::ops::Range;
use std::time::Duration;

use antiphon_api::WireDuration;
use antiphon_api::rest::calls::{Message as StoredMessage, MessageRole};
use antiphon_engine::message::{Medium, Message, MessageBody};
use serde_json::{Value, json};

use super::{Recording, Side, State};

/// The key in a message's `metadata`: `{"start": "1.5s", "end": "3s"}` from the recording's beginning.
const KEY: &str = "antiphon.recordedTimespan";

impl Recording {
    /// Notes on a message that was spoken where in the recording it is.
    pub fn note(&self, message: &Message, stored: &mut StoredMessage) {
        let Some(stretch) = self.stretch(message) else { return };
        let at = |at: Duration| WireDuration::from(at);
        let stretch = json!({"start": at(stretch.start), "end": at(stretch.end)});
        stored.metadata.get_or_insert_default().insert(KEY.to_owned(), stretch);
    }

    fn stretch(&self, message: &Message) -> Option<Range<Duration>> {
        if matches!(self.state, State::Off) {
            return None;
        }
        match (&message.body, message.medium) {
            (MessageBody::User { audio: Some(span), .. }, Medium::Voice) => {
                Some(self.places.user.position(span.from)..self.places.user.position(span.to))
            }
            (MessageBody::Agent { .. }, Medium::Voice) => {
                let (from, to) = message.span?;
                Some(from.since(self.places.joined)..to.since(self.places.joined))
            }
            (
                MessageBody::Agent { .. }
                | MessageBody::User { .. }
                | MessageBody::ToolCall { .. }
                | MessageBody::ToolResult { .. },
                Medium::Text | Medium::Voice,
            ) => None,
        }
    }
}

/// Which side of the recording a stored message is on, and where; nothing for what was not spoken into it.
#[must_use]
pub fn stretch_of(stored: &StoredMessage) -> Option<(Side, Range<Duration>)> {
    let side = match stored.role {
        MessageRole::Agent => Side::Agent,
        MessageRole::User => Side::User,
        MessageRole::ToolCall | MessageRole::ToolResult | MessageRole::Other(_) => return None,
    };
    let stretch = stored.metadata.as_ref()?.get(KEY)?;
    let at = |end: &str| stretch.get(end).and_then(Value::as_str)?.parse::<WireDuration>().ok()?.to_std();
    Some((side, at("start")?..at("end")?))
}
