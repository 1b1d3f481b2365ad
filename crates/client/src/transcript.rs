//! What has been said in a call, merged from the pieces that the server sends (protocol.md 3.3).
//!
//! Merges as the official SDKs do, and where they disagree so that no words are lost: empty text erases nothing, a last piece
//! without words ends the utterance with those it has. Knows no connection and no screen.

use std::collections::BTreeMap;

use antiphon_api::realtime::{Medium, Speaker, Transcript, TranscriptText};

/// How many utterances are kept; a call of an hour has a tenth of that. The oldest go first.
const MOST_UTTERANCES: usize = 10_000;
/// How many bytes of one utterance are kept; an hour of speech has a third of that.
const LONGEST_UTTERANCE: usize = 256 * 1024;

/// All that has been said, in the order of the conversation.
///
/// ```
/// use antiphon_api::realtime::ServerMessage;
/// use antiphon_client::transcript::Transcripts;
///
/// let mut said = Transcripts::default();
/// for text in [
///     r#"{"type":"transcript","role":"agent","text":"Hello","final":false,"ordinal":0}"#,
///     r#"{"type":"transcript","role":"agent","text":"","delta":" there","final":false,"ordinal":0}"#,
///     r#"{"type":"transcript","role":"agent","text":null,"final":true,"ordinal":0}"#,
/// ] {
///     if let ServerMessage::Transcript(piece) = ServerMessage::parse(text)?.value {
///         said.merge(&piece);
///     }
/// }
/// let utterance = said.utterances().next().ok_or("nothing was said")?;
/// assert_eq!((utterance.text.as_str(), utterance.is_final), ("Hello there", true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Transcripts {
    utterances: BTreeMap<u32, Utterance>,
}

/// What one side said at one place of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Utterance {
    /// Its place: counts up over both sides, possibly with gaps.
    pub ordinal: u32,
    /// Who says it.
    pub role: Speaker,
    /// How it is said.
    pub medium: Medium,
    /// All that is known of it so far.
    pub text: String,
    /// Whether that is all there will be.
    pub is_final: bool,
}

impl Transcripts {
    /// Adds a piece. Gives the utterance that it belongs to, or nothing if the piece changes nothing, as a repeated last piece
    /// or one without words does.
    pub fn merge(&mut self, piece: &Transcript) -> Option<&Utterance> {
        let is_new = !self.utterances.contains_key(&piece.ordinal);
        if is_new && words(&piece.text).is_empty() {
            return None;
        }
        let utterance = self.utterances.entry(piece.ordinal).or_insert_with(|| Utterance {
            ordinal: piece.ordinal,
            role: piece.role.clone(),
            medium: piece.medium,
            text: String::new(),
            is_final: false,
        });
        let changed = utterance.add(piece);
        while self.utterances.len() > MOST_UTTERANCES {
            self.utterances.pop_first();
        }
        self.utterances.get(&piece.ordinal).filter(|_| changed)
    }

    /// All utterances, in the order of the conversation.
    pub fn utterances(&self) -> impl DoubleEndedIterator<Item = &Utterance> {
        self.utterances.values()
    }
}

impl Utterance {
    fn add(&mut self, piece: &Transcript) -> bool {
        let was_final = self.is_final;
        // After the last piece only another last one counts, and only for what it corrects.
        if was_final && !piece.is_final {
            return false;
        }
        self.is_final = piece.is_final;
        match &piece.text {
            TranscriptText::Text(text) if text.is_empty() || *text == self.text => {
                !was_final && piece.is_final
            }
            TranscriptText::Text(text) => {
                self.text.clear();
                self.append(text);
                true
            }
            TranscriptText::Delta(_) if was_final => false,
            TranscriptText::Delta(delta) => {
                self.append(delta);
                !delta.is_empty() || piece.is_final
            }
        }
    }

    fn append(&mut self, text: &str) {
        let room = LONGEST_UTTERANCE - self.text.len();
        self.text.push_str(&text[..text.floor_char_boundary(room)]);
    }
}

fn words(text: &TranscriptText) -> &str {
    match text {
        TranscriptText::Delta(words) | TranscriptText::Text(words) => words,
    }
}

#[cfg(test)]
mod tests {
    use antiphon_api::realtime::ServerMessage;

    use super::*;

