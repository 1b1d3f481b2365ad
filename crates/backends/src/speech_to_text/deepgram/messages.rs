//! What a streaming recognizer says, message by message. Pure.

use serde::Deserialize;

/// What a message tells.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Told {
    /// What was found in a stretch of the audio.
    Found(Found),
    /// That was all: the answer to the end of the stream.
    Over,
    /// Nothing of interest.
    Nothing,
    /// It failed, for this reason.
    Failed(String),
}

/// What was found in a stretch of the audio. Times are seconds of audio that was sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    /// The words; none where nobody speaks.
    pub(super) words: String,
    /// Where the words begin and end; the stretch, where they have no times of their own.
    pub(super) from: f64,
    pub(super) to: f64,
    /// Where the stretch ends.
    pub(super) heard_to: f64,
    /// Whether it will not change any more.
    pub(super) is_final: bool,
    /// Whether it was told early because that was asked for.
    pub(super) from_finalize: bool,
}

/// One message (Deepgram API reference, "Live audio"). Unknown kinds are ignored.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum Message {
    Results {
        channel: Channel,
        #[serde(default)]
        is_final: bool,
        #[serde(default)]
        from_finalize: bool,
        #[serde(default)]
        start: f64,
        #[serde(default)]
        duration: f64,
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

#[derive(Default, Deserialize)]
struct Alternative {
    #[serde(default)]
    transcript: String,
    #[serde(default)]
    words: Vec<Word>,
}

#[derive(Deserialize)]
struct Word {
    start: Option<f64>,
    end: Option<f64>,
}

/// Reads a message.
pub(super) fn read(message: &str) -> Told {
    let Ok(message) = serde_json::from_str::<Message>(message) else {
        return Told::Failed(format!("sent what is no result: {message}"));
    };
    match message {
        Message::Results { channel, is_final, from_finalize, start, duration } => {
            let best = channel.alternatives.into_iter().next().unwrap_or_default();
            let heard_to = start + duration;
            Told::Found(Found {
                from: best.words.first().and_then(|word| word.start).unwrap_or(start),
                to: best.words.last().and_then(|word| word.end).unwrap_or(heard_to),
                words: best.transcript.trim().to_owned(),
                heard_to,
                is_final,
                from_finalize,
            })
        }
        Message::Metadata => Told::Over,
        Message::Error { description, message } => {
            Told::Failed(description.or(message).unwrap_or_else(|| "failed without a reason".to_owned()))
        }
        Message::Other => Told::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_has_its_words_and_their_place() {
        let message = r#"{"type":"Results","channel_index":[0,1],"duration":1.98,"start":5.99,"is_final":true,"speech_final":true,
            "from_finalize":true,"channel":{"alternatives":[{"transcript":" Where is it? ","confidence":0.99,"words":[
            {"word":"where","start":6.1,"end":6.3},{"word":"is","start":6.3,"end":6.4},{"word":"it","start":6.4,"end":6.6}]}]}}"#;
        let found = Found {
            words: "Where is it?".to_owned(),
            from: 6.1,
            to: 6.6,
            heard_to: 5.99 + 1.98,
            is_final: true,
            from_finalize: true,
        };
        assert_eq!(read(message), Told::Found(found));
        let bare = r#"{"type":"Results","channel":{"alternatives":[{"transcript":"so"}]},"start":1.0,"duration":2.0}"#;
        let Told::Found(found) = read(bare) else { panic!("a result") };
        assert_eq!((found.from, found.to, found.is_final), (1.0, 3.0, false));
    }

    #[test]
    fn other_messages_are_told_apart() {
        for (message, told) in [
            (r#"{"type":"SpeechStarted","timestamp":1.0}"#, Told::Nothing),
            (r#"{"type":"Metadata","transaction_key":"deprecated","duration":2.0,"channels":1}"#, Told::Over),
            (
                r#"{"type":"Error","description":"bad audio","message":"DATA-0000"}"#,
                Told::Failed("bad audio".to_owned()),
            ),
            (r#"{"type":"Error"}"#, Told::Failed("failed without a reason".to_owned())),
            ("<html>", Told::Failed("sent what is no result: <html>".to_owned())),
        ] {
            assert_eq!(read(message), told, "{message}");
        }
    }
}
