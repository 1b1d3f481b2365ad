//! What every part of a conversation works with: the time, the settings, the record, the deadlines and the way out.
//!
//! Parts get it as `cx` and never keep it. It holds no policy.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::config::Config;
use crate::history::History;
use crate::ids::{Counter, GenerationId, InvocationId, Ordinal, StageNumber};
use crate::message::{Medium, Message, Prompt, Speaker};
use crate::output::{
    AgentState, Effect, Event, Notice, Output, Severity, ThreadStatus, Transcript, TranscriptWords,
};
use crate::time::CallTime;
use crate::timers::TimerTable;

#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: Arc<Config>,
    pub(crate) now: CallTime,
    pub(crate) timers: TimerTable,
    pub(crate) history: History,
    /// The stage that brought the messages for a silent user.
    pub(crate) silence_since: StageNumber,
    /// What the side threads are doing.
    pub(crate) threads: Vec<ThreadStatus>,
    generations: Counter,
    invocations: Counter,
    reported: Option<AgentState>,
    outputs: VecDeque<Output>,
}

impl Context {
    pub(crate) fn new(config: Arc<Config>, now: CallTime) -> Self {
        let history = History::new(&config.initial_messages);
        Self {
            config,
            now,
            timers: TimerTable::default(),
            history,
            silence_since: StageNumber(0),
            threads: Vec::new(),
            generations: Counter::default(),
            invocations: Counter::default(),
            reported: None,
            outputs: VecDeque::new(),
        }
    }

    /// A name for a run of the model, unique in the call.
    pub(crate) fn next_generation(&mut self) -> GenerationId {
        GenerationId(self.generations.next())
    }

    /// A name for an invocation of a tool, unique in the call.
    pub(crate) fn next_invocation(&mut self) -> InvocationId {
        InvocationId(self.invocations.next())
    }

    /// What a model is given to answer these messages.
    pub(crate) fn prompt(&self, messages: Vec<Message>, instruction: Option<Arc<str>>) -> Prompt {
        let config = &self.config;
        Prompt {
            system: config.system_prompt.clone(),
            messages,
            instruction,
            tools: config.tools.iter().map(|tool| tool.face.clone()).collect(),
            temperature: config.temperature,
            model: Arc::clone(&config.model),
            language: config.language.clone(),
        }
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.outputs.push_back(Output::Effect(effect));
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(crate) fn notice(&mut self, severity: Severity, kind: &'static str, text: impl Into<String>) {
        self.event(Event::Notice(Notice { severity, kind, text: text.into() }));
    }

    pub(crate) fn transcript(
        &mut self,
        speaker: Speaker,
        medium: Medium,
        ordinal: Ordinal,
        words: TranscriptWords,
    ) {
        self.event(Event::Transcript(Transcript { speaker, medium, ordinal, words }));
    }

    /// Tells the client what the agent is doing, when that is news.
    pub(crate) fn report(&mut self, state: AgentState) {
        if self.reported != Some(state) {
            self.reported = Some(state);
            self.event(Event::StateChanged(state));
        }
    }

    /// Tells about every message whose text, and that of all before it, is settled.
    pub(crate) fn commit(&mut self) {
        while let Some((index, stage, message)) = self.history.commit_next() {
            self.event(Event::MessageCommitted { index, stage, message: Box::new(message) });
        }
    }

    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}
