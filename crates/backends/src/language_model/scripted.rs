//! The model that follows a script: the fake of every test, and the agent of the demo.
//!
//! Its answer depends on the prompt alone, so equal conversations get equal answers, in any process and at any time. Owns
//! the choice of a reply and its streaming. The script's format is described in [`script`].

mod phrase;
pub mod script;

use std::time::Duration;

use antiphon_engine::input::{ModelEvent, ModelToolCall};
use antiphon_engine::message::{Message, MessageBody, Prompt, ToolForModel};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};

use self::script::{Fill, Reply, Script, ScriptError};
use super::{Capabilities, LanguageModel, Request, RunEvent};

/// The demo agent's script: the phone of a small bakery.
pub const DEMO: &str = include_str!("../../scripts/demo.yaml");

/// The tool by which an agent ends the call (protocol.md 6.11).
const HANG_UP: &str = "hangUp";

/// A model that follows a script.
#[derive(Debug, Clone)]
pub struct Scripted(Script);

impl Scripted {
    /// Follows this script.
    #[must_use]
    pub fn new(script: Script) -> Self {
        Self(script)
    }

    /// Reads a script from its YAML.
    pub fn from_yaml(yaml: &str) -> Result<Self, ScriptError> {
        Script::from_yaml(yaml).map(Self)
    }

    /// Plays the demo agent.
    #[must_use]
    pub fn demo() -> Self {
        Self::from_yaml(DEMO).expect("a test reads the demo script")
    }

    /// Everything that a run with this prompt streams, each event with how long after the one before it comes: a run for
    /// those who have a clock of their own.
    #[must_use]
    pub fn timetable(&self, prompt: &Prompt) -> Vec<(Duration, ModelEvent)> {
        let answer = answer(&self.0, prompt);
        let mut first = true;
        let wait = |event: &ModelEvent| match event {
            ModelEvent::Text(_) if std::mem::take(&mut first) => answer.delay,
            ModelEvent::Text(_) => answer.between_words,
            ModelEvent::ToolCall(_) | ModelEvent::Finished | ModelEvent::Failed(_) => {
                first = false;
                Duration::ZERO
            }
        };
        let waits: Vec<Duration> = answer.events.iter().map(wait).collect();
        waits.into_iter().zip(answer.events).collect()
    }
}

impl LanguageModel for Scripted {
    fn capabilities(&self) -> Capabilities {
        if self.0.hears {
            Capabilities { audio: true, clips: 1, ..Capabilities::TEXT }
        } else {
            Capabilities::TEXT
        }
    }

    fn generate(&self, request: Request) -> BoxStream<'static, RunEvent> {
        stream::iter(self.timetable(&request.prompt))
            .then(|(wait, event)| async move {
                if !wait.is_zero() {
                    tokio::time::sleep(wait).await;
                }
                event.into()
            })
            .boxed()
    }

    fn warm_up(&self, _: Request) -> BoxFuture<'static, ()> {
        futures::future::ready(()).boxed()
    }
}

/// What is streamed, and how fast.
struct Answer {
    events: Vec<ModelEvent>,
    delay: Duration,
    between_words: Duration,
}

/// What the model is to answer.
enum Cue<'a> {
    /// Nobody has said anything yet.
    Opening,
    /// These were the user's last words, or those of an instruction.
    Heard(&'a str),
    /// A tool answered and nobody said anything since.
    ToolAnswered { tool: &'a str, text: &'a str },
}

impl<'a> Cue<'a> {
    fn of(message: &'a Message) -> Option<Self> {
        match &message.body {
            MessageBody::User { text, .. } => Some(Self::Heard(text)),
            MessageBody::ToolResult { tool, text, .. } => Some(Self::ToolAnswered { tool, text }),
            MessageBody::Agent { .. } | MessageBody::ToolCall { .. } => None,
        }
    }
}

