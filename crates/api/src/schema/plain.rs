//! The plain values: text, numbers, lists, maps, free JSON.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Describe, Schema, Schemas};
use crate::json::JsonObject;

impl Describe for String {
    fn describe(_: &mut Schemas) -> Schema {
        Schema::of("string")
    }
}

impl Describe for bool {
    fn describe(_: &mut Schemas) -> Schema {
        Schema::of("boolean")
    }
}

impl Describe for f64 {
    fn describe(_: &mut Schemas) -> Schema {
        Schema::of("number").with("format", "double")
    }
}

macro_rules! whole_number {
    ($($integer:ty: $format:literal),*) => {$(
        impl Describe for $integer {
            fn describe(_: &mut Schemas) -> Schema {
                let schema = Schema::of("integer").with("format", $format);
                if <$integer>::MIN == 0 { schema.with("minimum", 0) } else { schema }
            }
        }
    )*};
}
whole_number!(i32: "int32", i64: "int64", u16: "int32", u32: "int64", u64: "int64");

impl Describe for Value {
    fn describe(_: &mut Schemas) -> Schema {
        Schema::any()
    }
}

impl Describe for JsonObject {
    fn describe(_: &mut Schemas) -> Schema {
        Schema::of("object")
    }
}

impl<T: Describe> Describe for Option<T> {
    fn describe(schemas: &mut Schemas) -> Schema {
        T::describe(schemas).nullable(true)
    }
}

impl<T: Describe> Describe for Vec<T> {
    fn describe(schemas: &mut Schemas) -> Schema {
        Schema::list(T::describe(schemas))
    }
}

impl<T: Describe> Describe for BTreeMap<String, T> {
    fn describe(schemas: &mut Schemas) -> Schema {
        Schema::map(T::describe(schemas))
    }
}
