//! From the engine's messages to those of REST (protocol.md 2.8).

use std::sync::Arc;
use std::time::Duration;

use antiphon_api::rest::calls::{Message, MessageMedium, MessageRole, Timespan};
use antiphon_api::{CallStageId, WireDuration};
use antiphon_engine::CallTime;
use antiphon_engine::ids::InvocationId;
use antiphon_engine::message::{self, Medium, MessageBody};
use serde_json::{Value, json};

/// A message as REST shows it. `invocation_id` gives the id by which clients know an invocation. Texts are trimmed.
pub(crate) fn to_api(
    message: &message::Message,
    stage: CallStageId,
    index: usize,
    joined: Option<CallTime>,
    invocation_id: impl Fn(InvocationId, &Option<Arc<str>>) -> String,
) -> Message {
    let mut stored = match &message.body {
        MessageBody::Agent { heard, generated } => {
            let mut stored = Message::new(MessageRole::Agent, heard.trim());
            if generated.trim() != heard.trim() {
                // What the agent wanted to say beside what was heard; the published shape has no field for it.
                let metadata = json!({"antiphon.generatedText": generated.trim()});
                stored.metadata = metadata.as_object().cloned();
            }
            stored
        }
        MessageBody::ToolCall { invocation, given_id, tool, arguments } => {
            let mut stored = Message::new(MessageRole::ToolCall, &**arguments);
            stored.invocation_id = Some(invocation_id(*invocation, given_id));
            stored.tool_name = Some(tool.to_string());
            stored
        }
        MessageBody::ToolResult { invocation, given_id, tool, text, error, state } => {
            let mut stored = Message::new(MessageRole::ToolResult, &**text);
            stored.invocation_id = Some(invocation_id(*invocation, given_id));
            stored.tool_name = Some(tool.to_string());
            stored.error_details = error.as_deref().map(String::from);
            stored.call_state = state.as_deref().and_then(Value::as_object).cloned();
            stored
        }
        MessageBody::User { text, audio } => {
            let mut stored = Message::new(MessageRole::User, text.trim());
            stored.timespan = audio.map(|span| {
                let at = |micros| Some(WireDuration::from(Duration::from_micros(micros)));
                Timespan { start: at(span.from.as_micros()), end: at(span.to.as_micros()) }
            });
            stored
        }
    };
    stored.medium = Some(match message.medium {
        Medium::Text => MessageMedium::Text,
        Medium::Voice => MessageMedium::Voice,
    });
    stored.call_stage_id = Some(stage);
    stored.call_stage_message_index = u32::try_from(index).ok();
    if let (Some((from, to)), Some(joined)) = (message.span, joined) {
        let at = |time: CallTime| Some(WireDuration::from(time.since(joined)));
        stored.wall_clock_timespan = Some(Timespan { start: at(from), end: at(to) });
    }
    stored
}
