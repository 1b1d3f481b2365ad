//! Text as people and models write it, in the characters that an English letter-to-sound engine knows.
//!
//! Owns the replacement of characters and the way back: every byte of the plain text knows where its character ended in the
//! original. It must not know how anything is pronounced.

/// A text in printable ASCII and blanks, with the way back to the text it was made from.
#[derive(Debug, Default)]
pub(super) struct PlainEnglish {
    text: String,
    /// For each byte of `text`, where the character that it stands for ends in the original.
    ends: Vec<u32>,
}

impl PlainEnglish {
    pub(super) fn new(original: &str) -> Self {
        let mut plain = Self::default();
        let mut characters = original.char_indices().peekable();
        while let Some((start, character)) = characters.next() {
            let end = (start + character.len_utf8()) as u32;
            let next = characters.peek().map(|(_, next)| *next);
            match character {
                ' '..='~' => plain.push(character.encode_utf8(&mut [0; 4]), end),
                '\u{2013}' | '\u{2212}' if plain.text.ends_with(|c: char| c.is_ascii_digit()) => {
                    plain.push("-", end);
                }
                '\u{2013}' | '\u{2014}' => plain.push_pause(next, end),
                _ => plain.push(replacement(character), end),
            }
        }
        plain
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where the original's character that gave the byte before `end` ends.
    pub(super) fn original_end(&self, end: usize) -> u32 {
        end.checked_sub(1).and_then(|byte| self.ends.get(byte)).copied().unwrap_or(0)
    }

    fn push(&mut self, text: &str, end: u32) {
        self.text.push_str(text);
        self.ends.resize(self.text.len(), end);
    }

    /// A dash between words is heard as a comma.
    fn push_pause(&mut self, next: Option<char>, end: u32) {
        self.text.truncate(self.text.trim_end_matches(' ').len());
        self.ends.truncate(self.text.len());
        if !self.text.is_empty() {
            self.push(",", end);
        }
        if next.is_some_and(|next| next != ' ') {
            self.push(" ", end);
        }
    }
}

/// What stands for a character outside printable ASCII; a blank where nothing does.
fn replacement(character: char) -> &'static str {
    match character {
        '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2032}' | '\u{b4}' => "'",
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{2033}' | '\u{ab}' | '\u{bb}' => "\"",
        '\u{2010}' | '\u{2011}' => "-",
        '\u{2026}' => "...",
        '\n' => "\n",
        'à' | 'á' | 'â' | 'ã' | 'å' | 'ā' => "a",
        'À' | 'Á' | 'Â' | 'Ã' | 'Å' => "A",
        'ä' | 'æ' => "ae",
        'Ä' | 'Æ' => "Ae",
        'ç' | 'č' | 'ć' => "c",
        'Ç' | 'Č' => "C",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ě' | 'ę' => "e",
        'È' | 'É' | 'Ê' | 'Ë' => "E",
        'ì' | 'í' | 'î' | 'ï' | 'ī' => "i",
        'Ì' | 'Í' | 'Î' | 'Ï' => "I",
        'ł' => "l",
        'ñ' | 'ń' => "n",
        'Ñ' => "N",
        'ò' | 'ó' | 'ô' | 'õ' | 'ø' | 'ō' => "o",
        'Ò' | 'Ó' | 'Ô' | 'Õ' | 'Ø' => "O",
        'ö' | 'œ' => "oe",
        'Ö' | 'Œ' => "Oe",
        'ř' => "r",
        'š' | 'ś' => "s",
        'Š' => "S",
        'ß' => "ss",
        'ù' | 'ú' | 'û' | 'ū' | 'ů' => "u",
        'Ù' | 'Ú' | 'Û' => "U",
        'ü' => "ue",
        'Ü' => "Ue",
        'ý' | 'ÿ' => "y",
        'ž' | 'ź' | 'ż' => "z",
        'Ž' => "Z",
        '°' => " degrees",
        '€' => " euro ",
        '£' => " pound ",
        '½' => " and a half",
        '×' => " times ",
        _ => " ",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(original: &str, plain: &str) {
        assert_eq!(PlainEnglish::new(original).text(), plain);
    }

    #[test]
    fn typographic_characters_become_plain_ones() {
        check("“Don’t,” she said…", "\"Don't,\" she said...");
        check("Café crème", "Cafe creme");
        check("bread — warm", "bread, warm");
        check("bread—warm", "bread, warm");
        check("9–17", "9-17");
        check("Yes! 👍🏽 Sure", "Yes!    Sure");
        check("日本", "  ");
        check("— so", " so");
    }

    #[test]
    fn every_byte_knows_its_place_in_the_original() {
        let original = "Café — “nice”";
        let plain = PlainEnglish::new(original);
        let cafe = plain.text().find(',').unwrap();
        assert_eq!(&original[..plain.original_end(cafe) as usize], "Café");
        assert_eq!(plain.original_end(plain.text().len()) as usize, original.len());
        assert_eq!(plain.original_end(0), 0);
    }
}
