//! The conversation's record: an append-only list of messages whose text settles with time.
//!
//! A message takes its place when it begins and is committed once its text is settled and everything before it is committed.
//! What nobody heard is taken out again before that. Knows nothing of who may speak when.

use crate::ids::{Counter, Ordinal, StageNumber};
use crate::message::{Message, MessageBody};

/// An entry of the record, for as long as it is not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EntryId(u32);

#[derive(Debug)]
struct Entry {
    id: EntryId,
    message: Message,
    stage: StageNumber,
    /// Whether the stage began with it, so that it was not said in the call.
    initial: bool,
    settled: bool,
}

#[derive(Debug)]
pub(crate) struct History {
    entries: Vec<Entry>,
    /// The stage that entries belong to from now on.
    stage: StageNumber,
    /// The first entry that a model may know.
    first: EntryId,
    /// Entries before that which it may know as well.
    carried: Vec<EntryId>,
    /// How many entries from the front are committed.
    committed: usize,
    ids: Counter,
    ordinals: Counter,
    /// Bytes of text in settled messages, and the overhead of all.
    bytes: usize,
}

impl History {
    pub(crate) fn new(initial: &[Message]) -> Self {
        let mut history = Self {
            entries: Vec::with_capacity(initial.len()),
            stage: StageNumber(0),
            first: EntryId(0),
            carried: Vec::new(),
            committed: 0,
            ids: Counter::default(),
            ordinals: Counter::default(),
            bytes: 0,
        };
        history.begin_with(initial);
        history
    }

    /// The stage that is under way.
    pub(crate) fn stage(&self) -> StageNumber {
        self.stage
    }

    /// Everything from now on belongs to the next stage. With messages of its own, it begins with them: models know no more of
    /// what was said before than what the user said while the last tools ran, which nobody has answered.
    pub(crate) fn begin_stage(&mut self, messages: Option<&[Message]>) {
        self.stage = StageNumber(self.stage.0 + 1);
        let Some(messages) = messages else { return };
        let is_result = |entry: &&Entry| matches!(entry.message.body, MessageBody::ToolResult { .. });
        let is_users = |entry: &&Entry| matches!(entry.message.body, MessageBody::User { .. });
        let meanwhile = self.entries.iter().rev().skip_while(is_result).take_while(is_users);
        self.carried = meanwhile.map(|entry| entry.id).collect();
        self.carried.reverse();
        self.begin_with(messages);
    }

    fn begin_with(&mut self, messages: &[Message]) {
        self.first = EntryId(self.ids.peek());
        for message in messages {
            self.append(message.clone());
        }
        for entry in self.entries.iter_mut().rev().take(messages.len()) {
            entry.initial = true;
        }
    }

    /// The next place in the transcript.
    pub(crate) fn next_ordinal(&mut self) -> Ordinal {
        Ordinal(self.ordinals.next())
    }

    /// Adds a message whose text is known.
    pub(crate) fn append(&mut self, message: Message) {
        let id = self.open(message);
        self.settle(id, |_| {});
    }

    /// Gives a message its place before its text is known.
    pub(crate) fn open(&mut self, message: Message) -> EntryId {
        let id = EntryId(self.ids.next());
        self.entries.push(Entry { id, message, stage: self.stage, initial: false, settled: false });
        id
    }

    /// Completes a message.
    pub(crate) fn settle(&mut self, id: EntryId, complete: impl FnOnce(&mut Message)) {
        if let Some(index) = self.position(id) {
            let entry = &mut self.entries[index];
            complete(&mut entry.message);
            entry.settled = true;
            self.bytes += entry.message.bytes();
        }
    }

    /// Changes a message whose text is not known yet.
    pub(crate) fn amend(&mut self, id: EntryId, change: impl FnOnce(&mut Message)) {
        if let Some(index) = self.position(id) {
            change(&mut self.entries[index].message);
        }
    }

    /// Takes out a message that turned out never to have been said.
    pub(crate) fn take_out(&mut self, id: EntryId) {
        if let Some(index) = self.position(id) {
            self.entries.remove(index);
        }
    }

    /// Whether this message is the newest.
    pub(crate) fn is_last(&self, id: EntryId) -> bool {
        self.entries.last().is_some_and(|entry| entry.id == id)
    }

    /// How full the record is, in bytes of text and overhead.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the newest message is something that a model would answer of itself.
    pub(crate) fn ends_with_something_to_answer(&self) -> bool {
        self.entries.last().is_some_and(|entry| match entry.message.body {
            MessageBody::User { .. } | MessageBody::ToolResult { .. } => true,
            MessageBody::Agent { .. } | MessageBody::ToolCall { .. } => false,
        })
    }

    /// The messages as a model may know them: nothing unheard, nothing undecided but the user's own voice, and the results of
    /// tools right behind their calls. What the user said while they ran comes after.
    pub(crate) fn for_model(&self) -> Vec<Message> {
        let known = &self.entries[self.entries.partition_point(|entry| entry.id < self.first)..];
        let (initial, said) = known.split_at(known.partition_point(|entry| entry.initial));
        let carried = self.entries.iter().filter(|entry| self.carried.contains(&entry.id));
        let mut messages = Vec::with_capacity(known.len() + self.carried.len());
        let mut meanwhile = Vec::new();
        let mut running = 0;
        for Entry { message, initial, .. } in initial.iter().chain(carried).chain(said) {
            match &message.body {
                MessageBody::Agent { heard, .. } if heard.trim().is_empty() => continue,
                // What a stage began with keeps its order, whatever it is.
                _ if *initial => messages.push(message.clone()),
                MessageBody::ToolCall { .. } => {
                    running += 1;
                    messages.push(message.clone());
                }
                MessageBody::ToolResult { .. } => {
                    running -= 1;
                    messages.push(message.clone());
                }
                MessageBody::Agent { .. } | MessageBody::User { .. } if running > 0 => {
                    meanwhile.push(message.clone());
                }
                MessageBody::Agent { .. } | MessageBody::User { .. } => messages.push(message.clone()),
            }
            if running == 0 {
                messages.append(&mut meanwhile);
            }
        }
        messages.append(&mut meanwhile);
        messages
    }

    /// The next message whose text, and that of all before it, is settled, with its index and its stage.
    pub(crate) fn commit_next(&mut self) -> Option<(usize, StageNumber, Message)> {
        let entry = self.entries.get(self.committed)?;
        if !entry.settled {
            return None;
        }
        let index = self.committed;
        self.committed += 1;
        Some((index, entry.stage, entry.message.clone()))
    }

    /// Settles whatever is still open as it stands: the call is over.
    pub(crate) fn settle_all(&mut self) {
        for entry in &mut self.entries {
            entry.settled = true;
        }
    }

    /// Open entries stand near the end, so the search begins there.
    fn position(&self, id: EntryId) -> Option<usize> {
        self.entries[self.committed..]
            .iter()
            .rposition(|entry| entry.id == id && !entry.settled)
            .map(|index| index + self.committed)
    }
}
