//! The filters of a list of calls where there is no such list: sums over calls, and what is left of deleted ones.

use serde::Serialize;
use serde_json::Value;

use super::query::ListCallsQuery;
use crate::json::{FromJson, Reader};
use crate::schema::{Describe, DescribeFields, Object, Schema, Schemas};

/// Defines a query as a list of calls has it, without some of its parameters. Like all that a query does not know, these are
/// ignored.
macro_rules! narrowed {
    ($(#[$meta:meta])* pub struct $name:ident without $names:expr;) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct $name(pub ListCallsQuery);

        impl DescribeFields for $name {
            fn describe_fields(schemas: &mut Schemas) -> Object {
                ListCallsQuery::describe_fields(schemas).without(&$names)
            }
        }

        impl Describe for $name {
            fn describe(schemas: &mut Schemas) -> Schema {
                Self::describe_fields(schemas).into_schema("")
            }
        }

        impl FromJson for $name {
            fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
                let mut value = value.clone();
                if let Value::Object(parameters) = &mut value {
                    parameters.retain(|name, _| !$names.iter().any(|left_out| is(name, left_out)));
                }
                ListCallsQuery::from_json(&value, reader).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(serializer)
            }
        }
    };
}

narrowed! {
    /// Which calls are summed up.
    pub struct CallFilter without ["cursor", "pageSize", "sort"];
}

narrowed! {
    /// Which deleted calls are listed: they have one order.
    pub struct DeletedCallFilter without ["sort"];
}

/// Whether a parameter has this name, in either spelling.
fn is(name: &str, camel: &str) -> bool {
    name.bytes()
        .filter(|byte| *byte != b'_')
        .map(|byte| byte.to_ascii_lowercase())
        .eq(camel.bytes().map(|byte| byte.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::from_query;

    #[test]
    fn what_means_nothing_is_not_even_checked() {
        let pairs = [("page_size", "0"), ("cursor", "?"), ("sort", "sideways"), ("search", "flowers")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let filter = from_query::<CallFilter>(pairs).expect("it is taken").value;
        assert_eq!(filter.0, ListCallsQuery { search: Some("flowers".into()), ..ListCallsQuery::default() });
    }
}
