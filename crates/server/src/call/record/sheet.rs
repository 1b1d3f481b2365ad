//! What of a call's record waits to be written. A bounded list, under a lock that is held for single looks.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use antiphon_api::{CallId, Timestamp};
use antiphon_engine::output::EndReason;
use tokio::sync::oneshot;

use super::RecordFull;
use crate::storage::{StoredEvent, StoredMessage, StoredStage, ToolUse};

/// Entries that may wait for the store: hours of a busy conversation.
const WAITING: usize = 16_384;
/// Of these, what is kept free for the join and the end.
const RESERVED: usize = 8;
/// Entries written in one go.
const LOT: usize = 64;
/// A sheet gives its memory back when more entries than this have waited.
const USUAL: usize = 16;

/// Something to keep.
#[derive(Debug)]
pub(super) enum Entry {
    Joined { at: Timestamp, client_version: Option<String> },
    Message(Box<StoredMessage>),
    Stage(Box<(StoredStage, Vec<ToolUse>)>),
    Event(Box<StoredEvent>),
    Ended { at: Timestamp, reason: EndReason },
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) call: CallId,
    waiting: Mutex<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    entries: VecDeque<Entry>,
    /// Somebody has the sheet to write what is on it, or is about to.
    taken: bool,
    /// No more will come.
    closed: bool,
    /// Dropped when everything is written.
    written: Option<oneshot::Sender<()>>,
}

/// What became of something that was put on a sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    /// Nobody has the sheet: the desk has to be told of it.
    First,
    /// Whoever has it will find this, too.
    Behind,
}

/// Entries that are written together.
#[derive(Debug, Default)]
pub(super) struct Lot {
    pub(super) stages: Vec<(StoredStage, Vec<ToolUse>)>,
    pub(super) messages: Vec<StoredMessage>,
    pub(super) events: Vec<StoredEvent>,
    pub(super) joined: Option<(Timestamp, Option<String>)>,
    pub(super) ended: Option<(Timestamp, EndReason)>,
}

impl Sheet {
    /// A sheet with nothing on it, and what is dropped when everything that was ever put on it is written.
    pub(super) fn new(call: CallId, written: oneshot::Sender<()>) -> Self {
        let waiting =
            Waiting { entries: VecDeque::new(), taken: false, closed: false, written: Some(written) };
        Self { call, waiting: Mutex::new(waiting) }
    }

    /// Puts something on the sheet, if there is room.
    pub(super) fn put(&self, entry: Entry) -> Result<Put, RecordFull> {
        let mut waiting = self.lock();
        if waiting.entries.len() >= WAITING - RESERVED {
            return Err(RecordFull);
        }
        waiting.entries.push_back(entry);
        Ok(waiting.take())
    }

    /// The same, for what room is reserved for.
    pub(super) fn put_reserved(&self, entry: Entry) -> Put {
        let mut waiting = self.lock();
        waiting.entries.push_back(entry);
        waiting.take()
    }

    /// No more will come.
    pub(super) fn close(&self) -> Put {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.take()
    }

    /// What is to be written next, for whoever has the sheet; `None` when there is nothing more now: then it is nobody's again.
    pub(super) fn lot(&self) -> Option<Lot> {
        let mut waiting = self.lock();
        if waiting.entries.is_empty() {
            waiting.taken = false;
            if waiting.closed {
                waiting.written = None;
            }
            if waiting.entries.capacity() > USUAL {
                waiting.entries = VecDeque::new();
            }
            return None;
        }
        let mut lot = Lot::default();
        for _ in 0..LOT {
            let Some(entry) = waiting.entries.pop_front() else { break };
            lot.add(entry);
        }
        Some(lot)
    }

    /// What it guards is whole whatever panicked meanwhile.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn take(&mut self) -> Put {
        match std::mem::replace(&mut self.taken, true) {
            true => Put::Behind,
            false => Put::First,
        }
    }
}

impl Lot {
    fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Joined { at, client_version } => self.joined = Some((at, client_version)),
            Entry::Message(message) => self.messages.push(*message),
            Entry::Stage(stage) => self.stages.push(*stage),
            Entry::Event(event) => self.events.push(*event),
            Entry::Ended { at, reason } => self.ended = Some((at, reason)),
        }
    }

    /// Whether there is nothing in it but what was said and what happened, as there mostly is.
    pub(super) fn is_plain(&self) -> bool {
        self.stages.is_empty() && self.joined.is_none() && self.ended.is_none()
    }
}
