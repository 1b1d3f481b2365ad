//! The format of a script.
//!
//! Owns the YAML, its checks and the filling-in of texts. It must not know how a conversation is stored.
//!
//! ```yaml
//! hears: false               # whether it takes spoken turns as audio: then it answers them, by `default`, without knowing a word
//! pace: 6                    # words per second of the streamed text; 0, the default, gives all at once
//! greeting:                  # when nobody has said anything yet; the default reply if left out
//!   say: Hello, this is the bakery.
//! rules:                     # the first that fits is taken
//!   - when: [opening hours, when open]    # one of these phrases is in the user's words
//!     say:                                # alternatives, taken in turn
//!       - We open at seven.
//!       - At seven, as I said.
//!   - when: my order {1}     # {1} stands for words of the user
//!     say: One moment.       # may be left out where a tool is called
//!     call:                  # a tool call; the rule is passed over in a call that has no such tool
//!       tool: lookupOrder
//!       arguments: { order: "{1}" }
//!   - after_tool: lookupOrder
//!     say: "It says: {tool_result}"
//!   - when: goodbye
//!     say: Goodbye!
//!     hang_up: true          # calls the tool hangUp, if the call has it
//!   - when: crash
//!     say: Oh no
//!     fail: the model is tired       # ends as a failure instead
//! default:                   # when nothing else fits; required
//!   say: Sorry, I did not get that.
//! default_after_tool:        # after a tool that no rule names; says the tool's result if left out
//!   say: "{tool_result}"
//! ```
//!
//! Every reply may have its own `pace`, and a `delay_ms` before its first word. In texts and arguments `{1}`, `{2}`, ...
//! stand for what the phrase captured, `{user}` for all of the user's last words, `{tool_result}` for the tool's answer,
//! and `{{` for a brace. How a phrase fits: all its words occur in the user's, in order; case and punctuation do not count,
//! and other words may stand between. `{1}` in a phrase captures the word at its place, or all that are left if it stands
//! last.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::Spanned;

use super::phrase::Phrase;

/// The fastest pace, in words per second.
const FASTEST: f64 = 1_000.0;
/// The longest delay, in milliseconds.
const LONGEST_DELAY: u64 = 600_000;

/// A checked script.
#[derive(Debug, Clone)]
pub struct Script {
    pub(super) hears: bool,
    pub(super) greeting: Option<Reply>,
    pub(super) heard: Vec<HeardRule>,
    pub(super) tool_answered: Vec<ToolRule>,
    pub(super) default: Reply,
    pub(super) default_after_tool: Reply,
}

/// A reply to words of the user.
#[derive(Debug, Clone)]
pub(super) struct HeardRule {
    when: Vec<Phrase>,
    pub(super) reply: Reply,
}

/// A reply to a tool's result.
#[derive(Debug, Clone)]
pub(super) struct ToolRule {
    pub(super) tool: String,
    pub(super) reply: Reply,
}

/// What is said and done.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) say: Vec<Template>,
    pub(super) call: Option<ScriptedCall>,
    pub(super) hang_up: bool,
    pub(super) fail: Option<String>,
    pub(super) delay: Duration,
    pub(super) between_words: Duration,
}

/// A call of a tool.
#[derive(Debug, Clone)]
pub(super) struct ScriptedCall {
    pub(super) tool: String,
    arguments: serde_json::Map<String, Value>,
}

/// Why a text is no script.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ScriptError {
    /// Where, counted from 1; 0 when the place is not known.
    pub line: u64,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl HeardRule {
    /// What the first fitting phrase captured.
    pub(super) fn captures(&self, said: &str) -> Option<Vec<String>> {
        self.when.iter().find_map(|phrase| phrase.fits(said))
    }
}

impl ScriptedCall {
    pub(super) fn arguments(&self, fill: &Fill<'_>) -> Value {
        filled(&Value::Object(self.arguments.clone()), fill)
    }
}

