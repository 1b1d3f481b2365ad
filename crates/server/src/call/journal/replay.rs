//! Runs a journal's inputs through the engine again: the same outputs, or the first difference.

use antiphon_engine::{CallTime, Config, Conversation, Input, Output};

use super::bytes::Writer;
use super::codec::Put as _;
use super::digest::Digest;
use super::{Deadline, Decision, Journal, UserText, describe};

/// What a replay shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// The engine says byte for byte what it said in the call.
    Same,
    /// It says something else.
    Different(Box<Difference>),
}

/// The first thing that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which entry of the journal, counted from 0.
    pub entry: usize,
    /// When.
    pub at: CallTime,
    /// What had happened.
    pub input: String,
    /// What the engine decided in the call, from the first difference on.
    pub expected: Vec<String>,
    /// What it decides now, from the first difference on.
    pub got: Vec<String>,
}

/// Runs the journal's inputs through the engine with the journal's settings.
#[must_use]
pub fn replay(journal: &Journal) -> Replayed {
    let user_text = journal.header.user_text;
    let mut run = Run::new(journal.header.config.clone(), user_text);
    for (index, entry) in journal.entries.iter().enumerate() {
        let said = run.step(entry.at, entry.input.clone());
        if said.digest == entry.digest && said.deadline == entry.deadline {
            continue;
        }
        let expected = lines(&entry.decisions, entry.deadline);
        let got = lines(&said.decisions, said.deadline);
        let same = entry
            .decisions
            .iter()
            .zip(&said.decisions)
            .take_while(|(recorded, new)| bytes(recorded, user_text) == bytes(new, user_text))
            .count();
        let all_same = same == entry.decisions.len() && same == said.decisions.len();
        let from = if all_same && entry.deadline == said.deadline { 0 } else { same };
        return Replayed::Different(Box::new(Difference {
            entry: index,
            at: entry.at,
            input: describe(entry.input.as_ref()),
            expected: expected[from..].to_vec(),
            got: got[from..].to_vec(),
        }));
    }
    Replayed::Same
}

impl Difference {
    /// Whether the decisions read the same, so that the difference is in what they do not quote: a prompt's messages, a tool's
    /// arguments or state, the rest of a long text.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.expected == self.got
    }
}

/// What the engine said after one input.
pub(super) struct Said {
    pub(super) decisions: Vec<Decision>,
    pub(super) deadline: Deadline,
    pub(super) digest: u32,
}

/// A conversation that is told things.
pub(super) struct Run {
    conversation: Conversation,
    digest: Digest,
}

impl Run {
    pub(super) fn new(config: Config, user_text: UserText) -> Self {
        Self { conversation: Conversation::new(config, CallTime::ZERO), digest: Digest::new(user_text) }
    }

    /// Tells one thing, or nothing at the beginning, and hears what there is to hear.
    pub(super) fn step(&mut self, at: CallTime, input: Option<Input>) -> Said {
        if let Some(input) = input {
            self.conversation.handle(at, input);
        }
        let mut decisions = Vec::new();
        loop {
            let output = self.conversation.poll();
            self.digest.add(&output);
            decisions.extend(Decision::of(&output));
            if let Output::Timeout(deadline) = output {
                return Said { decisions, deadline, digest: self.digest.value() };
            }
        }
    }
}

fn bytes(decision: &Decision, user_text: UserText) -> Vec<u8> {
    let mut writer = Writer::new(user_text);
    decision.put(&mut writer);
    writer.bytes.to_vec()
}

fn lines(decisions: &[Decision], deadline: Deadline) -> Vec<String> {
    let wake = match deadline {
        None => "wait for something to happen".to_owned(),
        Some((at, timer)) => format!("wait until {:.6} s: {timer:?}", at.since_start().as_secs_f64()),
    };
    decisions.iter().map(ToString::to_string).chain([wake]).collect()
}
