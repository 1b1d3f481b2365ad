//! What the events of a streamed message say.
//!
//! Owns the parsing of the Messages API's events. Pure. It must not know of time or connections.

use std::sync::Arc;

use serde::Deserialize;

use crate::http::OVERLOADED;
use crate::language_model::answer::{Calls, Meaning, Told, failed};
use crate::language_model::{Failure, Fault, Usage};

/// A message as it arrives.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// Tool calls by the index of their block.
    calls: Calls,
    usage: Usage,
    /// Whether anything was said.
    spoke: bool,
}

/// One event. Unknown kinds are to be ignored, says the vendor.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    ContentBlockDelta {
        index: u64,
        delta: Delta,
    },
    ContentBlockStart {
        index: u64,
        content_block: Block,
    },
    Error {
        error: ErrorBody,
    },
    MessageDelta {
        delta: MessageDelta,
        usage: Option<UsageBody>,
    },
    MessageStart {
        message: Start,
    },
    MessageStop,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Start {
    usage: Option<UsageBody>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        #[serde(default)]
        text: String,
    },
    ToolUse {
        name: String,
        #[serde(default)]
        input: serde_json::Value,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Delta {
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: String },
    #[serde(rename = "text_delta")]
    Text { text: String },
    /// It thinks; what, is not for the user.
    #[serde(rename = "thinking_delta")]
    Thinking {},
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct MessageDelta {
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct UsageBody {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    message: String,
}

impl Meaning for Messages {
    fn event(&mut self, data: &[u8], told: &mut Vec<Told>) {
        let Ok(event) = serde_json::from_slice::<Event>(data) else {
            told.push(failed(format!("sent what is no message: {}", String::from_utf8_lossy(data))));
            return;
        };
        self.read(event, told);
    }

    fn end(&mut self, told: &mut Vec<Told>) {
        told.push(failed("ended its answer in the middle"));
    }

    fn calls(&self) -> &Calls {
        &self.calls
    }
}

impl Messages {
    fn read(&mut self, event: Event, told: &mut Vec<Told>) {
        match event {
            Event::ContentBlockStart { index, content_block } => match content_block {
                Block::Text { text } => self.say(text, told),
                Block::ToolUse { name, input } => {
                    // The input is streamed behind it, unless it is there already.
                    let whole = input.as_object().is_some_and(|input| !input.is_empty());
                    let arguments = if whole { input.to_string() } else { String::new() };
                    let call = self.calls.call(index);
                    (call.name, call.arguments) = (name, arguments);
                    told.push(Told::Working);
                }
                Block::Other => told.push(Told::Working),
            },
            Event::ContentBlockDelta { index, delta } => match delta {
                Delta::Text { text } => self.say(text, told),
                Delta::InputJson { partial_json } => {
                    if let Some(call) = self.calls.begun(index) {
                        call.arguments.push_str(&partial_json);
                    }
                    told.push(Told::Working);
                }
                Delta::Thinking {} => told.push(Told::Thinking),
                Delta::Other => told.push(Told::Working),
            },
            Event::MessageStart { message } => self.count(message.usage, told),
            Event::MessageDelta { delta, usage } => {
                self.count(usage, told);
                if delta.stop_reason.as_deref() == Some("refusal") && !self.spoke {
                    let reason = Arc::from("refused to answer");
                    told.push(Told::Failed(Failure { reason, fault: Fault::Request, retry_after: None }));
                }
            }
            Event::MessageStop => told.push(Told::Done { calls: self.calls.take() }),
            Event::Error { error } => {
                let ErrorBody { r#type: kind, message } = error;
                let overloaded = matches!(kind.as_str(), "overloaded_error" | "rate_limit_error");
                let fault = match kind.as_str() {
                    "invalid_request_error" | "request_too_large" => Fault::Request,
                    _ => Fault::Backend,
                };
                let reason = Arc::from(if message.is_empty() { kind } else { message });
                let retry_after = overloaded.then_some(OVERLOADED);
                told.push(Told::Failed(Failure { reason, fault, retry_after }));
            }
            // Pings keep the connection alive and are no progress.
            Event::Other => {}
        }
    }

    fn say(&mut self, text: String, told: &mut Vec<Told>) {
        if !text.is_empty() {
            self.spoke = true;
            told.push(Told::Text(text));
        }
    }

    fn count(&mut self, usage: Option<UsageBody>, told: &mut Vec<Told>) {
        let Some(usage) = usage else { return };
        if let Some(input) = usage.input_tokens {
            let read = usage.cache_read_input_tokens;
            self.usage.cached = read;
            self.usage.input =
                input + read.unwrap_or_default() + usage.cache_creation_input_tokens.unwrap_or_default();
        }
        self.usage.output = usage.output_tokens.unwrap_or(self.usage.output);
        told.push(Told::Usage(self.usage));
    }
}

#[cfg(test)]
mod tests {
    use antiphon_engine::input::ModelToolCall;

    use super::*;
    use crate::language_model::answer::Events;

    fn read(parts: &[&[u8]]) -> Vec<Told> {
        let mut messages = Events::new(Messages::default());
        let mut told: Vec<Told> = parts.iter().flat_map(|part| messages.push(part)).collect();
        told.extend(messages.end());
        told
    }

    /// A message as the vendor's documentation shows it, with thinking, text and a tool.
    const ANSWER: &str = concat!(
        "event: message_start\n",
        "data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],",
        "\"stop_reason\":null,\"usage\":{\"input_tokens\":25,\"cache_creation_input_tokens\":5,\"cache_read_input_tokens\":70,\"output_tokens\":1}}}\n\n",
        "event: ping\ndata: {\"type\": \"ping\"}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"Hm\"}}\n\n",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"Über den 🍞\"}}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"look\",\"input\":{}}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\":\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"1}\"}}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":3,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_2\",\"name\":\"end\",\"input\":{}}}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":15}}\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    );

    fn expected() -> Vec<Told> {
        let call = |name: &str, arguments: &str| ModelToolCall {
            name: name.into(),
            arguments: arguments.into(),
            given_id: None,
        };
        let mut told = vec![
            Told::Usage(Usage { input: 100, cached: Some(70), output: 1 }),
            Told::Working,
            Told::Thinking,
            Told::Text("Über den 🍞".to_owned()),
        ];
        told.extend(vec![Told::Working; 5]);
        told.push(Told::Usage(Usage { input: 100, cached: Some(70), output: 15 }));
        told.push(Told::Done { calls: vec![call("look", "{\"a\":1}"), call("end", "{}")] });
        told
    }

    #[test]
    fn a_message_is_read_when_cut_at_any_byte() {
        let bytes = ANSWER.as_bytes();
        for cut in 0..=bytes.len() {
            assert_eq!(read(&[&bytes[..cut], &bytes[cut..]]), expected(), "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single), expected());
    }

    #[test]
    fn errors_say_who_is_at_fault() {
        let check = |kind: &str, fault, retry_after| {
            let body = format!(
                "event: error\ndata: {{\"type\":\"error\",\"error\":{{\"type\":\"{kind}\",\"message\":\"Why\"}}}}\n\n"
            );
            let failure = Failure { reason: "Why".into(), fault, retry_after };
            assert_eq!(read(&[body.as_bytes()]), [Told::Failed(failure)]);
        };
        check("overloaded_error", Fault::Backend, Some(OVERLOADED));
        check("rate_limit_error", Fault::Backend, Some(OVERLOADED));
        check("api_error", Fault::Backend, None);
        check("invalid_request_error", Fault::Request, None);
    }

    #[test]
    fn a_message_that_breaks_off_is_a_failure() {
        let cut = ANSWER.find("event: message_delta").unwrap();
        let told = read(&[&ANSWER.as_bytes()[..cut]]);
        assert_eq!(told.last(), Some(&Told::Failed(Failure::of_backend("ended its answer in the middle"))));
        let told = read(&[b"data: <html>\n\n"]);
        assert_eq!(told, [Told::Failed(Failure::of_backend("sent what is no message: <html>"))]);
    }

    #[test]
    fn a_refusal_without_a_word_is_a_failure() {
        let refusal = b"data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"refusal\"}}\n\n";
        let told = read(&[refusal]);
        assert!(matches!(&told[..], [Told::Failed(Failure { fault: Fault::Request, .. })]), "{told:?}");
    }
}
