//! What stands between a model's text and a voice: nobody shall hear tool calls, markdown or addresses read aloud.
//!
//! A stream in, a stream out; text that arrives in other pieces comes out the same. Ordinary text is held back for a word at most.
//! Knows the spellings of models, and nothing of when or how text is spoken.

mod leaked;
mod plain;
mod python;

use std::sync::Arc;

use crate::input::ModelToolCall;
use crate::message::Medium;
use leaked::LeakedCalls;
use plain::PlainText;

/// Cleans the text of one answer.
#[derive(Debug)]
pub(crate) struct Hygiene {
    leaked: LeakedCalls,
    plain: Option<PlainText>,
}

impl Hygiene {
    /// For an answer of a model that was given these tools. Markdown and addresses are taken out of what is spoken, and are left
    /// in what is written.
    pub(crate) fn new(tools: impl Iterator<Item = Arc<str>>, medium: Medium) -> Self {
        let mut hygiene = Self { leaked: LeakedCalls::new(tools.collect()), plain: None };
        hygiene.prefer(medium);
        hygiene
    }

    /// The answer, of which no word is known yet, will be given in this medium.
    pub(crate) fn prefer(&mut self, medium: Medium) {
        self.plain = match medium {
            Medium::Voice => Some(PlainText::default()),
            Medium::Text => None,
        };
    }

    /// Takes more text and gives what is certain.
    pub(crate) fn push(&mut self, text: &str) -> String {
        let text = self.leaked.push(text);
        match &mut self.plain {
            Some(plain) => plain.push(&text),
            None => text,
        }
    }

    /// Gives the rest of the text, and the calls that were written into it.
    pub(crate) fn end(&mut self) -> (String, Vec<ModelToolCall>) {
        let (rest, calls) = self.leaked.end();
        let rest = match &mut self.plain {
            Some(plain) => plain.push(&rest) + &plain.end(),
            None => rest,
        };
        (rest, calls)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hygiene(medium: Medium) -> Hygiene {
        Hygiene::new([Arc::from("look"), Arc::from("book_table")].into_iter(), medium)
    }

    /// What comes out of a text that arrives in these pieces, and the calls in it.
    fn cleaned<'a>(medium: Medium, pieces: impl Iterator<Item = &'a str>) -> (String, Vec<String>) {
        let mut hygiene = hygiene(medium);
        let mut out: String = pieces.map(|piece| hygiene.push(piece)).collect();
        let (rest, calls) = hygiene.end();
        out += &rest;
        (out, calls.iter().map(|call| format!("{} {}", call.name, call.arguments)).collect())
    }

    /// Texts of the pieces that models' answers are made of.
    fn text() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "Hello ",
            "there",
            ". ",
            "{",
            "}",
            "\"name\"",
            "\"arguments\"",
            ": ",
            "\"look\"",
            "{}",
            "[",
            "]",
            "(",
            ")",
            "look(",
            "a=1",
            "<",
            "tool_call>",
            "</tool_call>",
            "<|python_tag|>",
            "<function=look>",
            "</function>",
            "```",
            "json\n",
            "\n",
            "**",
            "*",
            "_",
            "# ",
            "- ",
            "| ",
            "https://",
            "www.",
            "example.org",
            "/path?a=1",
            " ",
            ",",
            "'",
            "\\",
            "ü",
            "😀",
            "[TOOL_CALLS]",
            "http",
            "2",
            "---",
            "> ",
            "~~",
            "!",
        ]);
        prop::collection::vec(pieces, 0..30).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn borders_of_pieces_change_nothing(text in text(), mut cuts in prop::collection::vec(0_usize..200, 0..12)) {
            for medium in [Medium::Voice, Medium::Text] {
                let whole = cleaned(medium, std::iter::once(text.as_str()));
                cuts.retain(|cut| text.is_char_boundary(*cut));
                cuts.sort_unstable();
                let mut from = 0;
                let mut pieces = Vec::new();
                for cut in &cuts {
                    pieces.push(&text[from..*cut]);
                    from = *cut;
                }
                pieces.push(&text[from..]);
                prop_assert_eq!(&cleaned(medium, pieces.into_iter()), &whole);
                let single = text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]);
                prop_assert_eq!(&cleaned(medium, single), &whole);
            }
        }

        #[test]
        fn ordinary_text_comes_out_as_it_is_and_at_most_a_word_late(
            words in prop::collection::vec("[A-Za-z0-9äöüß'’.,!?:;()%&/+=$€-]{0,2}[A-Za-z0-9äß][a-z.,!?:;%]{0,9}", 1..30),
        ) {
            prop_assume!(words.iter().all(|word| !word.contains("://") && !word.to_lowercase().contains("www.")));
            prop_assume!(words.iter().all(|word| !word.starts_with('-')));
            let mut hygiene = hygiene(Medium::Voice);
            let mut out = String::new();
            for word in &words {
                let before = out.len();
                out += &hygiene.push(word);
                out += &hygiene.push(" ");
                prop_assert_eq!(&out[before..], format!("{word} "));
            }
        }
    }

    #[test]
    fn a_written_answer_keeps_its_markdown_and_loses_its_calls() {
        let text = "See **[this](https://example.org)**. {\"name\": \"look\", \"arguments\": {\"a\": 1}}";
        let (out, calls) = cleaned(Medium::Text, std::iter::once(text));
        assert_eq!(out, "See **[this](https://example.org)**. ");
        assert_eq!(calls, ["look {\"a\":1}"]);
    }

    #[test]
    fn a_spoken_answer_loses_both() {
        let text = "See **[this](https://example.org/a)**. <tool_call>{\"name\": \"look\", \"arguments\": {\"a\": 1}}</tool_call>";
        let (out, calls) = cleaned(Medium::Voice, std::iter::once(text));
        assert_eq!(out, "See this. ");
        assert_eq!(calls, ["look {\"a\":1}"]);
    }
}
