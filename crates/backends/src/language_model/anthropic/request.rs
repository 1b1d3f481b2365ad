//! A prompt as the body of a Messages request.
//!
//! Owns the spelling of messages and tools and what is cached. The same history gives the same bytes. It must not know how the
//! request is sent.

use antiphon_engine::ids::TurnId;
use antiphon_engine::message::{Message, MessageBody};
use serde_json::{Value, json};

use super::Settings;
use crate::language_model::openai::{NO_RESULT, SILENT, UNHEARD};
use crate::language_model::{GivenAs, Request};

/// What a conversation that the agent opened begins with, since the interface wants the user to begin.
const OPENING: &str = "[The call begins.]";

/// How each of the user's spoken turns is given.
type Turns = Vec<(TurnId, GivenAs)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Assistant,
    User,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Assistant => "assistant",
            Self::User => "user",
        }
    }
}

/// The messages so far. Those of one role in a row are one message.
#[derive(Default)]
struct Chat(Vec<(Role, Vec<Value>)>);

impl Chat {
    fn push(&mut self, role: Role, block: Value) {
        match self.0.last_mut() {
            Some((last, blocks)) if *last == role => blocks.push(block),
            Some(_) | None => self.0.push((role, vec![block])),
        }
    }

    fn say(&mut self, role: Role, text: &str) {
        self.push(role, json!({"type": "text", "text": text}));
    }

    /// Ends with the user's words, and has everything up to there cached.
    fn into_messages(mut self) -> Value {
        if !matches!(self.0.last(), Some((Role::User, _))) {
            self.say(Role::User, SILENT);
        }
        if let Some(block) = self.0.last_mut().and_then(|(_, blocks)| blocks.last_mut()) {
            block["cache_control"] = json!({"type": "ephemeral"});
        }
        self.0.into_iter().map(|(role, blocks)| json!({"role": role.name(), "content": blocks})).collect()
    }
}

/// The bytes of the request, and how it gives the user's spoken turns.
pub(super) fn body(settings: &Settings, request: &Request) -> (Vec<u8>, Turns) {
    let prompt = &request.prompt;
    let (chat, turns) = chat(request);
    let tools: Vec<Value> = prompt
        .tools
        .iter()
        .map(|tool| json!({"name": *tool.name, "description": *tool.description, "input_schema": *tool.parameters}))
        .collect();
    let mut body = json!({"model": *settings.model, "stream": true, "max_tokens": settings.max_tokens});
    if !tools.is_empty() {
        body["tools"] = json!(tools);
        body["tool_choice"] = json!({"type": "auto"});
    }
    if let Some(system) = prompt.system.as_ref().filter(|system| !system.trim().is_empty()) {
        // Covers the tools as well, which stand before it.
        body["system"] = json!([{"type": "text", "text": **system, "cache_control": {"type": "ephemeral"}}]);
    }
    body["messages"] = chat.into_messages();
    // A whole number of thousandths: a float in single precision has no short name in double precision.
    body["temperature"] = json!((f64::from(prompt.temperature) * 1e3).round() / 1e3);
    if let Value::Object(fields) = &mut body {
        fields.extend(settings.extra.iter().map(|(name, value)| (name.clone(), value.clone())));
        fields.retain(|name, _| !settings.omit.contains(name));
    }
    (body.to_string().into_bytes(), turns)
}

