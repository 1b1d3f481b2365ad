//! Markdown, taken out of text that will be spoken.
//!
//! Owns what little of it models cannot help writing: emphasis, code marks, headings and list marks. Pure, and indifferent to
//! where the text is cut. It must not know of anything but characters.

/// Takes markdown out of a stream of text.
#[derive(Debug)]
pub(super) struct PlainText {
    /// Whether only blanks stand before this place in its line.
    line_start: bool,
    /// Marks that may still turn out to be text: a run of one of `*`, `_`, `#`, `` ` `` or `-`.
    held: String,
    /// The character before the held ones.
    before: Option<char>,
}

impl Default for PlainText {
    fn default() -> Self {
        Self { line_start: true, held: String::new(), before: None }
    }
}

impl PlainText {
    /// Takes more text and gives what is certain.
    pub(super) fn push(&mut self, text: &str) -> String {
        let mut plain = String::with_capacity(text.len());
        for character in text.chars() {
            let goes_on = self.held.starts_with(character);
            if !goes_on {
                self.release(Some(character), &mut plain);
            }
            match character {
                '*' | '_' | '`' => self.held.push(character),
                '#' | '-' if goes_on || (self.line_start && self.held.is_empty()) => {
                    self.held.push(character)
                }
                _ => {
                    self.line_start = character == '\n' || (self.line_start && character.is_whitespace());
                    self.before = Some(character);
                    plain.push(character);
                }
            }
        }
        plain
    }

    /// Gives what was held back when the text is over.
    pub(super) fn end(&mut self) -> String {
        let mut plain = String::new();
        self.release(None, &mut plain);
        plain
    }

    /// Decides about the held marks, now that the character behind them is known.
    fn release(&mut self, after: Option<char>, plain: &mut String) {
        let Some(mark) = self.held.chars().next() else { return };
        let blank_before = self.before.is_none_or(char::is_whitespace);
        let blank_after = after.is_none_or(char::is_whitespace);
        let is_text = match mark {
            // A heading or a list mark begins a line and is followed by a blank; a minus is followed by its number.
            '#' | '-' => !blank_after,
            '*' if self.line_start => false,
            // "2 * 3" is no emphasis.
            '*' => blank_before && blank_after,
            // "snake_case" and "__init__" within a word are not either.
            '_' => !blank_before && !blank_after && after.is_some_and(char::is_alphanumeric),
            _ => false,
        };
        if is_text {
            plain.push_str(&self.held);
            self.before = Some(mark);
            self.line_start = false;
        }
        self.held.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, plain: &str) {
        let mut whole = PlainText::default();
        let whole = whole.push(text) + &whole.end();
        assert_eq!(whole, plain);
        let mut single = PlainText::default();
        let mut by_character: String =
            text.chars().map(|c| single.push(c.encode_utf8(&mut [0; 4]))).collect();
        by_character += &single.end();
        assert_eq!(by_character, plain, "character by character");
    }

    #[test]
    fn marks_are_taken_out() {
        check("This is **very** *good* bread.", "This is very good bread.");
        check("It is _really_ `fine`.", "It is really fine.");
        check("## Hours\n- seven\n- six\n* five", " Hours\n seven\n six\n five");
        check("```rust\nx\n```", "rust\nx\n");
    }

    #[test]
    fn text_is_left_alone() {
        for text in [
            "2 * 3 is 6 - or not",
            "well-known",
            "-5 degrees",
            "#1 bakery",
            "snake_case",
            "a - b",
            "",
            "日本語",
        ] {
            check(text, text);
        }
    }
}
