//! What a tool is given, and by whom: the model, its definition, whoever selected it, or the server (protocol.md 6.2 to 6.5).
//!
//! Holds the model to the schemas of what it sets. Where values go in an HTTP request is said here and done in `http`.

use std::borrow::Cow;
use std::sync::Arc;

use antiphon_api::json::JsonObject;
use antiphon_api::realtime::MAIN_THREAD;
use antiphon_api::rest::calls::{
    BaseToolDefinition, BaseToolRun, DynamicParameter, KnownParameter, ParameterLocation, SelectedTool,
};
use antiphon_engine::output::{ThreadState, ThreadStatus};
use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::{ToolError, repair, schema};

/// What the server fills parameters with.
#[derive(Debug, Clone)]
pub(crate) struct KnownValues<'a> {
    pub(crate) call_id: String,
    pub(crate) stage_id: String,
    pub(crate) metadata: Value,
    pub(crate) output_rate: u32,
    pub(crate) state: &'a Value,
    pub(crate) history: Value,
    /// The side thread that calls; the main conversation if absent.
    pub(crate) thread: Option<&'a str>,
    /// What the side threads do.
    pub(crate) threads: &'a [ThreadStatus],
}

impl KnownValues<'_> {
    fn value(&self, parameter: KnownParameter) -> Value {
        match parameter {
            KnownParameter::CallId => Value::from(self.call_id.as_str()),
            KnownParameter::CallMetadata => self.metadata.clone(),
            KnownParameter::CallStageId => Value::from(self.stage_id.as_str()),
            KnownParameter::CallState => self.state.clone(),
            KnownParameter::ConversationHistory => self.history.clone(),
            KnownParameter::OutputSampleRate => Value::from(self.output_rate),
            KnownParameter::ThreadId => Value::from(self.thread.unwrap_or(MAIN_THREAD)),
            KnownParameter::ThreadStates => states(self.threads),
        }
    }
}

/// What the side threads do, by their names (protocol.md 6.4).
fn states(threads: &[ThreadStatus]) -> Value {
    let status = |status: &ThreadStatus| {
        let state = match status.state {
            ThreadState::Idle => "IDLE",
            ThreadState::Generating => "GENERATING",
            ThreadState::CallingTool => "CALLING_TOOL",
            ThreadState::Failed => "FAILED",
        };
        let mut value = json!({ "state": state });
        if let Some(last) = &status.last_response {
            value["lastResponse"] = Value::from(&**last);
        }
        (status.id.to_string(), value)
    };
    Value::Object(threads.iter().map(status).collect())
}

/// A tool's parameters.
#[derive(Debug, Clone, Default)]
pub(super) struct Parameters {
    /// What the model sets, and where it goes.
    dynamic: Vec<(String, ParameterLocation)>,
    /// What is always the same.
    fixed: Vec<Fixed>,
    /// What the server fills in.
    automatic: Vec<(String, ParameterLocation, KnownParameter)>,
    /// The schema of the model's arguments, and what checks them against it, if there is anything to check.
    checked: Option<(Arc<Value>, Arc<Validator>)>,
}

#[derive(Debug, Clone)]
struct Fixed {
    name: String,
    location: ParameterLocation,
    value: Value,
}

/// A value and where it goes.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) name: String,
    pub(super) location: ParameterLocation,
    pub(super) value: Value,
    /// Whether it was set by people, so that it may be a credential and is none of the model's making.
    pub(super) fixed: bool,
}

