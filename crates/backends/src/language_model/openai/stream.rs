//! What a streamed completion says, from the bytes of its body.
//!
//! Owns the parsing of server-sent events (WHATWG HTML, 9.2.6) and of `chat.completion.chunk` objects, and the assembly of
//! tool calls. Pure: bytes may be cut anywhere. It must not know of time or connections.

use std::collections::BTreeMap;

use antiphon_engine::input::ModelToolCall;
use serde::Deserialize;

use crate::http::error_message;

/// Bytes of one event; more is no completion.
const EVENT_LIMIT: usize = 1024 * 1024;

/// What a completion tells.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Told {
    /// More text.
    Text(String),
    /// It thinks; what, is not for the user.
    Reasoning,
    /// It is complete, with these tool calls.
    Done { calls: Vec<ModelToolCall> },
    /// It failed, for this reason, in the backend's words.
    Failed(String),
}

/// A completion as it arrives.
#[derive(Debug, Default)]
pub(super) struct Completion {
    /// The bytes of a line that has not ended yet.
    line: Vec<u8>,
    /// Whether the last line ended with a carriage return, so that a line feed now belongs to that end.
    after_return: bool,
    /// The data lines of an event that has not ended yet.
    data: Vec<u8>,
    /// Tool calls by their index.
    calls: BTreeMap<u64, Call>,
    /// Whether a finish reason was told.
    finished: bool,
    /// Whether all was said: whatever follows is ignored.
    closed: bool,
}

#[derive(Debug, Default)]
struct Call {
    name: String,
    arguments: String,
}

/// One `chat.completion.chunk` (OpenAI API reference). Everything is optional, for servers differ.
#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u64,
    /// A server that does not stream sends the whole message at once.
    #[serde(alias = "message")]
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
    /// What a model thinks, as DeepSeek, vLLM and llama.cpp spell it.
    reasoning_content: Option<String>,
    /// The same, as OpenRouter and newer vLLM spell it.
    reasoning: Option<String>,
    tool_calls: Option<Vec<CallDelta>>,
}

#[derive(Deserialize)]
struct CallDelta {
    /// Some servers leave it out and send each call whole.
    index: Option<u64>,
    function: Option<FunctionDelta>,
}

#[derive(Deserialize)]
struct FunctionDelta {
    name: Option<String>,
    arguments: Option<String>,
}

