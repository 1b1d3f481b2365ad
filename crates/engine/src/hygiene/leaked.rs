//! Tool calls that a model wrote as text, because its server did not recognize them.
//!
//! Owns the spellings that open models use, and the holding back of text that may become one. Without tools nothing is held back.
//! Whether there is a tool of that name, and whether its arguments make sense, is not decided here: a call that is spelled like
//! one is given on as one, for the model to be told.
//!
//! - `<tool_call>{"name": .., "arguments": {..}}</tool_call>` (Hermes, Qwen);
//! - `<function=NAME>{..}</function>`, and the same with `<parameter=X>..</parameter>` within (Llama, Qwen coder);
//! - `<|python_tag|>..` to the end (Llama), `[TOOL_CALLS][{..}]` (Mistral);
//! - an object that begins with a call's first key, or a list of such, anywhere and also fenced as code;
//! - `[NAME(a=1)]` for the name of a tool (Llama), and a fence of `tool_code` (Gemma).

use std::sync::Arc;

use serde_json::{Map, Value};

use super::python;
use crate::input::ModelToolCall;

/// Text held back beyond this is no call.
const LIMIT: usize = 16 * 1024;
/// What may follow an opening brace in a call.
const FIRST_KEYS: [&str; 7] =
    ["\"name\"", "\"tool\"", "\"tool_name\"", "\"function\"", "\"type\"", "\"tool_calls\"", "\"action\""];
/// Marks, and what ends what they begin; nothing ends it but the end of the answer where there is no such thing.
const TAGS: [(&str, &str); 5] = [
    ("<tool_call>", "</tool_call>"),
    ("<function_call>", "</function_call>"),
    ("<|tool_call|>", "<|/tool_call|>"),
    ("<|python_tag|>", "<|eom_id|>"),
    ("[TOOL_CALLS]", "</s>"),
];
/// Begins the other spelling with a tag.
const FUNCTION: (&str, &str) = ("<function=", "</function>");
const FENCE: &str = "```";
/// Languages of a fence that may hold a call.
const LANGUAGES: [&str; 5] = ["", "json", "tool_code", "tool_call", "python"];

/// A call as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) name: String,
    /// JSON, or what was meant to be.
    pub(super) arguments: String,
}

/// Separates text to say from tool calls written as text.
#[derive(Debug)]
pub(super) struct LeakedCalls {
    tools: Vec<Arc<str>>,
    /// Text that may become a call.
    held: String,
    calls: Vec<ModelToolCall>,
}

/// What the beginning of the held text is.
enum Beginning {
    /// Text, so many bytes of it.
    Text(usize),
    /// It may become a call.
    Undecided,
    /// Calls, in so many bytes.
    Calls(usize, Vec<Written>),
}

use Beginning::{Calls, Text, Undecided};

impl LeakedCalls {
    /// For a model that was given these tools.
    pub(super) fn new(tools: Vec<Arc<str>>) -> Self {
        Self { tools, held: String::new(), calls: Vec::new() }
    }

    /// Takes more text and gives what is certain to be no call.
    pub(super) fn push(&mut self, text: &str) -> String {
        if self.tools.is_empty() {
            return text.to_owned();
        }
        self.held.push_str(text);
        self.decide(false)
    }

    /// Gives the rest of the text, and all calls that were found.
    pub(super) fn end(&mut self) -> (String, Vec<ModelToolCall>) {
        let said = self.decide(true);
        (said, std::mem::take(&mut self.calls))
    }

    fn decide(&mut self, complete: bool) -> String {
        let mut said = String::new();
        let mut from = 0;
        loop {
            let held = &self.held[from..];
            let Some(mark) = held.find(['<', '{', '[', '`']) else {
                said.push_str(held);
                from = self.held.len();
                break;
            };
            said.push_str(&held[..mark]);
            from += mark;
            let held = &held[mark..];
            let beginning = match self.beginning(held, complete) {
                Undecided if complete || held.len() > LIMIT => {
                    Text(held.chars().next().map_or(0, char::len_utf8))
                }
                decided @ (Text(_) | Undecided | Calls(..)) => decided,
            };
            match beginning {
                Text(bytes) => {
                    said.push_str(&held[..bytes]);
                    from += bytes;
                }
                Undecided => break,
                Calls(bytes, calls) => {
                    from += bytes;
                    let calls = calls.into_iter().map(|call| ModelToolCall {
                        name: call.name.into(),
                        arguments: call.arguments.into(),
                        given_id: None,
                    });
                    self.calls.extend(calls);
                }
            }
        }
        self.held.drain(..from);
        said
    }

