//! A call's tools: from their definitions to what the engine knows of them, and from an invocation to its parameters.
//!
//! This server runs client tools and the built-in `hangUp`; other kinds are refused when the call is created. Knows the
//! definitions' wire words so that nothing else in a running call has to.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use antiphon_api::WireDuration;
use antiphon_api::json::JsonObject;
use antiphon_api::rest::calls::{
    BaseToolDefinition, BaseToolRun, DefaultReaction, KnownParameter, SelectedTool, StartCallRequest,
    ToolReference,
};
use antiphon_engine::config::{Tool, ToolRuns};
use antiphon_engine::input::Reaction;
use antiphon_engine::message::ToolForModel;
use serde_json::{Map, Value, json};

use super::setup::SetupError;

/// The published default of a tool's `timeout` (protocol.md 1.4).
const DEFAULT_TIMEOUT: Duration = Duration::from_millis(2_500);
/// The built-in that ends the call (protocol.md 6.11).
const HANG_UP: (&str, &str) = ("hangUp", "56294126-5a7d-4948-b67d-3b7e13d55ea7");
/// The built-ins that this server does not have (protocol.md 6.11).
const MISSING_BUILT_INS: [(&str, &str); 5] = [
    ("queryCorpus", "84a31bac-5c1b-41c3-9058-f81acb7ffaa7"),
    ("leaveVoicemail", "8721c74d-af3f-4dfa-a736-3bc170ef917c"),
    ("playDtmfSounds", "3e9489b1-25de-4032-bb3d-f7b84765ec93"),
    ("coldTransfer", "2fff509d-273f-414e-91ff-aa933435a545"),
    ("warmTransfer", ""),
];

/// What a call remembers of a tool to invoke it.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallTool {
    /// Parameters that are always the same: static ones and overridden ones.
    fixed: Vec<(String, Value)>,
    /// Parameters that the server fills in.
    automatic: Vec<(String, KnownParameter)>,
}

/// What the server fills parameters with.
#[derive(Debug, Clone)]
pub(crate) struct KnownValues<'a> {
    pub(crate) call_id: String,
    pub(crate) stage_id: String,
    pub(crate) metadata: Value,
    pub(crate) output_rate: u32,
    pub(crate) state: &'a Value,
    pub(crate) history: Value,
}

impl CallTool {
    /// All parameters of an invocation: the model's, the fixed ones and the automatic ones (protocol.md 3.3). A fixed or
    /// automatic one wins over a model that makes up a parameter of that name.
    pub(crate) fn parameters(&self, arguments: &Value, known: &KnownValues<'_>) -> JsonObject {
        let mut parameters = arguments.as_object().cloned().unwrap_or_default();
        for (name, value) in &self.fixed {
            parameters.insert(name.clone(), value.clone());
        }
        for (name, parameter) in &self.automatic {
            let value = match parameter {
                KnownParameter::CallId => Value::from(known.call_id.as_str()),
                KnownParameter::CallMetadata => known.metadata.clone(),
                KnownParameter::CallStageId => Value::from(known.stage_id.as_str()),
                KnownParameter::CallState => known.state.clone(),
                KnownParameter::ConversationHistory => known.history.clone(),
                KnownParameter::OutputSampleRate => Value::from(known.output_rate),
                KnownParameter::ThreadId => Value::from("UI"),
                KnownParameter::ThreadStates => json!({}),
            };
            parameters.insert(name.clone(), value);
        }
        parameters
    }
}

/// What a call's tools are, for the call and for its engine, in the same order.
pub(super) fn prepare(request: &StartCallRequest) -> Result<(Vec<CallTool>, Vec<Tool>), SetupError> {
    let selected = request.selected_tools.as_deref().unwrap_or_default();
    let mut names = HashSet::new();
    let mut prepared = (Vec::new(), Vec::new());
    for (index, tool) in selected.iter().enumerate() {
        let at = format!("selectedTools[{index}]");
        let (call_tool, engine_tool) = prepare_tool(tool, &at)?;
        if !names.insert(Arc::clone(&engine_tool.face.name)) {
            let name = &engine_tool.face.name;
            let message = format!("is a second tool called {name:?}; give one of them a \"nameOverride\"");
            return Err(SetupError::new(at, message));
        }
        prepared.0.push(call_tool);
        prepared.1.push(engine_tool);
    }
    Ok(prepared)
}

fn prepare_tool(selected: &SelectedTool, at: &str) -> Result<(CallTool, Tool), SetupError> {
    match &selected.tool {
        ToolReference::TemporaryTool(definition) => temporary(selected, definition, at),
        ToolReference::ToolName(name) => built_in(selected, name, &format!("{at}.toolName")),
        ToolReference::ToolId(id) => built_in(selected, &id.to_string(), &format!("{at}.toolId")),
    }
}

