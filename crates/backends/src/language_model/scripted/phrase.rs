//! The patterns of a script: a few words, found in what the user said.
//!
//! Owns the comparison of words. It must not know what a match leads to.
//!
//! A phrase fits when all its words occur in the user's words in the same order; others may stand between them. Case and
//! punctuation do not count. `{1}` captures the word at its place; at the end of the phrase it captures all words that are
//! left. So `my name is {1}` finds "Jane Doe" in "Hello, my name is Jane Doe.", and `from {1} to {2}` finds "Rome" and
//! "Old Paris" in "from Rome straight to Old Paris". Phrases are for robust key words, since recognizers mishear, not for
//! grammar.

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Phrase(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Word(String),
    Capture,
}

/// Why a text is no phrase.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PhraseError {
    #[error("a phrase needs at least one word")]
    Empty,
    #[error("captures are numbered from {{1}} on in the order of the phrase; found {0}")]
    Capture(String),
}

impl Phrase {
    pub(super) fn new(text: &str) -> Result<Self, PhraseError> {
        let mut parts = Vec::new();
        let mut captures = 0;
        for word in text.split_whitespace() {
            if word.starts_with('{') {
                captures += 1;
                if word != format!("{{{captures}}}") {
                    return Err(PhraseError::Capture(word.to_owned()));
                }
                parts.push(Part::Capture);
            } else {
                parts.extend(words(word).map(|word| Part::Word(word.to_lowercase())));
            }
        }
        if parts.iter().all(|part| *part == Part::Capture) {
            return Err(PhraseError::Empty);
        }
        Ok(Self(parts))
    }

    /// How many captures it has.
    pub(super) fn captures(&self) -> usize {
        self.0.iter().filter(|part| **part == Part::Capture).count()
    }

    /// What it captured from `said`; `None` when it does not fit.
    pub(super) fn fits(&self, said: &str) -> Option<Vec<String>> {
        let said: Vec<&str> = words(said).collect();
        let mut rest = said.as_slice();
        let mut captured = Vec::new();
        for (index, part) in self.0.iter().enumerate() {
            match part {
                Part::Word(wanted) => {
                    let place = rest.iter().position(|word| word.to_lowercase() == *wanted)?;
                    rest = &rest[place + 1..];
                }
                Part::Capture if index + 1 == self.0.len() && !rest.is_empty() => {
                    captured.push(rest.join(" "));
                    rest = &[];
                }
                Part::Capture => {
                    let (word, after) = rest.split_first()?;
                    captured.push((*word).to_owned());
                    rest = after;
                }
            }
        }
        Some(captured)
    }
}

/// Runs of letters, digits and apostrophes.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '\u{2019}').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(phrase: &str, said: &str, captured: Option<&[&str]>) {
        let found = Phrase::new(phrase).unwrap().fits(said);
        assert_eq!(
            found,
            captured.map(|words| words.iter().map(|&word| word.to_owned()).collect()),
            "{said}"
        );
    }

    #[test]
    fn words_are_found_in_order_whatever_stands_between() {
        check("when open", "WHEN, tell me, do you open?", Some(&[]));
        check("when open", "open when", None);
        check("open", "opening", None);
        check("what's up", "so what's Up", Some(&[]));
        check("hours", "", None);
    }

    #[test]
    fn captures_take_words() {
        check("name is {1}", "Hello, my name is Jane Doe.", Some(&["Jane Doe"]));
        check("from {1} to {2}", "from Rome straight to Old Paris", Some(&["Rome", "Old Paris"]));
        check("name is {1}", "my name is", None);
    }

    #[test]
    fn a_phrase_without_words_or_with_wrong_numbers_is_refused() {
        assert_eq!(Phrase::new("  ?!"), Err(PhraseError::Empty));
        assert_eq!(Phrase::new("{1}"), Err(PhraseError::Empty));
        assert_eq!(Phrase::new("a {2}"), Err(PhraseError::Capture("{2}".to_owned())));
    }
}