    fn beginning(&self, held: &str, complete: bool) -> Beginning {
        match held.as_bytes().first() {
            Some(b'{') => object(held, complete),
            Some(b'`') => self.fence(held, complete),
            Some(b'[') => match tagged(held, complete) {
                Text(_) => self.list(held, complete),
                decided @ (Undecided | Calls(..)) => decided,
            },
            Some(_) | None => match tagged(held, complete) {
                Text(_) => function(held, complete),
                decided @ (Undecided | Calls(..)) => decided,
            },
        }
    }

    /// `[{"name": ..}]` and `[look(a=1)]`.
    fn list(&self, held: &str, complete: bool) -> Beginning {
        let inner = held[1..].trim_start();
        if inner.is_empty() {
            return if complete { Text(1) } else { Undecided };
        }
        if inner.starts_with('{') {
            return match object(inner, complete) {
                Text(_) => Text(1),
                Undecided | Calls(..) => match balanced(held) {
                    Some(end) => calls_of(&held[..end]).map_or(Text(1), |calls| Calls(end, calls)),
                    None => broken(held, complete),
                },
            };
        }
        if !self.tools.iter().any(|tool| begins_call(inner, tool)) {
            return Text(1);
        }
        match balanced(held) {
            Some(end) => python::calls(&held[..end]).map_or(Text(1), |calls| Calls(end, calls)),
            None => Undecided,
        }
    }

    /// A fence with a call in it.
    fn fence(&self, held: &str, complete: bool) -> Beginning {
        let Some(rest) = held.strip_prefix(FENCE) else {
            let undecided = !complete && FENCE.starts_with(held);
            return if undecided { Undecided } else { Text(held.len() - held.trim_start_matches('`').len()) };
        };
        let Some((language, code)) = rest.split_once('\n') else {
            let undecided = LANGUAGES.iter().any(|language| language.starts_with(rest.trim_end()));
            return if undecided && !complete { Undecided } else { Text(FENCE.len()) };
        };
        let language = language.trim();
        let python = matches!(language, "tool_code" | "python");
        if !LANGUAGES.contains(&language) {
            return Text(FENCE.len());
        }
        let inner = code.trim_start();
        let may_be = inner.is_empty()
            || match inner.as_bytes().first() {
                Some(b'{') => !matches!(object(inner, false), Text(_)),
                Some(b'[') => !matches!(self.list(inner, false), Text(_)),
                _ => {
                    let call = inner.strip_prefix("print(").unwrap_or(inner);
                    python
                        && ("print(".starts_with(inner)
                            || self.tools.iter().any(|tool| begins_call(call, tool)))
                }
            };
        if !may_be {
            return Text(FENCE.len());
        }
        let whole = match code.find(FENCE) {
            Some(end) => held.len() - code.len() + end + FENCE.len(),
            None if complete => held.len(),
            None => return Undecided,
        };
        let code = held[..whole].trim_end_matches('`').split_once('\n').map_or("", |(_, code)| code);
        calls_of(code).map_or(Text(FENCE.len()), |calls| Calls(whole, calls))
    }
}

/// Whether `text` is, or may become, a call of `tool` in the shape of Python.
fn begins_call(text: &str, tool: &str) -> bool {
    match text.strip_prefix(tool) {
        Some(rest) => rest.is_empty() || rest.starts_with('('),
        None => tool.starts_with(text),
    }
}

/// An object that begins like a call.
fn object(held: &str, complete: bool) -> Beginning {
    let inner = held[1..].trim_start();
    let key = FIRST_KEYS.iter().find(|key| inner.starts_with(**key));
    if key.is_none() {
        let undecided = !complete && FIRST_KEYS.iter().any(|key| key.starts_with(inner));
        return if undecided { Undecided } else { Text(1) };
    }
    match balanced(held) {
        Some(end) => calls_of(&held[..end]).map_or(Text(1), |calls| Calls(end, calls)),
        None => broken(held, complete),
    }
}

/// What began like a call and never ended: its name is known, and the model is told what is wrong with the rest.
fn broken(held: &str, complete: bool) -> Beginning {
    if !complete {
        return Undecided;
    }
    name_and_rest(held).map_or(Text(1), |call| Calls(held.len(), vec![call]))
}

/// What stands between a tag and its end.
fn tagged(held: &str, complete: bool) -> Beginning {
    for (open, close) in TAGS {
        let Some(inner) = held.strip_prefix(open) else {
            if !complete && open.starts_with(held) {
                return Undecided;
            }
            continue;
        };
        let (inner, whole) = match inner.find(close) {
            Some(end) => (&inner[..end], open.len() + end + close.len()),
            None if complete => (inner, held.len()),
            None => return Undecided,
        };
        let calls = calls_of(inner).or_else(|| Some(vec![name_and_rest(inner)?]));
        return calls.map_or(Text(whole), |calls| Calls(whole, calls));
    }
    Text(1)
}