fn answer(script: &Script, prompt: &Prompt) -> Answer {
    let (cue, earlier) = cue(prompt);
    let (reply, captured) = choose(script, &cue, &prompt.tools);
    // A reply is told apart by its place in the script, its alternatives are taken in the order of its uses.
    let uses = earlier
        .iter()
        .filter_map(Cue::of)
        .filter(|cue| std::ptr::eq(choose(script, cue, &prompt.tools).0, reply))
        .count();
    let fill = match cue {
        Cue::Opening => Fill { user: "", tool_result: "", captured: &captured },
        Cue::Heard(user) => Fill { user, tool_result: "", captured: &captured },
        Cue::ToolAnswered { text, .. } => {
            Fill { user: last_words(earlier), tool_result: text, captured: &captured }
        }
    };
    let mut events = Vec::new();
    if let Some(alternative) = reply.say.get(uses % reply.say.len().max(1)) {
        let text = alternative.fill(&fill);
        events.extend(words(&text).map(|word| ModelEvent::Text(word.into())));
    }
    if let Some(call) = &reply.call {
        events.push(tool_call(&call.tool, call.arguments(&fill).to_string()));
    }
    if reply.hang_up && offers(&prompt.tools, HANG_UP) {
        events.push(tool_call(HANG_UP, r#"{"reason":"the conversation is over"}"#.to_owned()));
    }
    events.push(match &reply.fail {
        Some(reason) => ModelEvent::Failed(reason.as_str().into()),
        None => ModelEvent::Finished,
    });
    Answer { events, delay: reply.delay, between_words: reply.between_words }
}

/// The last thing that wants an answer, and all messages before it.
fn cue(prompt: &Prompt) -> (Cue<'_>, &[Message]) {
    let messages = &prompt.messages;
    if let Some(instruction) = &prompt.instruction
        && !messages.is_empty()
    {
        return (Cue::Heard(instruction), messages);
    }
    messages
        .iter()
        .enumerate()
        .rev()
        .find_map(|(index, message)| Some((Cue::of(message)?, &messages[..index])))
        .unwrap_or((Cue::Opening, &[]))
}

/// The first reply of the script that fits, with what its phrase captured.
fn choose<'a>(script: &'a Script, cue: &Cue<'_>, tools: &[ToolForModel]) -> (&'a Reply, Vec<String>) {
    let possible = |reply: &Reply| reply.call.as_ref().is_none_or(|call| offers(tools, &call.tool));
    let found = match cue {
        Cue::Opening => script.greeting.as_ref().map(|reply| (reply, Vec::new())),
        Cue::Heard(words) => script
            .heard
            .iter()
            .filter(|rule| possible(&rule.reply))
            .find_map(|rule| Some((&rule.reply, rule.captures(words)?))),
        Cue::ToolAnswered { tool, .. } => script
            .tool_answered
            .iter()
            .find(|rule| rule.tool == **tool && possible(&rule.reply))
            .map(|rule| (&rule.reply, Vec::new())),
    };
    found.unwrap_or_else(|| match cue {
        Cue::Opening | Cue::Heard(_) => (&script.default, Vec::new()),
        Cue::ToolAnswered { .. } => (&script.default_after_tool, Vec::new()),
    })
}

fn offers(tools: &[ToolForModel], name: &str) -> bool {
    tools.iter().any(|tool| &*tool.name == name)
}

fn last_words(messages: &[Message]) -> &str {
    messages
        .iter()
        .rev()
        .find_map(|message| match &message.body {
            MessageBody::User { text, .. } => Some(&**text),
            MessageBody::Agent { .. } | MessageBody::ToolCall { .. } | MessageBody::ToolResult { .. } => None,
        })
        .unwrap_or_default()
}

fn tool_call(name: &str, arguments: String) -> ModelEvent {
    ModelEvent::ToolCall(ModelToolCall { name: name.into(), arguments: arguments.into(), given_id: None })
}

/// The words of a text, each with the blanks before it, as models stream them. Together they are the text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let word = rest.find(|c: char| !c.is_whitespace())?;
        let end = rest[word..].find(char::is_whitespace).map_or(rest.len(), |blank| word + blank);
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}
