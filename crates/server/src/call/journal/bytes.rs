//! Numbers, texts and JSON as bytes: what everything in a journal is written in.
//!
//! Whole numbers take seven bits a byte, the lowest first, with the high bit set on all bytes but the last. Texts and lists begin
//! with their length. Reading trusts nothing: a length may lie, a list may not end, and nesting is bounded.

use std::sync::Arc;

use antiphon_engine::wording::{is_backchannel, is_unfinished};
use bytes::{BufMut as _, BytesMut};
use serde_json::{Map, Number, Value};

use super::UserText;

/// How deep JSON may be nested. The parser of requests stops at 128.
const DEEPEST: u32 = 160;
/// What stands for a value that is kept secret.
const REDACTED: &str = "[redacted]";
/// Keys in a call's state whose values are kept out of journals: those that contain one of these words, whatever stands between.
const SECRET_WORDS: [&str; 9] = [
    "apikey",
    "authorization",
    "cookie",
    "credential",
    "password",
    "passwd",
    "privatekey",
    "secret",
    "token",
];

/// Bytes that are no journal, and what was wrong with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(pub(super) &'static str);

/// Writes into a buffer that it owns.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) bytes: BytesMut,
    user_text: UserText,
}

impl Writer {
    pub(super) fn new(user_text: UserText) -> Self {
        Self { bytes: BytesMut::new(), user_text }
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.bytes.put_u8(byte);
    }

    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.byte(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.byte(number.to_le_bytes()[0]);
    }

    pub(super) fn length(&mut self, length: usize) {
        self.number(length as u64);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.length(text.len());
        self.bytes.put_slice(text.as_bytes());
    }

    /// What a user said or wrote: the text, or only how long it is with and without the blanks around it, and what turn-taking
    /// reads from its wording.
    pub(super) fn user_text(&mut self, text: &str) {
        match self.user_text {
            UserText::Keep => {
                self.byte(0);
                self.text(text);
            }
            UserText::Omit => {
                self.byte(1 + u8::from(is_backchannel(text)) + 2 * u8::from(is_unfinished(text)));
                self.length(text.len());
                self.length(text.trim().len());
            }
        }
    }

    pub(super) fn json(&mut self, value: &Value) {
        match value {
            Value::Null => self.byte(0),
            Value::Bool(value) => self.byte(1 + u8::from(*value)),
            Value::Number(number) => {
                if let Some(number) = number.as_u64() {
                    self.byte(3);
                    self.number(number);
                } else if let Some(number) = number.as_i64() {
                    self.byte(4);
                    self.bytes.put_i64_le(number);
                } else {
                    self.byte(5);
                    self.bytes.put_u64_le(number.as_f64().unwrap_or(0.0).to_bits());
                }
            }
            Value::String(text) => {
                self.byte(6);
                self.text(text);
            }
            Value::Array(values) => {
                self.byte(7);
                self.length(values.len());
                values.iter().for_each(|value| self.json(value));
            }
            Value::Object(fields) => {
                self.byte(8);
                self.length(fields.len());
                for (key, value) in fields {
                    self.text(key);
                    self.json(value);
                }
            }
        }
    }

