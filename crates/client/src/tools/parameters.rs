//! From a Rust type to what the model is told of a tool's parameters: one JSON Schema for each field.

use antiphon_api::json::JsonObject;
use antiphon_api::rest::calls::{DynamicParameter, ParameterLocation};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The parameters of a tool that takes none. What comes nevertheless is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
pub struct NoParameters {}

/// Why parameters cannot be described. Whoever writes the program acts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParametersError {
    /// They are not named.
    #[error("they must be a struct with named fields, or a JSON Schema of type object")]
    NotAnObject,
    /// The schema of one is none.
    #[error("the schema of {0:?} must be an object")]
    Property(String),
    /// They contain themselves.
    #[error("{0:?} contains itself, which models are not told of; write its schema by hand")]
    Recursive(String),
}

/// The parameters that are the fields of a type.
pub(super) fn of_type<P: JsonSchema>() -> Result<Vec<DynamicParameter>, ParametersError> {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    of_schema(settings.into_generator().into_root_schema_for::<P>().as_value())
}

/// The parameters that are the properties of a schema of type `object`.
pub(super) fn of_schema(schema: &Value) -> Result<Vec<DynamicParameter>, ParametersError> {
    let schema = schema.as_object().ok_or(ParametersError::NotAnObject)?;
    if schema.get("type").is_some_and(|kind| kind != "object") {
        return Err(ParametersError::NotAnObject);
    }
    let nothing = Map::new();
    let properties = match schema.get("properties") {
        // Something that is not told by its properties, such as an enum.
        None if ["oneOf", "anyOf", "allOf", "enum", "const", "$ref"]
            .iter()
            .any(|key| schema.contains_key(*key)) =>
        {
            return Err(ParametersError::NotAnObject);
        }
        None => &nothing,
        Some(properties) => properties.as_object().ok_or(ParametersError::NotAnObject)?,
    };
    let required = schema.get("required").and_then(Value::as_array);
    let is_required =
        |name: &str| required.is_some_and(|names| names.iter().any(|required| required == name));
    properties
        .iter()
        .map(|(name, schema)| {
            let schema: JsonObject =
                schema.as_object().cloned().ok_or_else(|| ParametersError::Property(name.clone()))?;
            if refers(&schema) {
                return Err(ParametersError::Recursive(name.clone()));
            }
            Ok(DynamicParameter {
                name: name.clone(),
                location: Some(ParameterLocation::Body),
                schema,
                required: Some(is_required(name)),
            })
        })
        .collect()
}

/// Whether the schema refers to what is told elsewhere, which nobody is sent.
fn refers(schema: &JsonObject) -> bool {
    schema.iter().any(|(key, value)| (key == "$ref" && value.is_string()) || mentions(value))
}

fn mentions(value: &Value) -> bool {
    match value {
        Value::Object(schema) => refers(schema),
        Value::Array(values) => values.iter().any(mentions),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only described")]
    struct Order {
        /// What is ordered.
        dish: Dish,
        /// How many.
        #[serde(default)]
        count: u8,
        note: Option<String>,
        #[serde(rename = "extraSauces")]
        sauces: Vec<Sauce>,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    enum Dish {
        Burger,
        VeggieWrap,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only described")]
    struct Sauce {
        name: String,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only described")]
    struct Tree {
        branches: Vec<Self>,
    }

    #[test]
    fn every_field_is_a_parameter_with_a_schema_that_stands_alone() {
        let parameters = of_type::<Order>().unwrap();
        let told: Vec<(&str, bool)> =
            parameters.iter().map(|told| (told.name.as_str(), told.required == Some(true))).collect();
        assert_eq!(told, [("dish", true), ("count", false), ("note", false), ("extraSauces", true)]);
        assert_eq!(parameters[0].schema["description"], "What is ordered.");
        assert_eq!(parameters[0].schema["enum"], serde_json::json!(["burger", "veggie-wrap"]));
        assert_eq!(parameters[1].schema["description"], "How many.");
        assert_eq!(parameters[1].schema["maximum"], 255);
        assert_eq!(parameters[3].schema["items"]["properties"]["name"]["type"], "string");
    }

    #[test]
    fn what_has_no_named_fields_or_contains_itself_is_refused() {
        assert_eq!(of_type::<NoParameters>(), Ok(Vec::new()));
        assert_eq!(of_type::<Vec<String>>(), Err(ParametersError::NotAnObject));
        assert_eq!(of_type::<Dish>(), Err(ParametersError::NotAnObject));
        assert_eq!(of_type::<Tree>(), Err(ParametersError::Recursive("branches".into())));
        let of = |text: &str| of_schema(&serde_json::from_str(text).unwrap());
        assert_eq!(of("3"), Err(ParametersError::NotAnObject));
        assert_eq!(of(r#"{"properties":{"a":3}}"#), Err(ParametersError::Property("a".into())));
        assert_eq!(of("{}"), Ok(Vec::new()));
    }
}