    /// Merges the pieces and tells for each whether it changed something, and what was said in the end: `agent 0: Hello.` with
    /// a full stop after the colon's text only if it is final.
    fn check(pieces: &[(&str, bool)], said: &[&str]) {
        let mut transcripts = Transcripts::default();
        for (piece, changes) in pieces {
            let text = format!(r#"{{"type":"transcript",{piece}}}"#);
            let ServerMessage::Transcript(piece) = ServerMessage::parse(&text).unwrap().value else {
                panic!("{text} is no transcript")
            };
            assert_eq!(transcripts.merge(&piece).is_some(), *changes, "{text}");
        }
        let lines: Vec<String> = transcripts
            .utterances()
            .map(|said| {
                let end = if said.is_final { "|" } else { "..." };
                format!("{} {}: {}{end}", said.role, said.ordinal, said.text)
            })
            .collect();
        assert_eq!(lines, said);
    }

    #[test]
    fn text_deltas_and_final_make_one_utterance() {
        check(
            &[
                (r#""role":"agent","text":"Hello","final":false,"ordinal":0"#, true),
                (r#""role":"agent","delta":",","final":false,"ordinal":0"#, true),
                (r#""role":"agent","delta":" you","final":false,"ordinal":0"#, true),
            ],
            &["agent 0: Hello, you..."],
        );
        check(
            &[
                (r#""role":"agent","text":"Hello","final":false,"ordinal":0"#, true),
                (r#""role":"agent","text":"Hello, you. ","final":true,"ordinal":0"#, true),
            ],
            &["agent 0: Hello, you. |"],
        );
    }

    #[test]
    fn an_empty_or_null_text_beside_a_delta_erases_nothing() {
        check(
            &[
                (r#""role":"agent","text":"One","final":false,"ordinal":3"#, true),
                (r#""role":"agent","text":"","delta":" two","final":false,"ordinal":3"#, true),
                (r#""role":"agent","text":null,"delta":" three","final":false,"ordinal":3"#, true),
                (r#""role":"agent","text":null,"delta":null,"final":false,"ordinal":3"#, false),
                (r#""role":"agent","final":false,"ordinal":3"#, false),
                (r#""role":"agent","delta":"","final":false,"ordinal":3"#, false),
            ],
            &["agent 3: One two three..."],
        );
    }

    #[test]
    fn a_last_piece_without_words_keeps_those_there_are() {
        check(
            &[
                (r#""role":"agent","delta":"Bye","final":false,"ordinal":0"#, true),
                (r#""role":"agent","text":"","final":true,"ordinal":0"#, true),
            ],
            &["agent 0: Bye|"],
        );
        check(
            &[
                (r#""role":"agent","delta":"Bye","final":false,"ordinal":0"#, true),
                (r#""role":"agent","delta":"!","final":true,"ordinal":0"#, true),
            ],
            &["agent 0: Bye!|"],
        );
    }

    #[test]
    fn pieces_after_the_last_are_ignored_unless_they_correct_it() {
        check(
            &[
                (r#""role":"user","text":"Stop","final":true,"ordinal":1"#, true),
                (r#""role":"user","text":"Stop","final":true,"ordinal":1"#, false),
                (r#""role":"user","delta":" now","final":false,"ordinal":1"#, false),
                (r#""role":"user","delta":" now","final":true,"ordinal":1"#, false),
                (r#""role":"user","text":"Stop it","final":true,"ordinal":1"#, true),
            ],
            &["user 1: Stop it|"],
        );
    }

    #[test]
    fn a_growing_text_replaces_what_was_there() {
        check(
            &[
                (r#""role":"agent","text":"A","final":false,"ordinal":0"#, true),
                (r#""role":"agent","text":"A b","final":false,"ordinal":0"#, true),
            ],
            &["agent 0: A b..."],
        );
    }

    #[test]
    fn a_late_user_transcript_stands_before_the_answer() {
        check(
            &[
                (r#""role":"agent","text":"Sure","final":false,"ordinal":2"#, true),
                (r#""role":"user","text":"Please","final":true,"ordinal":1"#, true),
            ],
            &["user 1: Please|", "agent 2: Sure..."],
        );
    }

    #[test]
    fn nothing_said_is_nothing() {
        check(&[(r#""role":"user","text":"","final":true,"ordinal":0"#, false)], &[]);
    }

    #[test]
    fn endless_talk_and_endless_utterances_are_bounded() {
        let mut transcripts = Transcripts::default();
        let mut piece = Transcript {
            role: Speaker::Agent,
            medium: Medium::Voice,
            text: TranscriptText::Delta("ä".repeat(100_000)),
            is_final: false,
            ordinal: 0,
        };
        for _ in 0..3 {
            transcripts.merge(&piece);
        }
        assert_eq!(transcripts.utterances().next().unwrap().text.len(), LONGEST_UTTERANCE);
        piece.text = TranscriptText::Text("word".into());
        for ordinal in 0..=MOST_UTTERANCES as u32 {
            piece.ordinal = ordinal;
            transcripts.merge(&piece);
        }
        assert_eq!(transcripts.utterances().count(), MOST_UTTERANCES);
        assert_eq!(transcripts.utterances().next().unwrap().ordinal, 1);
    }
}