impl Parameters {
    /// Reads a definition and what overrides it. `defined` and `at` are the fields of the definition and of the selection.
    pub(super) fn new(
        definition: &BaseToolDefinition,
        selected: &SelectedTool,
        defined: &str,
        at: &str,
    ) -> Result<Self, ToolError> {
        no_doubles(definition, defined)?;
        let fixed = fixed(definition, selected, at)?;
        let shown: Vec<_> =
            definition.dynamic_parameters.iter().filter(|p| !is_overridden(selected, &p.name)).collect();
        let checked = if definition.dynamic_parameters.is_empty() {
            None
        } else {
            let schema = arguments_schema(&shown, definition, defined)?;
            let validator = schema::validator(&schema).map_err(|why| ToolError::new(defined, why))?;
            Some((Arc::new(schema), Arc::new(validator)))
        };
        let place = |location: Option<ParameterLocation>| location.unwrap_or(ParameterLocation::Body);
        Ok(Self {
            dynamic: shown.iter().map(|p| (p.name.clone(), place(p.location))).collect(),
            fixed,
            automatic: definition
                .automatic_parameters
                .iter()
                .map(|p| (p.name.clone(), place(p.location), p.known_value))
                .collect(),
            checked,
        })
    }

    /// The schema of what the model sets.
    pub(super) fn schema(&self) -> Arc<Value> {
        match &self.checked {
            Some((schema, _)) => Arc::clone(schema),
            None => Arc::new(json!({"type": "object", "properties": {}, "required": []})),
        }
    }

    pub(super) fn wants_history(&self) -> bool {
        self.automatic.iter().any(|(.., parameter)| *parameter == KnownParameter::ConversationHistory)
    }

    /// The names that the model sets, and those that others do, with where they go.
    pub(super) fn dynamic(&self) -> impl Iterator<Item = (&str, ParameterLocation)> {
        self.dynamic.iter().map(|(name, location)| (name.as_str(), *location))
    }

    /// See [`Parameters::dynamic`].
    pub(super) fn others(&self) -> impl Iterator<Item = (&str, ParameterLocation)> {
        let fixed = self.fixed.iter().map(|fixed| (fixed.name.as_str(), fixed.location));
        fixed.chain(self.automatic.iter().map(|(name, location, _)| (name.as_str(), *location)))
    }

    /// The arguments that a model meant, if it wrote others and it is clear what it meant.
    pub(super) fn mend(&self, arguments: &str) -> Option<String> {
        let parsed = serde_json::from_str(arguments).ok().filter(Value::is_object);
        let object = match &parsed {
            Some(object) => object.clone(),
            None => repair::object(arguments)?,
        };
        let mended = self.fitting(&object).map_or_else(|_| object.clone(), Cow::into_owned);
        (parsed.as_ref() != Some(&mended)).then(|| mended.to_string())
    }

    /// Arguments that fit their schema: as they are, or as they are meant.
    ///
    /// # Errors
    /// What is wrong, for the model to correct.
    pub(super) fn fitting<'v>(&self, arguments: &'v Value) -> Result<Cow<'v, Value>, String> {
        let Some((schema, validator)) = &self.checked else { return Ok(Cow::Borrowed(arguments)) };
        let Some(problems) = schema::problems(validator, arguments) else {
            return Ok(Cow::Borrowed(arguments));
        };
        let meant = schema::meant(schema, arguments.clone());
        if validator.is_valid(&meant) { Ok(Cow::Owned(meant)) } else { Err(problems) }
    }

    /// All parameters of an invocation as one object. A fixed or automatic one wins over a model that makes up one of that name.
    pub(super) fn object(&self, arguments: &Value, known: &KnownValues<'_>) -> JsonObject {
        let mut parameters = arguments.as_object().cloned().unwrap_or_default();
        for fixed in &self.fixed {
            parameters.insert(fixed.name.clone(), fixed.value.clone());
        }
        for (name, _, parameter) in &self.automatic {
            parameters.insert(name.clone(), known.value(*parameter));
        }
        parameters
    }

    /// All parameters of an invocation with their places. What the model makes up has none and is left out.
    pub(super) fn placed(&self, arguments: &Value, known: &KnownValues<'_>) -> Vec<Placed> {
        let mut placed = Vec::new();
        let mut put = |name: &String, location: &ParameterLocation, value: Value, fixed| {
            placed.push(Placed { name: name.clone(), location: *location, value, fixed });
        };
        for (name, location) in &self.dynamic {
            if let Some(value) = arguments.get(name) {
                put(name, location, value.clone(), false);
            }
        }
        for fixed in &self.fixed {
            put(&fixed.name, &fixed.location, fixed.value.clone(), true);
        }
        for (name, location, parameter) in &self.automatic {
            put(name, location, known.value(*parameter), false);
        }
        placed
    }
}

