//! From the command line to the create-call request (protocol.md 2.1).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use antiphon_api::rest::calls::{
    BaseToolDefinition, BaseToolRun, CallMedium, ClientToolDetails, CreateCallQuery, DynamicParameter,
    FirstSpeakerSettings, MessageMedium, ParameterLocation, SelectedTool, ServerWebSocketMedium,
    StartCallRequest, ToolReference, UserGreeting,
};
use antiphon_api::{CallId, SampleRate as WireRate, WireDuration};
use antiphon_audio::SampleRate;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Map, Value};

use crate::conversation::{Tool, Tools};
use crate::exit::misuse;

/// The built-in tool with which an agent ends the call (protocol.md 6.11).
pub(crate) const HANG_UP: &str = "hangUp";
/// How long the server waits for a tool. Commands take longer than the 2.5 s that it would allow by itself.
const TOOL_TIMEOUT: WireDuration = WireDuration::from_secs(20);

/// What the call is created with.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Call")]
pub(super) struct CallOptions {
    /// What the agent is told to be and to do; @FILE reads it from a file.
    #[arg(long, value_name = "TEXT|@FILE", conflicts_with = "join")]
    system_prompt: Option<String>,
    /// The agent's voice, by name or id.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), conflicts_with = "join")]
    voice: Option<String>,
    /// The language model.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), conflicts_with = "join")]
    model: Option<String>,
    /// How freely the model answers, from 0 to 1.
    #[arg(long, value_name = "0..1", value_parser = temperature, conflicts_with = "join")]
    temperature: Option<f64>,
    /// The agent answers in writing, though the user speaks.
    #[arg(long, conflicts_with = "join")]
    text_output: bool,
    /// The user speaks first.
    #[arg(long, conflicts_with = "join")]
    pub(super) user_first: bool,
    /// Go on from this earlier call: its settings and messages.
    #[arg(long, value_name = "CALL_ID", conflicts_with = "join")]
    prior_call: Option<CallId>,
    /// Milliseconds of the agent's audio that the server may send ahead.
    #[arg(long, value_name = "MS", default_value_t = 30_000, value_parser = clap::value_parser!(u32).range(1..=600_000), conflicts_with = "join")]
    client_buffer_ms: u32,
    /// The longest that the call may take, in seconds, such as 300s.
    #[arg(long, value_name = "SECONDS", value_parser = max_duration, conflicts_with = "join")]
    max_duration: Option<WireDuration>,
    /// The agent may end the call.
    #[arg(long, conflicts_with = "join")]
    may_hang_up: bool,
    /// A tool that the agent may call, and the command that runs it. May be repeated.
    #[arg(long = "tool", value_name = "NAME=COMMAND", value_parser = pair)]
    tools: Vec<(String, String)>,
    /// A JSON Schema file with the description of a tool and of its arguments. May be repeated.
    #[arg(long = "tool-schema", value_name = "NAME=FILE", value_parser = pair, conflicts_with = "join")]
    tool_schemas: Vec<(String, String)>,
}

fn temperature(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "it must be a number from 0 to 1".to_owned())
}

