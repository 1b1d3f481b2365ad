//! What wire types look like, as JSON Schema: said by the types themselves, so that no document can disagree with them.
//!
//! Owns the [`Describe`] trait, which every wire type implements through the macro that defines it, and the [`Schema`]s that come
//! of it, in the dialect of `OpenAPI` 3.0. Knows no endpoint and no document.
//!
//! A schema describes the one form in which a type is written. Reading takes more than that: see [`json`](crate::json).

mod dialect;
mod object;
mod plain;
mod prose;

use std::any::type_name;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::json::JsonObject;

pub use dialect::in_json_schema;
pub use object::{DescribeFields, Object};
pub use prose::description;
pub(crate) use prose::{comment, comment_line};

/// A type that says what it looks like in JSON.
pub trait Describe {
    /// The schema of a value. Schemas with names are left in `schemas`, and what is returned refers to them.
    fn describe(schemas: &mut Schemas) -> Schema;
}

/// Which way a value goes. What a client may leave out, a server may always write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// To the server.
    Request,
    /// From the server.
    Response,
}

/// The schema of a value: a JSON object with the keywords of `OpenAPI` 3.0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schema(JsonObject);

impl Schema {
    /// Anything.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// A value of a JSON type.
    #[must_use]
    pub fn of(kind: &str) -> Self {
        Self::any().with("type", kind)
    }

    /// A text of a format that tools know.
    #[must_use]
    pub fn text(format: &str) -> Self {
        Self::of("string").with("format", format)
    }

    /// One of these words.
    #[must_use]
    pub fn words<W: Into<Value>>(words: impl IntoIterator<Item = W>) -> Self {
        Self::of("string").with("enum", words.into_iter().map(Into::into).collect::<Vec<Value>>())
    }

    /// A list.
    #[must_use]
    pub fn list(items: Self) -> Self {
        Self::of("array").with("items", items.0)
    }

    /// An object whose keys are free and whose values are alike.
    #[must_use]
    pub fn map(values: Self) -> Self {
        Self::of("object").with("additionalProperties", values.0)
    }

    /// The schema of that name.
    #[must_use]
    pub fn reference(name: &str) -> Self {
        Self(JsonObject::from_iter([("$ref".to_owned(), format!("{REFERENCE}{name}").into())]))
    }

    /// The same with a keyword. A reference stands alone, so that it is put into an `allOf` first.
    #[must_use]
    pub fn with(mut self, keyword: &str, value: impl Into<Value>) -> Self {
        if self.0.contains_key("$ref") {
            self = Self(JsonObject::from_iter([(
                "allOf".to_owned(),
                Value::Array(vec![Value::Object(self.0)]),
            )]));
        }
        self.0.insert(keyword.into(), value.into());
        self
    }

    /// The same with a description, if there is anything to say.
    #[must_use]
    pub fn described(self, text: &str) -> Self {
        if text.is_empty() { self } else { self.with("description", text) }
    }

    /// The same or null.
    #[must_use]
    pub fn nullable(self, nullable: bool) -> Self {
        if nullable && !self.0.is_empty() {
            return self.with("nullable", true);
        }
        let mut schema = self;
        schema.0.remove("nullable");
        schema
    }

    /// Either this or another one.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::any().with("oneOf", vec![Value::Object(self.0), Value::Object(other.0)])
    }

    /// The name of the schema that this only refers to.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.get("$ref")?.as_str()?.strip_prefix(REFERENCE)
    }

    /// The keywords.
    #[must_use]
    pub fn into_json(self) -> JsonObject {
        self.0
    }

    /// The keywords.
    #[must_use]
    pub fn json(&self) -> &JsonObject {
        &self.0
    }

    /// Changes the schema of a list's items.
    pub(crate) fn map_items(mut self, change: impl FnOnce(Self) -> Self) -> Self {
        if let Some(Value::Object(items)) = self.0.get_mut("items") {
            *items = change(Self(std::mem::take(items))).0;
        }
        self
    }
}

/// What stands before a schema's name where it is referred to.
const REFERENCE: &str = "#/components/schemas/";

/// The schemas with names, which others refer to.
#[derive(Debug)]
pub struct Schemas {
    side: Side,
    request: Named,
    response: Named,
}

/// By name: the type that it is of, and the schema once it is known.
type Named = BTreeMap<String, (&'static str, Option<Schema>)>;

impl Default for Schemas {
    fn default() -> Self {
        Self { side: Side::Request, request: Named::new(), response: Named::new() }
    }
}

impl Schemas {
    /// Which way the values go that are being described.
    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    /// Describes values that go this way.
    pub fn on<R>(&mut self, side: Side, describe: impl FnOnce(&mut Self) -> R) -> R {
        let before = std::mem::replace(&mut self.side, side);
        let result = describe(self);
        self.side = before;
        result
    }

    /// A reference to the schema of `T`, which is described if it has not been.
    ///
    /// # Panics
    ///
    /// Another type has the name already. The document's own test finds that.
    pub(crate) fn named<T: ?Sized>(
        &mut self,
        name: &str,
        describe: impl FnOnce(&mut Self) -> Schema,
    ) -> Schema {
        match self.known().get(name) {
            Some((of, _)) => {
                assert_eq!(*of, type_name::<T>(), "two wire types are called {name}; rename one")
            }
            None => {
                // It may refer to itself.
                self.known().insert(name.into(), (type_name::<T>(), None));
                let schema = describe(self);
                self.known().insert(name.into(), (type_name::<T>(), Some(schema)));
            }
        }
        Schema::reference(name)
    }

    /// Whether a request's body of this schema cannot be left out.
    #[must_use]
    pub fn insists(&self, schema: &Schema) -> bool {
        let named = schema.name().and_then(|name| self.request.get(name)?.1.as_ref());
        let keywords = named.unwrap_or(schema).json();
        ["required", "oneOf", "minProperties"].into_iter().any(|keyword| keywords.contains_key(keyword))
    }

    fn known(&mut self) -> &mut Named {
        match self.side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }

    /// All schemas by name. One that goes both ways is what holds either way.
    #[must_use]
    pub fn finish(mut self) -> BTreeMap<String, Schema> {
        let mut all = BTreeMap::new();
        for (name, (of, schema)) in self.request {
            let schema = schema.expect("a schema is known once its description is over");
            let schema = match self.response.remove(&name) {
                Some((other, Some(response))) => {
                    assert_eq!(of, other, "two wire types are called {name}; rename one");
                    object::either_way(schema, &response)
                }
                Some((_, None)) | None => schema,
            };
            all.insert(name, schema);
        }
        all.extend(self.response.into_iter().filter_map(|(name, (_, schema))| Some((name, schema?))));
        all
    }
}
