//! The macro that defines a set of messages told apart by their `type`.

use serde::Serialize;
use serde_json::Value;

use crate::json::{JsonObject, Reader, name, quoted};

/// A message of a type that this version does not know, as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct UnknownMessage {
    /// The whole message, `type` included.
    pub json: JsonObject,
}

impl UnknownMessage {
    /// The type that is not known.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.json.get("type").and_then(Value::as_str).unwrap_or_default()
    }
}

/// Defines an enum of messages: `Variant(Payload) = "type"`, or `Variant = "type"` for one that says nothing else.
///
/// `pub enum` refuses other types; `pub open enum` keeps them as `Unknown`.
macro_rules! messages {
    ($(#[$meta:meta])* pub enum $name:ident { $($variants:tt)* }) => {
        $crate::realtime::tagged::messages_body! {
            { $crate::realtime::tagged::refuse_type } {} $(#[$meta])* $name { $($variants)* }
        }
    };
    ($(#[$meta:meta])* pub open enum $name:ident { $($variants:tt)* }) => {
        $crate::realtime::tagged::messages_body! {
            { |_, object: &$crate::json::JsonObject, _: &mut $crate::json::Reader| {
                Some($name::Unknown($crate::realtime::UnknownMessage { json: object.clone() }))
            } }
            {
                /// A message that this version does not know.
                #[serde(untagged)]
                Unknown($crate::realtime::UnknownMessage),
            }
            $(#[$meta])* $name { $($variants)* }
        }
    };
}
pub(crate) use messages;

macro_rules! messages_body {
    (
        { $unknown:expr } { $($unknown_variant:tt)* }
        $(#[$meta:meta])*
        $name:ident { $( $(#[$variant_meta:meta])* $variant:ident $(($payload:ty))? = $word:literal ),* $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        #[serde(tag = "type")]
        pub enum $name {
            $( $(#[$variant_meta])* #[serde(rename = $word)] $variant $(($payload))?, )*
            $($unknown_variant)*
        }

        impl $crate::json::FromJson for $name {
            fn from_json(value: &serde_json::Value, reader: &mut $crate::json::Reader) -> Option<Self> {
                let mut fields = $crate::json::Fields::open(value, reader)?;
                let kind: String = fields.read(&[$crate::json::name!(kind "type")], reader, || None)?;
                let read = match kind.as_str() {
                    $( $word => Self::$variant $(
                        (<$payload as $crate::json::fields::FromFields>::from_fields(&mut fields, reader)?)
                    )?, )*
                    _ => {
                        let object = value.as_object().expect("it was opened as an object");
                        let unknown: fn(
                            &[&str],
                            &$crate::json::JsonObject,
                            &mut $crate::json::Reader,
                        ) -> Option<Self> = $unknown;
                        return unknown(&[$($word),*], object, reader);
                    }
                };
                fields.close(reader);
                Some(read)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::json::deserialize(deserializer)
            }
        }
    };
}
pub(crate) use messages_body;

/// Says which types may stand here.
pub(crate) fn refuse_type<T>(known: &[&str], object: &JsonObject, reader: &mut Reader) -> Option<T> {
    let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
    reader.at(name!(kind "type").camel, |reader| {
        reader.fault(format!("{} cannot be sent here; send one of {}", quoted(kind), known.join(", ")));
    });
    None
}