fn filled(value: &Value, fill: &Fill<'_>) -> Value {
    match value {
        Value::String(text) => {
            Value::String(Template::new(text).map_or_else(|_| text.clone(), |template| template.fill(fill)))
        }
        Value::Array(items) => items.iter().map(|item| filled(item, fill)).collect(),
        Value::Object(entries) => {
            Value::Object(entries.iter().map(|(key, value)| (key.clone(), filled(value, fill))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// What stands for the places in a text.
pub(super) struct Fill<'a> {
    pub(super) user: &'a str,
    pub(super) tool_result: &'a str,
    pub(super) captured: &'a [String],
}

/// A text with places to fill in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// The nth capture, counted from 1.
    Captured(usize),
    ToolResult,
    User,
}

impl Template {
    fn new(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(brace) = rest.find('{') {
            pieces.push(Piece::Text(rest[..brace].to_owned()));
            let after = &rest[brace + 1..];
            if let Some(after) = after.strip_prefix('{') {
                pieces.push(Piece::Text("{".to_owned()));
                rest = after;
                continue;
            }
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| "a \"{\" is not closed; write \"{{\" for a brace".to_owned())?;
            pieces.push(match (name, name.parse()) {
                ("tool_result", _) => Piece::ToolResult,
                ("user", _) => Piece::User,
                (_, Ok(nth @ 1..=9)) => Piece::Captured(nth),
                _ => {
                    return Err(format!(
                        "{{{name}}} is unknown; use {{1}} to {{9}}, {{user}}, {{tool_result}}, or {{{{ for a brace"
                    ));
                }
            });
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }

    pub(super) fn fill(&self, fill: &Fill<'_>) -> String {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text,
                Piece::Captured(nth) => fill.captured.get(nth - 1).map_or("", String::as_str),
                Piece::ToolResult => fill.tool_result,
                Piece::User => fill.user,
            })
            .collect()
    }

    fn captures(&self) -> usize {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Captured(nth) => *nth,
                Piece::Text(_) | Piece::ToolResult | Piece::User => 0,
            })
            .max()
            .unwrap_or(0)
    }
}

impl Script {
    /// Reads and checks a script.
    pub fn from_yaml(yaml: &str) -> Result<Self, ScriptError> {
        // Users say yes and no, which older YAML takes for truth values.
        let options = serde_saphyr::options! { strict_booleans: true };
        let written: Written =
            serde_saphyr::from_str_with_options(yaml, options).map_err(|error| ScriptError {
                line: error.location().map_or(0, |location| location.line()),
                problem: error.without_snippet().to_string(),
            })?;
        Self::check(written)
    }

    fn check(written: Written) -> Result<Self, ScriptError> {
        let pace = written.pace;
        let mut script = Self {
            hears: written.hears,
            greeting: written.greeting.map(|reply| plain_reply(reply, pace)).transpose()?,
            heard: Vec::new(),
            tool_answered: Vec::new(),
            default: plain_reply(written.default, pace)?,
            default_after_tool: match written.default_after_tool {
                Some(reply) => plain_reply(reply, pace)?,
                None => {
                    Reply::saying(vec![Template(vec![Piece::ToolResult])], between_words(pace.unwrap_or(0.0)))
                }
            },
        };
        for rule in written.rules {
            script.add(rule, pace)?;
        }
        Ok(script)
    }

    fn add(&mut self, rule: Spanned<WrittenReply>, pace: Option<f64>) -> Result<(), ScriptError> {
        let line = rule.defined.line();
        let fault = |problem: String| ScriptError { line, problem };
        let mut written = rule.value;
        match (written.when.take(), written.after_tool.take()) {
            (Some(phrases), None) => {
                let phrases: Vec<Phrase> = phrases
                    .0
                    .iter()
                    .map(|text| Phrase::new(text).map_err(|error| fault(format!("when: {error}"))))
                    .collect::<Result<_, _>>()?;
                let captures = phrases.iter().map(Phrase::captures).min();
                let captures = captures.ok_or_else(|| fault("when: name at least one phrase".to_owned()))?;
                let reply = written.check(line, captures, pace)?;
                self.heard.push(HeardRule { when: phrases, reply });
            }
            (None, Some(tool)) => {
                let reply = written.check(line, 0, pace)?;
                self.tool_answered.push(ToolRule { tool, reply });
            }
            (None, None) => return Err(fault("a rule needs `when` or `after_tool`".to_owned())),
            (Some(_), Some(_)) => {
                return Err(fault("a rule has either `when` or `after_tool`; make it two rules".to_owned()));
            }
        }
        Ok(())
    }
}

