//! From the words of a creation request to a call that can run: the engine's configuration, the backends, the audio formats.
//!
//! Everything that makes no sense, or that this server cannot do, is refused here with the name of its field, before the call
//! exists. Holds no state and does no IO.

pub(crate) mod turn_taking;

use std::sync::Arc;
use std::time::Duration;

use antiphon_api::WireDuration;
use antiphon_api::rest::calls::{
    AgentGreeting, CallMedium, EnabledDataMessages, EndBehavior, FirstSpeakerSettings, Message,
    MessageMedium, MessageRole, ServerWebSocketMedium, StartCallRequest, TimedMessage,
};
use antiphon_audio::SampleRate;
use antiphon_backends::language_model::LanguageModel;
use antiphon_backends::registry::Backends;
use antiphon_backends::text_to_speech::TextToSpeech;
use antiphon_engine::config::{
    Config, FirstSpeaker, Greeting, Hearing, InactivityEnd, InactivityMessage, Limits,
};
use antiphon_engine::ids::InvocationId;
use antiphon_engine::message::{self, Medium, MessageBody};

use super::data_connection;
use super::voices::own::OwnVoice;
use crate::config::{Calls as Settings, TurnTaking};
use crate::tools::{self, CallToken, CallTool, ToolError};

/// Stands in for a user when an agent that speaks first has nothing to answer (`enableGreetingPrompt`, protocol.md 1.2).
const INVITATION: &str = "(The call has just been connected. Greet the user.)";
/// What a model name of the hosted service stands for here: the server's default (protocol.md 7.17, A-58).
const PUBLISHED_MODELS: [&str; 4] =
    ["ultravox-v0.7", "ultravox-v0.6", "ultravox-v0.6-llama3.3-70b", "ultravox-v0.6-gemma3-27b"];
/// The name space in which clients hard-code models of the hosted service.
const PUBLISHED_NAMESPACE: &str = "fixie-ai/";
/// The one that the hosted service refuses since 2025-12-22 (protocol.md 7.17).
const RETIRED_MODEL: &str = "fixie-ai/ultravox-qwen3-32b-preview";
/// What is told of a voice that this server does not have, or that cannot speak here.
pub(super) const UNKNOWN_VOICE: &str = "voice.unknown";
/// What is told of a model that was meant to hear and does not.
const NO_AUDIO: &str = "model.no_audio";
/// What is told of settings that mean nothing to the voice that speaks.
pub(super) const OVERRIDES_IGNORED: &str = "voice.overrides_ignored";
/// The published default of `frameActivationThreshold` (protocol.md 5.2).
const DEFAULT_THRESHOLD: f64 = 0.1;
/// `mediaIdleTimeout` acts as at least this (protocol.md 1.4).
const SHORTEST_MEDIA_IDLE: Duration = Duration::from_secs(10);
/// The published default of `clientBufferSizeMs` (protocol.md 4.3).
const DEFAULT_CLIENT_BUFFER_MS: u32 = 60;

/// Everything that a call needs to run.
pub(crate) struct Setup {
    pub(crate) engine: Config,
    pub(crate) model: Arc<dyn LanguageModel>,
    pub(crate) voice: Arc<dyn TextToSpeech>,
    pub(crate) input_rate: SampleRate,
    pub(crate) output_rate: SampleRate,
    pub(crate) media_idle: Option<Duration>,
    pub(crate) messages: EnabledDataMessages,
    pub(crate) threshold: f32,
    /// Whether the agent's own voice is kept from interrupting it.
    pub(crate) echo_guard: bool,
    pub(crate) tools: Vec<CallTool>,
    /// The further participant to dial, if there is to be one.
    pub(crate) data_connection: Option<Arc<data_connection::Plan>>,
    /// What was asked for and is given differently; becomes events of the call.
    pub(crate) remarks: Vec<Remark>,
}

/// Something that was asked for and is given differently.
pub(crate) struct Remark {
    pub(crate) kind: &'static str,
    pub(crate) text: String,
}

/// A request that this server cannot serve. The caller changes the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct SetupError {
    /// The field, by its dotted path.
    pub field: String,
    /// What is wrong with it, and what to do.
    pub message: String,
}

impl From<ToolError> for SetupError {
    fn from(error: ToolError) -> Self {
        Self { field: error.field, message: error.message }
    }
}

