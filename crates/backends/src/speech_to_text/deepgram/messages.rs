//! What a streaming recognizer says, from its messages. Pure.

use std::sync::Arc;

use serde::Deserialize;

/// Characters of a turn's words; more are none.
const LONGEST: usize = 256 * 1024;

/// What a message leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// More is to come.
    More,
    /// These are the words.
    Complete(Arc<str>),
    /// It failed, for this reason.
    Failed(String),
}

/// The finished pieces so far.
#[derive(Debug, Default)]
pub(super) struct Results {
    words: String,
    complete: bool,
}

/// One message (Deepgram API reference, "Live audio"). Unknown kinds are ignored.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum Event {
    Results {
        channel: Channel,
        #[serde(default)]
        is_final: bool,
    },
    /// The last one, after the end of the stream.
    Metadata,
    Error {
        description: Option<String>,
        message: Option<String>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Channel {
    #[serde(default)]
    alternatives: Vec<Alternative>,
}

#[derive(Deserialize)]
struct Alternative {
    #[serde(default)]
    transcript: String,
}

impl Results {
    pub(super) fn are_complete(&self) -> bool {
        self.complete
    }

    pub(super) fn read(&mut self, message: &str) -> Told {
        let Ok(event) = serde_json::from_str::<Event>(message) else {
            return Told::Failed(format!("sent what is no result: {message}"));
        };
        match event {
            // Interim pieces are not asked for; should they come, the finished one comes behind them.
            Event::Results { is_final: false, .. } | Event::Other => Told::More,
            Event::Results { channel, is_final: true } => {
                // A stretch without speech has no words.
                let piece = channel.alternatives.first().map_or("", |best| best.transcript.trim());
                if !piece.is_empty() {
                    if !self.words.is_empty() {
                        self.words.push(' ');
                    }
                    self.words.push_str(piece);
                }
                if self.words.len() > LONGEST {
                    return Told::Failed("answered more than a transcript".to_owned());
                }
                Told::More
            }
            Event::Metadata => {
                self.complete = true;
                Told::Complete(std::mem::take(&mut self.words).into())
            }
            Event::Error { description, message } => {
                Told::Failed(description.or(message).unwrap_or_else(|| "failed without a reason".to_owned()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(words: &str, is_final: bool) -> String {
        format!(
            r#"{{"type":"Results","channel_index":[0,1],"duration":1.0,"start":0.0,"is_final":{is_final},"speech_final":true,"channel":{{"alternatives":[{{"transcript":"{words}","confidence":0.9,"words":[]}}]}}}}"#
        )
    }

    #[test]
    fn finished_pieces_are_the_words_and_silence_has_none() {
        let mut results = Results::default();
        for message in [
            piece("where", false),
            piece("Where is", true),
            piece("", true),
            r#"{"type":"SpeechStarted","timestamp":1.0}"#.to_owned(),
            piece(" my order? ", true),
        ] {
            assert_eq!(results.read(&message), Told::More);
        }
        let end = r#"{"type":"Metadata","transaction_key":"deprecated","request_id":"x","duration":2.0,"channels":1}"#;
        assert_eq!(results.read(end), Told::Complete("Where is my order?".into()));
        assert!(results.are_complete());
    }

    #[test]
    fn errors_and_nonsense_are_failures() {
        let check = |message: &str, why: &str| {
            assert_eq!(Results::default().read(message), Told::Failed(why.to_owned()));
        };
        check(r#"{"type":"Error","description":"bad audio","message":"DATA-0000"}"#, "bad audio");
        check(r#"{"type":"Error"}"#, "failed without a reason");
        check("<html>", "sent what is no result: <html>");
    }
}