/// `<function=look>{"a": 1}</function>`, or with `<parameter=a>1</parameter>` within.
fn function(held: &str, complete: bool) -> Beginning {
    let (open, close) = FUNCTION;
    let Some(inner) = held.strip_prefix(open) else {
        return if !complete && open.starts_with(held) { Undecided } else { Text(1) };
    };
    let (inner, whole) = match inner.find(close) {
        Some(end) => (&inner[..end], open.len() + end + close.len()),
        None if complete => (inner, held.len()),
        None => return Undecided,
    };
    let Some((name, body)) = inner.split_once('>') else { return Text(1) };
    let body = body.trim();
    let arguments = if body.starts_with("<parameter=") {
        let mut fields = Map::new();
        for part in body.split("<parameter=").skip(1) {
            let Some((key, value)) = part.split_once('>') else { continue };
            let value = value.split_once("</parameter>").map_or(value, |(value, _)| value).trim();
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
            fields.insert(key.trim().to_owned(), value);
        }
        Value::Object(fields).to_string()
    } else if body.is_empty() {
        "{}".to_owned()
    } else {
        body.to_owned()
    };
    Calls(whole, vec![Written { name: name.trim().trim_matches('"').to_owned(), arguments }])
}

/// The calls in a text that is nothing else.
fn calls_of(text: &str) -> Option<Vec<Written>> {
    let text = text.trim();
    match serde_json::from_str(text) {
        Ok(Value::Array(items)) => items.into_iter().map(call_of).collect(),
        Ok(Value::Object(mut fields)) => match fields.remove("tool_calls") {
            Some(Value::Array(items)) => items.into_iter().map(call_of).collect(),
            Some(_) => None,
            None => Some(vec![call_of(Value::Object(fields))?]),
        },
        Ok(_) => None,
        Err(_) if text.starts_with('{') => Some(vec![name_and_rest(text)?]),
        Err(_) => python::calls(text),
    }
}

fn call_of(value: Value) -> Option<Written> {
    let Value::Object(mut fields) = value else { return None };
    if fields.get("function").is_some_and(Value::is_object)
        && let Some(Value::Object(function)) = fields.remove("function")
    {
        fields = function;
    }
    let name = ["name", "tool", "tool_name", "function", "action"].iter().find_map(|key| fields.remove(*key));
    let Some(Value::String(name)) = name else { return None };
    let arguments = ["arguments", "parameters", "args", "input", "action_input"]
        .iter()
        .find_map(|key| fields.remove(*key));
    let arguments = match arguments {
        // Some spell the object as a string.
        Some(Value::String(text)) => text,
        Some(Value::Null) => "{}".to_owned(),
        Some(arguments) => arguments.to_string(),
        None if fields.is_empty() || fields.contains_key("type") => "{}".to_owned(),
        // Something else that has a name.
        None => return None,
    };
    Some(Written { name, arguments })
}

/// The name in what was meant to be an object, and what was meant to be its arguments.
fn name_and_rest(text: &str) -> Option<Written> {
    let after = |text: &'_ str, keys: &[&str]| -> Option<usize> {
        keys.iter().find_map(|key| text.find(key).map(|at| at + key.len()))
    };
    let name = text[after(text, &["\"name\"", "\"tool\"", "\"function\"", "\"tool_name\"", "\"action\""])?..]
        .trim_start()
        .strip_prefix(':')?
        .trim_start()
        .strip_prefix('"')?;
    let name = &name[..name.find('"')?];
    let arguments = after(text, &["\"arguments\"", "\"parameters\"", "\"args\""])
        .and_then(|at| text[at..].trim_start().strip_prefix(':'))
        .map_or("", str::trim);
    // The outer brace is not theirs.
    let arguments = arguments.strip_suffix('}').filter(|rest| rest.contains('}')).unwrap_or(arguments);
    Some(Written { name: name.to_owned(), arguments: arguments.trim().to_owned() })
}

