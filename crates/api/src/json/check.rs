//! The bounds and formats that a field's value is held to in a request.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Reader, quoted};
use crate::change::Change;
use crate::duration::WireDuration;
use crate::schema::Schema;
use crate::secret::Secret;

/// Something a value is held to. What is unset is held to nothing.
pub(crate) trait Check<T> {
    fn check(&self, value: &T, reader: &mut Reader);

    /// Adds what the check insists on to the schema of a `T`, as far as a schema can say it.
    fn bound(&self, schema: Schema) -> Schema;
}

impl<T, C: Check<T>> Check<Option<T>> for C {
    fn bound(&self, schema: Schema) -> Schema {
        Check::<T>::bound(self, schema)
    }

    fn check(&self, value: &Option<T>, reader: &mut Reader) {
        if let Some(value) = value {
            self.check(value, reader);
        }
    }
}

/// What is kept or cleared is held to nothing.
impl<T, C: Check<T>> Check<Change<T>> for C {
    fn bound(&self, schema: Schema) -> Schema {
        Check::<T>::bound(self, schema)
    }

    fn check(&self, value: &Change<T>, reader: &mut Reader) {
        match value {
            Change::Keep | Change::Clear => {}
            Change::Set(value) => self.check(value, reader),
        }
    }
}

/// Holds every item of a list to something.
pub(crate) struct Each<C>(pub(crate) C);

impl<T, C: Check<T>> Check<Vec<T>> for Each<C> {
    fn bound(&self, schema: Schema) -> Schema {
        schema.map_items(|items| Check::<T>::bound(&self.0, items))
    }

    fn check(&self, value: &Vec<T>, reader: &mut Reader) {
        for (index, item) in value.iter().enumerate() {
            reader.at(index, |reader| self.0.check(item, reader));
        }
    }
}

/// How many items a list or an object may have, both bounds included.
pub(crate) struct Items(pub(crate) usize, pub(crate) usize);

impl Items {
    fn check_count(&self, count: usize, reader: &mut Reader) {
        if !(self.0..=self.1).contains(&count) {
            reader.refuse(match self.0 {
                0 => format!("has {count} items; use at most {}", self.1),
                least => format!("has {count} items; use {least} to {}", self.1),
            });
        }
    }
}

impl<T> Check<Vec<T>> for Items {
    fn bound(&self, schema: Schema) -> Schema {
        let schema = if self.0 == 0 { schema } else { schema.with("minItems", self.0) };
        schema.with("maxItems", self.1)
    }

    fn check(&self, value: &Vec<T>, reader: &mut Reader) {
        self.check_count(value.len(), reader);
    }
}

impl<T> Check<BTreeMap<String, T>> for Items {
    fn bound(&self, schema: Schema) -> Schema {
        let schema = if self.0 == 0 { schema } else { schema.with("minProperties", self.0) };
        schema.with("maxProperties", self.1)
    }

    fn check(&self, value: &BTreeMap<String, T>, reader: &mut Reader) {
        self.check_count(value.len(), reader);
    }
}

/// A number from the first to the second bound, both included.
pub(crate) struct Within<N>(pub(crate) N, pub(crate) N);

macro_rules! within {
    ($($number:ty),*) => {$(
        impl Check<$number> for Within<$number> {
            fn bound(&self, schema: Schema) -> Schema {
                schema.with("minimum", plain(self.0.into())).with("maximum", plain(self.1.into()))
            }

            fn check(&self, value: &$number, reader: &mut Reader) {
                if !(self.0..=self.1).contains(value) {
                    reader.refuse(format!("{value} is out of range; choose from {} to {}", self.0, self.1));
                }
            }
        }
    )*};
}
within!(f64, u32);

/// A bound as one writes it: `1`, not `1.0`.
fn plain(bound: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "whole, and bounds are small")]
    if bound.fract() == 0.0 { Value::from(bound as i64) } else { Value::from(bound) }
}

/// A number of at least this much.
pub(crate) struct AtLeast(pub(crate) f64);

impl Check<f64> for AtLeast {
    fn bound(&self, schema: Schema) -> Schema {
        schema.with("minimum", plain(self.0))
    }

    fn check(&self, value: &f64, reader: &mut Reader) {
        if *value < self.0 {
            reader.refuse(format!("{value} is out of range; choose {} or more", self.0));
        }
    }
}

/// A length in characters, both bounds included.
pub(crate) struct Chars(pub(crate) usize, pub(crate) usize);

impl Chars {
    fn bound_text(&self, schema: Schema) -> Schema {
        let schema = if self.0 == 0 { schema } else { schema.with("minLength", self.0) };
        schema.with("maxLength", self.1)
    }

    fn check_text(&self, text: &str, reader: &mut Reader) {
        // Counting stops one past the bound, however long the text is.
        let chars = text.chars().take(self.1 + 1).count();
        if chars < self.0 || chars > self.1 {
            reader.refuse(match self.0 {
                0 => format!("is too long; use at most {} characters", self.1),
                least => format!("must have {least} to {} characters", self.1),
            });
        }
    }
}

