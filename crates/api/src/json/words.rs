//! The macro that defines an enum whose values are words on the wire.

/// Defines an enum of words: `Variant = "WORD" | "another spelling"`, and which word means unset.
///
/// Words are taken in any letter case. `pub enum` knows all its words; `pub open enum` also holds a word that this version
/// does not know, which only a response can contain: in a request it is a problem.
macro_rules! words {
    (
        $(#[$($meta:tt)*])*
        pub enum $name:ident { $( $(#[$($word_meta:tt)*])* $variant:ident = $word:literal $(| $alias:literal)* ),* $(,)? }
        $(unset $unset:literal)?
    ) => {
        $(#[$($meta)*])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $( $(#[$($word_meta)*])* $variant, )*
        }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )* }
            }
        }

        $crate::json::words::words_common! {
            [$(#[$($meta)*])*]
            $name { $( $(#[$($word_meta)*])* $variant = $word $(| $alias)* ),* } $(unset $unset)?
        }

        impl $crate::json::words::Words for $name {
            fn other(_: &str) -> Option<Self> {
                None
            }
        }
    };
    (
        $(#[$($meta:tt)*])*
        pub open enum $name:ident { $( $(#[$($word_meta:tt)*])* $variant:ident = $word:literal $(| $alias:literal)* ),* $(,)? }
        $(unset $unset:literal)?
    ) => {
        $(#[$($meta)*])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum $name {
            $( $(#[$($word_meta)*])* $variant, )*
            /// A word that this version does not know. Only found in what a server sent.
            Other(Box<str>),
        }

        impl $name {
            /// The word on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $( Self::$variant => $word, )*
                    Self::Other(word) => word,
                }
            }
        }

        $crate::json::words::words_common! {
            [$(#[$($meta)*])*]
            $name { $( $(#[$($word_meta)*])* $variant = $word $(| $alias)* ),* } $(unset $unset)?
        }

        impl $crate::json::words::Words for $name {
            fn other(word: &str) -> Option<Self> {
                Some(Self::Other(word.into()))
            }
        }
    };
}
pub(crate) use words;

macro_rules! words_common {
    (
        [$(#[$($meta:tt)*])*]
        $name:ident { $( $(#[$($word_meta:tt)*])* $variant:ident = $word:literal $(| $alias:literal)* ),* }
        $(unset $unset:literal)?
    ) => {
        impl $name {
            /// The value that a word stands for, if it is a known one.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                $(
                    if word.eq_ignore_ascii_case($word) $(|| word.eq_ignore_ascii_case($alias))* {
                        return Some(Self::$variant);
                    }
                )*
                None
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::schema::Describe for $name {
            fn describe(schemas: &mut $crate::schema::Schemas) -> $crate::schema::Schema {
                schemas.named::<Self>(stringify!($name), |schemas| {
                    $crate::json::words::describe(
                        $crate::schema::comment!($(#[$($meta)*])*),
                        &[$( ($word, $crate::schema::comment!($(#[$($word_meta)*])*)) ),*],
                        [$($unset,)?].first().copied(),
                        schemas.side(),
                    )
                })
            }
        }

        impl $crate::json::FromJson for $name {
            fn from_json(value: &serde_json::Value, reader: &mut $crate::json::Reader) -> Option<Self> {
                $crate::json::words::read(value, &[$($word),*], Self::from_word, reader)
            }

            fn is_unset(value: &serde_json::Value) -> bool {
                value.is_null() $(|| value.as_str().is_some_and(|word| word.eq_ignore_ascii_case($unset)))?
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::json::deserialize(deserializer)
            }
        }
    };
}
pub(crate) use words_common;

use serde_json::Value;

use super::values::mismatch;
use super::{Reader, quoted};
use crate::schema::{Schema, Side, description};

/// An enum of words.
pub(crate) trait Words: Sized {
    /// Holds a word that is not known, if the enum can.
    fn other(word: &str) -> Option<Self>;
}

/// Reads a word. One that is not known is a problem in a request; in a response it is kept, or ignored.
pub(crate) fn read<T: Words>(
    value: &Value,
    words: &[&str],
    known: fn(&str) -> Option<T>,
    reader: &mut Reader,
) -> Option<T> {
    let Some(word) = value.as_str() else {
        reader.fault(mismatch("a string", value));
        return None;
    };
    if let Some(known) = known(word) {
        return Some(known);
    }
    if reader.is_request() {
        reader.fault(format!("{} is not known; choose one of {}", quoted(word), words.join(", ")));
        return None;
    }
    let other = T::other(word);
    if other.is_none() {
        reader.ignore();
    }
    other
}

/// The words with what each means. The one that means unset is only written in requests.
pub(crate) fn describe(doc: &str, words: &[(&str, &str)], unset: Option<&str>, side: Side) -> Schema {
    let unset = match side {
        Side::Request => unset,
        Side::Response => None,
    };
    let meanings = words.iter().map(|(word, doc)| format!("- `{word}`: {}", description(doc)));
    let text: Vec<String> = [format!("{}\n", description(doc))].into_iter().chain(meanings).collect();
    Schema::words(unset.into_iter().chain(words.iter().map(|(word, _)| *word))).described(&text.join("\n"))
}
