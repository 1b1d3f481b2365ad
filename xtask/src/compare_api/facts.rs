//! What an `OpenAPI` document states, without its words: operations, parameters, statuses, fields, types, bounds.
//!
//! Owns the model, and how it comes out of a document. That it may be kept as text is `text`'s business, what a difference is
//! `differences`'.

use std::collections::BTreeMap;

use serde_json::Value;

/// What a document states.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// By method and path: `GET /api/calls`.
    pub(super) operations: BTreeMap<String, Operation>,
    /// The named types.
    pub(super) types: BTreeMap<String, Type>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Operation {
    pub(super) id: String,
    /// Whether it takes the API key.
    pub(super) key: bool,
    pub(super) deprecated: bool,
    /// By place and name: `query cursor`.
    pub(super) parameters: BTreeMap<String, Field>,
    pub(super) body_required: bool,
    /// By media type.
    pub(super) body: BTreeMap<String, Shape>,
    /// By status and media type; the latter is empty for an answer without a body.
    pub(super) answers: BTreeMap<String, BTreeMap<String, Shape>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Type {
    Object(BTreeMap<String, Field>),
    /// Another name for a shape.
    Same(Shape),
}

/// A field of an object, or a parameter.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) shape: Shape,
    pub(super) required: bool,
    pub(super) nullable: bool,
    pub(super) read_only: bool,
    pub(super) write_only: bool,
    /// By keyword: `maxLength`.
    pub(super) bounds: BTreeMap<String, String>,
}

/// What a value is.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    #[default]
    Any,
    /// A type of JSON, perhaps with a format: `string:uuid`.
    Plain(String),
    Words(Vec<String>),
    List(Box<Self>),
    Map(Box<Self>),
    Named(String),
    /// One of several objects.
    OneOf(Vec<Self>),
}

/// Formats that say more than how wide a number is.
const FORMATS: [&str; 8] = ["binary", "byte", "date", "date-time", "email", "time", "uri", "uuid"];
const BOUNDS: [&str; 6] = ["maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum"];

impl Facts {
    /// Everything that `document` states.
    pub(super) fn of(document: &Value) -> Self {
        let mut facts = Self::default();
        for (name, schema) in entries(&document["components"]["schemas"]) {
            let kind = facts.type_of(schema, name);
            facts.types.insert(name.clone(), kind);
        }
        for (path, operations) in entries(&document["paths"]) {
            for (method, operation) in entries(operations) {
                let operation = facts.operation(operation);
                facts.operations.insert(format!("{} {path}", method.to_uppercase()), operation);
            }
        }
        facts
    }

    fn operation(&mut self, operation: &Value) -> Operation {
        let id = text(&operation["operationId"]);
        let mut facts = Operation {
            key: list(&operation["security"]).any(|way| !entries(way).collect::<Vec<_>>().is_empty()),
            deprecated: operation["deprecated"] == true,
            body_required: operation["requestBody"]["required"] == true,
            ..Operation::default()
        };
        for parameter in list(&operation["parameters"]) {
            let name = format!("{} {}", text(&parameter["in"]), text(&parameter["name"]));
            let mut field = self.field(&parameter["schema"], &format!("{id} {name}"));
            field.required = parameter["required"] == true;
            facts.parameters.insert(name, field);
        }
        for (kind, content) in entries(&operation["requestBody"]["content"]) {
            let shape = self.shape(&content["schema"], &format!("{id} {kind}"));
            facts.body.insert(kind.clone(), shape);
        }
        for (status, answer) in entries(&operation["responses"]) {
            let contents = facts.answers.entry(status.clone()).or_default();
            for (kind, content) in entries(&answer["content"]) {
                contents
                    .insert(kind.clone(), self.shape(&content["schema"], &format!("{id} {status} {kind}")));
            }
        }
        facts.id = id;
        facts
    }

    /// An object, or another name for something. `name` is the type's, or says where it stands.
    fn type_of(&mut self, schema: &Value, name: &str) -> Type {
        let parts: Vec<&Value> = list(&schema["allOf"]).collect();
        if parts.len() > 1 {
            let mut fields = BTreeMap::new();
            for part in parts {
                if let Type::Object(more) = self.resolved(part, name) {
                    fields.extend(more);
                }
            }
            return Type::Object(fields);
        }
        if schema["properties"].is_object() {
            return Type::Object(self.fields(schema, name));
        }
        Type::Same(self.shape(schema, name))
    }

    /// What a part of a whole is, which may be a type that is known already.
    fn resolved(&mut self, part: &Value, name: &str) -> Type {
        match reference(part).and_then(|reference| self.types.get(reference)) {
            Some(Type::Object(fields)) => Type::Object(fields.clone()),
            Some(Type::Same(shape)) => Type::Same(shape.clone()),
            None => self.type_of(part, name),
        }
    }

