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

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces of a text that arrives whole.
    fn pieces(text: &str) -> Vec<&str> {
        let mut sentences = Sentences::default();
        let mut pieces = Vec::new();
        while let Some(range) = sentences.next(text, true) {
            pieces.push(&text[range]);
        }
        assert!(!sentences.has_more(text), "all of it was given out");
        pieces
    }

    /// The pieces of a text that arrives in tokens of at most `size` bytes, each piece as soon as it is certain.
    fn streamed(text: &str, size: usize) -> Vec<String> {
        let mut sentences = Sentences::default();
        let mut pieces = Vec::new();
        let mut seen = 0;
        while seen < text.len() {
            seen = text.ceil_char_boundary((seen + size).min(text.len()));
            while let Some(range) = sentences.next(&text[..seen], false) {
                pieces.push(text[range].to_owned());
            }
        }
        while let Some(range) = sentences.next(text, true) {
            pieces.push(text[range].to_owned());
        }
        pieces
    }

    #[test]
    fn sentences_are_pieces() {
        assert_eq!(
            pieces("Hi. How are you? Fine! Well… bye"),
            ["Hi.", "How are you?", "Fine!", "Well…", "bye"]
        );
        assert_eq!(pieces("One line\nanother"), ["One line", "another"]);
        assert_eq!(pieces("No end"), ["No end"]);
    }

    #[test]
    fn quotes_and_brackets_stay_with_their_sentence() {
        assert_eq!(pieces("\"Go!\" she said. (Really.) Yes."), ["\"Go!\"", "she said.", "(Really.)", "Yes."]);
        assert_eq!(pieces("He said “no.” Then left."), ["He said “no.”", "Then left."]);
    }

    #[test]
    fn abbreviations_and_initials_end_nothing() {
        for whole in [
            "Dr. Smith and Mrs. Jones met Prof. J. R. Hall.",
            "Bring fruit, e.g. apples, i.e. red ones.",
            "The U.S. economy grew approx. two percent.",
            "It was (vs. last year) a lot.",
            "Call St. Mary on No. 5.",
        ] {
            assert_eq!(pieces(whole), [whole]);
        }
        assert_eq!(pieces("So did I. Then he left."), ["So did I.", "Then he left."]);
    }

    #[test]
    fn points_within_numbers_and_names_end_nothing() {
        for whole in
            ["It costs 3.50 euros.", "Version 1.2.3 is out.", "Write to a.b@example.org now.", "Wait...what?"]
        {
            assert_eq!(pieces(whole), [whole]);
        }
        assert_eq!(pieces("It was 2020. Then came more."), ["It was 2020.", "Then came more."]);
    }

    #[test]
    fn a_long_sentence_may_end_at_a_clause() {
        let text =
            "When the first part of this sentence has gone on for long enough, the voice may begin, even so.";
        assert_eq!(
            pieces(text),
            [
                "When the first part of this sentence has gone on for long enough,",
                "the voice may begin, even so.",
            ]
        );
        assert_eq!(pieces("Well, no, not, yet."), ["Well, no, not, yet."], "a short one may not");
    }

    #[test]
    fn a_sentence_without_any_sign_is_cut_at_a_blank() {
        let text = "word ".repeat(200);
        let pieces = pieces(&text);
        assert!(pieces.iter().all(|piece| piece.len() <= LONGEST + 5), "{pieces:?}");
        assert_eq!(pieces.join(" "), text.trim_end());
    }

    #[test]
    fn scripts_without_blanks_have_their_own_signs() {
        assert_eq!(pieces("你好。你好吗？很好！"), ["你好。", "你好吗？", "很好！"]);
    }

    #[test]
    fn what_cannot_be_spoken_is_no_piece_of_its_own() {
        assert!(pieces("... !? 😀 \n\n").is_empty());
        assert_eq!(pieces("... Hello. 😀"), ["... Hello."]);
        assert_eq!(pieces("\n\n- one\n- two"), ["- one", "- two"]);
    }

    #[test]
    fn a_piece_is_given_out_as_soon_as_it_is_certain() {
        let mut sentences = Sentences::default();
        assert_eq!(sentences.next("It costs 3.", false), None, "it may go on: 3.50");
        assert_eq!(sentences.next("It costs 3. ", false), Some(0..11));
        assert_eq!(sentences.next("It costs 3. And", false), None);
        assert_eq!(sentences.next("It costs 3. And", true), Some(12..15));
        assert_eq!(sentences.next("It costs 3. And", true), None);
    }

    #[test]
    fn borders_of_tokens_change_nothing() {
        let text = "Grüße! Dr. Köhler said: “It’s 3.5 °C… really.” 你好。 OK?\n\nYes, indeed, after quite a long while of \
                    thinking about it, he agreed. 😀 Bye.";
        let whole = pieces(text);
        for size in 1..text.len() {
            assert_eq!(streamed(text, size), whole, "in tokens of {size} bytes");
        }
    }
}
