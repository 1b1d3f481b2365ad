//! What was said and done in a conversation: the words of the record and of the model's prompt.
//!
//! Knows nothing of how a message is spelled on the wire or stored.

use std::sync::Arc;

use crate::ids::{InvocationId, Ordinal, TurnId};
use crate::time::{AudioTime, CallTime};

/// How a message travels: spoken or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Medium {
    /// Spoken.
    #[default]
    Voice,
    /// Written.
    Text,
}

/// Who said a transcribed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The agent.
    Agent,
    /// The user.
    User,
}

/// A stretch of the user's audio that belongs to one turn, pre-roll included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioSpan {
    /// The turn that the audio belongs to.
    pub turn: TurnId,
    /// Where it begins.
    pub from: AudioTime,
    /// Where it ends. May lie a little past the last sample received, when the call ended in the middle of speech.
    pub to: AudioTime,
}

/// One entry of the conversation's record. Both what was generated and what was heard are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Who it is from, and what only that kind of message has.
    pub body: MessageBody,
    /// Spoken or written.
    pub medium: Medium,
    /// Its place among the transcripts, when it has one.
    pub ordinal: Option<Ordinal>,
    /// When it began and ended on the call's clock; absent for messages that a stage began with.
    pub span: Option<(CallTime, CallTime)>,
}

impl Message {
    /// What a message counts besides its text, so that many empty ones fill the record too.
    const OVERHEAD: usize = 256;

    /// How much of the record it fills: its text, and the overhead of a message.
    pub(crate) fn bytes(&self) -> usize {
        let len = |text: &Arc<str>| text.len();
        let text = match &self.body {
            MessageBody::Agent { generated, .. } => len(generated),
            MessageBody::ToolCall { arguments, .. } => len(arguments),
            MessageBody::ToolResult { text, error, .. } => len(text) + error.as_ref().map_or(0, len),
            MessageBody::User { text, .. } => len(text),
        };
        Self::OVERHEAD + text
    }
}

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub enum MessageBody {
    /// The agent spoke or wrote.
    Agent {
        /// What the user heard (or was sent, as text). Always a prefix of `generated`.
        heard: Arc<str>,
        /// What the model or a script wanted to say.
        generated: Arc<str>,
    },
    /// A tool was called.
    ToolCall {
        /// Which invocation.
        invocation: InvocationId,
        /// The caller's own id for it, when the call came from outside the model.
        given_id: Option<Arc<str>>,
        /// The name that the model knows the tool by.
        tool: Arc<str>,
        /// The arguments as one JSON object.
        arguments: Arc<str>,
    },
    /// A tool answered.
    ToolResult {
        /// Which invocation.
        invocation: InvocationId,
        /// The caller's own id for it, when the call came from outside the model.
        given_id: Option<Arc<str>>,
        /// The name that the model knows the tool by.
        tool: Arc<str>,
        /// What the model sees.
        text: Arc<str>,
        /// What only the developer sees, for a call that failed.
        error: Option<Arc<str>>,
        /// The call's state after this result, when the result changed it.
        state: Option<Arc<serde_json::Value>>,
    },
    /// The user spoke or wrote.
    User {
        /// The words, as far as they are known: typed text, or a transcript of the audio.
        text: Arc<str>,
        /// The user's voice, for a spoken message.
        audio: Option<AudioSpan>,
    },
}

/// Everything a language model is given for one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// The system prompt; byte-stable between runs of one stage, so that prefix caches hold.
    pub system: Option<Arc<str>>,
    /// The conversation so far, oldest first. Agent messages hold only what was heard.
    pub messages: Vec<Message>,
    /// An instruction for this run only: it stands last, as if the user had said it, and never enters the record.
    pub instruction: Option<Arc<str>>,
    /// The tools that the model may call, in a fixed order.
    pub tools: Arc<[ToolForModel]>,
    /// Sampling temperature, 0 to 1.
    pub temperature: f32,
    /// The configured name of the model to run.
    pub model: Arc<str>,
    /// BCP-47 language of the conversation, when the developer gave one.
    pub language: Option<Arc<str>>,
}

/// A tool as the model sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolForModel {
    /// The name, matching `^[a-zA-Z0-9_-]{1,64}$`.
    pub name: Arc<str>,
    /// What it does.
    pub description: Arc<str>,
    /// JSON Schema of the arguments object.
    pub parameters: Arc<serde_json::Value>,
}
