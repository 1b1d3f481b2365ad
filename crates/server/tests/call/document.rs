//! Every message that a test of this suite is sent is one that the document of data messages announces, and has its shape.

use std::collections::HashMap;
use std::sync::LazyLock;

use antiphon_api::asyncapi;
use jsonschema::Validator;
use serde_json::{Value, json};

/// By the messages' type.
static KINDS: LazyLock<HashMap<String, Validator>> = LazyLock::new(|| {
    let document = asyncapi::document();
    let schemas = &document["components"]["schemas"];
    let hears = document["operations"]["clientHears"]["messages"].as_array().unwrap();
    let kind = |reference: &Value| {
        let kind = reference["$ref"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let payload = &document["components"]["messages"][&kind]["payload"];
        let schema = json!({ "components": { "schemas": schemas }, "allOf": [payload] });
        (kind, jsonschema::options().should_validate_formats(true).build(&schema).unwrap())
    };
    hears.iter().map(kind).collect()
});

/// Fails if the document says otherwise.
pub(crate) fn hold(message: &Value) {
    let kind = message["type"].as_str().unwrap();
    let validator = KINDS.get(kind).unwrap_or_else(|| panic!("nothing announces {message}"));
    let problems: Vec<String> =
        validator.iter_errors(message).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(problems.is_empty(), "{message} is not what is announced: {}", problems.join("\n"));
}
