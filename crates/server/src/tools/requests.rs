//! What is asked of a conversation in wire words, as the engine takes it: texts, forced messages, side threads (protocol.md 3.2, 7.11).
//!
//! Clients ask for it in data messages, tools in their results; both mean the same.

use std::sync::Arc;

use antiphon_api::realtime::{
    ForcedAgentMessage, ForcedUrgency as WireForcedUrgency, IfThreadExists, MAIN_THREAD, SideThreadMessage,
    SpawnThread as WireSpawn, ThreadMessage as WireMessage, Urgency as WireUrgency, UserTextMessage,
};
use antiphon_engine::input::{
    ForcedMessage, ForcedUrgency, ModelToolCall, Request, SpawnThread, ThreadLimits, ThreadMessage,
    ThreadRef, ThreadRequest, Urgency,
};
use serde_json::Value;

use super::outcome::{Answer, Wished, answer};

/// By this name a tool means the thread that began the one which called it.
const PARENT: &str = "_PARENT";

/// A text of the user's, for whichever conversation it names.
pub(crate) fn user_text(message: UserTextMessage) -> Request {
    let UserTextMessage { text, urgency, thread_id } = message;
    let (text, urgency) = (Arc::from(text), urgency_of(urgency));
    match thread(&thread_id) {
        ThreadRef::Main => Request::UserText { text, urgency },
        to @ (ThreadRef::Side(_) | ThreadRef::Parent) => {
            Request::Thread(Box::new(ThreadRequest::UserText { to, text, urgency }))
        }
    }
}

/// A message in the agent's mouth, for whichever conversation it names.
///
/// The stages that its known results ask for, if it is for the main conversation, are for whoever knows the call to work out.
pub(crate) fn forced_message(message: ForcedAgentMessage) -> (Request, Vec<Wished>) {
    let to = thread(&message.thread_id);
    let (message, wishes) = forced(message);
    match to {
        ThreadRef::Main => (Request::ForcedMessage(message), wishes),
        to @ (ThreadRef::Side(_) | ThreadRef::Parent) => {
            (Request::Thread(Box::new(ThreadRequest::Forced { to, message })), Vec::new())
        }
    }
}

/// The beginning of a side thread.
pub(crate) fn spawn_thread(spawn: WireSpawn) -> ThreadRequest {
    let names = |names: Vec<String>| names.into_iter().map(Arc::from).collect();
    let filter = spawn.tool_filter.unwrap_or_default();
    let limits = spawn.limits.unwrap_or_default();
    ThreadRequest::Spawn(Box::new(SpawnThread {
        id: spawn.new_thread_id.map(Arc::from),
        parent: thread(&spawn.parent_thread_id),
        replaces: match spawn.if_exists {
            IfThreadExists::Reject => false,
            IfThreadExists::Replace => true,
        },
        messages: spawn.additional_messages.into_iter().map(thread_message).collect(),
        allowed_tools: filter.allowed_tools.map(names),
        blocked_tools: filter.disallowed_tools.map(names).unwrap_or_default(),
        limits: ThreadLimits {
            output_tokens: limits.thread_output_token_limit,
            input_tokens: limits.thread_fuzzy_input_token_limit,
            generations: limits.generation_limit,
            generation_output_tokens: limits.generation_output_token_limit,
            generation_input_tokens: limits.generation_fuzzy_input_token_limit,
        },
    }))
}

/// What a tool sends to another conversation.
pub(super) fn sent(message: SideThreadMessage) -> ThreadRequest {
    match message {
        SideThreadMessage::ForcedAgentMessage(message) => {
            ThreadRequest::Forced { to: thread(&message.thread_id), message: forced(message).0 }
        }
        SideThreadMessage::SpawnThread(spawn) => spawn_thread(spawn),
        SideThreadMessage::UserText(text) => ThreadRequest::UserText {
            to: thread(&text.thread_id),
            text: Arc::from(text.text),
            urgency: urgency_of(text.urgency),
        },
    }
}

fn thread_message(message: WireMessage) -> ThreadMessage {
    match message {
        WireMessage::ForcedAgentMessage(message) => ThreadMessage::Forced(forced(message).0),
        WireMessage::UserText(text) => ThreadMessage::UserText(Arc::from(text.text)),
    }
}

fn thread(id: &str) -> ThreadRef {
    match id {
        MAIN_THREAD => ThreadRef::Main,
        PARENT => ThreadRef::Parent,
        side => ThreadRef::Side(Arc::from(side)),
    }
}

fn urgency_of(urgency: WireUrgency) -> Urgency {
    match urgency {
        WireUrgency::Immediate => Urgency::Immediate,
        WireUrgency::Soon => Urgency::Soon,
        WireUrgency::Later => Urgency::Later,
    }
}

fn forced(forced: ForcedAgentMessage) -> (ForcedMessage, Vec<Wished>) {
    let mut wishes = Vec::new();
    let mut known_results = Vec::new();
    for (index, result) in forced.known_tool_results.into_iter().enumerate() {
        let id: Arc<str> = Arc::from(result.invocation_id.as_str());
        let outcome = match answer(result) {
            Answer::Outcome(outcome) => outcome,
            Answer::NewStage(wish) => {
                let outcome = wish.unmet();
                wishes.push(Wished { result: index, wish: *wish });
                outcome
            }
        };
        known_results.push((id, outcome));
    }
    let tool_calls = forced.tool_calls.into_iter().map(|call| ModelToolCall {
        name: call.name.into(),
        arguments: Value::Object(call.arguments).to_string().into(),
        given_id: call.id.map(Arc::from),
    });
    let message = ForcedMessage {
        content: forced.content.into(),
        tool_calls: tool_calls.collect(),
        known_results,
        uninterruptible: forced.uninterruptible,
        urgency: match forced.urgency {
            WireForcedUrgency::Immediate => ForcedUrgency::Immediate,
            WireForcedUrgency::Soon => ForcedUrgency::Soon,
        },
    };
    (message, wishes)
}
