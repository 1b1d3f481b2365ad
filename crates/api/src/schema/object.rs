//! Objects: which fields there are, which of them have to be there, and which may be null.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Describe, Schema, Schemas, Side};
use crate::json::{FromJson, JsonObject};

/// A type whose fields may lie in an object together with others.
pub trait DescribeFields {
    /// The fields.
    fn describe_fields(schemas: &mut Schemas) -> Object;
}

/// The schema of an object in the making.
#[derive(Debug, Default)]
pub struct Object {
    properties: JsonObject,
    required: Vec<Value>,
    choice: Option<Choice>,
}

/// Keys of which so many may be set.
#[derive(Debug)]
struct Choice {
    keys: Vec<&'static str>,
    none: bool,
}

impl Object {
    /// A field of type `T`, with what it holds if it is absent and with whether one that holds this is left out when written.
    pub(crate) fn field<T: FromJson + Serialize>(
        &mut self,
        side: Side,
        name: &'static str,
        schema: Schema,
        doc: &str,
        if_absent: impl FnOnce() -> Option<T>,
        left_out: impl Fn(&T) -> bool,
    ) {
        let absent = if_absent();
        let own = T::if_absent();
        let schema = match side {
            Side::Request => {
                let default = absent.as_ref().filter(|_| own.is_none());
                if absent.is_none() {
                    self.required.push(name.into());
                }
                let schema = schema.nullable(absent.is_some() && T::takes_null());
                match default {
                    Some(default) => schema.with("default", json!(default)),
                    None => schema,
                }
            }
            Side::Response => {
                let unset: Vec<&T> = absent.iter().chain(&own).collect();
                let always = !unset.iter().any(|unset| left_out(unset));
                if always {
                    self.required.push(name.into());
                }
                schema.nullable(always && unset.iter().any(|unset| json!(unset).is_null()))
            }
        };
        self.add(name, schema.described(&super::description(doc)));
    }

    /// A field that is always there.
    #[must_use]
    pub fn required(mut self, name: &'static str, schema: Schema, doc: &str) -> Self {
        self.required.push(name.into());
        self.optional(name, schema, doc)
    }

    /// A field that may be left out.
    #[must_use]
    pub fn optional(mut self, name: &'static str, schema: Schema, doc: &str) -> Self {
        self.add(name, schema.described(&super::description(doc)));
        self
    }

    /// One key of several. In a request that knows `none`, there may be no key.
    pub(crate) fn choose(&mut self, branches: Vec<(&'static str, Schema, &str)>, none: bool) {
        let keys = branches.iter().map(|(key, ..)| *key).collect();
        for (key, schema, doc) in branches {
            self.add(key, schema.described(&super::description(doc)));
        }
        self.choice = Some(Choice { keys, none });
    }

    /// Another object's fields beside these.
    pub(crate) fn merge(&mut self, other: Self) {
        self.properties.extend(other.properties);
        self.required.extend(other.required);
        self.choice = self.choice.take().or(other.choice);
    }

    /// The same fields, none of which has to be there.
    #[must_use]
    pub(crate) fn any_of_them(self) -> Self {
        Self { required: Vec::new(), choice: None, ..self }
    }

    /// The same without these fields.
    #[must_use]
    pub(crate) fn without(mut self, names: &[&str]) -> Self {
        self.properties.retain(|name, _| !names.contains(&name.as_str()));
        self.required.retain(|name| !names.iter().any(|left_out| name == left_out));
        self
    }

    /// Whether there are no fields.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.properties.is_empty()
    }

    /// The fields by name, and whether each has to be there.
    pub(crate) fn into_fields(self) -> impl Iterator<Item = (String, bool, JsonObject)> {
        let required = self.required;
        self.properties.into_iter().filter_map(move |(name, schema)| {
            let is_required = required.iter().any(|required| required.as_str() == Some(&name));
            match schema {
                Value::Object(schema) => Some((name, is_required, schema)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
            }
        })
    }

    /// The schema.
    #[must_use]
    pub fn into_schema(self, description: &str) -> Schema {
        let mut schema = Schema::of("object").described(description);
        let only_choice =
            self.choice.as_ref().is_some_and(|choice| choice.keys.len() == self.properties.len());
        if !self.properties.is_empty() {
            schema = schema.with("properties", self.properties);
        }
        if !self.required.is_empty() {
            schema = schema.with("required", self.required);
        }
        match self.choice {
            None => schema,
            Some(choice) if only_choice => {
                let schema = if choice.none { schema } else { schema.with("minProperties", 1) };
                schema.with("maxProperties", 1)
            }
            Some(choice) => {
                let one = |key: &&str| json!({ "required": [key] });
                schema.with("oneOf", choice.keys.iter().map(one).collect::<Vec<Value>>())
            }
        }
    }

    fn add(&mut self, name: &str, schema: Schema) {
        self.properties.insert(name.into(), Value::Object(schema.into_json()));
    }
}

/// The schema of what goes both ways, from the schemas of either way: required is what always is, null what ever may be.
pub(super) fn either_way(request: Schema, response: &Schema) -> Schema {
    let mut schema = request.into_json();
    let response = response.json();
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        let also = response.get("required").and_then(Value::as_array);
        required.retain(|name| also.is_some_and(|also| also.contains(name)));
        if required.is_empty() {
            schema.remove("required");
        }
    }
    if let (Some(Value::Object(properties)), Some(Value::Object(others))) =
        (schema.get_mut("properties"), response.get("properties"))
    {
        for (name, property) in properties {
            let is_nullable = others.get(name).and_then(|other| other.get("nullable")).is_some();
            if let Value::Object(property) = property
                && is_nullable
            {
                *property = Schema(std::mem::take(property)).nullable(true).into_json();
            }
        }
    }
    if !response.contains_key("minProperties") {
        schema.remove("minProperties");
    }
    Schema(schema)
}

impl<T: DescribeFields> DescribeFields for Box<T> {
    fn describe_fields(schemas: &mut Schemas) -> Object {
        T::describe_fields(schemas)
    }
}

impl<T: Describe> Describe for Box<T> {
    fn describe(schemas: &mut Schemas) -> Schema {
        T::describe(schemas)
    }
}
