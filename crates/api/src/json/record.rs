//! The macro that defines an object on the wire once: the struct, how it is written, how it is read, and what it looks like.

/// Defines a struct that is a JSON object.
///
/// A field is `name: Type`, and may have: another wire name (`kind as "type"`), further names it is taken under
/// (`name | tool_name`), a check (`where Within(0.0, 1.0)`), a default (`=> 1.0`). Options, lists and maps may be left out
/// anyway. After the fields may follow a one-of whose key lies among them (`} with one of { tool: ToolReference }`), and a
/// rule that compares fields (`} where rule`, a `fn(&Self, &mut Reader)`).
///
/// `pub struct` leaves out what is unset when written; `pub resource struct` writes every key, with null where it is unset.
macro_rules! record {
    ($(#[$($meta:tt)*])* pub struct $name:ident { $($fields:tt)* } $($rest:tt)*) => {
        $crate::json::record::record_body! {
            [$crate::json::FromJson::is_left_out] $(#[$($meta)*])* $name { $($fields)* } $($rest)*
        }
    };
    ($(#[$($meta:tt)*])* pub resource struct $name:ident { $($fields:tt)* } $($rest:tt)*) => {
        $crate::json::record::record_body! { [|_| false] $(#[$($meta)*])* $name { $($fields)* } $($rest)* }
    };
}
pub(crate) use record;

macro_rules! record_body {
    (
        [$left_out:expr]
        $(#[$($meta:tt)*])*
        $name:ident {
            $(
                $(#[$($field_meta:tt)*])*
                $field:ident $(as $wire:literal)? $(| $alias:ident)* : $type:ty $(where $check:expr)? $(=> $default:expr)?
            ),* $(,)?
        }
        $(with one of { $(#[$($choice_meta:tt)*])* $choice:ident: $choice_type:ty $(,)? })?
        $(where $rule:expr)?
    ) => {
        $(#[$($meta)*])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $( $(#[$($field_meta)*])* pub $field: $type, )*
            $( $(#[$($choice_meta)*])* pub $choice: $choice_type, )?
        }

        impl $crate::schema::DescribeFields for $name {
            fn describe_fields(schemas: &mut $crate::schema::Schemas) -> $crate::schema::Object {
                let mut object = $crate::schema::Object::default();
                $(
                    let schema = <$type as $crate::schema::Describe>::describe(schemas);
                    $( let schema = $crate::json::Check::<$type>::bound(&$check, schema); )?
                    object.field::<$type>(
                        schemas.side(),
                        $crate::json::name!($field $($wire)?).camel,
                        schema,
                        $crate::schema::comment!($(#[$($field_meta)*])*),
                        $crate::json::record::absent!($($default)?),
                        |value: &$type| $crate::json::record::decide(value, $left_out),
                    );
                )*
                $( object.merge(<$choice_type as $crate::schema::DescribeFields>::describe_fields(schemas)); )?
                // An object may have no fields, and then nothing above would need either.
                let _ = (&mut object, schemas);
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

        impl $crate::json::fields::FromFields for $name {
            fn from_fields(fields: &mut $crate::json::Fields<'_>, reader: &mut $crate::json::Reader) -> Option<Self> {
                $(
                    let names = [$crate::json::name!($field $($wire)?) $(, $crate::json::name!($alias))*];
                    let $field: Option<$type> = fields.read(
                        &names,
                        reader,
                        $crate::json::record::absent!($($default)?),
                    );
                    $(
                        if let Some(value) = &$field {
                            reader.at(names[0].camel, |reader| $crate::json::Check::check(&$check, value, reader));
                        }
                    )?
                )*
                $( let $choice = <$choice_type as $crate::json::fields::FromFields>::from_fields(fields, reader); )?
                let read = Self { $($field: $field?,)* $($choice: $choice?,)? };
                $( ($rule as fn(&Self, &mut $crate::json::Reader))(&read, reader); )?
                // The same holds for reading one.
                let _ = (fields, reader);
                Some(read)
            }
        }

        impl $crate::json::FromJson for $name {
            fn from_json(value: &serde_json::Value, reader: &mut $crate::json::Reader) -> Option<Self> {
                $crate::json::Fields::read_all(value, reader)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap as _;
                let mut map = serializer.serialize_map(None)?;
                // An object may have no fields, and then nothing below would need `mut`.
                let _ = &mut map;
                $(
                    if !$crate::json::record::decide(&self.$field, $left_out) {
                        map.serialize_entry($crate::json::name!($field $($wire)?).camel, &self.$field)?;
                    }
                )*
                $( self.$choice.write_entry(&mut map)?; )?
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
pub(crate) use record_body;

/// What an absent field holds: its default, or what its type says.
macro_rules! absent {
    () => {
        $crate::json::FromJson::if_absent
    };
    ($default:expr) => {
        || Some($default)
    };
}
pub(crate) use absent;

/// Lets a closure's argument take the type of the field that it decides about.
pub(crate) fn decide<T>(field: &T, left_out: impl Fn(&T) -> bool) -> bool {
    left_out(field)
}
