//! The macro that defines a one-of: an object in which exactly one of several keys is set.

use super::{Fields, Name, Reader};

/// Defines an enum that is a JSON object with one key: `key: Variant(Payload)`.
///
/// `pub enum` insists on one key; `pub optional enum` takes an object without any for an unset field.
macro_rules! choice {
    ($(#[$($meta:tt)*])* pub enum $name:ident { $($branches:tt)* }) => {
        $crate::json::choice::choice_body! { [|value| value.is_null()] $(#[$($meta)*])* $name { $($branches)* } }
    };
    ($(#[$($meta:tt)*])* pub optional enum $name:ident { $($branches:tt)* }) => {
        $crate::json::choice::choice_body! {
            [$crate::json::choice::sets_nothing] $(#[$($meta)*])* $name { $($branches)* }
        }
    };
}
pub(crate) use choice;

macro_rules! choice_body {
    (
        [$unset:expr]
        $(#[$($meta:tt)*])*
        $name:ident {
            $( $(#[$($branch_meta:tt)*])* $key:ident: $variant:ident($payload:ty) ),* $(,)?
        }
    ) => {
        $(#[$($meta)*])*
        #[derive(Debug, Clone, PartialEq)]
        pub enum $name {
            $( $(#[$($branch_meta)*])* $variant($payload), )*
        }

        impl $crate::schema::DescribeFields for $name {
            fn describe_fields(schemas: &mut $crate::schema::Schemas) -> $crate::schema::Object {
                let branches = vec![$( (
                    $crate::json::name!($key).camel,
                    <$payload as $crate::schema::Describe>::describe(schemas),
                    $crate::schema::comment!($(#[$($branch_meta)*])*),
                ) ),*];
                let none = <Self as $crate::json::FromJson>::is_unset(&serde_json::json!({}));
                let mut object = $crate::schema::Object::default();
                object.choose(branches, none && schemas.side() == $crate::schema::Side::Request);
                object
            }
        }

        impl $crate::schema::Describe for $name {
            fn describe(schemas: &mut $crate::schema::Schemas) -> $crate::schema::Schema {
                let text = $crate::schema::description($crate::schema::comment!($(#[$($meta)*])*));
                schemas.named::<Self>(stringify!($name), |schemas| {
                    <Self as $crate::schema::DescribeFields>::describe_fields(schemas).into_schema(&text)
                })
            }
        }

        impl $name {
            /// The key that is set.
            #[must_use]
            pub fn key(&self) -> &'static str {
                match self {
                    $( Self::$variant(_) => $crate::json::name!($key).camel, )*
                }
            }

            pub(crate) fn write_entry<M: serde::ser::SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                match self {
                    $( Self::$variant(payload) => map.serialize_entry(self.key(), payload), )*
                }
            }
        }

        impl $crate::json::fields::FromFields for $name {
            fn from_fields(fields: &mut $crate::json::Fields<'_>, reader: &mut $crate::json::Reader) -> Option<Self> {
                let names = [$( $crate::json::name!($key) ),*];
                let chosen = $crate::json::choice::choose(&names, fields, reader)?;
                $(
                    if chosen == $crate::json::name!($key).camel {
                        let payload: Option<$payload> = fields.read(&[$crate::json::name!($key)], reader, || None);
                        return payload.map(Self::$variant);
                    }
                )*
                None
            }
        }

        impl $crate::json::FromJson for $name {
            fn from_json(value: &serde_json::Value, reader: &mut $crate::json::Reader) -> Option<Self> {
                $crate::json::Fields::read_all(value, reader)
            }

            fn is_unset(value: &serde_json::Value) -> bool {
                let unset: fn(&serde_json::Value) -> bool = $unset;
                unset(value)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap as _;
                let mut map = serializer.serialize_map(Some(1))?;
                self.write_entry(&mut map)?;
                map.end()
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::json::deserialize(deserializer)
            }
        }
    };
}
pub(crate) use choice_body;

/// Whether a value is null or an object without anything but nulls (A-16: keys with null values do not count).
pub(crate) fn sets_nothing(value: &serde_json::Value) -> bool {
    value.as_object().map_or(value.is_null(), |object| object.values().all(serde_json::Value::is_null))
}

/// Finds the one key that is set. In a response, none is no problem: it may be a kind that this version does not know.
pub(crate) fn choose(names: &[Name], fields: &mut Fields<'_>, reader: &mut Reader) -> Option<&'static str> {
    let is_set = |name: &&Name| fields.take(**name).is_some_and(|(_, value)| !value.is_null());
    let set: Vec<_> = names.iter().filter(is_set).collect();
    match set.as_slice() {
        [] => reader.refuse(format!("needs one of {}", listed(names))),
        [_] => {}
        _ => reader.refuse(format!("has {}; keep one", listed(set.iter().copied()))),
    }
    set.first().map(|name| name.camel)
}

fn listed<'n>(names: impl IntoIterator<Item = &'n Name>) -> String {
    let quoted: Vec<_> = names.into_iter().map(|name| format!("{:?}", name.camel)).collect();
    quoted.join(", ")
}