/// The schema of the object that holds what the model sets.
fn arguments_schema(
    shown: &[&DynamicParameter],
    definition: &BaseToolDefinition,
    defined: &str,
) -> Result<Value, ToolError> {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for parameter in shown {
        let own = Value::Object(parameter.schema.clone());
        let refuse = |why: String| {
            let index = definition.dynamic_parameters.iter().position(|p| p.name == parameter.name);
            let index = index.unwrap_or_default();
            ToolError::new(format!("{defined}.dynamicParameters[{index}].schema"), why)
        };
        let schema = schema::inlined(&own, &own).map_err(refuse)?;
        schema::validator(&schema).map_err(refuse)?;
        properties.insert(parameter.name.clone(), schema);
        if parameter.required == Some(true) {
            required.push(Value::from(parameter.name.as_str()));
        }
    }
    Ok(json!({"type": "object", "properties": properties, "required": required}))
}

/// Overrides make dynamic parameters constant and replace static ones; anything else they name is a mistake (protocol.md 6.5).
fn fixed(
    definition: &BaseToolDefinition,
    selected: &SelectedTool,
    at: &str,
) -> Result<Vec<Fixed>, ToolError> {
    let place = |location: Option<ParameterLocation>| location.unwrap_or(ParameterLocation::Body);
    let statics = definition.static_parameters.iter();
    let mut fixed: Vec<Fixed> = statics
        .map(|p| Fixed { name: p.name.clone(), location: place(p.location), value: p.value.clone() })
        .collect();
    for (name, value) in selected.parameter_overrides.iter().flatten() {
        let mut known = false;
        for fixed in fixed.iter_mut().filter(|fixed| fixed.name == *name) {
            fixed.value = value.clone();
            known = true;
        }
        for parameter in definition.dynamic_parameters.iter().filter(|p| p.name == *name) {
            fixed.push(Fixed {
                name: name.clone(),
                location: place(parameter.location),
                value: value.clone(),
            });
            known = true;
        }
        if !known {
            let field = format!("{at}.parameterOverrides.{name}");
            return Err(ToolError::new(field, "the tool has no dynamic or static parameter of this name"));
        }
    }
    for name in definition.requirements.iter().flat_map(|r| &r.required_parameter_overrides) {
        if !is_overridden(selected, name) {
            let field = format!("{at}.parameterOverrides.{name}");
            return Err(ToolError::new(field, "is missing; the tool requires this override"));
        }
    }
    Ok(fixed)
}

/// A parameter may stand in several places, but nothing is in one place twice.
fn no_doubles(definition: &BaseToolDefinition, defined: &str) -> Result<(), ToolError> {
    let is_http = match &definition.run {
        BaseToolRun::Http(_) => true,
        BaseToolRun::Client(_) | BaseToolRun::DataConnection(_) => false,
    };
    let of = |list, index, name, location| (list, index, name, location);
    let dynamic = definition.dynamic_parameters.iter().enumerate();
    let fixed = definition.static_parameters.iter().enumerate();
    let automatic = definition.automatic_parameters.iter().enumerate();
    let all = dynamic
        .map(|(at, p)| of("dynamicParameters", at, &p.name, p.location))
        .chain(fixed.map(|(at, p)| of("staticParameters", at, &p.name, p.location)))
        .chain(automatic.map(|(at, p)| of("automaticParameters", at, &p.name, p.location)));
    let mut seen = Vec::new();
    for (list, index, name, location) in all {
        let place = (name, location.filter(|_| is_http));
        if seen.contains(&place) {
            let field = format!("{defined}.{list}[{index}].name");
            return Err(ToolError::new(field, format!("{name:?} is there twice; rename one of them")));
        }
        seen.push(place);
    }
    Ok(())
}

fn is_overridden(selected: &SelectedTool, parameter: &str) -> bool {
    selected.parameter_overrides.as_ref().is_some_and(|overrides| overrides.contains_key(parameter))
}