impl Completion {
    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Told> {
        let mut told = Vec::new();
        for &byte in bytes {
            if self.closed {
                break;
            }
            match byte {
                b'\n' if self.after_return => self.after_return = false,
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    self.end_line(&mut told);
                }
                _ => {
                    self.after_return = false;
                    self.line.push(byte);
                }
            }
            if self.line.len() + self.data.len() > EVENT_LIMIT {
                self.close(Told::Failed("sent an event without an end".to_owned()), &mut told);
            }
        }
        told
    }

    /// Takes the end of the body.
    pub(super) fn end(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        if !self.line.is_empty() {
            self.end_line(&mut told);
        }
        self.dispatch(&mut told);
        if self.finished {
            self.done(&mut told);
        } else {
            self.close(Told::Failed("ended its answer in the middle".to_owned()), &mut told);
        }
        told
    }

    /// The size of the tool calls so far.
    pub(super) fn call_bytes(&self) -> usize {
        self.calls.values().map(|call| call.name.len() + call.arguments.len()).sum()
    }

    fn end_line(&mut self, told: &mut Vec<Told>) {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            self.dispatch(told);
        } else if let Some(data) = line.strip_prefix(b"data:") {
            if !self.data.is_empty() {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
        } else if line.starts_with(b"{") {
            // An error that is no event, in the middle of a stream.
            self.data = line;
        }
        // Everything else is a comment that keeps the connection alive, or a field that carries nothing here.
    }

    fn dispatch(&mut self, told: &mut Vec<Told>) {
        let data = std::mem::take(&mut self.data);
        if data.is_empty() || self.closed {
            return;
        }
        if data.trim_ascii() == b"[DONE]" {
            self.done(told);
            return;
        }
        let Ok(chunk) = serde_json::from_slice::<Chunk>(&data) else {
            let data = String::from_utf8_lossy(&data);
            self.close(Told::Failed(format!("sent what is no completion: {data}")), told);
            return;
        };
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            let text = error_message(&error).unwrap_or_else(|| error.to_string());
            self.close(Told::Failed(text), told);
            return;
        }
        // There is one choice; the usage comes in a chunk without any.
        if let Some(choice) = chunk.choices.into_iter().find(|choice| choice.index == 0) {
            self.choice(choice, told);
        }
    }

    fn choice(&mut self, choice: Choice, told: &mut Vec<Told>) {
        if let Some(delta) = choice.delta {
            let thought = [delta.reasoning_content, delta.reasoning];
            if thought.iter().flatten().any(|thought| !thought.is_empty()) {
                told.push(Told::Reasoning);
            }
            if let Some(text) = delta.content.filter(|text| !text.is_empty()) {
                told.push(Told::Text(text));
            }
            for call in delta.tool_calls.unwrap_or_default() {
                self.call(call);
                // Nothing to say, but a sign of life.
                told.push(Told::Reasoning);
            }
        }
        self.finished |= choice.finish_reason.is_some_and(|reason| !reason.is_empty());
    }

    fn call(&mut self, delta: CallDelta) {
        let Some(function) = delta.function else { return };
        let named = function.name.as_deref().is_some_and(|name| !name.is_empty());
        let last = self.calls.keys().next_back().copied();
        let index = delta.index.unwrap_or(match (last, named) {
            (Some(last), true) => last + 1,
            (Some(last), false) => last,
            (None, _) => 0,
        });
        let call = self.calls.entry(index).or_default();
        // Some servers repeat the name with every part.
        if call.name.is_empty() {
            call.name = function.name.unwrap_or_default();
        }
        call.arguments.push_str(function.arguments.as_deref().unwrap_or_default());
    }

    fn done(&mut self, told: &mut Vec<Told>) {
        if self.closed {
            return;
        }
        let calls = std::mem::take(&mut self.calls)
            .into_values()
            .filter(|call| !call.name.is_empty())
            .map(|call| ModelToolCall {
                name: call.name.into(),
                // Calls without arguments are often streamed without a single brace.
                arguments: if call.arguments.trim().is_empty() { "{}".into() } else { call.arguments.into() },
                given_id: None,
            })
            .collect();
        self.close(Told::Done { calls }, told);
    }

    fn close(&mut self, last: Told, told: &mut Vec<Told>) {
        if !self.closed {
            self.closed = true;
            told.push(last);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(parts: &[&[u8]]) -> Vec<Told> {
        let mut completion = Completion::default();
        let mut told: Vec<Told> = parts.iter().flat_map(|part| completion.push(part)).collect();
        told.extend(completion.end());
        told
    }

    fn call(name: &str, arguments: &str) -> ModelToolCall {
        ModelToolCall { name: name.into(), arguments: arguments.into(), given_id: None }
    }

    const ANSWER: &str = concat!(
        ": keep-alive\r\n\r\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\r\n\r\n",
        "event: message\nid: 7\ndata:{\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"Hm\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Über \"}}]}\n\n",
        ":\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":\ndata: {\"content\":\"den 🍞\"}}]}\r\r",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"look\",\"arguments\":\"\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":1,\"function\":{\"name\":\"end\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\":\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"1}\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9}}\n\n",
        "data: [DONE]\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"never\"}}]}\n\n",
    );

    fn expected() -> Vec<Told> {
        let thinking = Told::Reasoning;
        let mut told =
            vec![thinking.clone(), Told::Text("Über ".to_owned()), Told::Text("den 🍞".to_owned())];
        told.extend(vec![thinking; 4]);
        told.push(Told::Done { calls: vec![call("look", "{\"a\":1}"), call("end", "{}")] });
        told
    }

    #[test]
    fn an_answer_is_read_whole() {
        assert_eq!(read(&[ANSWER.as_bytes()]), expected());
    }

    #[test]
    fn an_answer_is_read_when_cut_at_any_byte() {
        let bytes = ANSWER.as_bytes();
        for cut in 0..=bytes.len() {
            assert_eq!(read(&[&bytes[..cut], &bytes[cut..]]), expected(), "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single), expected());
    }

    proptest! {
        #[test]
        fn an_answer_is_read_when_cut_anywhere(mut cuts in proptest::collection::vec(0..ANSWER.len(), 0..40)) {
            cuts.sort_unstable();
            let mut parts = Vec::new();
            let mut from = 0;
            for cut in cuts {
                parts.push(&ANSWER.as_bytes()[from..cut]);
                from = cut;
            }
            parts.push(&ANSWER.as_bytes()[from..]);
            prop_assert_eq!(read(&parts), expected());
        }

        #[test]
        fn any_bytes_end_exactly_once(bytes in proptest::collection::vec(any::<u8>(), 0..400), cut in 0_usize..400) {
            let cut = cut.min(bytes.len());
            let told = read(&[&bytes[..cut], &bytes[cut..]]);
            let ends = told.iter().filter(|told| matches!(told, Told::Done { .. } | Told::Failed(_))).count();
            prop_assert_eq!(ends, 1);
        }
    }

    #[test]
    fn the_end_of_the_body_ends_an_answer_that_told_its_reason() {
        let body = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"length\"}]}";
        assert_eq!(read(&[body.as_bytes()]), [Told::Text("Hi".to_owned()), Told::Done { calls: vec![] }]);
    }

    #[test]
    fn an_answer_that_breaks_off_is_a_failure() {
        let body = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n";
        let broken = Told::Failed("ended its answer in the middle".to_owned());
        assert_eq!(read(&[body.as_bytes()]), [Told::Text("Hi".to_owned()), broken.clone()]);
        assert_eq!(read(&[]), [broken]);
    }

    #[test]
    fn errors_in_the_stream_are_told() {
        let check = |body: &str, reason: &str| {
            assert_eq!(read(&[body.as_bytes()]), [Told::Failed(reason.to_owned())]);
        };
        check(
            "data: {\"error\":{\"message\":\"out of memory\",\"code\":500}}\n\ndata: [DONE]\n\n",
            "out of memory",
        );
        check("{\"error\":\"no such model\"}", "no such model");
        check("data: <html>\n\n", "sent what is no completion: <html>");
    }

    #[test]
    fn calls_without_an_index_are_kept_apart_by_their_names() {
        let body = concat!(
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"name\":\"a\",\"arguments\":\"{}\"}}]}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"name\":\"b\",\"arguments\":\"{\"}},",
            "{\"function\":{\"arguments\":\"}\"}}]},\"finish_reason\":\"stop\"}]}\n\n",
        );
        let told = read(&[body.as_bytes()]);
        assert_eq!(told.last(), Some(&Told::Done { calls: vec![call("a", "{}"), call("b", "{}")] }));
    }

    #[test]
    fn an_answer_that_is_not_streamed_is_read() {
        let body = r#"{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}"#;
        assert_eq!(read(&[body.as_bytes()]), [Told::Text("Hi".to_owned()), Told::Done { calls: vec![] }]);
    }

    #[test]
    fn an_event_without_an_end_is_given_up() {
        let told = read(&[&vec![b'x'; 2 * EVENT_LIMIT]]);
        assert_eq!(told, [Told::Failed("sent an event without an end".to_owned())]);
    }
}
