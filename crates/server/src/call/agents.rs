//! From an agent's template to the request of one of its calls (protocol.md 7.2, 2.2): what the call says itself goes before the
//! template, then the variables of both get their values.
//!
//! Owns which texts are templates and what makes a context one. What the request then asks for is refused or served like that of
//! any call.

use antiphon_api::Secret;
use antiphon_api::json::JsonObject;
use antiphon_api::rest::agents::{CallTemplate, StartAgentCallRequest, ToolOverrides};
use antiphon_api::rest::calls::{
    FallbackGreeting, FirstSpeakerSettings, SelectedTool, StartCallRequest, ToolReference,
};
use serde_json::Value;

use super::lasting_tools;
use super::live::CreateError;
use super::setup::SetupError;
use crate::storage::{AccountId, CallAgent, Storage, ToolUse};
use crate::templates::{Template, filled};
use crate::tools::{self, built_in};

/// A request's field with its tools.
const TOOLS: &str = "selectedTools";
/// The most characters of a language (protocol.md 2.1).
const LANGUAGE_CHARS: usize = 16;

/// What an agent's call has beside its request.
#[derive(Debug, Clone)]
pub struct AgentCall {
    /// The agent.
    pub agent: CallAgent,
    /// The values of the variables.
    pub context: JsonObject,
    /// Which of the agent's tools to leave out, and which to add.
    pub tools: ToolOverrides,
}

/// Whether calls can be made of a template, given the right context.
///
/// # Errors
/// The field of the template that is no template, or the schema that is none.
pub fn check(template: &CallTemplate) -> Result<(), SetupError> {
    let mut request = plain(template);
    each_text(&mut request, &mut |field, text| match Template::parse(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(SetupError::new(format!("callTemplate.{field}"), error.to_string())),
    })?;
    context_schema(template).map(|_| ())
}

/// What a template wants of the values of its variables, read once for many calls.
pub struct Contexts(Option<tools::Validator>);

impl Contexts {
    /// What this template wants.
    ///
    /// # Errors
    /// Its schema is none.
    pub fn of(template: &CallTemplate) -> Result<Self, SetupError> {
        context_schema(template).map(Self)
    }

    /// Whether values are as the template's schema wants them.
    ///
    /// # Errors
    /// They are not.
    pub fn check(&self, context: Option<&JsonObject>) -> Result<(), SetupError> {
        let Some(schema) = &self.0 else { return Ok(()) };
        let context = Value::Object(context.cloned().unwrap_or_default());
        match tools::problems(schema, &context) {
            None => Ok(()),
            Some(problems) => {
                Err(SetupError::new("templateContext", format!("does not fit the agent: {problems}")))
            }
        }
    }
}

/// The request of a call of an agent, still with its variables and with the template's tools only, and what makes it whole.
///
/// # Errors
/// The context is not as the template's schema wants it.
pub fn request(
    agent: CallAgent,
    template: &CallTemplate,
    start: StartAgentCallRequest,
) -> Result<(StartCallRequest, AgentCall), SetupError> {
    let context = start.template_context.unwrap_or_default();
    Contexts::of(template)?.check(Some(&context))?;
    let mut request = plain(template);
    if start.voice.is_some() {
        // A voice comes with its settings, or without any.
        request.voice = start.voice;
        request.voice_overrides = start.voice_overrides;
        request.external_voice = None;
    }
    request.initial_messages = start.initial_messages;
    request.metadata = start.metadata;
    request.experimental_settings = start.experimental_settings;
    request.callbacks = start.callbacks;
    request.medium = start.medium.or(request.medium);
    request.join_timeout = start.join_timeout.or(request.join_timeout);
    request.max_duration = start.max_duration.or(request.max_duration);
    request.recording_enabled = start.recording_enabled.or(request.recording_enabled);
    request.initial_output_medium = start.initial_output_medium.or(request.initial_output_medium);
    request.first_speaker_settings = start.first_speaker_settings.or(request.first_speaker_settings);
    request.data_connection = start.data_connection.or(request.data_connection);
    request.retention_policy = start.retention_policy.or(request.retention_policy);
    request.shared_secrets = start.shared_secrets.or(request.shared_secrets);
    let tools = start.tool_overrides.unwrap_or_default();
    Ok((request, AgentCall { agent, context, tools }))
}

