//! What the user does, step by step, and how it is written.
//!
//! Owns the steps, their bounds and their defaults. Does not know how they are carried out.

use std::time::Duration;

use antiphon_api::json::JsonObject;
use antiphon_api::realtime::ClientMessage;
use antiphon_engine::input::Urgency;
use serde::Deserialize;
use serde::de::{self, MapAccess};
use serde_json::Value;

use super::super::pattern::Pattern;
use super::super::story::State;
use super::text::Text;
use super::yaml::{Keyed, OneKey, Period, Short, Shortened};

/// What the user does next.
#[derive(Debug, Clone)]
pub(in super::super) enum Step {
    /// A short sound of agreement while the agent speaks.
    Backchannel(Speech, Trigger),
    /// Keys of a telephone.
    Dtmf(String),
    /// The end of the call, at once or while the agent speaks.
    HangUp(Option<Trigger>),
    /// Words while the agent speaks.
    Interrupt(Speech, Trigger),
    /// A sound that is no speech, at once or while the agent speaks.
    Noise(Duration, Option<Trigger>),
    /// Nothing, for this long.
    Pause(Duration),
    /// Words, in the user's turn.
    Say(Speech),
    /// A data message, as a client sends it, at once.
    Send(Box<ClientMessage>),
    /// Nothing, until something has happened.
    WaitFor(Awaited, Option<Duration>),
    /// Written words.
    Write(String, Urgency),
}

/// What is spoken.
#[derive(Debug, Clone)]
pub(in super::super) struct Speech {
    /// The words.
    pub(in super::super) text: String,
    /// How long they take; as long as their number at the user's pace if that is not said.
    pub(in super::super) lasting: Option<Duration>,
    /// What the transcriber makes of them; the words themselves if that is not said.
    pub(in super::super) heard_as: Option<String>,
}

/// A moment in the agent's speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Trigger {
    /// So long after it began.
    After(Duration),
    /// When so many words of the message have been heard.
    AfterWords(usize),
}

/// What a user can wait for.
#[derive(Debug, Clone)]
pub(in super::super) enum Awaited {
    /// The agent has said this since the user last did something.
    Agent(Pattern),
    /// The call is over.
    End,
    /// The agent is in this state.
    State(State),
    /// This tool has been called since the user last did something.
    Tool(String),
}

impl Step {
    /// In a few words, for reports.
    pub(in super::super) fn title(&self) -> String {
        match self {
            Self::Backchannel(speech, _) => format!("backchannel {:?}", speech.text),
            Self::Dtmf(digits) => format!("dtmf {digits:?}"),
            Self::HangUp(_) => "hang_up".to_owned(),
            Self::Interrupt(speech, _) => format!("interrupt {:?}", speech.text),
            Self::Noise(..) => "noise".to_owned(),
            Self::Pause(_) => "pause".to_owned(),
            Self::Say(speech) => format!("say {:?}", speech.text),
            Self::Send(message) => format!("send a {}", kind(message)),
            Self::WaitFor(awaited, _) => match awaited {
                Awaited::Agent(pattern) => format!("wait_for the agent to say {pattern}"),
                Awaited::End => "wait_for the end".to_owned(),
                Awaited::State(state) => format!("wait_for the state {state}"),
                Awaited::Tool(tool) => format!("wait_for the tool {tool}"),
            },
            Self::Write(text, _) => format!("write {text:?}"),
        }
    }
}

/// How long a backchannel takes of which that is not said.
const BACKCHANNEL: Duration = Duration::from_millis(350);
/// When a backchannel comes of which that is not said.
const LISTENED: Trigger = Trigger::AfterWords(2);

impl Keyed for Step {
    const WHAT: &'static str = "a step";
    const KEYS: &'static [&'static str] = &[
        "say",
        "pause",
        "interrupt",
        "backchannel",
        "noise",
        "write",
        "dtmf",
        "send",
        "hang_up",
        "wait_for",
    ];

    fn read<'de, A: MapAccess<'de>>(key: &str, map: &mut A) -> Result<Option<Self>, A::Error> {
        let fault = |text: String| <A::Error as de::Error>::custom(text);
        Ok(Some(match key {
            "backchannel" => {
                let Short(mut written) = map.next_value::<Short<SpeechOver>>()?;
                written.lasting.get_or_insert(Period(BACKCHANNEL));
                let trigger = trigger(written.after, written.after_words).map_err(fault)?.unwrap_or(LISTENED);
                Self::Backchannel(written.speech().map_err(fault)?, trigger)
            }
            "dtmf" => Self::Dtmf(map.next_value::<Short<Digits>>()?.0.0),
            "hang_up" => {
                let when = map.next_value::<When>()?;
                Self::HangUp(trigger(when.after, when.after_words).map_err(fault)?)
            }
            "interrupt" => {
                let written = map.next_value::<SpeechOver>()?;
                let trigger = trigger(written.after, written.after_words).map_err(fault)?.ok_or_else(|| {
                    fault("interrupt needs `after_words` or `after`: how much of the agent's message comes before it".to_owned())
                })?;
                Self::Interrupt(written.speech().map_err(fault)?, trigger)
            }
            "noise" => {
                let Short(written) = map.next_value::<Short<Noise>>()?;
                let trigger = trigger(written.after, written.after_words).map_err(fault)?;
                Self::Noise(written.lasting.0, trigger)
            }
            "pause" => Self::Pause(map.next_value::<Period>()?.0),
            "say" => {
                let Short(Said { text, lasting, heard_as }) = map.next_value::<Short<Said>>()?;
                Self::Say(speech(text, lasting, heard_as).map_err(fault)?)
            }
            "send" => {
                let written = Value::Object(map.next_value::<JsonObject>()?);
                match ClientMessage::parse(&written.to_string()) {
                    Ok(message) => Self::Send(Box::new(message.value)),
                    Err(error) => return Err(fault(format!("send: {error}"))),
                }
            }
            "wait_for" => {
                let written = map.next_value::<WaitFor>()?;
                let within = written.within;
                Self::WaitFor(written.awaited().map_err(fault)?, within.map(|period| period.0))
            }
            "write" => {
                let Short(Written { text, urgency }) = map.next_value::<Short<Written>>()?;
                Self::Write(text, urgency.into())
            }
            _ => return Ok(None),
        }))
    }

    fn bare(word: &str) -> Option<Self> {
        (word == "hang_up").then_some(Self::HangUp(None))
    }
}

