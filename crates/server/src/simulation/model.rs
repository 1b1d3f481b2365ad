//! The model of a simulated call: a script, recorded replies, or a real one.
//!
//! Owns what the agent will say when. The first two are timetables, so that a call needs no clock; a real model is asked by
//! whoever has one.

use std::sync::Arc;
use std::time::Duration;

use antiphon_backends::language_model::LanguageModel;
use antiphon_backends::language_model::scripted::Scripted;
use antiphon_engine::input::{ModelEvent, ModelToolCall};
use antiphon_engine::message::{MessageBody, Prompt};
use serde_json::Value;

/// What answers.
#[derive(Clone)]
pub(super) enum Model {
    /// A script.
    Script(Box<Scripted>),
    /// Replies in order, of the main conversation and of side threads.
    Replies { main: Arc<[Reply]>, threads: Arc<[Reply]>, pace: Pace },
    /// A real model.
    Endpoint(Arc<dyn LanguageModel>),
}

/// How fast recorded replies come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Before the first word.
    pub(super) delay: Duration,
    /// Before each further word.
    pub(super) between_words: Duration,
}

/// One recorded reply.
#[derive(Debug, Clone, Default)]
pub(super) struct Reply {
    pub(super) say: Option<String>,
    pub(super) calls: Vec<(String, Value)>,
    /// Calls the tool that ends the call, by this name.
    pub(super) hang_up: Option<Arc<str>>,
    pub(super) fail: Option<String>,
    pub(super) delay: Option<Duration>,
}

/// Events of a model, each with how long after the one before it comes.
pub(super) type Timetable = Vec<(Duration, ModelEvent)>;

/// What a model does with a prompt.
#[derive(Debug)]
pub(super) enum Answer {
    /// This.
    Timetable(Timetable),
    /// Whatever it will.
    Asked,
    /// Nothing: all replies are used up.
    UsedUp(usize),
}

/// How far a call has come in its replies.
#[derive(Debug, Default)]
pub(super) struct Progress {
    next: usize,
    /// The same in side threads.
    next_in_threads: usize,
    /// What the agent had said and done by the last prompt.
    traces: Option<usize>,
}

impl Model {
    /// What the model answers to this prompt.
    pub(super) fn answer(&self, prompt: &Prompt, in_thread: bool, progress: &mut Progress) -> Answer {
        match self {
            Self::Script(script) => Answer::Timetable(script.timetable(prompt)),
            Self::Replies { main, threads, pace } => {
                let (replies, index) = if in_thread {
                    progress.next_in_threads += 1;
                    (threads, progress.next_in_threads - 1)
                } else {
                    (main, progress.advance(main, prompt))
                };
                match replies.get(index) {
                    Some(reply) => Answer::Timetable(reply.timetable(*pace)),
                    None => Answer::UsedUp(replies.len()),
                }
            }
            Self::Endpoint(_) => Answer::Asked,
        }
    }
}

impl Progress {
    /// The reply that is due. An answer that was dropped before anybody heard it leaves no trace in the prompt and is given
    /// again; one that leaves none by itself is not.
    fn advance(&mut self, replies: &[Reply], prompt: &Prompt) -> usize {
        let traces = prompt
            .messages
            .iter()
            .filter(|message| match message.body {
                MessageBody::Agent { .. } | MessageBody::ToolCall { .. } => true,
                MessageBody::ToolResult { .. } | MessageBody::User { .. } => false,
            })
            .count();
        let dropped = self.traces == Some(traces)
            && self.next.checked_sub(1).and_then(|last| replies.get(last)).is_some_and(Reply::leaves_a_trace);
        self.traces = Some(traces);
        if !dropped {
            self.next += 1;
        }
        self.next - 1
    }
}

impl Reply {
    fn leaves_a_trace(&self) -> bool {
        self.fail.is_none() && (self.say.is_some() || !self.calls.is_empty() || self.hang_up.is_some())
    }

    fn timetable(&self, pace: Pace) -> Timetable {
        let mut events = Vec::new();
        let mut wait = self.delay.unwrap_or(pace.delay);
        for word in self.say.as_deref().unwrap_or_default().split_inclusive(' ') {
            events.push((wait, ModelEvent::Text(word.into())));
            wait = pace.between_words;
        }
        let calls = self.calls.iter().map(|(name, arguments)| (name.as_str(), arguments.to_string()));
        let hang_up = self.hang_up.iter().map(|name| (&**name, "{}".to_owned()));
        for (name, arguments) in calls.chain(hang_up) {
            let call = ModelToolCall { name: name.into(), arguments: arguments.into(), given_id: None };
            // The delay of a reply without words stands before its first call.
            let wait = if events.is_empty() { wait } else { Duration::ZERO };
            events.push((wait, ModelEvent::ToolCall(call)));
        }
        let end = match &self.fail {
            Some(why) => ModelEvent::Failed(why.as_str().into()),
            None => ModelEvent::Finished,
        };
        events.push((if events.is_empty() { wait } else { Duration::ZERO }, end));
        events
    }
}
