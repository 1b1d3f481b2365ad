//! The small words of a scenario file: lengths of time, values that may be short or long, and maps with exactly one key.
//!
//! Owns how they are read and what is said about those that cannot be. Knows no step and no expectation.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

/// The longest length of time that a scenario may name: a day.
const LONGEST: f64 = 86_400.0;

/// A length of time: `1.2s`, `300ms` or `2m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period(pub(super) Duration);

impl Period {
    /// What is written, or what holds where nothing is.
    pub(super) fn or(written: Option<Self>, default: Duration) -> Duration {
        written.map_or(default, |period| period.0)
    }

    fn parse(text: &str) -> Option<Duration> {
        let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = text.split_at(unit);
        let seconds = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            _ => return None,
        };
        let seconds = number.parse::<f64>().ok()? * seconds;
        (0.0..=LONGEST).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Period;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a length of time with its unit, such as 1.2s, 300ms or 2m")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Period, E> {
                Period::parse(text).map(Period).ok_or_else(|| {
                    E::custom(format!(
                        "{text:?} is not a length of time; write a number and a unit, such as 1.2s, 300ms or 2m"
                    ))
                })
            }
        }
        deserializer.deserialize_any(Text)
    }
}

/// What can be written as one word where nothing else is to be said, and as a map otherwise.
pub(super) trait Shortened: Sized {
    /// What may stand here, for whoever wrote something else.
    const EXPECTED: &'static str;

    /// The value that one text, or a number in place of one, stands for.
    fn from_text(text: &str) -> Result<Self, String>;

    /// The value that yes or no stands for.
    fn from_flag(_: bool) -> Result<Self, String> {
        Err(format!("expected {}; put quotes around a text", Self::EXPECTED))
    }
}

/// The short or the long form of something.
#[derive(Debug)]
pub(super) struct Short<T>(pub(super) T);

impl<'de, T: Shortened + Deserialize<'de>> Deserialize<'de> for Short<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);
        impl<'de, T: Shortened + Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = Short<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }

            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Short<T>, E> {
                T::from_flag(flag).map(Short).map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Short<T>, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Short<T>, E> {
                T::from_text(text).map(Short).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Short<T>, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map)).map(Short)
            }
        }
        deserializer.deserialize_any(Either(PhantomData))
    }
}

/// What is written as a map with one key, which says what it is.
pub(super) trait Keyed: Sized {
    /// What it is, with its article: `a step`.
    const WHAT: &'static str;
    /// All keys there are.
    const KEYS: &'static [&'static str];

    /// Reads the value of a key; `None` for one that is not known.
    fn read<'de, A: MapAccess<'de>>(key: &str, map: &mut A) -> Result<Option<Self>, A::Error>;

    /// What a key without a value means, for those that need none.
    fn bare(_: &str) -> Option<Self> {
        None
    }
}

/// A map with one key.
#[derive(Debug)]
pub(super) struct OneKey<T>(pub(super) T);

impl<'de, T: Keyed> Deserialize<'de> for OneKey<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entry<T>(PhantomData<T>);
        impl<'de, T: Keyed> Visitor<'de> for Entry<T> {
            type Value = OneKey<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}: one of {}", T::WHAT, T::KEYS.join(", "))
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<OneKey<T>, E> {
                T::bare(word).map(OneKey).ok_or_else(|| unknown::<T, E>(word))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OneKey<T>, A::Error> {
                let Some(key) = map.next_key::<String>()? else {
                    return Err(de::Error::custom(format!(
                        "{} is empty; write one of {}",
                        T::WHAT,
                        T::KEYS.join(", ")
                    )));
                };
                let value = T::read(&key, &mut map)?.ok_or_else(|| unknown::<T, A::Error>(&key))?;
                match map.next_key::<String>()? {
                    None => Ok(OneKey(value)),
                    Some(second) => Err(de::Error::custom(format!(
                        "{} has one key, and here are `{key}` and `{second}`; write what belongs to `{key}` as its value, \
                         or begin another entry with a dash",
                        T::WHAT
                    ))),
                }
            }
        }
        deserializer.deserialize_any(Entry(PhantomData))
    }
}

fn unknown<T: Keyed, E: de::Error>(key: &str) -> E {
    let known = T::KEYS.join(", ");
    if T::KEYS.contains(&key) {
        E::custom(format!("`{key}` needs a value"))
    } else {
        E::custom(format!("`{key}` is not known as {}; use one of {known}", T::WHAT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_has_a_unit() {
        for (text, ms) in [("1.2s", 1_200), ("300ms", 300), ("2m", 120_000), ("0s", 0)] {
            assert_eq!(Period::parse(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "2", "s", "-1s", "1 s", "1h", "1.2.3s", "999999m"] {
            assert_eq!(Period::parse(text), None, "{text}");
        }
    }
}
