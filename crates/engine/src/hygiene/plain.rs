//! Markdown and addresses, taken out of text that will be spoken.
//!
//! A filter for a stream: a mark is held back until the character behind it shows whether it is one, an address until it ends, so
//! that the outcome is indifferent to where the text is cut. It must not know of anything but characters.
//!
//! Of an address its host is left, as people say it: `https://www.example.org/a?b=1` is "example.org". Of a link, its text is.

/// What an address begins with, at the beginning of a word.
const SCHEMES: [&str; 3] = ["https://", "http://", "www."];
/// An address longer than this (in bytes) is taken for text.
const LONGEST_ADDRESS: usize = 2_048;

/// Takes markdown and addresses out of a stream of text.
#[derive(Debug)]
pub(super) struct PlainText {
    /// Whether only blanks stand before this place in its line.
    line_start: bool,
    /// Whether the line is a row of a table.
    in_table: bool,
    /// Marks that may still turn out to be text: a run of one of `*`, `_`, `#`, `` ` ``, `-`, `~`, `>` or `!`.
    held: String,
    /// The character before the held ones.
    before: Option<char>,
    place: Place,
}

/// Where in the text this is.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Text,
    /// In what may become the scheme of an address.
    Scheme(String),
    /// In an address, scheme included.
    Address(String),
    /// Right behind the text of a link.
    AfterLink,
    /// In the target of a link.
    Target,
}

impl Default for PlainText {
    fn default() -> Self {
        Self { line_start: true, in_table: false, held: String::new(), before: None, place: Place::Text }
    }
}

impl PlainText {
    /// Takes more text and gives what is certain.
    pub(super) fn push(&mut self, text: &str) -> String {
        let mut plain = String::with_capacity(text.len());
        for character in text.chars() {
            self.character(character, &mut plain);
        }
        plain
    }

    /// Gives what was held back when the text is over.
    pub(super) fn end(&mut self) -> String {
        let mut plain = String::new();
        match std::mem::replace(&mut self.place, Place::Text) {
            Place::Text | Place::AfterLink | Place::Target => {}
            Place::Scheme(text) => plain.push_str(&text),
            Place::Address(address) => plain.push_str(&spoken(&address)),
        }
        self.release(None, &mut plain);
        plain
    }

    fn character(&mut self, character: char, plain: &mut String) {
        match std::mem::replace(&mut self.place, Place::Text) {
            Place::Target => {
                if character != ')' && character != '\n' {
                    self.place = Place::Target;
                    return;
                }
                if character == '\n' {
                    self.text(character, plain);
                }
            }
            Place::AfterLink if character == '(' => self.place = Place::Target,
            Place::Address(mut address) => {
                let goes_on = !character.is_whitespace() && !"\"<>)]*`".contains(character);
                if goes_on && address.len() < LONGEST_ADDRESS {
                    address.push(character);
                    self.place = Place::Address(address);
                    return;
                }
                plain.push_str(&spoken(&address));
                self.before = address.chars().next_back();
                self.text(character, plain);
            }
            Place::Scheme(mut scheme) => {
                scheme.push(character);
                let lower = scheme.to_ascii_lowercase();
                if SCHEMES.contains(&lower.as_str()) {
                    self.place = Place::Address(scheme);
                } else if SCHEMES.iter().any(|known| known.starts_with(&lower)) {
                    self.place = Place::Scheme(scheme);
                } else {
                    scheme.pop();
                    plain.push_str(&scheme);
                    self.before = scheme.chars().next_back();
                    self.text(character, plain);
                }
            }
            Place::Text | Place::AfterLink => self.text(character, plain),
        }
    }

    /// Takes a character of ordinary text.
    fn text(&mut self, character: char, plain: &mut String) {
        let goes_on = self.held.starts_with(character);
        if !goes_on {
            self.release(Some(character), plain);
        }
        match character {
            '*' | '_' | '`' | '~' | '!' => self.held.push(character),
            '#' | '-' | '>' if goes_on || (self.line_start && self.held.is_empty()) => {
                self.held.push(character)
            }
            '-' if self.in_table => self.held.push(character),
            '|' if self.line_start || self.in_table => {
                self.in_table = true;
                self.line_start = false;
                self.before = Some(' ');
            }
            '[' => self.before = Some(' '),
            ']' => self.place = Place::AfterLink,
            'h' | 'H' | 'w' | 'W' if self.before.is_none_or(|before| !before.is_alphanumeric()) => {
                self.line_start = false;
                self.place = Place::Scheme(character.to_string());
            }
            _ => {
                self.in_table &= character != '\n';
                self.line_start = character == '\n' || (self.line_start && character.is_whitespace());
                self.before = Some(character);
                plain.push(character);
            }
        }
    }

    /// Decides about the held marks, now that the character behind them is known.
    fn release(&mut self, after: Option<char>, plain: &mut String) {
        let Some(mark) = self.held.chars().next() else { return };
        let blank_before = self.before.is_none_or(char::is_whitespace);
        let blank_after = after.is_none_or(char::is_whitespace);
        let is_text = match mark {
            // A line under a table's head.
            '-' if self.in_table => self.held.len() == 1 && !blank_before,
            // A heading, a list mark or a quotation begins a line and is followed by a blank; a minus is followed by its number.
            '#' | '-' | '>' => !blank_after,
            '*' if self.line_start => false,
            // "2 * 3" is no emphasis.
            '*' => blank_before && blank_after,
            // "snake_case" and "__init__" within a word are not either.
            '_' => !blank_before && !blank_after && after.is_some_and(char::is_alphanumeric),
            // Struck out; one alone means about.
            '~' => self.held.len() == 1,
            // A picture.
            '!' => after != Some('['),
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

/// What people say of an address: its host, and the punctuation that only follows it.
fn spoken(address: &str) -> String {
    let bare = address.trim_end_matches(|c: char| ".,!?;:'’”_".contains(c));
    let (bare, punctuation) = address.split_at(bare.len());
    let lower = bare.to_ascii_lowercase();
    let host = ["https://", "http://"]
        .iter()
        .find_map(|scheme| lower.starts_with(scheme).then(|| &bare[scheme.len()..]));
    let host = host.unwrap_or(bare);
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    let host = if host.to_ascii_lowercase().starts_with("www.") { &host[4..] } else { host };
    // "www." alone, or a scheme: nothing that anybody could go to.
    let said = if host.is_empty() { bare } else { host };
    format!("{said}{punctuation}")
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
        check("> He said ~~no~~ yes", " He said no yes");
        check("| Day | Hours |\n|---|---|\n| Monday | 7-18 |\n", " Day  Hours \n\n Monday  7-18 \n");
    }

    #[test]
    fn of_links_and_pictures_the_text_is_left() {
        check("Read [our terms](https://example.org/a_b \"now\"), please.", "Read our terms, please.");
        check("![a loaf](loaf.png) Fresh!", "a loaf Fresh!");
        check("It is [sic] right (really).", "It is sic right (really).");
    }

    #[test]
    fn of_addresses_the_host_is_left() {
        check("See https://www.example.org/a?b=1#c.", "See example.org.");
        check(
            "See (http://user@shop.example:8080/x), or www.example.org!",
            "See (shop.example), or example.org!",
        );
        check("**https://example.org**", "example.org");
        check("HTTPS://Example.org/", "Example.org");
        check("https://", "https://");
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
            "Wait! Why? How? http is a protocol, www a web.",
            "about ~5, a|b, 3 > 2",
            "who, what, where",
            "",
            "日本語",
        ] {
            check(text, text);
        }
    }
}
