//! What a scenario expects, and how it is written.
//!
//! Owns the expectations. Whether they are met is judged elsewhere.

use std::fmt;
use std::time::Duration;

use antiphon_api::json::JsonObject;
use serde::Deserialize;
use serde::de::{self, MapAccess};

use super::super::pattern::Pattern;
use super::super::story::{End, State};
use super::text::Text;
use super::yaml::{Keyed, OneKey, Period, Short, Shortened};

/// Something that must be true of the call.
#[derive(Debug, Clone)]
pub(in super::super) enum Expectation {
    /// The call takes less than this.
    CallShorterThan(Duration),
    /// Each interruption silences the agent in less than this, counted from the first sample of the user's speech.
    ClearsWithin(Duration),
    /// These happen, in this order; other things may happen between them.
    Conversation(Vec<Occurrence>),
    /// The call ends for this reason.
    End(End),
    /// This happens: so many times, or at least once.
    Happens(Occurrence, Option<u32>),
    /// This does not happen.
    Never(Occurrence),
    /// Each answer begins in less than this, counted from the end of what it answers.
    ReplyWithin(Duration),
    /// The agent goes through these states one after the other, at some time in the call.
    States(Vec<State>),
}

/// Something that may happen in a call.
#[derive(Debug, Clone)]
pub(in super::super) enum Occurrence {
    /// The user heard, or read, this from the agent.
    Agent(Pattern),
    /// An event of this kind.
    Event(String),
    /// The user cut the agent off.
    Interrupted {
        /// What was heard of the message.
        heard: Option<Pattern>,
        /// What the agent wanted to say.
        generated: Option<Pattern>,
    },
    /// The agent was in this state.
    State(State),
    /// A tool was called.
    Tool {
        /// Its name.
        name: String,
        /// Arguments that it was given, among others.
        arguments: Option<JsonObject>,
        /// What the model was told.
        result: Option<Pattern>,
        /// Whether it failed.
        failed: Option<bool>,
    },
    /// The agent understood this from the user.
    User(Pattern),
}

impl fmt::Display for Occurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(pattern) => write!(f, "the agent says {pattern}"),
            Self::Event(kind) => write!(f, "the event {kind}"),
            Self::Interrupted { heard, generated } => {
                f.write_str("the user interrupts the agent")?;
                if let Some(pattern) = heard {
                    write!(f, ", who was heard to say {pattern}")?;
                }
                if let Some(pattern) = generated {
                    write!(f, ", who wanted to say {pattern}")?;
                }
                Ok(())
            }
            Self::State(state) => write!(f, "the agent is {state}"),
            Self::Tool { name, arguments, result, failed } => {
                write!(f, "the agent calls {name}")?;
                if let Some(arguments) = arguments {
                    write!(f, " with {}", serde_json::json!(arguments))?;
                }
                if let Some(result) = result {
                    write!(f, ", which answers {result}")?;
                }
                match failed {
                    Some(true) => f.write_str(", which fails"),
                    Some(false) => f.write_str(", which succeeds"),
                    None => Ok(()),
                }
            }
            Self::User(pattern) => write!(f, "the user is understood to say {pattern}"),
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CallShorterThan(most) => write!(f, "the call takes less than {most:?}"),
            Self::ClearsWithin(most) => write!(f, "each interruption silences the agent within {most:?}"),
            Self::Conversation(_) => f.write_str("the conversation goes in this order"),
            Self::End(end) => write!(f, "the call ends with {end}"),
            Self::Happens(what, None) => write!(f, "{what}"),
            Self::Happens(what, Some(1)) => write!(f, "{what}, once"),
            Self::Happens(what, Some(times)) => write!(f, "{what}, {times} times"),
            Self::Never(what) => write!(f, "never: {what}"),
            Self::ReplyWithin(most) => write!(f, "each answer begins within {most:?}"),
            Self::States(states) => {
                let states: Vec<String> = states.iter().map(State::to_string).collect();
                write!(f, "the agent goes through the states {}", states.join(", "))
            }
        }
    }
}

