//! Between the engine's words and the data messages of protocol.md 3: the only file that knows both.
//!
//! Owns the ids by which clients know invocations, and which messages this client is sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use antiphon_api::json::JsonObject;
use antiphon_api::realtime::{
    self as api, ClientMessage, OpaqueNumber, ResultText, ServerMessage, ToolResult, TranscriptText,
};
use antiphon_api::rest::calls::{ConnectionKind, EnabledDataMessages};
use antiphon_api::{CallId, WireDuration};
use antiphon_engine::CallTime;
use antiphon_engine::ids::InvocationId;
use antiphon_engine::input::{Request, ToolOutcome};
use antiphon_engine::message::{Medium, Message, MessageBody, Speaker};
use antiphon_engine::output::{AgentState, Event, Invocation, Notice, Severity, Transcript, TranscriptWords};
use sha2::{Digest as _, Sha256};

use super::stages::Staging;
use super::threads;
use crate::tools::outcome::{Answer, answer};
use crate::tools::requests::{forced_message, spawn_thread, user_text};

/// What a client's message means to the call.
#[derive(Debug, PartialEq)]
pub(crate) enum Meaning {
    /// Something for the engine.
    Request(Request),
    /// A tool's outcome.
    Tool(InvocationId, ToolOutcome),
    /// One of the two, once the stages are worked out that it asks for.
    Staging(Staging),
    /// An answer for the client, whatever the engine does.
    Answer(ServerMessage),
    /// Nothing, and why: a name from the published list of events, and a sentence.
    Ignored(&'static str, String),
}

/// The dictionary of one call, for its client or for its data connection.
#[derive(Debug)]
pub(crate) struct Wire {
    call: CallId,
    kind: ConnectionKind,
    enabled: EnabledDataMessages,
    /// The invocations that are for this party to answer.
    invocations: HashMap<String, InvocationId>,
    joined: CallTime,
    /// How long a client may be away, if it may come back.
    rejoin_window: Option<Duration>,
}

impl Wire {
    /// The dictionary of a call's client.
    pub(crate) fn new(call: CallId, enabled: EnabledDataMessages) -> Self {
        Self::of(ConnectionKind::ServerWebSocket, call, enabled)
    }

    /// The dictionary of a connection of this kind.
    pub(super) fn of(kind: ConnectionKind, call: CallId, enabled: EnabledDataMessages) -> Self {
        Self { call, kind, enabled, invocations: HashMap::new(), joined: CallTime::ZERO, rejoin_window: None }
    }

    /// A client joined: times on the wire count from now on, and `debug` is on if the client asked for it in its URL.
    pub(super) fn joined(&mut self, at: CallTime, debug: bool) {
        self.joined = at;
        if debug {
            self.enabled.debug = Some(true);
        }
    }

    /// The client may come back that was lost, and is told so.
    pub(super) fn rejoins_within(&mut self, window: Duration) {
        self.rejoin_window = Some(window);
    }

    /// Whether the client is sent messages for developers.
    pub(super) fn debugs(&self) -> bool {
        self.enabled.debug == Some(true)
    }

    /// The id by which clients know an invocation: the caller's own, or one of the shape they know (protocol.md 0).
    pub(crate) fn invocation_id(&self, id: InvocationId, given: Option<&Arc<str>>) -> String {
        given.map_or_else(|| made_up_id(self.call, id), |given| given.to_string())
    }