impl AgentCall {
    /// Gives the call its tools, looked up and with what is left out and added, and every variable its value. Says which lasting
    /// tools the call has, and where its tools come from.
    pub(super) async fn complete(
        &self,
        storage: &Storage,
        account: AccountId,
        request: &mut StartCallRequest,
    ) -> Result<(Vec<ToolUse>, ToolPlaces), CreateError> {
        // Lasting tools go by their own names, so that they are looked up before any is left out.
        let mut uses = lasting_tools::resolve(storage, account, request).await?;
        let mut places = ToolPlaces::of_agent(request);
        let removed = self.leave_out(request, &mut places)?;
        uses.retain(|used| !removed.contains(&used.name));
        if !self.tools.add.is_empty() {
            request.selected_tools.get_or_insert_default().extend(self.tools.add.iter().cloned());
            places.add(self.tools.add.len());
            let added = lasting_tools::resolve(storage, account, request).await;
            uses.extend(added.map_err(|error| places.named(error))?);
        }
        self.fill(request).map_err(|error| places.named(error.into()))?;
        Ok((uses, places))
    }

    /// Gives every variable of the request its value.
    fn fill(&self, request: &mut StartCallRequest) -> Result<(), SetupError> {
        let context = Value::Object(self.context.clone());
        each_text(request, &mut |field, text| {
            match filled(text, &context) {
                Ok(Some(filled)) => *text = filled,
                Ok(None) => {}
                Err(error) => {
                    let remedy = "give it in \"templateContext\", or change the agent";
                    return Err(SetupError::new(field, format!("{error}; {remedy}")));
                }
            }
            Ok(())
        })?;
        if request.language_hint.as_ref().is_some_and(|hint| hint.chars().count() > LANGUAGE_CHARS) {
            let message = format!("is too long; use at most {LANGUAGE_CHARS} characters");
            return Err(SetupError::new("languageHint", message));
        }
        Ok(())
    }

    /// Leaves out the tools that the call shall not have, and says which. One that the agent does not have is a mistake: the call
    /// would have the tool that was meant.
    fn leave_out(
        &self,
        request: &mut StartCallRequest,
        places: &mut ToolPlaces,
    ) -> Result<Vec<String>, SetupError> {
        let selected = request.selected_tools.get_or_insert_default();
        if self.tools.remove_all == Some(true) {
            places.0.clear();
            return Ok(selected.drain(..).filter_map(|tool| model_name(&tool).map(str::to_owned)).collect());
        }
        for (index, name) in self.tools.remove.iter().enumerate() {
            let stays: Vec<bool> = selected.iter().map(|tool| model_name(tool) != Some(name)).collect();
            let (mut of_tools, mut of_places) = (stays.iter(), stays.iter());
            selected.retain(|_| of_tools.next().is_none_or(|stays| *stays));
            places.0.retain(|_| of_places.next().is_none_or(|stays| *stays));
            if selected.len() == stays.len() {
                let names: Vec<_> = selected.iter().filter_map(model_name).collect();
                return Err(SetupError::new(
                    format!("toolOverrides.remove[{index}]"),
                    format!("the agent has no tool {name:?}; it has {}", names.join(", ")),
                ));
            }
        }
        Ok(self.tools.remove.clone())
    }
}

/// Where each tool of a call comes from: fields of the agent's template or of the request. What is wrong with a tool is said of these.
#[derive(Debug, Default)]
pub(super) struct ToolPlaces(Vec<String>);

impl ToolPlaces {
    fn of_agent(request: &StartCallRequest) -> Self {
        let count = request.selected_tools.as_ref().map_or(0, Vec::len);
        Self((0..count).map(|index| format!("{TOOLS}[{index}]")).collect())
    }

    fn add(&mut self, count: usize) {
        self.0.extend((0..count).map(|index| format!("toolOverrides.add[{index}]")));
    }

    /// The same error of the field that the tool comes from.
    pub(super) fn named(&self, error: CreateError) -> CreateError {
        let CreateError::Invalid(SetupError { field, message }) = error else { return error };
        let field = self.place(&field).unwrap_or(field);
        SetupError::new(field, message).into()
    }

    fn place(&self, field: &str) -> Option<String> {
        let (index, rest) = field.strip_prefix(TOOLS)?.strip_prefix('[')?.split_once(']')?;
        let place = self.0.get(index.parse::<usize>().ok()?)?;
        Some(format!("{place}{rest}"))
    }
}

/// The name that the model knows a tool by, once lasting tools are looked up.
fn model_name(tool: &SelectedTool) -> Option<&str> {
    let built_in = || built_in::find(&tool.tool).map(|built_in| built_in.name);
    tool.model_tool_name().or_else(built_in)
}

