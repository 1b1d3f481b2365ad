//! A tool that is tried out by itself, without a call (protocol.md 6.2, `POST .../test`).

use std::collections::BTreeMap;

use antiphon_api::Secret;
use antiphon_api::json::{JsonObject, Source, from_value};
use antiphon_api::rest::calls::{
    BaseToolDefinition, BaseToolRun, KnownParameter, SelectedTool, ToolReference,
};
use serde_json::{Value, json};

use super::parameters::KnownValues;
use super::selection::prepare;
use super::{CallToken, HttpCall, Refusal, Task, ToolError};
use crate::outbound::{Outbound, OutboundError, Response};

/// A request that is ready to be sent.
pub(crate) struct Trial(Box<HttpCall>);

impl Trial {
    /// Reads the body of a test: the parameters, or an object with `parameters` and `authTokens`.
    pub(crate) fn new(mut definition: BaseToolDefinition, body: JsonObject) -> Result<Self, ToolError> {
        match &definition.run {
            BaseToolRun::Http(_) => {}
            BaseToolRun::Client(_) | BaseToolRun::DataConnection(_) => {
                let message = "only tools behind HTTP endpoints can be tried out without a call";
                return Err(ToolError::new("toolId", message));
            }
        }
        let (mut parameters, tokens) = split(&definition, body)?;
        definition.model_tool_name.get_or_insert_with(|| "test".to_owned());
        // What the server would fill in or an agent would override may be given too.
        let mut overrides = JsonObject::new();
        for parameter in &definition.static_parameters {
            if let Some(value) = parameters.remove(&parameter.name) {
                overrides.insert(parameter.name.clone(), value);
            }
        }
        for name in definition.requirements.iter().flat_map(|r| &r.required_parameter_overrides) {
            if let Some(value) = parameters.remove(name) {
                overrides.insert(name.clone(), value);
            }
        }
        let mut known = JsonObject::new();
        for parameter in &definition.automatic_parameters {
            if let Some(value) = parameters.remove(&parameter.name) {
                known.insert(parameter.known_value.as_str().to_owned(), value);
            }
        }
        let selected = SelectedTool {
            auth_tokens: tokens,
            parameter_overrides: Some(overrides),
            ..SelectedTool::from(ToolReference::TemporaryTool(Box::new(definition)))
        };
        let (mut tools, _) = prepare(&[selected], &CallToken::mint())?;
        let tool = tools.pop().unwrap_or_default();
        let text = |parameter: KnownParameter| match known.get(parameter.as_str()) {
            Some(Value::String(text)) => text.clone(),
            Some(_) | None => "test".to_owned(),
        };
        let value = |parameter: KnownParameter, default: Value| {
            known.get(parameter.as_str()).cloned().unwrap_or(default)
        };
        let state = value(KnownParameter::CallState, json!({}));
        let known = KnownValues {
            call_id: text(KnownParameter::CallId),
            stage_id: text(KnownParameter::CallStageId),
            metadata: value(KnownParameter::CallMetadata, json!({})),
            output_rate: 48_000,
            state: &state,
            history: value(KnownParameter::ConversationHistory, json!([])),
            thread: None,
            threads: &[],
        };
        match tool.task(&Value::Object(parameters), &known) {
            Ok(Task::Http(call)) => Ok(Self(call)),
            Ok(Task::Client(_) | Task::DataConnection(_) | Task::Known(_) | Task::Search(_)) => {
                Err(ToolError::new("toolId", "is no HTTP tool"))
            }
            Err(Refusal(why)) => Err(ToolError::new("parameters", why)),
        }
    }

    /// Runs the tool.
    pub(crate) async fn run(self, outbound: &Outbound) -> Result<Response, OutboundError> {
        self.0.raw(outbound).await
    }
}

fn split(
    definition: &BaseToolDefinition,
    mut body: JsonObject,
) -> Result<(JsonObject, BTreeMap<String, Secret>), ToolError> {
    let is_parameter = definition.dynamic_parameters.iter().any(|p| p.name == "parameters")
        || definition.static_parameters.iter().any(|p| p.name == "parameters");
    let Some(Value::Object(parameters)) = body.get("parameters").filter(|_| !is_parameter).cloned() else {
        return Ok((body, BTreeMap::new()));
    };
    let tokens = body.remove("authTokens").or_else(|| body.remove("auth_tokens"));
    let tokens = tokens.unwrap_or_else(|| json!({}));
    match from_value(&tokens, Source::RequestBody) {
        Ok(tokens) => Ok((parameters, tokens.value)),
        Err(_) => Err(ToolError::new("authTokens", "must be an object of texts")),
    }
}
