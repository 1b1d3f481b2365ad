//! What a tool came to, from what functions return to what the protocol wants (protocol.md 6.6, 6.8, 6.9).

use antiphon_api::json::JsonObject;
use antiphon_api::realtime::{
    AgentReaction, HangUpResult, ResponseType, SendToThread, StateUpdate, ToolResult,
};
use serde::Serialize;
use serde_json::Value;

/// What a tool came to. Texts and JSON values become one by themselves: the model sees them.
///
/// ```
/// use antiphon_api::realtime::AgentReaction;
/// use antiphon_client::tools::Answer;
///
/// let noted = Answer::from("noted").reaction(AgentReaction::Listens);
/// let goodbye = Answer::hang_up("Thank you for calling.");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    result: String,
    response_type: ResponseType,
    reaction: Option<AgentReaction>,
    state: Option<JsonObject>,
}

impl Answer {
    /// The JSON text of a value, which the model sees.
    ///
    /// # Errors
    ///
    /// The value has keys that are no strings.
    pub fn json(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(Self::from)
    }

    /// Ends the call; the agent says `message` first, if it is not empty.
    #[must_use]
    pub fn hang_up(message: impl Into<String>) -> Self {
        let message = Some(message.into()).filter(|message| !message.is_empty());
        Self::of(ResponseType::HangUp, &HangUpResult { strict: None, message })
    }

    /// Begins another stage of the call: the fields of a creation that change (protocol.md 7.1).
    #[must_use]
    pub fn new_stage(changes: &JsonObject) -> Self {
        Self::of(ResponseType::NewStage, changes)
    }

    /// Goes on in another thread of the conversation (protocol.md 7.11).
    #[must_use]
    pub fn send_to_thread(what: &SendToThread) -> Self {
        Self::of(ResponseType::SendToThread, what)
    }

    fn of(response_type: ResponseType, result: &impl Serialize) -> Self {
        let result = serde_json::to_string(result).expect("wire types have string keys");
        Self { response_type, ..Self::from(result) }
    }

    /// What the agent does after it; as the tool's definition says if this is not said.
    #[must_use]
    pub fn reaction(mut self, reaction: AgentReaction) -> Self {
        self.reaction = Some(reaction);
        self
    }

    /// Changes the call's state: keys are set, those that are null removed, others stay.
    #[must_use]
    pub fn update_state(mut self, changes: JsonObject) -> Self {
        self.state = Some(changes);
        self
    }

    pub(super) fn into_result(self, invocation_id: String) -> ToolResult {
        ToolResult {
            response_type: self.response_type,
            agent_reaction: self.reaction,
            update_call_state: self.state.map(StateUpdate),
            ..ToolResult::new(invocation_id, self.result)
        }
    }
}

impl From<String> for Answer {
    fn from(result: String) -> Self {
        Self { result, response_type: ResponseType::ToolResponse, reaction: None, state: None }
    }
}

impl From<&str> for Answer {
    fn from(result: &str) -> Self {
        Self::from(result.to_owned())
    }
}

impl From<Value> for Answer {
    fn from(result: Value) -> Self {
        Self::from(result.to_string())
    }
}

/// A tool that has done its work and has nothing to say.
impl From<()> for Answer {
    fn from((): ()) -> Self {
        Self::from("OK")
    }
}
