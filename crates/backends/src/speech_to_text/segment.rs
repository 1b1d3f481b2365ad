//! What Whisper says of a stretch of audio, and whether that is worth anything: it makes words up for silence, and repeats itself.
//!
//! It must not know where the model runs.

/// A segment that is as surely silence as this is left out.
const SURELY_SILENT: f64 = 0.9;
/// So is one that is rather silence and whose words are a guess, by the rule of the model's own decoder.
const RATHER_SILENT: f64 = 0.6;
const A_GUESS: f64 = -1.0;
/// How often somebody may say the same words in a row. Oftener is a model that has lost its way.
#[cfg(feature = "whisper-local")]
const IN_A_ROW: usize = 5;
/// The longest such repetition, in words.
#[cfg(feature = "whisper-local")]
const LONGEST_PHRASE: usize = 12;

/// A stretch of audio, as the model took it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Segment {
    /// Its words.
    pub(super) text: String,
    /// How likely there was no speech, from 0 to 1.
    pub(super) no_speech: f64,
    /// How sure the model was of each token: the mean logarithm of their probabilities.
    pub(super) certainty: f64,
}

impl Segment {
    /// Whether it holds speech.
    pub(super) fn is_speech(&self) -> bool {
        let silent =
            self.no_speech > SURELY_SILENT || (self.no_speech > RATHER_SILENT && self.certainty < A_GUESS);
        !silent
    }

    /// Whether its text is what the model writes for sounds, such as `[MUSIC]` or `(coughs)`.
    #[cfg(feature = "whisper-local")]
    pub(super) fn is_sound(&self) -> bool {
        let text = self.text.trim();
        let within = |begin, end| text.starts_with(begin) && text.ends_with(end);
        within('[', ']') || within('(', ')') || within('*', '*') || within('♪', '♪')
    }
}

/// The same words, but what is said over and over once.
#[cfg(feature = "whisper-local")]
pub(super) fn without_loops(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let plain: Vec<String> = words
        .iter()
        .map(|word| word.trim_matches(|character: char| !character.is_alphanumeric()).to_lowercase())
        .collect();
    let mut kept: Vec<&str> = Vec::with_capacity(words.len());
    let mut at = 0;
    while at < words.len() {
        let looped = (1..=LONGEST_PHRASE).find_map(|length| {
            let phrase = plain.get(at..at + length)?;
            let times = plain[at..].chunks(length).take_while(|next| *next == phrase).count();
            (times > IN_A_ROW).then_some((length, times))
        });
        let (length, times) = looped.unwrap_or((1, 1));
        kept.extend(&words[at..at + length]);
        at += length * times;
    }
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_told_from_speech() {
        let speech = |no_speech, certainty| Segment { text: "x".into(), no_speech, certainty }.is_speech();
        assert!(speech(0.1, -2.0) && speech(0.7, -0.5) && speech(0.9, -0.1));
        assert!(!speech(0.95, -0.1) && !speech(0.7, -1.5));
    }

    #[cfg(feature = "whisper-local")]
    #[test]
    fn sounds_are_no_words() {
        let sound = |text: &str| Segment { text: text.into(), no_speech: 0.0, certainty: 0.0 }.is_sound();
        assert!(sound(" [BLANK_AUDIO]") && sound(" (door slams)") && sound("*sighs*") && sound("♪ La la ♪"));
        assert!(!sound(" No (I think).") && !sound(" Yes.") && !sound(""));
    }

    #[cfg(feature = "whisper-local")]
    #[test]
    fn loops_are_said_once_and_people_may_repeat_themselves() {
        let check = |text: &str, expected: &str| assert_eq!(without_loops(text), expected);
        check("", "");
        check("No, no, no, no, no!", "No, no, no, no, no!");
        check("no No no, no no no.", "no");
        check(&"Thank you. ".repeat(20), "Thank you.");
        check(&format!("Go on. {}and then", "I mean it ".repeat(9)), "Go on. I mean it and then");
        check("one two one two one two", "one two one two one two");
    }
}
