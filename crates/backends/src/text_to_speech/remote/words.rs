//! A provider's words and their times, found again in the text that was to be spoken.
//!
//! Providers cut words in their own way, spell out numbers and leave marks away, so a word is searched near where it should be, and
//! one that is not there is left out: it ends with the next one that is. Pure.

use antiphon_engine::input::WordEnd;

/// How far ahead a word is searched, in bytes: a word or two that the provider left out.
const AHEAD: usize = 80;

/// The words of a text whose ends are known so far.
#[derive(Debug)]
pub(crate) struct Words {
    text: String,
    /// The same in lowercase, where that changes no byte's place.
    searched: String,
    rate: f64,
    /// How much of the text has been passed, in bytes.
    passed: usize,
    /// Characters that a provider with times for characters has told.
    characters: usize,
    ends: Vec<WordEnd>,
    /// When the last word ended, in seconds.
    last: f64,
}

impl Words {
    pub(crate) fn new(text: &str, rate: u32) -> Self {
        let searched = text.to_lowercase();
        let searched = if searched.len() == text.len() { searched } else { text.to_owned() };
        Self {
            text: text.to_owned(),
            searched,
            rate: f64::from(rate),
            passed: 0,
            characters: 0,
            ends: Vec::new(),
            last: 0.0,
        }
    }

    /// The ends that are known.
    pub(crate) fn ends(&self) -> &[WordEnd] {
        &self.ends
    }

    /// Takes words with the seconds at which they begin and end. `before` is how much audio had come, in seconds: times that
    /// begin anew count from there, since some providers count from the beginning of a piece.
    pub(crate) fn add<'w>(&mut self, words: impl IntoIterator<Item = (&'w str, f64, f64)>, before: f64) {
        let mut base = None;
        for (word, begins, ends) in words {
            let base = *base.get_or_insert_with(|| self.base(begins, before));
            let ends = if ends.is_finite() { base + ends } else { continue };
            let Some(end) = self.find(word) else { continue };
            self.passed = end;
            self.enter(end, ends);
        }
    }

    /// Takes characters of the text itself with the seconds at which they begin and end.
    pub(crate) fn add_characters<'c>(
        &mut self,
        characters: impl IntoIterator<Item = (&'c str, f64, f64)>,
        before: f64,
    ) {
        let mut base = None;
        for (character, begins, ends) in characters {
            let base = *base.get_or_insert_with(|| self.base(begins, before));
            for told in character.chars() {
                // What the provider puts between pieces, or leaves out, is passed over.
                let rest = &self.text[self.passed..];
                let found = rest.char_indices().take(8).find(|(_, own)| *own == told);
                let Some((at, own)) = found else { continue };
                self.passed += at + own.len_utf8();
                self.characters += 1;
                let ends_word = self.text[self.passed..].chars().next().is_none_or(char::is_whitespace);
                if ends_word && !own.is_whitespace() && ends.is_finite() {
                    self.enter(self.passed, base + ends);
                }
            }
        }
    }

    fn base(&self, begins: f64, before: f64) -> f64 {
        // A tenth of a second of slack, since neighbours overlap.
        if begins + 0.1 < self.last { before } else { 0.0 }
    }

    /// Where this word ends in the text, with the marks behind it.
    fn find(&self, word: &str) -> Option<usize> {
        let bare = word.trim().trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        if bare.is_empty() {
            return None;
        }
        let until = self.searched.ceil_char_boundary(self.passed + AHEAD + bare.len());
        let window = &self.searched[self.passed..until.min(self.searched.len())];
        // Only where a word begins: "he" is not in "the".
        let at = window
            .match_indices(bare.as_str())
            .map(|(at, _)| at)
            .find(|at| window[..*at].chars().next_back().is_none_or(|before| !before.is_alphanumeric()))?;
        let found = self.passed + at + bare.len();
        let behind = self.text.get(found..)?;
        Some(found + behind.find(char::is_whitespace).unwrap_or(behind.len()))
    }

    fn enter(&mut self, text: usize, seconds: f64) {
        self.last = self.last.max(seconds);
        let samples = (self.last * self.rate).round().clamp(0.0, f64::from(u32::MAX)) as u32;
        let text = u32::try_from(text).unwrap_or(u32::MAX);
        match self.ends.last_mut() {
            // Two of the provider's words in one of the text's: it ends with the second.
            Some(end) if end.text == text => end.samples = samples,
            Some(_) | None => self.ends.push(WordEnd { text, samples }),
        }
    }
}

