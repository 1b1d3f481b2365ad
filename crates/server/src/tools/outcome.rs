//! What a tool's answer means (protocol.md 6.6), whoever ran it.

use std::sync::Arc;

use antiphon_api::json::{JsonObject, from_request};
use antiphon_api::realtime::{
    AgentReaction, HangUpResult, ResponseType, SendToThread, ToolErrorType, ToolResult,
};
use antiphon_engine::NewStage;
use antiphon_engine::ids::StageNumber;
use antiphon_engine::input::{HangUpRequest, Reaction, ToolAction, ToolAnswer, ToolOutcome};
use serde_json::Value;

use super::requests::sent;

/// What a tool's answer comes to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// This, and nothing is left to be done.
    Outcome(ToolOutcome),
    /// A new stage of the call, which whoever knows the call works out.
    NewStage(Box<StageWish>),
}

/// An answer that asks for a new stage of the call (protocol.md 7.1).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StageWish {
    /// What the stage changes, in the words of a creation request.
    pub(crate) body: JsonObject,
    reaction: Option<Reaction>,
    state_update: Option<Arc<Value>>,
}

/// A wish for a new stage, and which of the known results of a message it is.
#[derive(Debug, PartialEq)]
pub(crate) struct Wished {
    pub(crate) result: usize,
    pub(crate) wish: StageWish,
}

impl StageWish {
    /// The answer as long as the stage is not worked out: one that begins in no stage there is.
    pub(crate) fn unmet(&self) -> ToolOutcome {
        let nowhere = NewStage { after: StageNumber(u32::MAX), ..NewStage::default() };
        self.clone().met(Arc::new(nowhere))
    }

    /// The answer, now that the stage is worked out.
    pub(crate) fn met(self, stage: Arc<NewStage>) -> ToolOutcome {
        let Self { body: _, reaction, state_update } = self;
        ToolOutcome::Answered(ToolAnswer { action: ToolAction::NewStage(stage), reaction, state_update })
    }
}

/// What a result in wire words means.
pub(crate) fn answer(result: ToolResult) -> Answer {
    if let Some(error) = result.error_type {
        let detail =
            result.error_message.map_or_else(|| error.to_string(), |message| format!("{error}: {message}"));
        let text = match error {
            ToolErrorType::Undefined => "There is no such tool.",
            ToolErrorType::ImplementationError | ToolErrorType::Other(_) => "The tool failed.",
        };
        return Answer::Outcome(failed(text, detail));
    }
    let text = result.result.map(|text| text.0).unwrap_or_default();
    let update = result.update_call_state.map(|update| Arc::new(Value::Object(update.0)));
    read(result.response_type, text, result.agent_reaction.map(reaction), update)
}

/// A result that asks for what cannot be, and for developers why not.
pub(crate) fn impossible(detail: impl Into<Arc<str>>) -> ToolOutcome {
    failed("The tool asked for something that is not possible.", detail)
}

/// A failure: `text` is for the model, `detail` for developers.
pub(crate) fn failed(text: &str, detail: impl Into<Arc<str>>) -> ToolOutcome {
    ToolOutcome::Failed { text: Arc::from(text), detail: detail.into() }
}

/// What the agent does next.
pub(super) fn reaction(reaction: AgentReaction) -> Reaction {
    match reaction {
        AgentReaction::Listens => Reaction::Listens,
        AgentReaction::Speaks => Reaction::Speaks,
        AgentReaction::SpeaksOnce => Reaction::SpeaksOnce,
    }
}

/// What a text of this type means, with what its answer says besides.
pub(super) fn read(
    kind: ResponseType,
    text: String,
    reaction: Option<Reaction>,
    state_update: Option<Arc<Value>>,
) -> Answer {
    let action = match kind {
        ResponseType::ToolResponse => Ok(ToolAction::Respond(text.into())),
        ResponseType::HangUp => Ok(ToolAction::HangUp(hang_up(&text))),
        ResponseType::NewStage => match serde_json::from_str(&text) {
            Ok(Value::Object(body)) => {
                return Answer::NewStage(Box::new(StageWish { body, reaction, state_update }));
            }
            Ok(_) | Err(_) => Err(malformed(kind, "it is no JSON object")),
        },
        ResponseType::SendToThread => match from_request::<SendToThread>(text.as_bytes()) {
            Ok(parsed) => Ok(ToolAction::SendToThread {
                result: Arc::from(parsed.value.calling_thread_result_text),
                request: Box::new(sent(parsed.value.data_message)),
            }),
            Err(error) => Err(malformed(kind, &error.to_string())),
        },
    };
    Answer::Outcome(match action {
        Ok(action) => ToolOutcome::Answered(ToolAnswer { action, reaction, state_update }),
        Err(detail) => impossible(detail),
    })
}

fn malformed(kind: ResponseType, why: &str) -> String {
    format!("a result of type \"{kind}\" cannot be read: {why}")
}

/// How a `hang-up` result ends the call; text that is no JSON says nothing about it.
fn hang_up(text: &str) -> HangUpRequest {
    let wish = from_request::<HangUpResult>(text.as_bytes()).map(|parsed| parsed.value).unwrap_or_default();
    HangUpRequest { strict: wish.strict.unwrap_or(true), message: wish.message.map(Arc::from), result: None }
}
