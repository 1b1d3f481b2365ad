//! What a tool came to, and what that does to the call (protocol.md 3.2, 6.6, 6.8, 6.9).

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::tagged::messages;
use super::thread::SpawnThread;
use super::user_text::{ForcedAgentMessage, UserTextMessage};
use crate::json::{FromJson, JsonObject, Reader, deserialize, record, words};
use crate::schema::{Describe, Schema, Schemas};

record! {
    /// What a tool came to: of `client_tool_result`, of `data_connection_tool_result` and of known results.
    pub struct ToolResult {
        /// The invocation that this answers.
        invocation_id: String,
        /// What the model sees; for another `response_type` the JSON text that says what to do. Absent for a failure.
        result: Option<ResultText>,
        /// What the result does.
        response_type: ResponseType => ResponseType::ToolResponse,
        /// What the agent does next; as the tool's definition says if absent.
        agent_reaction: Option<AgentReaction>,
        /// How the tool failed.
        error_type: Option<ToolErrorType>,
        /// Why the tool failed, for developers; the model does not see it.
        error_message: Option<String>,
        /// What changes in the call's state. Anything but an object is ignored.
        update_call_state: Option<StateUpdate>,
    }
}

impl ToolResult {
    /// A result that the model sees.
    pub fn new(invocation_id: impl Into<String>, result: impl Into<String>) -> Self {
        Self {
            invocation_id: invocation_id.into(),
            result: Some(ResultText(result.into())),
            response_type: ResponseType::ToolResponse,
            agent_reaction: None,
            error_type: None,
            error_message: None,
            update_call_state: None,
        }
    }

    /// A failure; the message is for developers.
    pub fn failed(invocation_id: impl Into<String>, kind: ToolErrorType, message: impl Into<String>) -> Self {
        Self {
            result: None,
            error_type: Some(kind),
            error_message: Some(message.into()),
            ..Self::new(invocation_id, "")
        }
    }
}

/// A tool's result as text. Some clients send other JSON: it is written out, and a list of text parts is joined with line
/// breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ResultText(pub String);

impl Describe for ResultText {
    fn describe(_: &mut Schemas) -> Schema {
        Schema::of("string")
    }
}

impl FromJson for ResultText {
    fn from_json(value: &Value, _: &mut Reader) -> Option<Self> {
        Some(Self(match value {
            Value::String(text) => text.clone(),
            Value::Array(parts) => joined(parts).unwrap_or_else(|| value.to_string()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
        }))
    }
}

fn joined(parts: &[Value]) -> Option<String> {
    let text = |part: &Value| match part.get("type")?.as_str()? {
        "text" => part.get("text")?.as_str().map(String::from),
        _ => None,
    };
    let texts: Option<Vec<String>> = parts.iter().map(text).collect();
    texts.filter(|texts| !texts.is_empty()).map(|texts| texts.join("\n"))
}

/// Changes to a call's state: listed keys are set, null ones removed, others stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct StateUpdate(pub JsonObject);

impl Describe for StateUpdate {
    fn describe(_: &mut Schemas) -> Schema {
        Schema::of("object")
    }
}

impl FromJson for StateUpdate {
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        let update = value.as_object().cloned().map(Self);
        if update.is_none() {
            reader.ignore();
        }
        update
    }
}

words! {
    /// What a tool's result does. Also the values of the header `X-Ultravox-Response-Type`.
    pub enum ResponseType {
        /// It ends the call.
        HangUp = "hang-up",
        /// It begins another stage.
        NewStage = "new-stage",
        /// It goes to another thread.
        SendToThread = "send-to-thread",
        /// The model sees it.
        ToolResponse = "tool-response",
    }
}

words! {
    /// What the agent does after a tool's result. Also the values of the header `X-Ultravox-Agent-Reaction`.
    pub enum AgentReaction {
        /// It waits for the user.
        Listens = "listens" | "AGENT_REACTION_LISTENS",
        /// It speaks.
        Speaks = "speaks" | "AGENT_REACTION_SPEAKS",
        /// It speaks unless it did so right before the call.
        SpeaksOnce = "speaks-once" | "AGENT_REACTION_SPEAKS_ONCE",
    }
    unset "AGENT_REACTION_UNSPECIFIED"
}

/// How a tool failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolErrorType {
    /// It broke.
    ImplementationError,
    /// There is no such tool.
    Undefined,
    /// It broke, in the client's own words.
    Other(Box<str>),
}

impl fmt::Display for ToolErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ImplementationError => "implementation-error",
            Self::Undefined => "undefined",
            Self::Other(word) => word,
        })
    }
}

impl Describe for ToolErrorType {
    fn describe(_: &mut Schemas) -> Schema {
        Schema::of("string").described(
            "`undefined` if there is no such tool, `implementation-error` or any other word if it broke.",
        )
    }
}

impl FromJson for ToolErrorType {
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        let word = String::from_json(value, reader)?;
        Some(match word.as_str() {
            "implementation-error" => Self::ImplementationError,
            "undefined" => Self::Undefined,
            _ => Self::Other(word.into()),
        })
    }
}

impl Serialize for ToolErrorType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for ToolErrorType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer)
    }
}

record! {
    /// What the result of a `hang-up` says, as JSON text.
    #[derive(Default)]
    pub struct HangUpResult {
        /// Whether the call ends even if the user speaks on.
        strict: Option<bool>,
        /// What the agent says first.
        message: Option<String>,
    }
}

record! {
    /// What the result of a `send-to-thread` says, as JSON text.
    pub struct SendToThread {
        /// What the thread that called the tool sees.
        calling_thread_result_text: String => String::new(),
        /// What is done in the other thread.
        data_message: SideThreadMessage,
    }
}

messages! {
    /// A message that a tool may send to another thread.
    pub enum SideThreadMessage {
        /// Has the agent say something or call tools there.
        ForcedAgentMessage(ForcedAgentMessage) = "forced_agent_message",
        /// Begins the thread.
        SpawnThread(SpawnThread) = "spawn_thread",
        /// Says something there.
        UserText(UserTextMessage) = "user_text_message",
    }
}