impl Keyed for Expectation {
    const WHAT: &'static str = "an expectation";
    const KEYS: &'static [&'static str] = &[
        "agent",
        "user",
        "conversation",
        "interrupted",
        "tool",
        "states",
        "event",
        "end",
        "reply_within",
        "clears_within",
        "call_shorter_than",
        "never",
    ];

    fn read<'de, A: MapAccess<'de>>(key: &str, map: &mut A) -> Result<Option<Self>, A::Error> {
        let fault = <A::Error as de::Error>::custom;
        Ok(Some(match key {
            "call_shorter_than" => Self::CallShorterThan(map.next_value::<Period>()?.0),
            "clears_within" => Self::ClearsWithin(map.next_value::<Period>()?.0),
            "conversation" => {
                let lines = map.next_value::<Vec<OneKey<Occurrence>>>()?;
                if lines.is_empty() {
                    return Err(fault("conversation is empty; write what happens, in order"));
                }
                Self::Conversation(lines.into_iter().map(|line| line.0).collect())
            }
            "end" => Self::End(map.next_value()?),
            "never" => Self::Never(map.next_value::<OneKey<Occurrence>>()?.0),
            "reply_within" => Self::ReplyWithin(map.next_value::<Period>()?.0),
            "states" => {
                let states: Vec<State> = map.next_value()?;
                if states.is_empty() {
                    return Err(fault("states is empty; write the states that follow each other"));
                }
                Self::States(states)
            }
            "interrupted" => {
                let Short(cut) = map.next_value::<Short<Cut>>()?;
                let times = cut.times;
                Self::Happens(cut.into(), times)
            }
            "tool" => {
                let Short(called) = map.next_value::<Short<Called>>()?;
                let times = called.times;
                Self::Happens(called.into(), times)
            }
            "agent" | "user" | "event" => match Occurrence::read(key, map)? {
                Some(occurrence) => Self::Happens(occurrence, None),
                None => return Ok(None),
            },
            _ => return Ok(None),
        }))
    }
}

impl Keyed for Occurrence {
    const WHAT: &'static str = "something that happens";
    const KEYS: &'static [&'static str] = &["agent", "user", "tool", "interrupted", "event", "state"];

    fn read<'de, A: MapAccess<'de>>(key: &str, map: &mut A) -> Result<Option<Self>, A::Error> {
        let times = <A::Error as de::Error>::custom(
            "`times` belongs to an expectation of its own; write `- tool: {name: ..., times: ...}` in the list",
        );
        Ok(Some(match key {
            "agent" => Self::Agent(map.next_value::<Text>()?.0),
            "event" => Self::Event(map.next_value()?),
            "interrupted" => match map.next_value::<Short<Cut>>()?.0 {
                Cut { times: Some(_), .. } => return Err(times),
                cut => cut.into(),
            },
            "state" => Self::State(map.next_value()?),
            "tool" => match map.next_value::<Short<Called>>()?.0 {
                Called { times: Some(_), .. } => return Err(times),
                called => called.into(),
            },
            "user" => Self::User(map.next_value::<Text>()?.0),
            _ => return Ok(None),
        }))
    }
}

/// `interrupted`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cut {
    heard: Option<Text>,
    generated: Option<Text>,
    times: Option<u32>,
}

impl From<Cut> for Occurrence {
    fn from(cut: Cut) -> Self {
        Self::Interrupted {
            heard: cut.heard.map(|pattern| pattern.0),
            generated: cut.generated.map(|pattern| pattern.0),
        }
    }
}

impl Shortened for Cut {
    const EXPECTED: &'static str = "true, or a map with `heard`, `generated` and `times`";

    fn from_text(_: &str) -> Result<Self, String> {
        Err(format!("expected {}", Self::EXPECTED))
    }

    fn from_flag(flag: bool) -> Result<Self, String> {
        if flag {
            Ok(Self { heard: None, generated: None, times: None })
        } else {
            Err("write `never: {interrupted: true}`".to_owned())
        }
    }
}

/// `tool`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Called {
    name: String,
    arguments: Option<JsonObject>,
    result: Option<Text>,
    failed: Option<bool>,
    times: Option<u32>,
}

impl From<Called> for Occurrence {
    fn from(called: Called) -> Self {
        Self::Tool {
            name: called.name,
            arguments: called.arguments,
            result: called.result.map(|pattern| pattern.0),
            failed: called.failed,
        }
    }
}

impl Shortened for Called {
    const EXPECTED: &'static str =
        "a tool's name, or a map with `name`, `arguments`, `result`, `failed` and `times`";

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self { name: text.to_owned(), arguments: None, result: None, failed: None, times: None })
    }
}