    fn fields(&mut self, schema: &Value, name: &str) -> BTreeMap<String, Field> {
        let required: Vec<&str> = list(&schema["required"]).filter_map(Value::as_str).collect();
        let mut fields = BTreeMap::new();
        for (field, schema) in entries(&schema["properties"]) {
            let mut facts = self.field(schema, &format!("{name}.{field}"));
            facts.required = required.contains(&field.as_str());
            fields.insert(field.clone(), facts);
        }
        fields
    }

    fn field(&mut self, schema: &Value, place: &str) -> Field {
        let bounds = BOUNDS.iter().filter_map(|bound| {
            let value = schema[*bound].as_f64()?;
            Some(((*bound).to_owned(), value.to_string()))
        });
        Field {
            shape: self.shape(schema, place),
            required: false,
            nullable: schema["nullable"] == true || list(&schema["oneOf"]).any(is_null),
            read_only: schema["readOnly"] == true,
            write_only: schema["writeOnly"] == true,
            bounds: bounds.collect(),
        }
    }

    fn shape(&mut self, schema: &Value, place: &str) -> Shape {
        if let Some(name) = reference(schema) {
            return Shape::Named(name.to_owned());
        }
        if let [only] = list(&schema["allOf"]).collect::<Vec<_>>()[..] {
            return self.shape(only, place);
        }
        let choices: Vec<&Value> = list(&schema["oneOf"])
            .filter(|choice| !is_null(choice) && choice["required"].is_null())
            .collect();
        match choices[..] {
            [] => {}
            [only] => return self.shape(only, place),
            _ if choices.iter().all(|choice| reference(choice).is_some()) => {
                return Shape::OneOf(choices.iter().map(|choice| self.shape(choice, place)).collect());
            }
            // Formats of a text.
            _ => {}
        }
        let mut words: Vec<String> =
            list(&schema["enum"]).map(text).filter(|word| !word.is_empty()).collect();
        if !words.is_empty() {
            words.sort_unstable();
            return Shape::Words(words);
        }
        if schema["properties"].is_object() {
            let kind = self.type_of(schema, place);
            self.types.insert(place.to_owned(), kind);
            return Shape::Named(place.to_owned());
        }
        match schema["type"].as_str() {
            None => Shape::Any,
            Some("array") => Shape::List(Box::new(self.shape(&schema["items"], place))),
            Some("object") => {
                let values = &schema["additionalProperties"];
                Shape::Map(Box::new(if values.is_object() { self.shape(values, place) } else { Shape::Any }))
            }
            Some(kind) => match schema["format"].as_str().filter(|format| FORMATS.contains(format)) {
                Some(format) => Shape::Plain(format!("{kind}:{format}")),
                None => Shape::Plain(kind.to_owned()),
            },
        }
    }

    /// What a name stands for in the end.
    pub(super) fn meaning<'f>(&'f self, shape: &'f Shape) -> &'f Shape {
        match shape {
            Shape::Named(name) => match self.types.get(name) {
                Some(Type::Same(shape)) => self.meaning(shape),
                Some(Type::Object(_)) | None => shape,
            },
            Shape::Any
            | Shape::Plain(_)
            | Shape::Words(_)
            | Shape::List(_)
            | Shape::Map(_)
            | Shape::OneOf(_) => shape,
        }
    }

    /// The fields of an object, whether it has a name or is one of several: then those of all, required if they are in each.
    pub(super) fn object(&self, shape: &Shape) -> Option<BTreeMap<String, Field>> {
        match self.meaning(shape) {
            Shape::Named(name) => match self.types.get(name)? {
                Type::Object(fields) => Some(fields.clone()),
                Type::Same(_) => None,
            },
            Shape::OneOf(choices) => {
                let choices: Option<Vec<_>> = choices.iter().map(|choice| self.object(choice)).collect();
                Some(united(&choices?))
            }
            // An object of which no more is said.
            Shape::Map(value) if **value == Shape::Any => Some(BTreeMap::new()),
            Shape::Any | Shape::Plain(_) | Shape::Words(_) | Shape::List(_) | Shape::Map(_) => None,
        }
    }
}

/// All fields of several objects. One that is in each with other words has the words of all.
fn united(objects: &[BTreeMap<String, Field>]) -> BTreeMap<String, Field> {
    let everywhere =
        |name: &String| objects.iter().all(|fields| fields.get(name).is_some_and(|field| field.required));
    let mut all = BTreeMap::<String, Field>::new();
    for (name, field) in objects.iter().flatten() {
        let field = Field { required: everywhere(name), ..field.clone() };
        match all.get_mut(name) {
            Some(Field { shape: Shape::Words(known), .. }) => {
                if let Shape::Words(words) = field.shape {
                    known.extend(words);
                }
            }
            Some(_) => {}
            None => {
                all.insert(name.clone(), field);
            }
        }
    }
    all
}

fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/components/schemas/")
}

/// Whether the schema is that of null alone.
fn is_null(schema: &Value) -> bool {
    reference(schema) == Some("NullEnum") || schema["enum"] == serde_json::json!([null])
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A word or a number as text.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => String::new(),
    }
}