fn chat(request: &Request) -> (Chat, Turns) {
    let (mut chat, mut turns) = (Chat::default(), Turns::new());
    let messages = &request.prompt.messages;
    let mut index = 0;
    while let Some(message) = messages.get(index) {
        index += 1;
        match &message.body {
            MessageBody::Agent { heard, .. } => {
                // The interface refuses blanks at the end, and texts of nothing else.
                let heard = heard.trim_end();
                if !heard.is_empty() {
                    if chat.0.is_empty() {
                        chat.say(Role::User, OPENING);
                    }
                    chat.say(Role::Assistant, heard);
                }
            }
            MessageBody::ToolCall { .. } => {
                let calls = messages[index - 1..].iter().take_while(|message| is_call(message)).count();
                let calls = &messages[index - 1..index - 1 + calls];
                index += calls.len() - 1;
                push_calls(&mut chat, calls, messages);
            }
            // It stands with its call, for a result anywhere else is refused.
            MessageBody::ToolResult { .. } => {}
            MessageBody::User { text, audio } => {
                let (text, given) = match text.trim() {
                    "" if audio.is_some() => (UNHEARD, GivenAs::Unknown),
                    "" => (SILENT, GivenAs::Unknown),
                    text => (text, GivenAs::Transcript),
                };
                turns.extend(audio.map(|span| (span.turn, given)));
                chat.say(Role::User, text);
            }
        }
    }
    if let Some(instruction) = request.prompt.instruction.as_ref().filter(|text| !text.trim().is_empty()) {
        chat.say(Role::User, instruction);
    }
    (chat, turns)
}

fn is_call(message: &Message) -> bool {
    matches!(message.body, MessageBody::ToolCall { .. })
}

