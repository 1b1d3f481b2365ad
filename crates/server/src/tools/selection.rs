//! From the tools that a request selects to those that a call has. Everything that cannot be is refused by the name of its field.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use antiphon_api::WireDuration;
use antiphon_api::rest::calls::{
    BaseToolDefinition, BaseToolRun, DefaultReaction, SelectedTool, ToolReference,
};
use antiphon_engine::config::{Tool, ToolRuns};
use antiphon_engine::input::Reaction;
use antiphon_engine::message::ToolForModel;

use super::http::HttpTool;
use super::parameters::Parameters;
use super::{CallToken, CallTool, Runs, ToolError, authentication, built_in};

/// The published default of a tool's `timeout` (protocol.md 1.4).
const DEFAULT_TIMEOUT: Duration = Duration::from_millis(2_500);

/// What a call's tools are, for the call and for its engine, in the same order. Durable tools have been replaced by their
/// definitions before.
pub(crate) fn prepare(
    selected: &[SelectedTool],
    call_token: &CallToken,
) -> Result<(Vec<CallTool>, Vec<Tool>), ToolError> {
    let mut names = HashSet::new();
    let mut prepared = (Vec::new(), Vec::new());
    for (index, tool) in selected.iter().enumerate() {
        let at = format!("selectedTools[{index}]");
        let (call_tool, engine_tool) = match &tool.tool {
            ToolReference::TemporaryTool(definition) => defined(tool, definition, call_token, &at)?,
            reference @ (ToolReference::ToolId(_) | ToolReference::ToolName(_)) => {
                match built_in::find(reference) {
                    Some(built_in) => built_in::prepare(built_in, tool, &at)?,
                    None => {
                        let field = format!("{at}.{}", reference.key());
                        let message = "there is no such tool; create it, or define it as a \"temporaryTool\"";
                        return Err(ToolError::new(field, message));
                    }
                }
            }
        };
        if !names.insert(Arc::clone(&engine_tool.face.name)) {
            let name = &engine_tool.face.name;
            let message = format!("is a second tool called {name:?}; give one of them a \"nameOverride\"");
            return Err(ToolError::new(at, message));
        }
        prepared.0.push(call_tool);
        prepared.1.push(engine_tool);
    }
    Ok(prepared)
}

/// Whether a definition makes sense by itself, whoever may select it how.
pub(crate) fn check_definition(definition: &BaseToolDefinition, at: &str) -> Result<(), ToolError> {
    let mut lenient = definition.clone();
    if let Some(requirements) = &mut lenient.requirements {
        requirements.required_parameter_overrides.clear();
    }
    let overridable = |name: &String| {
        definition.dynamic_parameters.iter().any(|p| p.name == *name)
            || definition.static_parameters.iter().any(|p| p.name == *name)
    };
    let required = definition.requirements.iter().flat_map(|r| &r.required_parameter_overrides);
    if let Some((index, name)) = required.enumerate().find(|(_, name)| !overridable(name)) {
        return Err(ToolError::new(
            format!("{at}.requirements.requiredParameterOverrides[{index}]"),
            format!("the tool has no dynamic or static parameter {name:?}"),
        ));
    }
    let selected = SelectedTool::from(ToolReference::TemporaryTool(Box::new(lenient.clone())));
    let parameters = Parameters::new(&lenient, &selected, at, at)?;
    match &definition.run {
        BaseToolRun::Http(details) => {
            HttpTool::new(details, &parameters, Vec::new(), DEFAULT_TIMEOUT, at)?;
            authentication::check(definition.requirements.as_ref(), at)
        }
        BaseToolRun::Client(_) | BaseToolRun::DataConnection(_) => Ok(()),
    }
}

fn defined(
    selected: &SelectedTool,
    definition: &BaseToolDefinition,
    call_token: &CallToken,
    at: &str,
) -> Result<(CallTool, Tool), ToolError> {
    let defined_at = format!("{at}.temporaryTool");
    let Some(name) = selected.model_tool_name() else {
        return Err(ToolError::new(format!("{defined_at}.modelToolName"), "is missing"));
    };
    let parameters = Parameters::new(definition, selected, &defined_at, at)?;
    let timeout = definition.timeout.and_then(WireDuration::to_std).unwrap_or(DEFAULT_TIMEOUT);
    let runs = match &definition.run {
        BaseToolRun::Client(_) => Runs::Client,
        BaseToolRun::Http(details) => {
            let options = definition.requirements.as_ref().and_then(|r| r.http_security_options.as_ref());
            let credentials = authentication::choose(options, &selected.auth_tokens, call_token, at)?;
            let tool = HttpTool::new(details, &parameters, credentials, timeout, &defined_at)?;
            Runs::Http(Box::new(tool))
        }
        BaseToolRun::DataConnection(_) => Runs::DataConnection,
    };
    let description = selected.description_override.as_deref().or(definition.description.as_deref());
    let tool = Tool {
        face: ToolForModel {
            name: Arc::from(name),
            description: Arc::from(description.unwrap_or_default()),
            parameters: parameters.schema(),
        },
        timeout,
        reaction: match definition.default_reaction {
            None | Some(DefaultReaction::Speaks) => Reaction::Speaks,
            Some(DefaultReaction::Listens) => Reaction::Listens,
            Some(DefaultReaction::SpeaksOnce) => Reaction::SpeaksOnce,
        },
        runs: ToolRuns::Outside,
        wants_history: parameters.wants_history(),
        precomputable: definition.precomputable.unwrap_or(false),
        static_response: definition
            .static_response
            .as_ref()
            .map(|response| Arc::from(response.response_text.as_str())),
    };
    Ok((CallTool { parameters, runs }, tool))
}