/// The words of `text`, evenly by their characters over so many samples that begin at sample `from`; `offset` is added to their places.
pub(crate) fn spread(text: &str, offset: usize, from: u64, samples: u64) -> Vec<WordEnd> {
    let length = text.chars().count().max(1) as u64;
    let mut ends = Vec::new();
    let mut characters = 0;
    let mut rest = text.char_indices().peekable();
    while let Some((at, character)) = rest.next() {
        characters += 1;
        let ends_word = rest.peek().is_none_or(|(_, next)| next.is_whitespace());
        if ends_word && !character.is_whitespace() {
            let end = (from + samples * characters / length).min(u64::from(u32::MAX)) as u32;
            ends.push(WordEnd { text: (offset + at + character.len_utf8()) as u32, samples: end });
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(words: &Words) -> Vec<(&str, u32)> {
        words.ends().iter().map(|end| (&words.text[..end.text as usize], end.samples)).collect()
    }

    #[test]
    fn words_are_found_with_their_marks_and_missing_ones_are_passed() {
        let mut words = Words::new("\"Hello\" the 3 Ones — said he.", 1_000);
        words.add([("hello", 0.0, 0.4), ("the", 0.4, 0.5), ("three", 0.5, 0.8), ("ones", 0.8, 1.0)], 0.0);
        words.add([("said", 1.2, 1.4), ("he", 1.4, 1.6)], 1.0);
        let wanted = [
            ("\"Hello\"", 400),
            ("\"Hello\" the", 500),
            ("\"Hello\" the 3 Ones", 1_000),
            ("\"Hello\" the 3 Ones — said", 1_400),
            ("\"Hello\" the 3 Ones — said he.", 1_600),
        ];
        assert_eq!(heard(&words), wanted);
    }

    #[test]
    fn times_that_begin_anew_count_from_the_audio_before() {
        let mut words = Words::new("One two three four.", 1_000);
        words.add([("One", 0.0, 0.3), ("two", 0.3, 0.7)], 0.0);
        words.add([("three", 0.05, 0.4), ("four.", 0.4, 0.9)], 0.8);
        assert_eq!(words.ends().iter().map(|end| end.samples).collect::<Vec<_>>(), [300, 700, 1_200, 1_700]);
    }

    #[test]
    fn characters_are_those_of_the_text() {
        let mut words = Words::new("Hé, du!", 100);
        let letters = ["H", "é", ",", " "];
        words.add_characters(letters.iter().zip(0..).map(|(&c, n)| (c, f64::from(n), f64::from(n + 1))), 0.0);
        let letters = [" ", "d", "u", "!"];
        words.add_characters(letters.iter().zip(0..).map(|(&c, n)| (c, f64::from(n), f64::from(n + 1))), 4.0);
        assert_eq!(heard(&words), [("Hé,", 300), ("Hé, du!", 800)]);
    }

    #[test]
    fn times_without_sense_do_no_harm() {
        let mut words = Words::new("a b", 24_000);
        words
            .add([("a", f64::NAN, f64::INFINITY), ("b", -5.0, -1.0), ("b", 0.0, 1e300), ("", 0.0, 0.0)], 0.0);
        assert!(words.ends().iter().all(|end| end.text <= 3));
    }

    #[test]
    fn words_are_spread_by_their_characters() {
        let ends = spread(" two  words", 5, 100, 1_100);
        let ends: Vec<_> = ends.iter().map(|end| (end.text, end.samples)).collect();
        assert_eq!(ends, [(9, 500), (16, 1_200)]);
        assert!(spread("", 0, 0, 10).is_empty());
    }
}