impl Check<String> for Chars {
    fn bound(&self, schema: Schema) -> Schema {
        self.bound_text(schema)
    }

    fn check(&self, value: &String, reader: &mut Reader) {
        self.check_text(value, reader);
    }
}

impl Check<Secret> for Chars {
    fn bound(&self, schema: Schema) -> Schema {
        self.bound_text(schema)
    }

    fn check(&self, value: &Secret, reader: &mut Reader) {
        self.check_text(value.expose(), reader);
    }
}

/// At most so many characters or items, and something else.
pub(crate) struct UpTo<C>(pub(crate) usize, pub(crate) C);

impl<C: Check<String>> Check<String> for UpTo<C> {
    fn bound(&self, schema: Schema) -> Schema {
        self.1.bound(schema).with("maxLength", self.0)
    }

    fn check(&self, value: &String, reader: &mut Reader) {
        Chars(0, self.0).check_text(value, reader);
        self.1.check(value, reader);
    }
}

impl<T, C: Check<Vec<T>>> Check<Vec<T>> for UpTo<C> {
    fn bound(&self, schema: Schema) -> Schema {
        self.1.bound(schema).with("maxItems", self.0)
    }

    fn check(&self, value: &Vec<T>, reader: &mut Reader) {
        if value.len() > self.0 {
            reader.refuse(format!("has {} items; use at most {}", value.len(), self.0));
        }
        self.1.check(value, reader);
    }
}

/// A duration above zero. Negative ones are refused wherever there is a duration.
pub(crate) struct Positive;

impl Check<WireDuration> for Positive {
    fn bound(&self, schema: Schema) -> Schema {
        schema.with("pattern", "^(?:0\\.[0-9]{0,8}[1-9]|[1-9][0-9]{0,11}(?:\\.[0-9]{1,9})?)s$")
    }

    fn check(&self, value: &WireDuration, reader: &mut Reader) {
        if *value == WireDuration::ZERO {
            reader.refuse("must be longer than 0s");
        }
    }
}

/// A duration above zero and at most so many seconds.
pub(crate) struct UpToSeconds(pub(crate) u32);

impl Check<WireDuration> for UpToSeconds {
    fn bound(&self, schema: Schema) -> Schema {
        Check::<WireDuration>::bound(&Positive, schema)
    }

    fn check(&self, value: &WireDuration, reader: &mut Reader) {
        if *value == WireDuration::ZERO || *value > WireDuration::from_secs(self.0) {
            reader.refuse(format!("{value} is out of range; choose more than 0s and at most {}s", self.0));
        }
    }
}

/// A URL with one of these schemes and something behind it.
pub(crate) struct Url(pub(crate) &'static [&'static str]);

/// What HTTP requests go to.
pub(crate) const HTTP_URL: Url = Url(&["https://", "http://"]);
/// What WebSocket connections go to.
pub(crate) const WEBSOCKET_URL: Url = Url(&["wss://", "ws://"]);

impl Check<String> for Url {
    fn bound(&self, schema: Schema) -> Schema {
        let schemes: Vec<&str> = self.0.iter().map(|scheme| scheme.trim_end_matches("://")).collect();
        // Not the format "uri": some of these are patterns of URLs.
        schema.with("pattern", format!("^({})://.+", schemes.join("|")))
    }

    fn check(&self, value: &String, reader: &mut Reader) {
        let has_scheme = |scheme: &&str| {
            value.len() > scheme.len()
                && value.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
        };
        if !self.0.iter().any(has_scheme) {
            // A URL may hold a credential, so it is not repeated.
            reader.refuse(format!("must be a URL that begins with {}", self.0.join(" or ")));
        }
    }
}

/// A name that a model may know a tool by: `^[a-zA-Z0-9_-]{1,64}$` (protocol.md 6.2).
pub(crate) struct ModelToolName;

impl Check<String> for ModelToolName {
    fn bound(&self, schema: Schema) -> Schema {
        schema.with("pattern", "^[a-zA-Z0-9_-]{1,64}$")
    }

    fn check(&self, value: &String, reader: &mut Reader) {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if value.is_empty() || value.len() > 64 || !value.bytes().all(fits) {
            reader.refuse(format!(
                "{} is not a tool name; use 1 to 64 letters, digits, _ and -",
                quoted(value)
            ));
        }
    }
}

/// Metadata whose keys do not begin with `ultravox.`, which only the server sets (protocol.md 2.1).
pub(crate) struct NoReservedKeys;

impl Check<BTreeMap<String, String>> for NoReservedKeys {
    fn bound(&self, schema: Schema) -> Schema {
        // The dialect has nothing to say about keys; the descriptions say it.
        schema
    }

    fn check(&self, value: &BTreeMap<String, String>, reader: &mut Reader) {
        for key in value.keys().filter(|key| key.starts_with("ultravox.")) {
            reader.at_key(key, |reader| {
                reader.refuse("keys that begin with \"ultravox.\" are reserved; choose another key");
            });
        }
    }
}
