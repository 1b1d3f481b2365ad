//! From the command line to the create-call request (protocol.md 2.1).

use std::path::{Path, PathBuf};

use antiphon_api::rest::calls::{
    CallMedium, CreateCallQuery, FirstSpeakerSettings, MessageMedium, ServerWebSocketMedium,
    StartCallRequest, ToolReference, UserGreeting,
};
use antiphon_api::{CallId, SampleRate as WireRate, WireDuration};
use antiphon_audio::SampleRate;
use antiphon_client::tools::{ToolError, Tools};
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Value, json};

use super::drive_thru;
use crate::conversation::program;
use crate::exit::misuse;

/// The built-in tool with which an agent ends the call (protocol.md 6.11).
pub(crate) const HANG_UP: &str = "hangUp";

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
    /// The agent takes orders at the window of a drive-thru, as the agent of Ultravox's Python example does.
    #[arg(long, conflicts_with_all = ["system_prompt", "join"])]
    drive_thru: bool,
    /// The agent may ask this client what is on the secret menu.
    #[arg(long)]
    secret_menu: bool,
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
        let mut tools = Tools::new();
        for (name, command) in &self.tools {
            let schema = self.tool_schemas.iter().find(|(other, _)| other == name);
            let schema = schema.map(|(_, path)| schema_of(Path::new(path))).transpose()?;
            let tool = program(name, command, &schema.unwrap_or_else(|| json!({})));
            tools.add(tool).map_err(|error| match error {
                ToolError::Duplicate(name) => {
                    misuse(format!("there are two commands for the tool {name}; keep one --tool {name}=..."))
                }
                error @ (ToolError::Name(_) | ToolError::Parameters { .. } | ToolError::Timeout(_)) => {
                    misuse(error.to_string())
                }
            })?;
        }
        if let Some((name, _)) =
            self.tool_schemas.iter().find(|(name, _)| tools.names().all(|tool| tool != name))
        {
            return Err(misuse(format!(
                "there is a schema for the tool {name} but no command; add --tool {name}=COMMAND"
            )));
        }
        if self.secret_menu {
            let complain =
                |error: ToolError| misuse(format!("{error}; leave out --secret-menu or the other"));
            tools.add(drive_thru::secret_menu()).map_err(complain)?;
        }
        Ok(tools)
    }

    /// The query of the creation.
    pub(super) fn query(&self) -> CreateCallQuery {
        CreateCallQuery { prior_call_id: self.prior_call, ..CreateCallQuery::default() }
    }

    /// The body of the creation.
    pub(super) fn request(
        &self,
        tools: &Tools,
        rate: SampleRate,
        text: bool,
    ) -> anyhow::Result<StartCallRequest> {
        let rate = WireRate::new(rate.hz()).expect("both crates have the rates of A-33");
        let medium = ServerWebSocketMedium {
            input_sample_rate: rate,
            output_sample_rate: Some(rate),
            client_buffer_size_ms: Some(self.client_buffer_ms),
            data_messages: None,
            media_idle_timeout: None,
        };
        let mut tools = tools.selected();
        if self.may_hang_up {
            tools.push(ToolReference::ToolName(HANG_UP.to_owned()).into());
        }
        Ok(StartCallRequest {
            system_prompt: match &self.system_prompt {
                Some(text) => Some(prompt(text)?),
                None => self.drive_thru.then(|| drive_thru::PROMPT.to_owned()),
            },
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
}

/// Reads a file with a JSON Schema.
fn schema_of(path: &Path) -> anyhow::Result<Value> {
    let complain = |problem: String| misuse(format!("cannot use the schema {}: {problem}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| complain(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| complain(error.to_string()))
}

fn prompt(text: &str) -> anyhow::Result<String> {
    let Some(path) = text.strip_prefix('@') else {
        return Ok(text.to_owned());
    };
    std::fs::read_to_string(PathBuf::from(path))
        .map_err(|error| misuse(format!("cannot read the system prompt from {path}: {error}")))
}

#[cfg(test)]
mod tests {
    use antiphon_api::realtime::ToolInvocation;
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        call: CallOptions,
        #[arg(long)]
        join: Option<String>,
    }

    fn options(line: &str) -> CallOptions {
        Line::try_parse_from(std::iter::once("talk").chain(line.split_whitespace())).unwrap().call
    }

    fn request(line: &str) -> Value {
        let options = options(line);
        let request = options.request(&options.tools().unwrap(), SampleRate::WEBSOCKET_DEFAULT, false);
        serde_json::to_value(request.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn the_agent_of_the_official_example_is_there_with_its_tool() {
        let told =
            request("--drive-thru --secret-menu --temperature 0.8 --user-first --text-output --voice Mark");
        assert!(told["systemPrompt"].as_str().unwrap().contains("drive-thru"), "{told}");
        assert_eq!((&told["temperature"], &told["voice"]), (&json!(0.8), &json!("Mark")));
        assert_eq!(told["initialOutputMedium"], "MESSAGE_MEDIUM_TEXT");
        assert_eq!(told["firstSpeakerSettings"], json!({"user": {}}));
        let medium =
            json!({"inputSampleRate": 48000, "outputSampleRate": 48000, "clientBufferSizeMs": 30000});
        assert_eq!(told["medium"], json!({ "serverWebSocket": medium }));
        let tool = &told["selectedTools"][0]["temporaryTool"];
        assert_eq!(tool["modelToolName"], "getSecretMenu");
        assert!(tool["dynamicParameters"].as_array().is_none_or(Vec::is_empty), "{tool}");

        let invocation = ToolInvocation {
            tool_name: "getSecretMenu".into(),
            invocation_id: "i".into(),
            parameters: serde_json::Map::new(),
        };
        let result = options("--secret-menu").tools().unwrap().run(invocation).await.result.unwrap();
        let menu: Value = serde_json::from_str(&result.0).unwrap();
        assert!(menu["specials"][0]["name"].is_string(), "{menu}");
    }

    #[test]
    fn a_command_for_the_secret_menu_beside_it_is_one_too_many() {
        let error = options("--secret-menu --tool getSecretMenu=date").tools().unwrap_err().to_string();
        assert!(error.contains("leave out --secret-menu or the other"), "{error}");
    }
}