impl SetupError {
    pub(super) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Works out what a call of this request runs with. `own_voice` is the account's own voice that it asks for, if it does.
pub(crate) fn prepare(
    request: &StartCallRequest,
    greeting_prompt: bool,
    settings: &Settings,
    usual: &TurnTaking,
    backends: &Backends,
    own_voice: Option<OwnVoice>,
) -> Result<Setup, SetupError> {
    let mut remarks = Vec::new();
    let socket = socket(request.medium.as_ref(), settings)?;
    let (model_name, model) = model(request.model.as_deref(), backends)?;
    let voice = voice(request, backends, own_voice, &mut remarks)?;
    let selected = request.selected_tools.as_deref().unwrap_or_default();
    let (tools, engine_tools) = tools::prepare(selected, &CallToken::mint())?;
    let data_connection = data_connection::plan(request, &tools)?.map(Arc::new);
    let hearing = match (model.capabilities().audio, &backends.speech_to_text) {
        (true, _) => Hearing::Audio,
        (false, Some(_)) => Hearing::Transcript,
        (false, None) => Hearing::Deaf,
    };
    if model.capabilities().found_deaf {
        let text = format!("the model {model_name:?} was found to take no audio; it is given transcripts");
        remarks.push(Remark { kind: NO_AUDIO, text });
    }
    let usual = turn_taking::wanted(usual, request.experimental_settings.as_ref(), &mut remarks)?;
    let turn_taking = turn_taking::prepare(request.vad_settings.as_ref(), &usual, hearing, backends)?;
    let threshold = request.vad_settings.as_ref().and_then(|vad| vad.frame_activation_threshold);
    let engine = Config {
        system_prompt: request.system_prompt.as_deref().map(Arc::from),
        temperature: request.temperature.unwrap_or(0.0) as f32,
        model: model_name,
        hearing,
        language: request.language_hint.as_deref().map(Arc::from),
        initial_messages: initial_messages(request.initial_messages.as_deref().unwrap_or_default()),
        tools: engine_tools,
        initial_state: Arc::new(request.initial_state.clone().unwrap_or_default().into()),
        first_speaker: first_speaker(request.opening().unwrap_or_default(), greeting_prompt)?,
        output_medium: medium(request.initial_output_medium.unwrap_or(MessageMedium::Voice)),
        turn_taking,
        inactivity: inactivity(request.inactivity_messages.as_deref().unwrap_or_default())?,
        join_timeout: bounded("joinTimeout", request.join_timeout, 30, settings.maximum_join_timeout)?,
        max_duration: bounded("maxDuration", request.max_duration, 3600, settings.maximum_duration)?,
        time_exceeded_message: request.time_exceeded_message.as_deref().map(Arc::from),
        apology: Some(settings.apology.trim()).filter(|text| !text.is_empty()).map(Arc::from),
        output_rate: socket.output_rate.hz(),
        client_buffer: socket.client_buffer,
        limits: Limits::default(),
    };
    Ok(Setup {
        engine,
        model,
        voice,
        input_rate: socket.input_rate,
        output_rate: socket.output_rate,
        media_idle: socket.media_idle,
        messages: socket.messages,
        threshold: threshold.unwrap_or(DEFAULT_THRESHOLD) as f32,
        echo_guard: usual.echo_guard,
        tools,
        data_connection,
        remarks,
    })
}

/// What a call's WebSocket carries.
struct Socket {
    input_rate: SampleRate,
    output_rate: SampleRate,
    client_buffer: Duration,
    media_idle: Option<Duration>,
    messages: EnabledDataMessages,
}

/// Whether there is a backend for a medium.
pub(super) fn check_medium(medium: Option<&CallMedium>, settings: &Settings) -> Result<(), SetupError> {
    socket(medium, settings).map(|_| ())
}

/// A medium that this server has no backend for is refused by its name. WebRTC calls speak the WebSocket's protocol on
/// their bare join URL.
fn socket(medium: Option<&CallMedium>, settings: &Settings) -> Result<Socket, SetupError> {
    let default_rate = SampleRate::new(settings.default_sample_rate).unwrap_or(SampleRate::WEBSOCKET_DEFAULT);
    let plain = |messages: Option<&EnabledDataMessages>| Socket {
        input_rate: default_rate,
        output_rate: default_rate,
        client_buffer: Duration::from_millis(u64::from(DEFAULT_CLIENT_BUFFER_MS)),
        media_idle: None,
        messages: messages.cloned().unwrap_or_default(),
    };
    match medium {
        None => Ok(plain(None)),
        Some(CallMedium::WebRtc(medium)) => Ok(plain(medium.data_messages.as_ref())),
        Some(CallMedium::ServerWebSocket(medium)) => server_web_socket(medium),
        Some(CallMedium::Twilio(_)) => Err(no_backend("twilio")),
        Some(CallMedium::Telnyx(_)) => Err(no_backend("telnyx")),
        Some(CallMedium::Plivo(_)) => Err(no_backend("plivo")),
        Some(CallMedium::Exotel(_)) => Err(no_backend("exotel")),
        Some(CallMedium::Sip(_)) => Err(no_backend("sip")),
    }
}

fn server_web_socket(medium: &ServerWebSocketMedium) -> Result<Socket, SetupError> {
    let rate = |field: &str, hz: u32| {
        SampleRate::new(hz)
            .map_err(|error| SetupError::new(format!("medium.serverWebSocket.{field}"), error.to_string()))
    };
    let input_rate = rate("inputSampleRate", medium.input_sample_rate.hz())?;
    let output_rate = match medium.output_sample_rate {
        Some(output) => rate("outputSampleRate", output.hz())?,
        None => input_rate,
    };
    let buffer_ms = medium.client_buffer_size_ms.unwrap_or(DEFAULT_CLIENT_BUFFER_MS);
    let media_idle = medium.media_idle_timeout.and_then(WireDuration::to_std);
    Ok(Socket {
        input_rate,
        output_rate,
        client_buffer: Duration::from_millis(u64::from(buffer_ms)),
        media_idle: media_idle.map(|idle| idle.max(SHORTEST_MEDIA_IDLE)),
        messages: medium.data_messages.clone().unwrap_or_default(),
    })
}

fn no_backend(name: &str) -> SetupError {
    SetupError::new(
        format!("medium.{name}"),
        format!("no {name} backend is configured on this server; use \"serverWebSocket\""),
    )
}

pub(super) fn model(
    name: Option<&str>,
    backends: &Backends,
) -> Result<(Arc<str>, Arc<dyn LanguageModel>), SetupError> {
    let default = || {
        let name = Arc::clone(&backends.default_model);
        let model = backends.models.get(&name).cloned();
        model.map(|model| (name, model)).ok_or_else(|| SetupError::new("model", "no model is configured"))
    };
    let Some(name) = name else { return default() };
    if let Some((name, model)) = backends.models.get_key_value(name) {
        return Ok((Arc::clone(name), Arc::clone(model)));
    }
    if name == RETIRED_MODEL {
        return Err(SetupError::new(
            "model",
            format!("{name:?} is retired; leave the field out for the default"),
        ));
    }
    if PUBLISHED_MODELS.contains(&name) || name.starts_with(PUBLISHED_NAMESPACE) {
        return default();
    }
    let known = backends.models.keys().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    Err(SetupError::new("model", format!("{name:?} is not a model of this server; choose one of {known}")))
}

/// The names that a request may give its model, those of this server's models first.
#[must_use]
pub fn model_names(backends: &Backends) -> Vec<&str> {
    let own = backends.models.keys().map(|name| &**name);
    let published = PUBLISHED_MODELS.into_iter().filter(|name| !backends.models.contains_key(*name));
    own.chain(published).collect()
}

/// Clients hard-code voices of the hosted service, so a voice that cannot be had is a remark, not an error.
fn voice(
    request: &StartCallRequest,
    backends: &Backends,
    own_voice: Option<OwnVoice>,
    remarks: &mut Vec<Remark>,
) -> Result<Arc<dyn TextToSpeech>, SetupError> {
    let wanted = request.voice.as_deref().unwrap_or(&backends.default_voice);
    let why = match (own_voice, super::voices::find(backends, wanted)) {
        (Some(OwnVoice::Speaks(voice)), _) => return Ok(voice),
        (Some(OwnVoice::Refused(error)), _) => return Err(error),
        (Some(OwnVoice::Mute(why)), _) => format!("cannot speak: {why}"),
        (None, Some(voice)) => {
            if request.voice_overrides.is_some() {
                let text = format!(
                    "the voice {wanted:?} of this server has no settings that voiceOverrides could change"
                );
                remarks.push(Remark { kind: OVERRIDES_IGNORED, text });
            }
            return Ok(Arc::clone(voice));
        }
        (None, None) => "is not on this server".to_owned(),
    };
    let default = &backends.default_voice;
    remarks.push(Remark {
        kind: UNKNOWN_VOICE,
        text: format!("the voice {wanted:?} {why}; the default voice {default:?} speaks instead"),
    });
    backends.voices.get(default).cloned().ok_or_else(|| SetupError::new("voice", "no voice is configured"))
}

fn first_speaker(opening: FirstSpeakerSettings, greeting_prompt: bool) -> Result<FirstSpeaker, SetupError> {
    let greeting = |text: Option<String>, prompt: Option<String>| match (text, prompt) {
        (Some(text), _) => Greeting::Text(Arc::from(text)),
        (None, Some(prompt)) => Greeting::Prompt(Arc::from(prompt)),
        (None, None) => Greeting::Generated { invitation: greeting_prompt.then(|| Arc::from(INVITATION)) },
    };
    let delay = |field: &str, delay: Option<WireDuration>| match delay.map(WireDuration::to_std) {
        None => Ok(Duration::ZERO),
        Some(Some(delay)) => Ok(delay),
        Some(None) => Err(SetupError::new(format!("firstSpeakerSettings.{field}"), "must not be negative")),
    };
    match opening {
        FirstSpeakerSettings::Agent(AgentGreeting { uninterruptible, text, prompt, delay: wait }) => {
            Ok(FirstSpeaker::Agent {
                greeting: greeting(text, prompt),
                delay: delay("agent.delay", wait)?,
                uninterruptible: uninterruptible.unwrap_or(false),
            })
        }
        FirstSpeakerSettings::User(user) => {
            let fallback = match user.fallback {
                None => None,
                Some(fallback) => Some((
                    delay("user.fallback.delay", Some(fallback.delay))?,
                    greeting(fallback.text, fallback.prompt),
                )),
            };
            Ok(FirstSpeaker::User { fallback })
        }
    }
}

fn inactivity(messages: &[TimedMessage]) -> Result<Vec<InactivityMessage>, SetupError> {
    let convert = |(index, message): (usize, &TimedMessage)| {
        let after = message.duration.to_std().ok_or_else(|| {
            SetupError::new(format!("inactivityMessages[{index}].duration"), "must not be negative")
        })?;
        Ok(InactivityMessage {
            after,
            message: Arc::from(message.message.as_str()),
            end: match message.end_behavior {
                None => InactivityEnd::KeepWaiting,
                Some(EndBehavior::HangUpSoft) => InactivityEnd::HangUpSoft,
                Some(EndBehavior::HangUpStrict) => InactivityEnd::HangUpStrict,
            },
        })
    };
    messages.iter().enumerate().map(convert).collect()
}

/// A limit that the request may set up to the configured maximum.
fn bounded(
    field: &str,
    wanted: Option<WireDuration>,
    default_secs: u64,
    maximum: Duration,
) -> Result<Duration, SetupError> {
    let Some(wanted) = wanted else { return Ok(Duration::from_secs(default_secs).min(maximum)) };
    match wanted.to_std() {
        Some(duration) if !duration.is_zero() && duration <= maximum => Ok(duration),
        Some(_) | None => {
            let most = maximum.as_secs_f64();
            Err(SetupError::new(field, format!("must be more than 0s and at most {most}s on this server")))
        }
    }
}

pub(super) fn medium(medium: MessageMedium) -> Medium {
    match medium {
        MessageMedium::Text => Medium::Text,
        MessageMedium::Voice => Medium::Voice,
    }
}

/// The history that a call starts with. Tool calls and their results are paired by their ids.
fn initial_messages(messages: &[Message]) -> Vec<message::Message> {
    // Invocations of the call itself are counted from 0; those of its history from the other end.
    let invocation = |index: usize| InvocationId(u32::MAX - u32::try_from(index).unwrap_or(0));
    let convert = |(index, message): (usize, &Message)| {
        let text: Arc<str> = Arc::from(message.text.as_str());
        let tool: Arc<str> = Arc::from(message.tool_name.as_deref().unwrap_or("tool"));
        let given_id = message.invocation_id.as_deref().map(Arc::from);
        let body = match message.role {
            MessageRole::Agent => MessageBody::Agent { heard: Arc::clone(&text), generated: text },
            MessageRole::ToolCall => {
                MessageBody::ToolCall { invocation: invocation(index), given_id, tool, arguments: text }
            }
            MessageRole::ToolResult => MessageBody::ToolResult {
                invocation: invocation(index),
                given_id,
                tool,
                text,
                error: message.error_details.as_deref().map(Arc::from),
                state: None,
            },
            MessageRole::User | MessageRole::Other(_) => MessageBody::User { text, audio: None },
        };
        message::Message {
            body,
            medium: message.medium.map_or(Medium::Voice, medium),
            ordinal: None,
            span: None,
        }
    };
    messages.iter().enumerate().map(convert).collect()
}