    /// A call's state, or a change of it: values whose keys name secrets are left out. A null stays, since it removes a key.
    pub(super) fn state(&mut self, value: &Value) {
        match value {
            Value::Array(values) => {
                self.byte(7);
                self.length(values.len());
                values.iter().for_each(|value| self.state(value));
            }
            Value::Object(fields) => {
                self.byte(8);
                self.length(fields.len());
                for (key, value) in fields {
                    self.text(key);
                    if is_secret(key) && !value.is_null() {
                        self.byte(6);
                        self.text(REDACTED);
                    } else {
                        self.state(value);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => self.json(value),
        }
    }
}

fn is_secret(key: &str) -> bool {
    let plain: String =
        key.chars().filter(char::is_ascii_alphanumeric).map(|char| char.to_ascii_lowercase()).collect();
    SECRET_WORDS.iter().any(|word| plain.contains(word))
}

/// Reads from the front of some bytes.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(Malformed("it ends too early"))?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Malformed("it ends too early"))?;
        self.rest = rest;
        Ok(*bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Malformed("a number is too large"))
    }

    /// A number of things of which each takes at least one byte, so that a false one cannot ask for memory.
    pub(super) fn length(&mut self) -> Result<usize, Malformed> {
        let length = usize::try_from(self.number()?).map_err(|_| Malformed("a length is too large"))?;
        if length > self.rest.len() {
            return Err(Malformed("a length is larger than what is there"));
        }
        Ok(length)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        let length = self.length()?;
        std::str::from_utf8(self.bytes(length)?).map_err(|_| Malformed("a text is no text"))
    }

    /// What a user said or wrote. Where only its length is known, something stands for it that turn-taking reads in the same way.
    pub(super) fn user_text(&mut self) -> Result<Arc<str>, Malformed> {
        match self.byte()? {
            0 => Ok(Arc::from(self.text()?)),
            kind @ 1..=4 => {
                let most = 16 * 1024 * 1024;
                let (length, letters) = (self.number()?, self.number()?);
                if length > most || letters > length {
                    return Err(Malformed("the length of a left-out text is wrong"));
                }
                let (length, letters) = (length as usize, letters as usize);
                let (filler, word) = match kind {
                    2 => (".", "ok"),
                    3 => (".", "a"),
                    4 => (".", "mm"),
                    _ => ("x", ""),
                };
                let word = if letters < word.len() { "" } else { word };
                let blanks = " ".repeat(length - letters);
                Ok(Arc::from(filler.repeat(letters - word.len()) + word + &blanks))
            }
            _ => Err(Malformed("a text is of no known kind")),
        }
    }

    pub(super) fn json(&mut self) -> Result<Value, Malformed> {
        self.json_within(DEEPEST)
    }

    fn json_within(&mut self, depth: u32) -> Result<Value, Malformed> {
        let depth = depth.checked_sub(1).ok_or(Malformed("JSON is nested too deeply"))?;
        Ok(match self.byte()? {
            0 => Value::Null,
            1 => Value::Bool(false),
            2 => Value::Bool(true),
            3 => Value::from(self.number()?),
            4 => Value::from(i64::from_le_bytes(self.array()?)),
            5 => {
                let number = f64::from_bits(u64::from_le_bytes(self.array()?));
                Number::from_f64(number).map_or(Value::Null, Value::Number)
            }
            6 => Value::from(self.text()?),
            7 => {
                let count = self.length()?;
                let values: Result<Vec<_>, _> = (0..count).map(|_| self.json_within(depth)).collect();
                Value::Array(values?)
            }
            8 => {
                let count = self.length()?;
                let mut fields = Map::new();
                for _ in 0..count {
                    let key = self.text()?.to_owned();
                    fields.insert(key, self.json_within(depth)?);
                }
                Value::Object(fields)
            }
            _ => return Err(Malformed("a JSON value is of no known kind")),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_read_back_as_written() {
        for number in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut writer = Writer::new(UserText::Keep);
            writer.number(number);
            assert_eq!(Reader::new(&writer.bytes).number(), Ok(number));
        }
        assert!(Reader::new(&[0xFF; 10]).number().is_err());
        assert!(Reader::new(&[0x80]).number().is_err());
    }

    #[test]
    fn values_named_like_secrets_are_left_out_of_the_state() {
        let state =
            json!({"name": "Ada", "API-Key": "k", "deep": [{"accessToken": 7, "passwordHint": null}]});
        let mut writer = Writer::new(UserText::Keep);
        writer.state(&state);
        let read = Reader::new(&writer.bytes).json().unwrap();
        let expected = json!({"name": "Ada", "API-Key": "[redacted]",
            "deep": [{"accessToken": "[redacted]", "passwordHint": null}]});
        assert_eq!(read, expected);
    }

    #[test]
    fn lengths_that_lie_and_endless_nesting_are_refused() {
        assert!(Reader::new(&[0xFF, 0xFF, 0xFF, 0x7F, 1]).text().is_err());
        let nested = [7, 1].repeat(100_000);
        assert!(Reader::new(&nested).json().is_err());
    }

    #[test]
    fn an_omitted_text_keeps_its_length() {
        let mut writer = Writer::new(UserText::Omit);
        writer.user_text(" Grüße \n");
        assert_eq!(&*Reader::new(&writer.bytes).user_text().unwrap(), "xxxxxxx   ");
    }

    #[test]
    fn an_omitted_text_keeps_what_turn_taking_reads_from_it() {
        for said in [
            "",
            " ",
            "?",
            "Stop that!",
            "Mm-hmm.",
            "okay",
            "I would like a",
            "uh",
            "0 1 7 5",
            "oh oh oh",
            "a",
        ] {
            let mut writer = Writer::new(UserText::Omit);
            writer.user_text(said);
            let stand_in = Reader::new(&writer.bytes).user_text().unwrap();
            assert_eq!(stand_in.len(), said.len(), "{said:?}");
            assert_eq!(is_backchannel(&stand_in), is_backchannel(said), "{said:?} {stand_in:?}");
            assert_eq!(is_unfinished(&stand_in), is_unfinished(said), "{said:?} {stand_in:?}");
        }
    }
}