/// Behind the bracket that closes the first one.
fn balanced(text: &str) -> Option<usize> {
    let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(open), _) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'"') => quote = Some(byte),
            (None, b'{' | b'[' | b'(') => depth += 1,
            (None, b'}' | b']' | b')') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            (None, _) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, said: &str, calls: &[&str]) {
        for size in [1, 3, text.len().max(1)] {
            let mut leaked = LeakedCalls::new(vec!["look".into(), "book".into()]);
            let characters: Vec<char> = text.chars().collect();
            let mut out: String =
                characters.chunks(size).map(|part| leaked.push(&part.iter().collect::<String>())).collect();
            let (rest, found) = leaked.end();
            out += &rest;
            assert_eq!(out, said, "{text:?} in parts of {size}");
            let found: Vec<String> =
                found.iter().map(|call| format!("{} {}", call.name, call.arguments)).collect();
            assert_eq!(found, calls, "{text:?} in parts of {size}");
        }
    }

    const CALL: &str = r#"{"name": "look", "arguments": {"a": 1}}"#;
    const FOUND: [&str; 1] = [r#"look {"a":1}"#];

    #[test]
    fn calls_in_tags_are_calls() {
        check(&format!("Wait. <tool_call>\n{CALL}\n</tool_call>"), "Wait. ", &FOUND);
        check(&format!("<tool_call>{CALL}</tool_call> So."), " So.", &FOUND);
        check(&format!("<tool_call>{CALL}"), "", &FOUND);
        check(&format!("<|python_tag|>{CALL}"), "", &FOUND);
        check("<|python_tag|>look(a=1)", "", &FOUND);
        check(&format!("[TOOL_CALLS] [{CALL}, {CALL}]"), "", &[FOUND[0], FOUND[0]]);
        check("<function=look>{\"a\":1}</function>", "", &FOUND);
        check("<function=look>\n<parameter=a>\n1\n</parameter>\n</function>", "", &FOUND);
        check("<function=book></function>", "", &["book {}"]);
    }

    #[test]
    fn bare_objects_and_lists_are_calls() {
        check(CALL, "", &FOUND);
        check(&format!("\n {CALL} "), "\n  ", &FOUND);
        check(&format!("One moment. {CALL}"), "One moment. ", &FOUND);
        check(&format!("[{CALL}]"), "", &FOUND);
        check(&CALL.replace("arguments", "parameters"), "", &FOUND);
        check(r#"{"type": "function", "function": {"name": "look", "arguments": "{\"a\":1}"}}"#, "", &FOUND);
        check(r#"{"tool_calls": [{"name": "look", "arguments": {"a": 1}}]}"#, "", &FOUND);
        check(r#"{"name": "look"}"#, "", &["look {}"]);
        check("[look(a=1)]", "", &FOUND);
    }

    #[test]
    fn calls_in_fences_are_calls() {
        check(&format!("Sure.\n```json\n{CALL}\n```\n"), "Sure.\n\n", &FOUND);
        check(&format!("```\n{CALL}\n```"), "", &FOUND);
        check("```tool_code\nprint(look(a=1))\n```", "", &FOUND);
    }

    #[test]
    fn a_call_that_is_not_quite_one_is_given_on_for_the_model_to_be_told() {
        check(r#"{"name": "look", "arguments": {"a": }}"#, "", &[r#"look {"a": }"#]);
        check(r#"{"name": "look", "arguments": {"a": 1"#, "", &[r#"look {"a": 1"#]);
        check(r#"{"name": "nobody", "arguments": {}}"#, "", &["nobody {}"]);
    }

    #[test]
    fn text_is_text() {
        for text in [
            "Hello.",
            "1 < 2, and <b>bold</b>",
            "{\"name\": \"Anna\", \"age\": 7}",
            "{ is a brace",
            "{\"names\": 1}",
            "[sic] and [look at that]",
            "[1, 2]",
            "<tool_call>no</tool_call>",
            "a <tool_",
            "```rust\nfn main() {}\n```",
            "```json\n{\"a\": 1}\n```",
            "`look`",
            "[lo",
            "``",
            "",
        ] {
            check(text, text, &[]);
        }
    }

    #[test]
    fn text_that_only_looks_like_a_call_for_a_moment_is_not_held_back() {
        let mut leaked = LeakedCalls::new(vec!["look".into()]);
        assert_eq!(leaked.push("a < "), "a < ");
        assert_eq!(leaked.push("{ "), "");
        assert_eq!(leaked.push("b"), "{ b");
        assert_eq!(leaked.push("[look"), "");
        assert_eq!(leaked.push(" out]"), "[look out]");
    }

    #[test]
    fn without_tools_nothing_is_held_back() {
        let mut leaked = LeakedCalls::new(vec![]);
        assert_eq!(leaked.push("{<tool_call>"), "{<tool_call>");
    }

    #[test]
    fn what_never_ends_is_bounded() {
        let mut leaked = LeakedCalls::new(vec!["look".into()]);
        let said = leaked.push("<tool_call>") + &leaked.push(&"x".repeat(2 * LIMIT));
        assert_eq!(said.len(), "<tool_call>".len() + 2 * LIMIT);
    }
}
