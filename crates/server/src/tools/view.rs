//! A call's tools as REST shows them (protocol.md 2.10): what they are, without what they are authenticated with.
//!
//! What a selection overrides may be a secret, such as a password for a transfer, so its value is not shown either.

use antiphon_api::ToolId;
use antiphon_api::rest::calls::{
    BaseToolDefinition, BaseToolRun, CallToolDefinition, HttpCallToolDetails, SelectedTool, StaticParameter,
    ToolReference,
};
use serde_json::Value;

use super::{authentication, built_in};

/// The name that the model knows a selected tool by, its id if it is built in, and what it is.
pub(crate) fn shown(selected: &SelectedTool) -> (String, Option<ToolId>, CallToolDefinition) {
    match &selected.tool {
        ToolReference::TemporaryTool(definition) => {
            let name = selected.model_tool_name().unwrap_or_default();
            (name.to_owned(), None, definition_of(selected, definition))
        }
        reference @ (ToolReference::ToolId(_) | ToolReference::ToolName(_)) => {
            let Some(built_in) = built_in::find(reference) else { return Default::default() };
            let name = selected.name_override.as_deref().unwrap_or(built_in.name);
            let definition = definition_of(selected, &built_in.definition());
            // The definition says a client runs it, for want of a word for the server itself.
            (name.to_owned(), Some(built_in.id), CallToolDefinition { client: None, ..definition })
        }
    }
}

fn definition_of(selected: &SelectedTool, definition: &BaseToolDefinition) -> CallToolDefinition {
    let overridden = |name: &str| selected.parameter_overrides.iter().any(|names| names.contains_key(name));
    let dynamic = definition.dynamic_parameters.iter();
    let made_fixed = dynamic.clone().filter(|parameter| overridden(&parameter.name));
    let mut fixed = definition.static_parameters.clone();
    for parameter in fixed.iter_mut().filter(|parameter| overridden(&parameter.name)) {
        parameter.value = Value::Null;
    }
    fixed.extend(made_fixed.map(|parameter| StaticParameter {
        name: parameter.name.clone(),
        location: parameter.location,
        value: Value::Null,
    }));
    let mut shown = CallToolDefinition {
        description: selected.description_override.clone().or_else(|| definition.description.clone()),
        dynamic_parameters: dynamic.filter(|parameter| !overridden(&parameter.name)).cloned().collect(),
        static_parameters: fixed,
        automatic_parameters: definition.automatic_parameters.clone(),
        timeout: definition.timeout,
        precomputable: definition.precomputable,
        default_reaction: definition.default_reaction,
        static_response: definition.static_response.clone(),
        ..CallToolDefinition::default()
    };
    match &definition.run {
        BaseToolRun::Client(client) => shown.client = Some(client.clone()),
        BaseToolRun::DataConnection(connection) => shown.data_connection = Some(connection.clone()),
        BaseToolRun::Http(details) => {
            let options = definition.requirements.as_ref().and_then(|r| r.http_security_options.as_ref());
            let (auth_headers, auth_query_params, call_token_scopes) =
                authentication::names(options, &selected.auth_tokens);
            shown.http = Some(HttpCallToolDetails {
                base_url_pattern: details.base_url_pattern.clone(),
                http_method: details.http_method,
                auth_headers,
                auth_query_params,
                call_token_scopes,
            });
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use antiphon_api::json::{Source, from_value};
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_that_authenticates_is_shown_but_its_names() {
        let selected = json!({
            "nameOverride": "look",
            "authTokens": {"key": "token-4711", "more": "token-4712"},
            "parameterOverrides": {"password": "secret-4713", "place": "secret-4714"},
            "temporaryTool": {
                "modelToolName": "lookup",
                "description": "Looks things up.",
                "dynamicParameters": [
                    {"name": "what", "location": "PARAMETER_LOCATION_QUERY", "schema": {"type": "string"}},
                    {"name": "place", "location": "PARAMETER_LOCATION_QUERY", "schema": {"type": "string"}},
                ],
                "staticParameters": [
                    {"name": "password", "location": "PARAMETER_LOCATION_BODY", "value": "none"},
                    {"name": "unit", "location": "PARAMETER_LOCATION_BODY", "value": "m"},
                ],
                "requirements": {"httpSecurityOptions": {"options": [{
                    "requirements": {
                        "key": {"headerApiKey": {"name": "X-Key"}},
                        "more": {"queryApiKey": {"name": "k"}},
                    },
                    "ultravoxCallTokenRequirement": {"scopes": ["a"]},
                }]}},
                "http": {"baseUrlPattern": "https://example.com/look", "httpMethod": "GET"},
            },
        });
        let selected = from_value::<SelectedTool>(&selected, Source::RequestBody).unwrap().value;
        let (name, id, definition) = shown(&selected);
        assert_eq!((name.as_str(), id), ("look", None));
        let text = serde_json::to_string(&definition).unwrap();
        assert!(!text.contains("-471"), "{text}");
        let http = definition.http.unwrap();
        assert_eq!(http.auth_headers, ["X-Key"]);
        assert_eq!(http.auth_query_params, ["k"]);
        assert_eq!(http.call_token_scopes, ["a"]);
        let dynamic: Vec<&str> = definition.dynamic_parameters.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(dynamic, ["what"]);
        let fixed: Vec<(&str, &Value)> =
            definition.static_parameters.iter().map(|p| (p.name.as_str(), &p.value)).collect();
        assert_eq!(fixed, [("password", &Value::Null), ("unit", &json!("m")), ("place", &Value::Null)]);
    }
}
