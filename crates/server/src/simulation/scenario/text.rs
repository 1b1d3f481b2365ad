//! How a scenario file writes what a text is compared with.

use regex::Regex;
use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::super::pattern::Pattern;
use super::yaml::{Short, Shortened};

/// A pattern as it is written: words, or a map that says how they are compared.
#[derive(Debug)]
pub(super) struct Text(pub(super) Pattern);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    contains: Option<String>,
    is: Option<String>,
    matches: Option<String>,
}

impl Shortened for Written {
    const EXPECTED: &'static str = "words, or a map with `contains`, `is` or `matches`";

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self { contains: Some(text.to_owned()), is: None, matches: None })
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Short(written) = Short::<Written>::deserialize(deserializer)?;
        let fault = |text: &str| <D::Error as de::Error>::custom(text);
        Ok(Self(match (written.contains, written.is, written.matches) {
            (Some(words), None, None) if words.trim().is_empty() => {
                return Err(fault("every text contains nothing; write the words that it must contain"));
            }
            (Some(words), None, None) => Pattern::Contains(words),
            (None, Some(words), None) => Pattern::Is(words),
            (None, None, Some(expression)) => {
                Pattern::Matches(Regex::new(&expression).map_err(|error| {
                    fault(&format!("{expression:?} is not a regular expression: {error}"))
                })?)
            }
            _ => {
                return Err(fault(
                    "a text is compared in one way; keep one of `contains`, `is` and `matches`",
                ));
            }
        }))
    }
}