/// A message's type on the wire.
pub(in super::super) fn kind(message: &ClientMessage) -> String {
    let json = serde_json::to_value(message).unwrap_or_default();
    json["type"].as_str().unwrap_or_default().to_owned()
}

fn trigger(after: Option<Period>, after_words: Option<usize>) -> Result<Option<Trigger>, String> {
    match (after, after_words) {
        (None, None) => Ok(None),
        (Some(after), None) => Ok(Some(Trigger::After(after.0))),
        (None, Some(words)) => Ok(Some(Trigger::AfterWords(words))),
        (Some(_), Some(_)) => Err("`after` and `after_words` exclude each other; keep one".to_owned()),
    }
}

fn speech(text: String, lasting: Option<Period>, heard_as: Option<String>) -> Result<Speech, String> {
    if text.trim().is_empty() {
        return Err("there are no words; write `noise` for a sound without any".to_owned());
    }
    Ok(Speech { text, lasting: lasting.map(|period| period.0), heard_as })
}

/// `say`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    text: String,
    #[serde(rename = "for")]
    lasting: Option<Period>,
    heard_as: Option<String>,
}

impl Shortened for Said {
    const EXPECTED: &'static str = "words, or a map with `text`, `for` and `heard_as`";

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self { text: text.to_owned(), lasting: None, heard_as: None })
    }
}

/// `interrupt` and `backchannel`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SpeechOver {
    say: String,
    #[serde(rename = "for")]
    lasting: Option<Period>,
    heard_as: Option<String>,
    after: Option<Period>,
    after_words: Option<usize>,
}

impl SpeechOver {
    fn speech(self) -> Result<Speech, String> {
        speech(self.say, self.lasting, self.heard_as)
    }
}

impl Shortened for SpeechOver {
    const EXPECTED: &'static str =
        "words, or a map with `say`, `for`, `heard_as`, and `after` or `after_words`";

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self { say: text.to_owned(), lasting: None, heard_as: None, after: None, after_words: None })
    }
}

/// `noise`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Noise {
    #[serde(rename = "for")]
    lasting: Period,
    after: Option<Period>,
    after_words: Option<usize>,
}

impl Shortened for Noise {
    const EXPECTED: &'static str = "a length of time, or a map with `for`, and `after` or `after_words`";

    fn from_text(text: &str) -> Result<Self, String> {
        let lasting = de::value::StrDeserializer::<de::value::Error>::new(text);
        let lasting = Period::deserialize(lasting).map_err(|error| error.to_string())?;
        Ok(Self { lasting, after: None, after_words: None })
    }
}

/// `hang_up`, where it comes in the middle of the agent's speech.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct When {
    after: Option<Period>,
    after_words: Option<usize>,
}

/// `write`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    text: String,
    #[serde(default)]
    urgency: Pressing,
}

/// How urgent written words are, as on the wire (protocol.md 3.2).
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Pressing {
    Immediate,
    #[default]
    Soon,
    Later,
}

impl From<Pressing> for Urgency {
    fn from(pressing: Pressing) -> Self {
        match pressing {
            Pressing::Immediate => Self::Immediate,
            Pressing::Soon => Self::Soon,
            Pressing::Later => Self::Later,
        }
    }
}

impl Shortened for Written {
    const EXPECTED: &'static str = "words, or a map with `text` and `urgency`";

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self { text: text.to_owned(), urgency: Pressing::default() })
    }
}

/// The keys of a telephone.
#[derive(Deserialize)]
struct Digits(String);

impl Shortened for Digits {
    const EXPECTED: &'static str = "keys of a telephone in quotes";

    fn from_text(text: &str) -> Result<Self, String> {
        let is_key = |c: char| c.is_ascii_digit() || matches!(c, '*' | '#' | 'A'..='D');
        if text.is_empty() || !text.chars().all(is_key) {
            return Err(format!("{text:?} are not keys of a telephone; use 0 to 9, *, # and A to D"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// `wait_for`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WaitFor {
    agent: Option<Text>,
    state: Option<State>,
    tool: Option<String>,
    end: Option<bool>,
    within: Option<Period>,
}

impl WaitFor {
    fn awaited(self) -> Result<Awaited, String> {
        let found = [
            self.agent.map(|pattern| Awaited::Agent(pattern.0)),
            self.state.map(Awaited::State),
            self.tool.map(Awaited::Tool),
            self.end.filter(|end| *end).map(|_| Awaited::End),
        ];
        let mut found = found.into_iter().flatten();
        match (found.next(), found.next()) {
            (Some(awaited), None) => Ok(awaited),
            _ => Err("wait_for needs exactly one of `agent`, `state`, `tool` and `end`".to_owned()),
        }
    }
}

/// A step and the line that it is written in.
pub(super) type WrittenStep = serde_saphyr::Spanned<OneKey<Step>>;
