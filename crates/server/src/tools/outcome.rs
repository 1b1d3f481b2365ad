//! What a tool's answer means (protocol.md 6.6), whoever ran it.

use std::sync::Arc;

use antiphon_api::json::from_request;
use antiphon_api::realtime::{
    AgentReaction, HangUpResult, ResponseType, SendToThread, ToolErrorType, ToolResult,
};
use antiphon_engine::input::{HangUpRequest, Reaction, ToolAction, ToolAnswer, ToolOutcome};
use serde_json::Value;

use super::requests::sent;

/// What a result in wire words means.
pub(crate) fn outcome(result: ToolResult) -> ToolOutcome {
    if let Some(error) = result.error_type {
        let detail =
            result.error_message.map_or_else(|| error.to_string(), |message| format!("{error}: {message}"));
        let text = match error {
            ToolErrorType::Undefined => "There is no such tool.",
            ToolErrorType::ImplementationError | ToolErrorType::Other(_) => "The tool failed.",
        };
        return failed(text, detail);
    }
    let text = result.result.map(|text| text.0).unwrap_or_default();
    let reaction = result.agent_reaction.map(reaction);
    let update = result.update_call_state.map(|update| Value::Object(update.0));
    match read(result.response_type, text) {
        Ok(action) => {
            ToolOutcome::Answered(ToolAnswer { action, reaction, state_update: update.map(Arc::new) })
        }
        Err(detail) => failed("The tool asked for something that is not possible.", detail),
    }
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

/// What a text of this type asks for, or for developers why that cannot be.
pub(super) fn read(kind: ResponseType, text: String) -> Result<ToolAction, String> {
    match kind {
        ResponseType::ToolResponse => Ok(ToolAction::Respond(text.into())),
        ResponseType::HangUp => Ok(ToolAction::HangUp(hang_up(&text))),
        ResponseType::NewStage => match serde_json::from_str(&text) {
            Ok(Value::Object(_)) => Err(unavailable(kind)),
            Ok(_) | Err(_) => Err(malformed(kind, "it is no JSON object")),
        },
        ResponseType::SendToThread => match from_request::<SendToThread>(text.as_bytes()) {
            Ok(parsed) => Ok(ToolAction::SendToThread {
                result: Arc::from(parsed.value.calling_thread_result_text),
                request: Box::new(sent(parsed.value.data_message)),
            }),
            Err(error) => Err(malformed(kind, &error.to_string())),
        },
    }
}

fn unavailable(kind: ResponseType) -> String {
    format!("results of type \"{kind}\" are not available on this server")
}

fn malformed(kind: ResponseType, why: &str) -> String {
    format!("a result of type \"{kind}\" cannot be read: {why}")
}

/// How a `hang-up` result ends the call; text that is no JSON says nothing about it.
fn hang_up(text: &str) -> HangUpRequest {
    let wish = from_request::<HangUpResult>(text.as_bytes()).map(|parsed| parsed.value).unwrap_or_default();
    HangUpRequest { strict: wish.strict.unwrap_or(true), message: wish.message.map(Arc::from) }
}
