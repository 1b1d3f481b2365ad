//! What a text is compared with: words in it, the whole of it, or a regular expression.
//!
//! Owns what counts as equal: case and the width of blanks do not matter, but to a regular expression.

use std::fmt;

use regex::Regex;

/// What a text is compared with.
#[derive(Debug, Clone)]
pub(super) enum Pattern {
    /// These words stand in it, one after the other.
    Contains(String),
    /// It is this, and no more.
    Is(String),
    /// The expression finds something in it.
    Matches(Regex),
}

impl Pattern {
    pub(super) fn fits(&self, text: &str) -> bool {
        match self {
            Self::Contains(part) => plain(text).contains(&plain(part)),
            Self::Is(whole) => plain(text) == plain(whole),
            Self::Matches(expression) => expression.is_match(text),
        }
    }

    /// How a text that was expected to be something differs from it, word by word.
    pub(super) fn difference(&self, text: &str) -> Option<String> {
        match self {
            Self::Is(whole) => Some(difference(whole, text)),
            Self::Contains(_) | Self::Matches(_) => None,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contains(part) => write!(f, "{part:?}"),
            Self::Is(whole) => write!(f, "exactly {whole:?}"),
            Self::Matches(expression) => write!(f, "/{expression}/"),
        }
    }
}

/// The text in lower case with single blanks.
fn plain(text: &str) -> String {
    text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

/// Both texts in one: what is missing stands in `[-...-]`, what is too much in `{+...+}`.
fn difference(expected: &str, actual: &str) -> String {
    let expected: Vec<&str> = expected.split_whitespace().collect();
    let actual: Vec<&str> = actual.split_whitespace().collect();
    let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
    // longest[i][j]: how many words `expected[i..]` and `actual[j..]` have in common, in order.
    let mut longest = vec![vec![0_usize; actual.len() + 1]; expected.len() + 1];
    for i in (0..expected.len()).rev() {
        for j in (0..actual.len()).rev() {
            longest[i][j] = if same(expected[i], actual[j]) {
                longest[i + 1][j + 1] + 1
            } else {
                longest[i + 1][j].max(longest[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut words = Vec::new();
    while i < expected.len() || j < actual.len() {
        if i < expected.len() && j < actual.len() && same(expected[i], actual[j]) {
            words.push(actual[j].to_owned());
            (i, j) = (i + 1, j + 1);
        } else if j == actual.len() || (i < expected.len() && longest[i + 1][j] >= longest[i][j + 1]) {
            words.push(format!("[-{}-]", expected[i]));
            i += 1;
        } else {
            words.push(format!("{{+{}+}}", actual[j]));
            j += 1;
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_blanks_do_not_count() {
        assert!(Pattern::Contains("open  At".into()).fits("We open at\nseven"));
        assert!(!Pattern::Contains("open seven".into()).fits("We open at seven"));
        assert!(Pattern::Is("we open".into()).fits(" We open"));
        assert!(!Pattern::Is("we".into()).fits("We open"));
        assert!(Pattern::Matches(Regex::new("^We .* seven$").unwrap()).fits("We open at seven"));
    }

    #[test]
    fn a_difference_names_what_is_missing_and_what_is_too_much() {
        assert_eq!(difference("We open at seven.", "we open at eight."), "we open at [-seven.-] {+eight.+}");
        assert_eq!(difference("a b", "b c"), "[-a-] b {+c+}");
        assert_eq!(difference("", "x"), "{+x+}");
    }
}
