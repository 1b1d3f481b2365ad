//! What stories begin with: configurations, tools, model events and messages in few words. Knows nothing of how a story runs.

use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::config::{
    FirstSpeaker, Greeting, Hearing, InactivityEnd, InactivityMessage, InterruptionPolicy, Limits, Tool,
    ToolRuns, TurnTaking,
};
use antiphon_engine::input::{
    ForcedMessage, ForcedUrgency, HangUpRequest, ModelEvent, ModelToolCall, Reaction, Request, SpawnThread,
    ThreadLimits, ThreadMessage, ThreadRef, ThreadRequest, Tones, ToolAction, ToolAnswer, ToolOutcome,
};
use antiphon_engine::message::{Medium, Message, MessageBody, ToolForModel};
use antiphon_engine::{Config, NewStage};

/// Samples per second of the agent's audio.
pub(crate) const RATE: u32 = 16_000;

/// A conversation with everything at its default, in which the user speaks first, and speech that is long enough interrupts
/// without being judged.
pub(crate) fn config() -> Config {
    Config {
        system_prompt: Some(Arc::from("Be brief.")),
        temperature: 0.0,
        model: Arc::from("scripted"),
        hearing: Hearing::Audio,
        language: None,
        initial_messages: Vec::new(),
        tools: Vec::new(),
        initial_state: Arc::new(serde_json::json!({})),
        first_speaker: FirstSpeaker::User { fallback: None },
        output_medium: Medium::Voice,
        turn_taking: TurnTaking { interruption: InterruptionPolicy::ONE_PHASE, ..TurnTaking::default() },
        inactivity: Vec::new(),
        join_timeout: Duration::from_secs(30),
        max_duration: Duration::from_secs(3600),
        time_exceeded_message: None,
        apology: None,
        output_rate: RATE,
        client_buffer: Duration::from_millis(60),
        limits: Limits::default(),
    }
}

/// A conversation whose model reads transcripts.
pub(crate) fn reading() -> Config {
    Config { hearing: Hearing::Transcript, ..config() }
}

/// A conversation in which the agent answers in writing.
pub(crate) fn writing() -> Config {
    Config { output_medium: Medium::Text, ..config() }
}

pub(crate) fn agent_greets(text: &str) -> FirstSpeaker {
    FirstSpeaker::Agent {
        greeting: Greeting::Text(Arc::from(text)),
        delay: Duration::ZERO,
        uninterruptible: false,
    }
}

pub(crate) fn silence(secs: u64, message: &str, end: InactivityEnd) -> InactivityMessage {
    InactivityMessage { after: Duration::from_secs(secs), message: Arc::from(message), end }
}

/// A tool that somebody else runs, with 2.5 s for its answer.
pub(crate) fn tool(name: &str) -> Tool {
    Tool {
        face: ToolForModel {
            name: Arc::from(name),
            description: Arc::from("A tool."),
            parameters: Arc::new(serde_json::json!({"type": "object"})),
        },
        timeout: Duration::from_millis(2_500),
        reaction: Reaction::Speaks,
        runs: ToolRuns::Outside,
        wants_history: false,
        precomputable: false,
        static_response: None,
    }
}

/// A tool that ends the call.
pub(crate) fn hang_up_tool(strict: bool) -> Tool {
    Tool { runs: ToolRuns::HangUp { strict }, ..tool("hangUp") }
}

pub(crate) fn say(text: &str) -> ModelEvent {
    ModelEvent::Text(Arc::from(text))
}

pub(crate) fn call(name: &str, arguments: &str) -> ModelEvent {
    ModelEvent::ToolCall(tool_call(name, arguments, None))
}

pub(crate) fn tool_call(name: &str, arguments: &str, given_id: Option<&str>) -> ModelToolCall {
    ModelToolCall {
        name: Arc::from(name),
        arguments: Arc::from(arguments),
        given_id: given_id.map(Arc::from),
    }
}

pub(crate) fn answer(text: &str) -> ToolOutcome {
    react(text, None)
}

pub(crate) fn react(text: &str, reaction: Option<Reaction>) -> ToolOutcome {
    ToolOutcome::Answered(ToolAnswer {
        action: ToolAction::Respond(Arc::from(text)),
        reaction,
        state_update: None,
    })
}

pub(crate) fn hang_up(strict: bool, message: Option<&str>) -> ToolOutcome {
    ToolOutcome::Answered(ToolAnswer {
        action: ToolAction::HangUp(HangUpRequest { strict, message: message.map(Arc::from), result: None }),
        reaction: None,
        state_update: None,
    })
}

pub(crate) fn press(keys: &str) -> ToolOutcome {
    ToolOutcome::Answered(ToolAnswer {
        action: ToolAction::PlayTones(Tones {
            keys: Arc::from(keys),
            tone: Duration::from_millis(200),
            space: Duration::from_millis(100),
        }),
        reaction: None,
        state_update: None,
    })
}

pub(crate) fn next_stage(stage: NewStage) -> ToolOutcome {
    ToolOutcome::Answered(ToolAnswer {
        action: ToolAction::NewStage(Arc::new(stage)),
        reaction: None,
        state_update: None,
    })
}

pub(crate) fn failed(text: &str, detail: &str) -> ToolOutcome {
    ToolOutcome::Failed { text: Arc::from(text), detail: Arc::from(detail) }
}

pub(crate) fn forced(content: &str, urgency: ForcedUrgency) -> ForcedMessage {
    ForcedMessage {
        content: Arc::from(content),
        tool_calls: Vec::new(),
        known_results: Vec::new(),
        uninterruptible: false,
        urgency,
    }
}

/// A message that is in the record before the call begins.
pub(crate) fn from_before(body: MessageBody) -> Message {
    Message { body, medium: Medium::Text, ordinal: None, span: None }
}

/// An answer that sends this to a thread, and tells the model so.
pub(crate) fn send(text: &str, request: ThreadRequest) -> ToolOutcome {
    ToolOutcome::Answered(ToolAnswer {
        action: ToolAction::SendToThread { result: Arc::from(text), request: Box::new(request) },
        reaction: None,
        state_update: None,
    })
}

/// A thread of this name that forks the main conversation.
pub(crate) fn spawn(id: &str, messages: Vec<ThreadMessage>) -> SpawnThread {
    SpawnThread {
        id: Some(Arc::from(id)),
        parent: ThreadRef::Main,
        replaces: false,
        messages,
        allowed_tools: None,
        blocked_tools: Vec::new(),
        limits: ThreadLimits::default(),
    }
}

/// Begins it.
pub(crate) fn spawned(spawn: SpawnThread) -> Request {
    Request::Thread(Box::new(ThreadRequest::Spawn(Box::new(spawn))))
}
