//! News of side threads, for clients and for the record (protocol.md 3.3, 7.11).

use antiphon_api::json::JsonObject;
use antiphon_api::realtime::{
    ForcedToolCall, ServerMessage, SideGenerationCompleted, SideGenerationDelta, ThreadRejected,
    ThreadSpawned, ThreadTerminated,
};
use antiphon_engine::input::ModelToolCall;
use antiphon_engine::output::{Severity, ThreadEnd, ThreadEvent, ThreadUsage};
use serde_json::{Value, json};

/// What clients are told.
pub(super) fn message(event: &ThreadEvent) -> Option<ServerMessage> {
    Some(match event {
        ThreadEvent::Spawned { thread } => {
            ServerMessage::ThreadSpawned(ThreadSpawned { thread_id: thread.to_string() })
        }
        ThreadEvent::Rejected { thread, reason } => ServerMessage::ThreadRejected(ThreadRejected {
            thread_id: thread.to_string(),
            reason: reason.to_string(),
        }),
        ThreadEvent::Terminated { thread, reason, .. } => ServerMessage::ThreadTerminated(ThreadTerminated {
            thread_id: thread.to_string(),
            reason: reason.to_string(),
        }),
        ThreadEvent::Delta { thread, text } => ServerMessage::SideGenerationDelta(SideGenerationDelta {
            thread_id: thread.to_string(),
            delta: text.to_string(),
        }),
        ThreadEvent::Completed { thread, text, tool_calls, .. } => {
            ServerMessage::SideGenerationCompleted(SideGenerationCompleted {
                thread_id: thread.to_string(),
                text: text.to_string(),
                tool_calls: tool_calls.iter().map(call).collect(),
            })
        }
        ThreadEvent::GenerationFailed { .. } | ThreadEvent::GenerationCanceled { .. } => return None,
    })
}

/// An event of the call: how much it matters, its published name, a sentence, and what programs want to know.
pub(super) struct Told {
    pub(super) severity: Severity,
    pub(super) kind: &'static str,
    pub(super) text: String,
    pub(super) extras: Value,
}

/// What the record is told.
pub(super) fn told(event: &ThreadEvent) -> Option<Told> {
    let told = |severity, kind, thread: &str, text: String, usage: &ThreadUsage| {
        Some(Told { severity, kind, text, extras: extras(thread, usage) })
    };
    match event {
        ThreadEvent::Spawned { .. } | ThreadEvent::Rejected { .. } | ThreadEvent::Delta { .. } => None,
        ThreadEvent::Terminated { thread, end, reason, usage } => {
            let (severity, kind) = match end {
                ThreadEnd::Canceled => (Severity::Info, "thread.canceled"),
                ThreadEnd::LimitReached => (Severity::Info, "thread.limit_reached"),
                ThreadEnd::Failed => (Severity::Error, "thread.failed"),
            };
            told(severity, kind, thread, format!("the thread {thread:?} ended: {reason}"), usage)
        }
        ThreadEvent::Completed { thread, usage, .. } => {
            let text = format!("the model has answered in the thread {thread:?}");
            told(Severity::Debug, "side_generation.completed", thread, text, usage)
        }
        ThreadEvent::GenerationFailed { thread, reason, usage } => {
            let text = format!("the model failed in the thread {thread:?}: {reason}");
            told(Severity::Error, "side_generation.failed", thread, text, usage)
        }
        ThreadEvent::GenerationCanceled { thread, usage } => {
            let text = format!("the model was stopped in the thread {thread:?}");
            told(Severity::Debug, "side_generation.canceled", thread, text, usage)
        }
    }
}

fn extras(thread: &str, usage: &ThreadUsage) -> Value {
    json!({
        "threadId": thread,
        "total_input_tokens": usage.input_tokens,
        "total_output_tokens": usage.output_tokens,
        "total_generations": usage.generations,
    })
}

fn call(call: &ModelToolCall) -> ForcedToolCall {
    ForcedToolCall {
        id: call.given_id.as_ref().map(ToString::to_string),
        name: call.name.to_string(),
        arguments: serde_json::from_str::<JsonObject>(&call.arguments).unwrap_or_default(),
    }
}