/// As a part of another document. The lines of errors are those of that document.
impl<'de> Deserialize<'de> for Script {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::check(Written::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Reply {
    fn saying(say: Vec<Template>, between_words: Duration) -> Self {
        Self { say, call: None, hang_up: false, fail: None, delay: Duration::ZERO, between_words }
    }
}

fn plain_reply(reply: Spanned<WrittenReply>, pace: Option<f64>) -> Result<Reply, ScriptError> {
    let line = reply.defined.line();
    if reply.value.when.is_some() || reply.value.after_tool.is_some() {
        let problem = "only a rule has `when` or `after_tool`; put it under `rules`".to_owned();
        return Err(ScriptError { line, problem });
    }
    reply.value.check(line, 0, pace)
}

fn between_words(pace: f64) -> Duration {
    if pace > 0.0 { Duration::from_secs_f64(1.0 / pace) } else { Duration::ZERO }
}

/// A script as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    hears: bool,
    pace: Option<f64>,
    greeting: Option<Spanned<WrittenReply>>,
    #[serde(default)]
    rules: Vec<Spanned<WrittenReply>>,
    default: Spanned<WrittenReply>,
    default_after_tool: Option<Spanned<WrittenReply>>,
}

/// A reply as it is written, with the conditions that only rules may have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenReply {
    when: Option<Texts>,
    after_tool: Option<String>,
    say: Option<Texts>,
    call: Option<WrittenCall>,
    #[serde(default)]
    hang_up: bool,
    fail: Option<String>,
    delay_ms: Option<u64>,
    pace: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCall {
    tool: String,
    #[serde(default)]
    arguments: serde_json::Map<String, Value>,
}

impl WrittenReply {
    fn check(self, line: u64, captures: usize, pace: Option<f64>) -> Result<Reply, ScriptError> {
        let fault = |problem: String| ScriptError { line, problem };
        let template = |text: &str| {
            let template = Template::new(text).map_err(fault)?;
            if template.captures() > captures {
                let nth = template.captures();
                return Err(fault(format!("{{{nth}}} is used, but not every phrase of `when` captures it")));
            }
            Ok(template)
        };
        let pace = self.pace.or(pace).unwrap_or(0.0);
        if !(0.0..=FASTEST).contains(&pace) {
            return Err(fault(format!("pace: {pace} is not from 0 to {FASTEST} words per second")));
        }
        let delay = self.delay_ms.unwrap_or(0);
        if delay > LONGEST_DELAY {
            return Err(fault(format!("delay_ms: {delay} is more than {LONGEST_DELAY}")));
        }
        let say: Vec<Template> = self
            .say
            .map(|texts| texts.0)
            .unwrap_or_default()
            .iter()
            .map(|text| template(text))
            .collect::<Result<_, _>>()?;
        if say.is_empty() && self.call.is_none() && !self.hang_up && self.fail.is_none() {
            return Err(fault("a reply needs `say`, `call`, `hang_up` or `fail`".to_owned()));
        }
        if let Some(call) = &self.call {
            for text in strings(&Value::Object(call.arguments.clone())) {
                template(&text)?;
            }
        }
        Ok(Reply {
            say,
            call: self.call.map(|call| ScriptedCall { tool: call.tool, arguments: call.arguments }),
            hang_up: self.hang_up,
            fail: self.fail,
            delay: Duration::from_millis(delay),
            between_words: between_words(pace),
        })
    }
}

/// All texts in a value.
fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(entries) => entries.values().flat_map(strings).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// One text or a list of them.
struct Texts(Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts(vec![text.to_owned()]))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Texts, E> {
                Ok(Texts(vec![number.to_string()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = items.next_element()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(yaml: &str, line: u64, problem: &str) {
        let error = Script::from_yaml(yaml).expect_err("this is no script");
        assert_eq!(error.line, line, "{error}");
        assert!(error.problem.contains(problem), "{error}");
    }

    #[test]
    fn an_error_names_its_line_and_the_remedy() {
        refused("greeting:\n  say: hi\n", 1, "missing field `default`");
        refused("default:\n  say: hi\nrulez: []\n", 3, "rulez");
        refused("default:\n  say: hi\nrules:\n  - say: x\n", 4, "`when` or `after_tool`");
        refused("default:\n  say: hi\nrules:\n  - when: a\n    after_tool: b\n    say: x\n", 4, "two rules");
        refused("default:\n  say: hi\nrules:\n  - when: a\n", 4, "`say`");
        refused("default:\n  say: hi\nrules:\n  - when: '?'\n    say: x\n", 4, "at least one word");
        refused("default:\n  say: hi\nrules:\n  - when: []\n    say: x\n", 4, "at least one phrase");
        refused("default:\n  say: hi\nrules:\n  - when: [a, b c]\n    say: '{1}'\n", 4, "not every phrase");
        refused("default:\n  say: 'a {b} c'\n", 2, "{b} is unknown");
        refused("default:\n  say: 'a {'\n", 2, "not closed");
        refused("default:\n  when: a\n  say: b\n", 2, "under `rules`");
        refused("default:\n  say: b\n  pace: -1\n", 2, "words per second");
        refused("default:\n  say: {a: b}\n", 2, "a text or a list of texts");
    }

    #[test]
    fn yes_no_and_numbers_are_words() {
        let script =
            Script::from_yaml("rules:\n  - when: [no, 42]\n    say: yes\ndefault: { say: 7 }\n").unwrap();
        assert!(script.heard[0].captures("Oh no").is_some());
        assert!(script.heard[0].captures("it is 42").is_some());
        assert_eq!(script.heard[0].reply.say, [Template::new("yes").unwrap()]);
    }

    #[test]
    fn texts_are_filled_in() {
        let captured = ["Jane".to_owned()];
        let fill = Fill { user: "I am Jane", tool_result: "42", captured: &captured };
        let check = |text: &str, wanted: &str| assert_eq!(Template::new(text).unwrap().fill(&fill), wanted);
        check("{1}: {tool_result}, {user}{2}", "Jane: 42, I am Jane");
        check("{{1}", "{1}");
        check("plain", "plain");
    }
}
