//! What a call leaves behind: its messages and events on their way into the store.
//!
//! A call never waits for the database. It hands entries over here; a writer of its own puts them into the store in order and
//! tries again when the store fails, so that a database that is away for a while loses nothing. What waits is bounded: events
//! that do not fit are dropped, and a call whose messages do not fit has to end.

use std::time::Duration;

use antiphon_api::{CallId, CallStageId, Timestamp};
use antiphon_engine::output::EndReason;
use serde_json::Value;
use tokio::sync::mpsc;
use tracing::{error, warn};

use crate::storage::{Attempt, Pending, Severity, Storage, StoredEvent, StoredMessage, StoredStage, ToolUse};

/// Events that one call may leave behind; of a flood the beginning tells enough.
const MOST_EVENTS: usize = 2_000;
/// Entries that may wait for the store: hours of a busy conversation.
const WAITING: usize = 16_384;
/// Of these, what is kept free for the join and the end.
const RESERVED: usize = 8;
/// How long to wait after a failure of the store, doubling up to [`SLOWEST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_millis(100);
const SLOWEST_RETRY: Duration = Duration::from_secs(10);
/// Entries written in one go.
const BATCH: usize = 64;

/// Something to keep. Small, because every call has a queue with room for many.
#[derive(Debug)]
enum Entry {
    Joined { at: Timestamp, client_version: Option<String> },
    Message(Box<StoredMessage>),
    Stage(Box<(StoredStage, Vec<ToolUse>)>),
    Event(Box<StoredEvent>),
    Ended { at: Timestamp, reason: EndReason },
}

/// The call's end of its record.
#[derive(Debug)]
pub(super) struct Recorder {
    stage: CallStageId,
    entries: mpsc::Sender<Entry>,
    events: usize,
}

/// Starts the record of a call. The task ends when the recorder is dropped and everything is written.
pub(super) fn start(
    call: CallId,
    stage: CallStageId,
    storage: Storage,
) -> (Recorder, impl Future<Output = ()> + Send) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Recorder { stage, entries: sender, events: 0 }, write(call, storage, receiver))
}

/// The record cannot be kept: too much of it waits for the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordFull;

impl Recorder {
    pub(super) fn joined(&self, at: Timestamp, client_version: Option<String>) {
        // Room for this is reserved.
        let _ = self.entries.try_send(Entry::Joined { at, client_version });
    }

    pub(super) fn message(&self, message: StoredMessage) -> Result<(), RecordFull> {
        self.put(Entry::Message(Box::new(message)))
    }

    /// A stage begins, with these lasting tools: events belong to it from now on.
    pub(super) fn stage(&mut self, stage: StoredStage, uses: Vec<ToolUse>) -> Result<(), RecordFull> {
        self.stage = stage.id;
        self.put(Entry::Stage(Box::new((stage, uses))))
    }

    pub(super) fn event(
        &mut self,
        at: Timestamp,
        severity: Severity,
        kind: &str,
        text: String,
        extras: Option<Value>,
    ) {
        if self.events > MOST_EVENTS {
            return;
        }
        self.events += 1;
        let (text, extras) = if self.events > MOST_EVENTS {
            ("more events than are kept; the rest is dropped".into(), None)
        } else {
            (text, extras)
        };
        let event =
            StoredEvent { stage: Some(self.stage), at, severity, kind: kind.to_owned(), text, extras };
        // An event that finds no room is dropped.
        let _ = self.put(Entry::Event(Box::new(event)));
    }

    pub(super) fn ended(&self, at: Timestamp, reason: EndReason) {
        // Room for this is reserved.
        let _ = self.entries.try_send(Entry::Ended { at, reason });
    }

    fn put(&self, entry: Entry) -> Result<(), RecordFull> {
        if self.entries.capacity() <= RESERVED {
            return Err(RecordFull);
        }
        self.entries.try_send(entry).map_err(|_| RecordFull)
    }
}

/// Records the end of a call that did not come to one itself.
pub(super) async fn end(call: CallId, storage: &Storage, at: Timestamp, reason: EndReason) {
    insist(call, |_| storage.calls.mark_ended(call, at, reason)).await;
}

async fn write(call: CallId, storage: Storage, mut receiver: mpsc::Receiver<Entry>) {
    // Grows when there is something to write: most calls have little most of the time.
    let mut batch = Vec::new();
    while receiver.recv_many(&mut batch, BATCH).await > 0 {
        let (mut messages, mut events, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        let mut stages = Vec::new();
        for entry in batch.drain(..) {
            match entry {
                Entry::Message(message) => messages.push(*message),
                Entry::Event(event) => events.push(*event),
                Entry::Stage(stage) => stages.push(*stage),
                Entry::Joined { .. } | Entry::Ended { .. } => rest.push(entry),
            }
        }
        // A stage comes before what happens in it, and is there only when its tools know that it uses them.
        for (stage, uses) in &stages {
            if !uses.is_empty() {
                insist(call, |_| storage.tools.note_uses(call, uses)).await;
            }
            insist(call, |_| storage.calls.insert_stage(call, stage)).await;
        }
        if !messages.is_empty() {
            insist(call, |attempt| storage.calls.append_messages(call, &messages, attempt)).await;
        }
        if !events.is_empty() {
            insist(call, |attempt| storage.calls.append_events(call, &events, attempt)).await;
        }
        // The end comes last: once a call has ended, its record is complete.
        for entry in rest {
            match entry {
                Entry::Joined { at, client_version } => {
                    insist(call, |_| storage.calls.mark_joined(call, at, client_version.as_deref())).await;
                }
                Entry::Ended { at, reason } => {
                    insist(call, |_| storage.calls.mark_ended(call, at, reason)).await;
                }
                Entry::Message(_) | Entry::Event(_) | Entry::Stage(_) => {}
            }
        }
    }
}

/// Writes until it is written. A failure is told once when it begins and once when it is over.
async fn insist<'a, T>(call: CallId, write: impl Fn(Attempt) -> Pending<'a, T>) {
    let (mut wait, mut attempt) = (FIRST_RETRY, Attempt::First);
    loop {
        match write(attempt).await {
            Ok(_) => {
                if wait > FIRST_RETRY {
                    warn!(%call, "the store takes the call's record again");
                }
                return;
            }
            Err(error) => {
                if wait == FIRST_RETRY {
                    error!(%call, %error, "the store does not take the call's record; trying on");
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(SLOWEST_RETRY);
                attempt = Attempt::Again;
            }
        }
    }
}
