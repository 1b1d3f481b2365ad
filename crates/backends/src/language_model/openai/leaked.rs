//! Tool calls that a model wrote as text, because its server did not recognize them.
//!
//! Owns the three spellings that open models use, and the holding back of text that may become one: nobody shall hear JSON
//! read aloud. Without tools in the request nothing is held back. It must not know which tools do what.
//!
//! - `<tool_call>{"name": .., "arguments": {..}}</tool_call>` (Hermes, Qwen), anywhere in the text;
//! - `<|python_tag|>{"name": .., "parameters": {..}}` (Llama), from there to the end;
//! - an answer that is nothing but such an object (Llama without the tag).

use std::sync::Arc;

use antiphon_engine::input::ModelToolCall;
use serde::Deserialize;

const OPEN: &str = "<tool_call>";
const CLOSE: &str = "</tool_call>";
const PYTHON: &str = "<|python_tag|>";
/// Text held back beyond this is no call.
const LIMIT: usize = 64 * 1024;

/// Separates text to say from tool calls written as text.
#[derive(Debug)]
pub(super) struct LeakedCalls {
    tools: Vec<Arc<str>>,
    /// Text that may become a call.
    held: String,
    /// Whether anything but blanks was said or called so far.
    begun: bool,
    calls: Vec<ModelToolCall>,
}

#[derive(Deserialize)]
struct WrittenCall {
    name: String,
    #[serde(alias = "parameters", default)]
    arguments: serde_json::Map<String, serde_json::Value>,
}

impl LeakedCalls {
    /// Looks for calls of these tools.
    pub(super) fn new(tools: Vec<Arc<str>>) -> Self {
        Self { tools, held: String::new(), begun: false, calls: Vec::new() }
    }

    /// Takes more text and gives what is certain to be no call.
    pub(super) fn push(&mut self, text: &str) -> String {
        if self.tools.is_empty() {
            return text.to_owned();
        }
        self.held.push_str(text);
        let mut said = String::new();
        while let Some(certain) = self.certain() {
            said.push_str(&certain);
        }
        said
    }

    /// Gives the rest of the text, and all calls that were found.
    pub(super) fn end(&mut self) -> (String, Vec<ModelToolCall>) {
        let held = std::mem::take(&mut self.held);
        let written = held.trim();
        let written = written.strip_prefix(OPEN).or_else(|| written.strip_prefix(PYTHON)).unwrap_or(written);
        let said = match self.call(written) {
            Some(call) => {
                self.calls.push(call);
                String::new()
            }
            None => held,
        };
        (said, std::mem::take(&mut self.calls))
    }

    /// Takes a piece off the held text that is decided; `None` when more is needed.
    fn certain(&mut self) -> Option<String> {
        if self.held.is_empty() {
            return None;
        }
        if self.held.len() > LIMIT {
            return Some(self.take(self.held.len()));
        }
        if !self.begun {
            let start = self.held.trim_start();
            if start.is_empty() || start.starts_with('{') {
                return None;
            }
        }
        let Some(mark) = self.held.find('<') else { return Some(self.take(self.held.len())) };
        if mark > 0 {
            return Some(self.take(mark));
        }
        if self.held.starts_with(OPEN) {
            let close = self.held.find(CLOSE)?;
            let found = self.call(&self.held[OPEN.len()..close]);
            let whole = self.take(close + CLOSE.len());
            return Some(match found {
                Some(call) => {
                    self.calls.push(call);
                    String::new()
                }
                None => whole,
            });
        }
        let undecided = [OPEN, PYTHON].iter().any(|tag| tag.starts_with(&self.held));
        if undecided || self.held.starts_with(PYTHON) {
            return None;
        }
        Some(self.take(1))
    }

    fn take(&mut self, bytes: usize) -> String {
        let rest = self.held.split_off(bytes);
        let taken = std::mem::replace(&mut self.held, rest);
        self.begun |= !taken.trim().is_empty();
        taken
    }

    fn call(&self, written: &str) -> Option<ModelToolCall> {
        let call: WrittenCall = serde_json::from_str(written.trim()).ok()?;
        self.tools.iter().any(|tool| **tool == *call.name).then(|| ModelToolCall {
            name: call.name.into(),
            arguments: serde_json::Value::Object(call.arguments).to_string().into(),
            given_id: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, said: &str, calls: &[&str]) {
        for size in [1, 3, text.len().max(1)] {
            let mut leaked = LeakedCalls::new(vec!["look".into()]);
            let characters: Vec<char> = text.chars().collect();
            let mut out: String =
                characters.chunks(size).map(|part| leaked.push(&part.iter().collect::<String>())).collect();
            let (rest, found) = leaked.end();
            out += &rest;
            assert_eq!(out, said, "in parts of {size}");
            let found: Vec<String> =
                found.iter().map(|call| format!("{} {}", call.name, call.arguments)).collect();
            assert_eq!(found, calls, "in parts of {size}");
        }
    }

    #[test]
    fn calls_written_as_text_are_calls() {
        let call = r#"{"name": "look", "arguments": {"a": 1}}"#;
        let found = [r#"look {"a":1}"#];
        check(&format!("Wait. <tool_call>\n{call}\n</tool_call>"), "Wait. ", &found);
        check(&format!("<tool_call>{call}</tool_call> So."), " So.", &found);
        check(&format!("<tool_call>{call}"), "", &found);
        check(&format!("<|python_tag|>{call}"), "", &found);
        check(&call.replace("arguments", "parameters"), "", &found);
        check(&format!("\n {call} "), "", &found);
    }

    #[test]
    fn text_is_text() {
        for text in [
            "Hello.",
            "1 < 2, and <b>bold</b>",
            "{\"name\": \"nobody\"}",
            "{ is a brace",
            "He said {\"name\": \"look\"}",
            "<tool_call>no</tool_call>",
            "a <tool_",
            "",
        ] {
            check(text, text, &[]);
        }
    }

    #[test]
    fn without_tools_nothing_is_held_back() {
        let mut leaked = LeakedCalls::new(vec![]);
        assert_eq!(leaked.push("{<tool_call>"), "{<tool_call>");
    }
}