/// The calls of one generation, and behind them their results, wherever those stand in the record.
fn push_calls(chat: &mut Chat, calls: &[Message], messages: &[Message]) {
    if chat.0.is_empty() {
        chat.say(Role::User, OPENING);
    }
    let mut results = Vec::new();
    for call in calls {
        let MessageBody::ToolCall { invocation, tool, arguments, .. } = &call.body else { continue };
        let id = invocation.to_string();
        // Anything but an object is refused, and so would be all later requests.
        let input =
            serde_json::from_str(arguments).ok().filter(Value::is_object).unwrap_or_else(|| json!({}));
        chat.push(Role::Assistant, json!({"type": "tool_use", "id": id, "name": **tool, "input": input}));
        let result = messages.iter().find_map(|message| match &message.body {
            MessageBody::ToolResult { invocation: of, text, error, .. } if of == invocation => {
                Some((&**text, error.is_some()))
            }
            MessageBody::ToolResult { .. }
            | MessageBody::Agent { .. }
            | MessageBody::ToolCall { .. }
            | MessageBody::User { .. } => None,
        });
        let (text, failed) = result.unwrap_or((NO_RESULT, false));
        let mut result = json!({"type": "tool_result", "tool_use_id": id, "content": text});
        if failed {
            result["is_error"] = json!(true);
        }
        results.push(result);
    }
    for result in results {
        chat.push(Role::User, result);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use antiphon_engine::ids::InvocationId;
    use antiphon_engine::message::{AudioSpan, Medium, Prompt, ToolForModel};
    use antiphon_engine::time::AudioTime;

    use super::*;
    use crate::language_model::{Clips, Waits};

    fn settings() -> Settings {
        let waits = Waits { first_token: Duration::ZERO, progress: Duration::ZERO };
        let extra = serde_json::Map::new();
        Settings { model: "claude-x".into(), max_tokens: 1_024, extra, omit: Vec::new(), waits }
    }

    fn request(bodies: Vec<MessageBody>) -> Request {
        let message = |body| Message { body, medium: Medium::Voice, ordinal: None, span: None };
        let prompt = Prompt {
            system: Some("Be kind.".into()),
            messages: bodies.into_iter().map(message).collect(),
            instruction: None,
            tools: [].into(),
            temperature: 0.4,
            model: "default".into(),
            language: None,
        };
        Request { prompt, clips: Clips::default() }
    }

    fn written(settings: &Settings, request: &Request) -> Value {
        serde_json::from_slice(&body(settings, request).0).unwrap()
    }

    fn agent(heard: &str) -> MessageBody {
        MessageBody::Agent { heard: heard.into(), generated: "all of it".into() }
    }

    fn user(text: &str) -> MessageBody {
        MessageBody::User { text: text.into(), audio: None }
    }

    fn spoken(text: &str) -> MessageBody {
        let span = AudioSpan { turn: TurnId(3), from: AudioTime::ZERO, to: AudioTime::from_millis(20) };
        MessageBody::User { text: text.into(), audio: Some(span) }
    }

    fn call(id: u32, arguments: &str) -> MessageBody {
        MessageBody::ToolCall {
            invocation: InvocationId(id),
            given_id: Some("no:id for them".into()),
            tool: "look".into(),
            arguments: arguments.into(),
        }
    }

    fn result(id: u32, text: &str, error: Option<&str>) -> MessageBody {
        MessageBody::ToolResult {
            invocation: InvocationId(id),
            given_id: None,
            tool: "look".into(),
            text: text.into(),
            error: error.map(Arc::from),
            state: None,
        }
    }

    #[test]
    fn a_conversation_is_spelled_as_messages_that_take_turns() {
        let mut asked = request(vec![
            agent("Hi, this is "),
            user("Where is it?"),
            agent("Let me see."),
            call(0, r#"{"a":1}"#),
            call(1, "[no object]"),
            user("Hurry."),
            result(1, "second", Some("why")),
            result(0, "first", None),
        ]);
        asked.prompt.instruction = Some("Answer now.".into());
        let parameters = json!({"type": "object"});
        asked.prompt.tools = [ToolForModel {
            name: "look".into(),
            description: "Looks.".into(),
            parameters: parameters.clone().into(),
        }]
        .into();
        let text = |text: &str| json!({"type": "text", "text": text});
        let cached = json!({"type": "ephemeral"});
        assert_eq!(
            written(&settings(), &asked),
            json!({
                "model": "claude-x",
                "stream": true,
                "max_tokens": 1024,
                "tools": [{"name": "look", "description": "Looks.", "input_schema": parameters}],
                "tool_choice": {"type": "auto"},
                "system": [{"type": "text", "text": "Be kind.", "cache_control": cached}],
                "messages": [
                    {"role": "user", "content": [text(OPENING)]},
                    {"role": "assistant", "content": [text("Hi, this is")]},
                    {"role": "user", "content": [text("Where is it?")]},
                    {"role": "assistant", "content": [
                        text("Let me see."),
                        {"type": "tool_use", "id": "invocation-0", "name": "look", "input": {"a": 1}},
                        {"type": "tool_use", "id": "invocation-1", "name": "look", "input": {}}]},
                    {"role": "user", "content": [
                        {"type": "tool_result", "tool_use_id": "invocation-0", "content": "first"},
                        {"type": "tool_result", "tool_use_id": "invocation-1", "content": "second", "is_error": true},
                        text("Hurry."),
                        {"type": "text", "text": "Answer now.", "cache_control": cached}]}],
                "temperature": 0.4})
        );
    }

    #[test]
    fn the_user_begins_and_ends_every_conversation() {
        for bodies in [vec![], vec![agent("Hello.")], vec![agent(" ")], vec![user("")], vec![call(0, "{}")]] {
            let body = written(&settings(), &request(bodies));
            let messages = body["messages"].as_array().unwrap();
            assert_eq!(messages[0]["role"], "user");
            assert_eq!(messages.last().unwrap()["role"], "user");
            let blocks = messages.iter().flat_map(|message| message["content"].as_array().unwrap());
            assert!(blocks.clone().all(|block| block["text"] != ""), "{body}");
        }
    }

    #[test]
    fn speech_is_given_as_its_words() {
        for (words, text, given) in
            [("Hello.", "Hello.", GivenAs::Transcript), (" ", UNHEARD, GivenAs::Unknown)]
        {
            let asked = request(vec![spoken(words)]);
            assert_eq!(written(&settings(), &asked)["messages"][0]["content"][0]["text"], text);
            assert_eq!(body(&settings(), &asked).1, [(TurnId(3), given)]);
        }
    }

    #[test]
    fn fields_are_added_replaced_and_left_out() {
        let mut settings = settings();
        settings.extra = json!({"top_k": 7, "max_tokens": 9}).as_object().unwrap().clone();
        settings.omit = vec!["temperature".to_owned()];
        let body = written(&settings, &request(vec![user("x")]));
        assert_eq!(
            (&body["top_k"], &body["max_tokens"], body.get("temperature")),
            (&json!(7), &json!(9), None)
        );
    }
}
