//! Cuts streamed text into pieces that a voice can speak well: sentences, and clauses where a sentence is long.
//!
//! Works on byte offsets of a text that only grows, and looks at each character about once. Knows nothing of voices or time.

use std::ops::Range;

/// From this length on (in bytes) a piece may end at a comma, so that the first sound does not wait for a long sentence.
const CLAUSE: usize = 60;
/// A piece longer than this is cut at the next blank.
const LONGEST: usize = 240;

/// Words whose full stop ends no sentence.
const ABBREVIATIONS: [&str; 22] = [
    "mr", "mrs", "ms", "dr", "prof", "st", "sr", "jr", "vs", "etc", "e.g", "i.e", "approx", "no", "nr",
    "inc", "ltd", "co", "dept", "est", "ca", "u.s",
];

/// Where the next piece begins and how far the text was looked at.
#[derive(Debug, Default)]
pub(crate) struct Sentences {
    begin: usize,
    seen: usize,
}

impl Sentences {
    /// The next piece of `text`, as soon as it is certain where it ends; `complete` says that no more text will come.
    ///
    /// Every piece holds at least one letter or digit. The pieces follow each other without gaps, blanks aside.
    pub(crate) fn next(&mut self, text: &str, complete: bool) -> Option<Range<usize>> {
        while let Some(c) = text[self.seen..].chars().next() {
            let at = self.seen;
            let after = at + c.len_utf8();
            let Some(next) = text[after..].chars().next() else {
                // What ends a piece shows only in the character behind it.
                break;
            };
            self.seen = after;
            let length = after - self.begin;
            let ends = match c {
                '\n' | '。' | '！' | '？' => true,
                '.' => next.is_whitespace() && !is_abbreviation(&text[self.begin..at]),
                '!' | '?' | '…' => next.is_whitespace(),
                '"' | '”' | '\'' | '’' | ')' => {
                    next.is_whitespace() && text[self.begin..at].ends_with(['.', '!', '?', '…'])
                }
                ',' | ';' | ':' | '–' | '—' => next.is_whitespace() && length >= CLAUSE,
                _ => c.is_whitespace() && length >= LONGEST,
            };
            if ends && let Some(piece) = self.take(text, after) {
                return Some(piece);
            }
        }
        if complete {
            self.seen = text.len();
            return self.take(text, text.len());
        }
        None
    }

    /// Whether a complete text holds a piece that was not given out.
    pub(crate) fn has_more(&self, text: &str) -> bool {
        text[self.begin..].contains(char::is_alphanumeric)
    }

    fn take(&mut self, text: &str, end: usize) -> Option<Range<usize>> {
        let piece = &text[self.begin..end];
        if !piece.contains(char::is_alphanumeric) {
            return None;
        }
        let from = self.begin + (piece.len() - piece.trim_start().len());
        let to = self.begin + piece.trim_end().len();
        self.begin = end;
        Some(from..to)
    }
}

/// Whether the word before a full stop is an abbreviation or an initial.
fn is_abbreviation(before: &str) -> bool {
    let word = before.rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
    let mut chars = word.chars();
    let initial = matches!((chars.next(), chars.next()), (Some(c), None) if c.is_uppercase() && c != 'I');
    initial || ABBREVIATIONS.iter().any(|known| known.eq_ignore_ascii_case(word))
}