    /// What a client's message means.
    pub(crate) fn read(&mut self, message: ClientMessage) -> Meaning {
        match message {
            ClientMessage::ClientToolResult(result) if !self.is_data_connection() => self.tool_result(result),
            ClientMessage::DataConnectionToolResult(result) if self.is_data_connection() => {
                self.tool_result(result)
            }
            ClientMessage::ClientToolResult(result) => Meaning::Ignored(
                "tool.result_ignored",
                format!("the data connection may not answer {:?} for the client", result.invocation_id),
            ),
            ClientMessage::DataConnectionToolResult(result) => Meaning::Ignored(
                "tool.result_ignored",
                format!("a client may not answer {:?} for the data connection", result.invocation_id),
            ),
            ClientMessage::ForcedAgentMessage(forced) => match forced_message(forced) {
                (Request::ForcedMessage(message), wishes) if !wishes.is_empty() => {
                    Meaning::Staging(Staging::of_message(message, wishes))
                }
                (request, _) => Meaning::Request(request),
            },
            ClientMessage::HangUp(hang_up) => {
                Meaning::Request(Request::HangUp { message: hang_up.message.into() })
            }
            ClientMessage::InputText(input) => {
                Meaning::Request(user_text(input.into_user_text(api::Urgency::Soon)))
            }
            ClientMessage::Ping(ping) => self.pong(ping.timestamp),
            ClientMessage::SetOutputMedium(set) => match set.medium {
                api::Medium::Text => Meaning::Request(Request::SetOutputMedium(Medium::Text)),
                api::Medium::Voice => Meaning::Request(Request::SetOutputMedium(Medium::Voice)),
            },
            ClientMessage::SpawnThread(spawn) => {
                Meaning::Request(Request::Thread(Box::new(spawn_thread(spawn))))
            }
            ClientMessage::UserText(text) => Meaning::Request(user_text(text)),
            ClientMessage::Unknown(unknown) => Meaning::Ignored(
                "message.ignored",
                format!("messages of type {:?} are not known", unknown.kind()),
            ),
        }
    }

    /// The message that tells the client of an event, if there is one and it is switched on.
    pub(super) fn event(&self, now: CallTime, event: &Event) -> Option<ServerMessage> {
        let speaking =
            || api::UserSpeaking { call_timestamp: Some(WireDuration::from(now.since(self.joined))) };
        let message = match event {
            Event::Started => ServerMessage::CallStarted(api::CallStarted {
                call_id: self.call,
                rejoin_window: self.rejoin_window.map(WireDuration::from),
            }),
            Event::StateChanged(state) => ServerMessage::State(api::State { state: agent_state(*state) }),
            Event::Transcript(words) => ServerMessage::Transcript(transcript(words)),
            Event::UserStartedSpeaking => ServerMessage::UserStartedSpeaking(speaking()),
            Event::UserStoppedSpeaking => ServerMessage::UserStoppedSpeaking(speaking()),
            Event::Thread(event) => threads::message(event)?,
            Event::Notice(notice) => ServerMessage::CallEvent(self.notice(notice)),
            Event::MessageCommitted { .. }
            | Event::TurnTaken(_)
            | Event::StageChanged { .. }
            | Event::SpeechJudged(_)
            | Event::Ended(_) => return None,
        };
        self.allow(message)
    }

    /// The news that a tool is called or has answered, when the record has it, and it is switched on. What was filled in beside
    /// the model's arguments is not in it: it may be secret.
    pub(super) fn committed(&self, message: &Message) -> Option<ServerMessage> {
        let invocation_id = |id, given: &Option<Arc<str>>| self.invocation_id(id, given.as_ref());
        let message = match &message.body {
            MessageBody::ToolCall { invocation, given_id, tool, arguments } => {
                ServerMessage::InvokingTool(api::InvokingTool {
                    tool_name: tool.to_string(),
                    invocation_id: invocation_id(*invocation, given_id),
                    parameters: serde_json::from_str(arguments).unwrap_or_default(),
                })
            }
            MessageBody::ToolResult { invocation, given_id, tool, text, error, .. } => {
                ServerMessage::ToolUsed(api::ToolUsed {
                    tool_name: tool.to_string(),
                    invocation_id: invocation_id(*invocation, given_id),
                    result: error.is_none().then(|| ResultText(text.to_string())),
                    error: error.as_ref().map(|_| text.to_string()),
                })
            }
            MessageBody::Agent { .. } | MessageBody::User { .. } => return None,
        };
        self.allow(message)
    }

