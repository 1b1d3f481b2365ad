//! The macro that defines a set of messages told apart by their `type`.

use serde::Serialize;
use serde_json::{Value, json};

use crate::json::{JsonObject, Reader, name, quoted};
use crate::schema::{Describe, DescribeFields, Schema, Schemas, description};

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

/// A set of messages that are told apart by their `type`.
pub trait Messages {
    /// What kinds there are, in the order of their types.
    fn messages(schemas: &mut Schemas) -> Vec<MessageKind>;
}

/// A kind of messages.
#[derive(Debug, Clone)]
pub struct MessageKind {
    /// The `type`.
    pub word: &'static str,
    /// What such a message means.
    pub description: String,
    /// What it looks like: a reference.
    pub schema: Schema,
}

/// What a message says besides its type.
pub(crate) trait Payload {
    fn describe(schemas: &mut Schemas) -> Option<Schema>;
}

/// Nothing.
impl Payload for () {
    fn describe(_: &mut Schemas) -> Option<Schema> {
        None
    }
}

impl<T: DescribeFields + Describe> Payload for T {
    fn describe(schemas: &mut Schemas) -> Option<Schema> {
        Some(<T as Describe>::describe(schemas))
    }
}

/// The kind of the messages with this type. It is called by it, too, since a type has one meaning wherever it stands.
pub(crate) fn kind(
    word: &'static str,
    doc: &str,
    payload: Option<Schema>,
    schemas: &mut Schemas,
) -> MessageKind {
    let description = description(doc);
    let schema = schemas.named::<str>(word, |_| {
        let kind = Schema::of("object")
            .with("properties", json!({ "type": Schema::words([word]).into_json() }))
            .with("required", json!(["type"]));
        match payload {
            None => kind.described(&description),
            Some(payload) => {
                let parts: Vec<Value> =
                    [kind, payload].into_iter().map(|part| Value::Object(part.into_json())).collect();
                Schema::any().with("allOf", parts).described(&description)
            }
        }
    });
    MessageKind { word, description, schema }
}

/// The schema of a message of one of these kinds.
pub(crate) fn one_of(kinds: Vec<MessageKind>, doc: &str) -> Schema {
    let mapping: JsonObject =
        kinds.iter().map(|kind| (kind.word.to_owned(), kind.schema.json()["$ref"].clone())).collect();
    let kinds: Vec<Value> = kinds.into_iter().map(|kind| Value::Object(kind.schema.into_json())).collect();
    Schema::any()
        .with("oneOf", kinds)
        .with("discriminator", json!({ "propertyName": "type", "mapping": mapping }))
        .described(&description(doc))
}

/// Defines an enum of messages: `Variant(Payload) = "type"`, or `Variant = "type"` for one that says nothing else.
///
/// `pub enum` refuses other types; `pub open enum` keeps them as `Unknown`.
macro_rules! messages {
    ($(#[$($meta:tt)*])* pub enum $name:ident { $($variants:tt)* }) => {
        $crate::realtime::tagged::messages_body! {
            { $crate::realtime::tagged::refuse_type } {} $(#[$($meta)*])* $name { $($variants)* }
        }
    };
    ($(#[$($meta:tt)*])* pub open enum $name:ident { $($variants:tt)* }) => {
        $crate::realtime::tagged::messages_body! {
            { |_, object: &$crate::json::JsonObject, _: &mut $crate::json::Reader| {
                Some($name::Unknown($crate::realtime::UnknownMessage { json: object.clone() }))
            } }
            {
                /// A message that this version does not know.
                #[serde(untagged)]
                Unknown($crate::realtime::UnknownMessage),
            }
            $(#[$($meta)*])* $name { $($variants)* }
        }
    };
}
pub(crate) use messages;

macro_rules! messages_body {
    (
        { $unknown:expr } { $($unknown_variant:tt)* }
        $(#[$($meta:tt)*])*
        $name:ident { $( $(#[$($variant_meta:tt)*])* $variant:ident $(($payload:ty))? = $word:literal ),* $(,)? }
    ) => {
        $(#[$($meta)*])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        #[serde(tag = "type")]
        pub enum $name {
            $( $(#[$($variant_meta)*])* #[serde(rename = $word)] $variant $(($payload))?, )*
            $($unknown_variant)*
        }

        impl $crate::realtime::Messages for $name {
            fn messages(schemas: &mut $crate::schema::Schemas) -> Vec<$crate::realtime::MessageKind> {
                vec![$( $crate::realtime::tagged::kind(
                    $word,
                    $crate::schema::comment!($(#[$($variant_meta)*])*),
                    <$crate::endpoint::or_else!($($payload)?, ()) as $crate::realtime::tagged::Payload>::describe(schemas),
                    schemas,
                ) ),*]
            }
        }

        impl $crate::schema::Describe for $name {
            fn describe(schemas: &mut $crate::schema::Schemas) -> $crate::schema::Schema {
                schemas.named::<Self>(stringify!($name), |schemas| {
                    let kinds = <Self as $crate::realtime::Messages>::messages(schemas);
                    $crate::realtime::tagged::one_of(kinds, $crate::schema::comment!($(#[$($meta)*])*))
                })
            }
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
