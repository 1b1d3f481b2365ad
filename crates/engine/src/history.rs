//! The conversation's record: an append-only list of messages whose text settles with time.
//!
//! A message takes its place when it begins and is committed once its text is settled and everything before it is committed.
//! What nobody heard is taken out again before that. Knows nothing of who may speak when.

use std::sync::Arc;

use crate::ids::{Counter, Ordinal};
use crate::message::{Message, MessageBody};

/// An entry of the record, for as long as it is not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EntryId(u32);

#[derive(Debug)]
struct Entry {
    id: EntryId,
    message: Message,
    settled: bool,
}

#[derive(Debug)]
pub(crate) struct History {
    entries: Vec<Entry>,
    /// How many entries came from before the call.
    initial: usize,
    /// How many entries from the front are committed.
    committed: usize,
    ids: Counter,
    ordinals: Counter,
    /// Bytes of text in settled messages, and the overhead of all.
    bytes: usize,
}

/// What a message counts besides its text, so that many empty ones fill the record too.
const OVERHEAD: usize = 256;

impl History {
    pub(crate) fn new(initial: &[Message]) -> Self {
        let mut history = Self {
            entries: Vec::with_capacity(initial.len()),
            initial: initial.len(),
            committed: 0,
            ids: Counter::default(),
            ordinals: Counter::default(),
            bytes: 0,
        };
        for message in initial {
            history.append(message.clone());
        }
        history
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
        self.entries.push(Entry { id, message, settled: false });
        id
    }

    /// Completes a message.
    pub(crate) fn settle(&mut self, id: EntryId, complete: impl FnOnce(&mut Message)) {
        if let Some(index) = self.position(id) {
            let entry = &mut self.entries[index];
            complete(&mut entry.message);
            entry.settled = true;
            self.bytes += OVERHEAD + text_bytes(&entry.message);
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
        let mut messages = Vec::with_capacity(self.entries.len());
        let mut meanwhile = Vec::new();
        let mut running = 0;
        for (index, Entry { message, .. }) in self.entries.iter().enumerate() {
            match &message.body {
                MessageBody::Agent { heard, .. } if heard.trim().is_empty() => continue,
                // What came from before the call keeps its order, whatever it is.
                _ if index < self.initial => messages.push(message.clone()),
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

    /// The next message whose text, and that of all before it, is settled, with its index.
    pub(crate) fn commit_next(&mut self) -> Option<(usize, Message)> {
        let entry = self.entries.get(self.committed)?;
        if !entry.settled {
            return None;
        }
        let index = self.committed;
        self.committed += 1;
        Some((index, entry.message.clone()))
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

fn text_bytes(message: &Message) -> usize {
    let len = |text: &Arc<str>| text.len();
    match &message.body {
        MessageBody::Agent { generated, .. } => len(generated),
        MessageBody::ToolCall { arguments, .. } => len(arguments),
        MessageBody::ToolResult { text, error, .. } => len(text) + error.as_ref().map_or(0, len),
        MessageBody::User { text, .. } => len(text),
    }
}