fn max_duration(text: &str) -> Result<WireDuration, String> {
    let with_unit = if text.ends_with('s') { text.to_owned() } else { format!("{text}s") };
    let duration: WireDuration =
        with_unit.parse().map_err(|_| "it must be seconds, such as 300s".to_owned())?;
    if duration > WireDuration::ZERO { Ok(duration) } else { Err("it must be more than 0s".to_owned()) }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it must be written NAME=..., with an equals sign")?;
    let is_name_char = |char: char| char.is_ascii_alphanumeric() || char == '_' || char == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_name_char) {
        return Err(format!("{name:?} is no tool name; use 1 to 64 letters, digits, _ and -"));
    }
    if value.trim().is_empty() {
        return Err("there is nothing behind the equals sign".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

impl CallOptions {
    /// What runs the tools.
    pub(super) fn tools(&self) -> anyhow::Result<Tools> {
        let mut tools = BTreeMap::new();
        for (name, command) in &self.tools {
            if tools.insert(name.clone(), Tool::Program(command.clone())).is_some() {
                return Err(misuse(format!(
                    "there are two commands for the tool {name}; keep one --tool {name}=..."
                )));
            }
        }
        if let Some((name, _)) = self.tool_schemas.iter().find(|(name, _)| !tools.contains_key(name)) {
            return Err(misuse(format!(
                "there is a schema for the tool {name} but no command; add --tool {name}=COMMAND"
            )));
        }
        Ok(Tools(tools))
    }

    /// The query of the creation.
    pub(super) fn query(&self) -> CreateCallQuery {
        CreateCallQuery { prior_call_id: self.prior_call, ..CreateCallQuery::default() }
    }

    /// The body of the creation.
    pub(super) fn request(&self, rate: SampleRate, text: bool) -> anyhow::Result<StartCallRequest> {
        let rate = WireRate::new(rate.hz()).expect("both crates have the rates of A-33");
        let medium = ServerWebSocketMedium {
            input_sample_rate: rate,
            output_sample_rate: Some(rate),
            client_buffer_size_ms: Some(self.client_buffer_ms),
            data_messages: None,
            media_idle_timeout: None,
        };
        let mut tools: Vec<SelectedTool> =
            self.tools.iter().map(|(name, _)| self.tool(name)).collect::<anyhow::Result<_>>()?;
        if self.may_hang_up {
            tools.push(ToolReference::ToolName(HANG_UP.to_owned()).into());
        }
        Ok(StartCallRequest {
            system_prompt: self.system_prompt.as_deref().map(prompt).transpose()?,
            temperature: self.temperature,
            model: self.model.clone(),
            voice: self.voice.clone(),
            max_duration: self.max_duration,
            // An empty list would take a prior call's tools away.
            selected_tools: Some(tools).filter(|tools| !tools.is_empty()),
            medium: Some(CallMedium::ServerWebSocket(medium)),
            first_speaker_settings: self
                .user_first
                .then(|| FirstSpeakerSettings::User(UserGreeting::default())),
            initial_output_medium: (self.text_output || text).then_some(MessageMedium::Text),
            ..StartCallRequest::default()
        })
    }

    fn tool(&self, name: &str) -> anyhow::Result<SelectedTool> {
        let schema = self.tool_schemas.iter().find(|(other, _)| other == name);
        let schema = schema.map(|(_, path)| Schema::read(Path::new(path))).transpose()?.unwrap_or_default();
        Ok(client_tool(name, schema))
    }
}

/// A tool that this client runs, as the agent is told of it.
pub(crate) fn client_tool(name: &str, schema: Schema) -> SelectedTool {
    let definition = BaseToolDefinition {
        model_tool_name: Some(name.to_owned()),
        description: schema.description,
        dynamic_parameters: schema.parameters,
        static_parameters: Vec::new(),
        automatic_parameters: Vec::new(),
        requirements: None,
        timeout: Some(TOOL_TIMEOUT),
        precomputable: None,
        default_reaction: None,
        static_response: None,
        run: BaseToolRun::Client(ClientToolDetails::default()),
    };
    ToolReference::TemporaryTool(Box::new(definition)).into()
}

/// What a tool does and takes.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    description: Option<String>,
    parameters: Vec<DynamicParameter>,
}

impl Schema {
    /// Reads a file with a JSON Schema of type `object`, whose `description` is the tool's.
    fn read(path: &Path) -> anyhow::Result<Self> {
        let complain =
            |problem: String| misuse(format!("cannot use the schema {}: {problem}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| complain(error.to_string()))?;
        let schema: Value = serde_json::from_str(&text).map_err(|error| complain(error.to_string()))?;
        Self::of(&schema).map_err(complain)
    }

    /// Reads a JSON Schema of type `object`.
    pub(crate) fn of(schema: &Value) -> Result<Self, String> {
        let Some(schema) = schema.as_object() else {
            return Err("it must be a JSON Schema of type object".to_owned());
        };
        let nothing = Map::new();
        let properties = match schema.get("properties") {
            None => &nothing,
            Some(Value::Object(properties)) => properties,
            Some(_) => return Err("\"properties\" must be an object".to_owned()),
        };
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .map_or_else(Vec::new, |names| names.iter().filter_map(Value::as_str).collect());
        let parameters = properties
            .iter()
            .map(|(name, schema)| {
                let schema = schema
                    .as_object()
                    .cloned()
                    .ok_or_else(|| format!("the schema of \"{name}\" must be an object"))?;
                Ok(DynamicParameter {
                    name: name.clone(),
                    location: Some(ParameterLocation::Body),
                    schema,
                    required: Some(required.contains(&name.as_str())),
                })
            })
            .collect::<Result<_, String>>()?;
        let description = schema.get("description").and_then(Value::as_str).map(Into::into);
        Ok(Self { description, parameters })
    }
}

fn prompt(text: &str) -> anyhow::Result<String> {
    let Some(path) = text.strip_prefix('@') else {
        return Ok(text.to_owned());
    };
    std::fs::read_to_string(PathBuf::from(path))
        .map_err(|error| misuse(format!("cannot read the system prompt from {path}: {error}")))
}