fn built_in(selected: &SelectedTool, reference: &str, at: &str) -> Result<(CallTool, Tool), SetupError> {
    let is = |(name, id): &(&str, &str)| *name == reference || *id == reference;
    if !is(&HANG_UP) {
        let message = match MISSING_BUILT_INS.iter().find(|built_in| is(built_in)) {
            Some((name, _)) => format!("the built-in tool {name:?} is not available on this server"),
            None => format!("there is no tool {reference:?}; define it as a \"temporaryTool\""),
        };
        return Err(SetupError::new(at, message));
    }
    let strict = match selected.parameter_overrides.as_ref().and_then(|overrides| overrides.get("strict")) {
        None => true,
        Some(Value::Bool(strict)) => *strict,
        Some(_) => {
            return Err(SetupError::new(format!("{at}.parameterOverrides.strict"), "must be true or false"));
        }
    };
    let description = selected
        .description_override
        .as_deref()
        .unwrap_or("Ends the call. Use it when the conversation has come to its end, after saying goodbye.");
    let tool = Tool {
        face: ToolForModel {
            name: Arc::from(selected.name_override.as_deref().unwrap_or(HANG_UP.0)),
            description: Arc::from(description),
            parameters: Arc::new(json!({
                "type": "object",
                "properties": {"reason": {"type": "string", "description": "Why the call ends."}},
            })),
        },
        timeout: DEFAULT_TIMEOUT,
        reaction: Reaction::Listens,
        runs: ToolRuns::HangUp { strict },
        wants_history: false,
    };
    Ok((CallTool::default(), tool))
}

fn temporary(
    selected: &SelectedTool,
    definition: &BaseToolDefinition,
    at: &str,
) -> Result<(CallTool, Tool), SetupError> {
    match &definition.run {
        BaseToolRun::Client(_) => {}
        BaseToolRun::Http(_) => {
            return Err(SetupError::new(
                format!("{at}.temporaryTool.http"),
                "HTTP tools are not available on this server; use a \"client\" tool",
            ));
        }
        BaseToolRun::DataConnection(_) => {
            return Err(SetupError::new(
                format!("{at}.temporaryTool.dataConnection"),
                "data connections are not available on this server; use a \"client\" tool",
            ));
        }
    }
    let Some(name) = selected.model_tool_name() else {
        return Err(SetupError::new(format!("{at}.temporaryTool.modelToolName"), "is missing"));
    };
    let call_tool = fixed_parameters(selected, definition, at)?;
    let seen =
        definition.dynamic_parameters.iter().filter(|parameter| !is_overridden(selected, &parameter.name));
    let mut properties = Map::new();
    let mut required = Vec::new();
    for parameter in seen {
        properties.insert(parameter.name.clone(), Value::Object(parameter.schema.clone()));
        if parameter.required == Some(true) {
            required.push(Value::from(parameter.name.as_str()));
        }
    }
    let wants_history =
        definition.automatic_parameters.iter().any(|p| p.known_value == KnownParameter::ConversationHistory);
    let description = selected.description_override.as_deref().or(definition.description.as_deref());
    let tool = Tool {
        face: ToolForModel {
            name: Arc::from(name),
            description: Arc::from(description.unwrap_or_default()),
            parameters: Arc::new(json!({"type": "object", "properties": properties, "required": required})),
        },
        timeout: definition.timeout.and_then(WireDuration::to_std).unwrap_or(DEFAULT_TIMEOUT),
        reaction: match definition.default_reaction {
            None | Some(DefaultReaction::Speaks) => Reaction::Speaks,
            Some(DefaultReaction::Listens) => Reaction::Listens,
            Some(DefaultReaction::SpeaksOnce) => Reaction::SpeaksOnce,
        },
        runs: ToolRuns::Outside,
        wants_history,
    };
    Ok((call_tool, tool))
}

/// Overrides make dynamic parameters constant and replace static ones; anything else they name is a mistake (protocol.md 6.5).
fn fixed_parameters(
    selected: &SelectedTool,
    definition: &BaseToolDefinition,
    at: &str,
) -> Result<CallTool, SetupError> {
    let mut fixed: Vec<(String, Value)> =
        definition.static_parameters.iter().map(|p| (p.name.clone(), p.value.clone())).collect();
    for (name, value) in selected.parameter_overrides.iter().flatten() {
        if let Some(known) = fixed.iter_mut().find(|(fixed, _)| fixed == name) {
            known.1 = value.clone();
        } else if definition.dynamic_parameters.iter().any(|parameter| parameter.name == *name) {
            fixed.push((name.clone(), value.clone()));
        } else {
            let field = format!("{at}.parameterOverrides.{name}");
            return Err(SetupError::new(field, "the tool has no dynamic or static parameter of this name"));
        }
    }
    let required = definition.requirements.iter().flat_map(|r| &r.required_parameter_overrides);
    for name in required {
        if !is_overridden(selected, name) {
            let field = format!("{at}.parameterOverrides.{name}");
            return Err(SetupError::new(field, "is missing; the tool requires this override"));
        }
    }
    let automatic = definition.automatic_parameters.iter().map(|p| (p.name.clone(), p.known_value)).collect();
    Ok(CallTool { fixed, automatic })
}

fn is_overridden(selected: &SelectedTool, parameter: &str) -> bool {
    selected.parameter_overrides.as_ref().is_some_and(|overrides| overrides.contains_key(parameter))
}