    /// The request that this party runs a tool. It is asked even if it is not sent other invocations, since nobody else can
    /// answer.
    pub(crate) fn invocation(&mut self, invocation: &Invocation, parameters: JsonObject) -> ServerMessage {
        let id = self.invocation_id(invocation.id, invocation.given_id.as_ref());
        self.invocations.insert(id.clone(), invocation.id);
        let invocation =
            api::ToolInvocation { tool_name: invocation.name.to_string(), invocation_id: id, parameters };
        if self.is_data_connection() {
            ServerMessage::DataConnectionToolInvocation(invocation)
        } else {
            ServerMessage::ClientToolInvocation(invocation)
        }
    }

    /// The order to drop what was sent and not played, if this client is sent it.
    pub(super) fn clear_buffer(&self) -> Option<ServerMessage> {
        self.allow(ServerMessage::PlaybackClearBuffer)
    }

    /// A line for developers, if the client wants them.
    pub(super) fn debug(&self, text: &str) -> Option<ServerMessage> {
        self.debugs().then(|| ServerMessage::Debug(api::Debug { message: text.to_owned() }))
    }

    /// The message, if this party is sent such.
    pub(super) fn allow(&self, message: ServerMessage) -> Option<ServerMessage> {
        self.enabled.allow(&message, self.kind).then_some(message)
    }

    fn is_data_connection(&self) -> bool {
        matches!(self.kind, ConnectionKind::DataConnection { .. })
    }

    fn pong(&self, timestamp: OpaqueNumber) -> Meaning {
        match self.allow(ServerMessage::Pong(api::Pong { timestamp })) {
            Some(pong) => Meaning::Answer(pong),
            None => Meaning::Ignored("message.ignored", "pongs are switched off".to_owned()),
        }
    }

    fn tool_result(&mut self, result: ToolResult) -> Meaning {
        let Some(id) = self.invocations.get(&result.invocation_id) else {
            let text = format!("there is no invocation {:?}", result.invocation_id);
            return Meaning::Ignored("tool.result_ignored", text);
        };
        match answer(result) {
            Answer::Outcome(outcome) => Meaning::Tool(*id, outcome),
            Answer::NewStage(wish) => Meaning::Staging(Staging::of_tool(*id, *wish)),
        }
    }

    fn notice(&self, notice: &Notice) -> api::CallEventMessage {
        use antiphon_api::rest::calls::Severity as Wire;
        api::CallEventMessage {
            call_id: Some(self.call),
            severity: match notice.severity {
                Severity::Debug => Wire::Debug,
                Severity::Info => Wire::Info,
                Severity::Warning => Wire::Warning,
                Severity::Error => Wire::Error,
            },
            event_type: notice.kind.to_owned(),
            text: notice.text.clone(),
            extras: None,
        }
    }
}

/// 24 characters that only this call has for this invocation, the same in every run of it.
fn made_up_id(call: CallId, id: InvocationId) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut hash = Sha256::new();
    hash.update(call.uuid().as_bytes());
    hash.update(id.0.to_be_bytes());
    let text = hash
        .finalize()
        .iter()
        .take(24)
        .map(|byte| char::from(ALPHABET[usize::from(*byte) % 62]))
        .collect::<String>();
    format!("call_{text}")
}

pub(super) fn agent_state(state: AgentState) -> api::AgentState {
    match state {
        AgentState::Listening => api::AgentState::Listening,
        AgentState::Speaking => api::AgentState::Speaking,
        AgentState::Thinking => api::AgentState::Thinking,
    }
}

fn transcript(words: &Transcript) -> api::Transcript {
    let (text, is_final) = match &words.words {
        TranscriptWords::First(text) => (TranscriptText::Text(text.to_string()), false),
        TranscriptWords::More(text) => (TranscriptText::Delta(text.to_string()), false),
        TranscriptWords::Final(text) => (TranscriptText::Text(text.to_string()), true),
    };
    api::Transcript {
        role: match words.speaker {
            Speaker::Agent => api::Speaker::Agent,
            Speaker::User => api::Speaker::User,
        },
        medium: match words.medium {
            Medium::Text => api::Medium::Text,
            Medium::Voice => api::Medium::Voice,
        },
        text,
        is_final,
        ordinal: words.ordinal.0,
    }
}
