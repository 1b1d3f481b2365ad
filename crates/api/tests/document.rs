//! What the API says of itself: complete, consistent, and readable without the code.

use std::collections::BTreeSet;

use antiphon_api::rest::operations::operations;
use antiphon_api::{asyncapi, openapi};
use serde_json::{Value, json};

fn schema(name: &str) -> Value {
    openapi::document("http://127.0.0.1:8080")["components"]["schemas"][name].clone()
}

/// Every text under a key of this name, wherever it is.
fn all<'v>(key: &str, value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                found.extend(value.as_str().filter(|_| name == key));
                all(key, value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| all(key, item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn a_field_says_its_type_bounds_and_meaning() {
    let request = schema("StartCallRequest");
    assert_eq!(
        request["properties"]["temperature"],
        json!({
            "type": "number", "format": "double", "minimum": 0, "maximum": 1, "nullable": true,
            "description": "Sampling temperature, 0 to 1; 0 if absent.",
        })
    );
    assert_eq!(request["properties"]["languageHint"]["maxLength"], 16);
    assert_eq!(request["properties"]["sharedSecrets"]["items"]["minLength"], 16);
    assert_eq!(request.get("required"), None, "a call needs nothing");
}

#[test]
fn what_a_resource_always_has_is_required_and_may_be_null() {
    let call = schema("Call");
    assert_eq!(call["required"].as_array().unwrap().len(), call["properties"].as_object().unwrap().len());
    assert_eq!(call["properties"]["ended"]["nullable"], true);
    assert_eq!(call["properties"]["created"].get("nullable"), None);
}

#[test]
fn what_a_request_may_leave_out_is_not_required_and_has_its_default() {
    let message = schema("ForcedAgentMessage");
    assert_eq!(message.get("required"), None);
    assert_eq!(message["properties"]["threadId"]["default"], "UI");
    let medium = schema("ServerWebSocketMedium");
    assert_eq!(medium["required"], json!(["inputSampleRate"]));
}

#[test]
fn words_are_listed_with_what_they_mean() {
    let role = schema("MessageRole");
    assert_eq!(role["enum"][0], "MESSAGE_ROLE_UNSPECIFIED", "a request may say that it is unset");
    assert!(role["description"].as_str().unwrap().contains("- `MESSAGE_ROLE_USER`: The user."));
    let reason = schema("EndReason");
    assert!(!reason["enum"].as_array().unwrap().contains(&json!("")), "{reason}");
}

#[test]
fn of_a_choice_one_key_is_set() {
    assert_eq!(schema("SecurityRequirement")["minProperties"], 1);
    assert_eq!(schema("SecurityRequirement")["maxProperties"], 1);
    assert_eq!(schema("CallMedium").get("minProperties"), None, "an empty medium is none");
    assert_eq!(
        schema("SelectedTool")["oneOf"],
        json!([{ "required": ["toolId"] }, { "required": ["toolName"] }, { "required": ["temporaryTool"] }])
    );
}

#[test]
fn every_operation_is_there_once() {
    let document = openapi::document("http://127.0.0.1:8080");
    let ids: BTreeSet<&str> = operations().iter().map(|operation| operation.id).collect();
    assert_eq!(ids.len(), operations().len(), "two operations have one id");
    let mut documented = Vec::new();
    all("operationId", &document, &mut documented);
    assert_eq!(documented.into_iter().collect::<BTreeSet<_>>(), ids);
}

#[test]
fn a_path_has_as_many_arguments_as_its_type() {
    for operation in operations() {
        let arguments = operation.shape(&mut antiphon_api::schema::Schemas::default()).arguments;
        assert_eq!(operation.argument_names().count(), arguments.len(), "{}", operation.path);
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    for document in [openapi::document("http://127.0.0.1:8080"), asyncapi::document()] {
        let mut references = Vec::new();
        all("$ref", &document, &mut references);
        assert!(references.len() > 100);
        for reference in &references {
            assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
        }
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            let reference = format!("#/components/schemas/{name}");
            assert!(references.contains(&reference.as_str()), "nothing refers to {name}");
        }
    }
}

#[test]
fn descriptions_can_be_read_without_the_code() {
    for document in [openapi::document("http://127.0.0.1:8080"), asyncapi::document()] {
        let mut texts = Vec::new();
        all("description", &document, &mut texts);
        all("summary", &document, &mut texts);
        assert!(texts.len() > 100);
        for text in texts {
            for private in ["protocol.md", "without_secrets", "](", "[`", "::", " (A-", "```"] {
                assert!(!text.contains(private), "{private} in {text:?}");
            }
        }
    }
}

#[test]
fn data_messages_go_both_ways() {
    let document = asyncapi::document();
    let says = document["operations"]["clientSays"]["messages"].as_array().unwrap();
    assert!(says.contains(&json!({ "$ref": "#/channels/call/messages/user_text_message" })), "{says:?}");
    let hears = document["operations"]["clientHears"]["messages"].as_array().unwrap();
    assert!(hears.contains(&json!({ "$ref": "#/channels/call/messages/transcript" })), "{hears:?}");
    let transcript = &document["components"]["schemas"]["Transcript"];
    assert_eq!(transcript["required"], json!(["role", "medium", "final", "ordinal"]));
    assert_eq!(transcript["oneOf"], json!([{ "required": ["delta"] }, { "required": ["text"] }]));
    // JSON Schema has no "nullable".
    assert!(!document.to_string().contains("nullable"));
}
