//! Prompts in few words.

use antiphon_backends::language_model::{Clips, Request};
use antiphon_engine::ids::{InvocationId, TurnId};
use antiphon_engine::message::{AudioSpan, Medium, Message, MessageBody, Prompt, ToolForModel};
use antiphon_engine::time::AudioTime;

pub(crate) fn prompt(messages: Vec<Message>) -> Prompt {
    Prompt {
        system: Some("Be kind.".into()),
        messages,
        instruction: None,
        tools: [].into(),
        temperature: 0.4,
        model: "test".into(),
        language: None,
    }
}

pub(crate) fn request(prompt: Prompt) -> Request {
    Request { prompt, clips: Clips::default() }
}

pub(crate) fn message(body: MessageBody) -> Message {
    Message { body, medium: Medium::Voice, ordinal: None, span: None }
}

pub(crate) fn user(text: &str) -> Message {
    message(MessageBody::User { text: text.into(), audio: None })
}

pub(crate) fn agent(text: &str) -> Message {
    message(MessageBody::Agent { heard: text.into(), generated: format!("{text} and more").into() })
}

pub(crate) fn tool_call(id: u32, tool: &str) -> Message {
    let arguments = r#"{"a":1}"#.into();
    message(MessageBody::ToolCall {
        invocation: InvocationId(id),
        given_id: None,
        tool: tool.into(),
        arguments,
    })
}

pub(crate) fn tool_result(id: u32, tool: &str, text: &str) -> Message {
    message(MessageBody::ToolResult {
        invocation: InvocationId(id),
        given_id: None,
        tool: tool.into(),
        text: text.into(),
        error: None,
        state: None,
    })
}

pub(crate) fn tool(name: &str) -> ToolForModel {
    ToolForModel {
        name: name.into(),
        description: "A tool.".into(),
        parameters: serde_json::json!({"type": "object", "properties": {}}).into(),
    }
}

pub(crate) fn spoken(turn: u32, text: &str) -> Message {
    let span = AudioSpan { turn: TurnId(turn), from: AudioTime::ZERO, to: AudioTime::from_millis(10) };
    message(MessageBody::User { text: text.into(), audio: Some(span) })
}