/// The template as a request, its variables still in it.
fn plain(template: &CallTemplate) -> StartCallRequest {
    let CallTemplate {
        name: _,
        created: _,
        updated: _,
        medium,
        initial_output_medium,
        join_timeout,
        max_duration,
        vad_settings,
        recording_enabled,
        first_speaker_settings,
        system_prompt,
        temperature,
        model,
        voice,
        external_voice,
        voice_overrides,
        language_hint,
        time_exceeded_message,
        inactivity_messages,
        selected_tools,
        data_connection,
        context_schema: _,
        shared_secrets,
        retention_policy,
    } = template.clone();
    StartCallRequest {
        medium,
        initial_output_medium,
        join_timeout,
        max_duration,
        vad_settings,
        recording_enabled,
        first_speaker_settings,
        system_prompt,
        temperature,
        model,
        voice,
        external_voice,
        voice_overrides,
        language_hint,
        time_exceeded_message,
        inactivity_messages,
        selected_tools,
        data_connection,
        shared_secrets,
        retention_policy,
        ..StartCallRequest::default()
    }
}

/// What holds a context to the template's schema, if it has one.
fn context_schema(template: &CallTemplate) -> Result<Option<tools::Validator>, SetupError> {
    let Some(schema) = &template.context_schema else { return Ok(None) };
    let wrong = |why| SetupError::new("callTemplate.contextSchema", why);
    tools::self_contained(&Value::Object(schema.clone())).map(Some).map_err(wrong)
}

/// What is done with a template, given its field.
type Change<'c> = dyn FnMut(&str, &mut String) -> Result<(), SetupError> + 'c;

/// Does something with every text of a request that is a template (protocol.md 7.2, A-48).
fn each_text(request: &mut StartCallRequest, change: &mut Change<'_>) -> Result<(), SetupError> {
    optional("systemPrompt", &mut request.system_prompt, change)?;
    optional("languageHint", &mut request.language_hint, change)?;
    optional("timeExceededMessage", &mut request.time_exceeded_message, change)?;
    for (index, message) in request.inactivity_messages.iter_mut().flatten().enumerate() {
        change(&format!("inactivityMessages[{index}].message"), &mut message.message)?;
    }
    let (at, text, prompt) = match &mut request.first_speaker_settings {
        None => ("", &mut None, &mut None),
        Some(FirstSpeakerSettings::Agent(greeting)) => ("agent", &mut greeting.text, &mut greeting.prompt),
        Some(FirstSpeakerSettings::User(user)) => match &mut user.fallback {
            None => ("", &mut None, &mut None),
            Some(FallbackGreeting { text, prompt, .. }) => ("user.fallback", text, prompt),
        },
    };
    optional(&format!("firstSpeakerSettings.{at}.text"), text, change)?;
    optional(&format!("firstSpeakerSettings.{at}.prompt"), prompt, change)?;
    for (index, tool) in request.selected_tools.iter_mut().flatten().enumerate() {
        each_text_of_tool(&format!("selectedTools[{index}]"), tool, change)?;
    }
    Ok(())
}

fn each_text_of_tool(at: &str, tool: &mut SelectedTool, change: &mut Change<'_>) -> Result<(), SetupError> {
    optional(&format!("{at}.descriptionOverride"), &mut tool.description_override, change)?;
    for (name, token) in &mut tool.auth_tokens {
        let mut text = token.expose().to_owned();
        // A token is repeated in no error.
        change(&format!("{at}.authTokens.{name}"), &mut text).map_err(|error| {
            SetupError::new(error.field, "is a template that is broken or uses what has no value")
        })?;
        *token = Secret::new(text);
    }
    for (name, value) in tool.parameter_overrides.iter_mut().flatten() {
        each_text_within(&format!("{at}.parameterOverrides.{name}"), value, change)?;
    }
    if let ToolReference::TemporaryTool(definition) = &mut tool.tool {
        optional(&format!("{at}.temporaryTool.description"), &mut definition.description, change)?;
        for (index, parameter) in definition.static_parameters.iter_mut().enumerate() {
            let field = format!("{at}.temporaryTool.staticParameters[{index}].value");
            each_text_within(&field, &mut parameter.value, change)?;
        }
    }
    Ok(())
}

fn optional(field: &str, text: &mut Option<String>, change: &mut Change<'_>) -> Result<(), SetupError> {
    text.as_mut().map_or(Ok(()), |text| change(field, text))
}

fn each_text_within(field: &str, value: &mut Value, change: &mut Change<'_>) -> Result<(), SetupError> {
    match value {
        Value::String(text) => change(field, text),
        Value::Array(items) => items.iter_mut().try_for_each(|item| each_text_within(field, item, change)),
        Value::Object(fields) => {
            fields.values_mut().try_for_each(|value| each_text_within(field, value, change))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}
