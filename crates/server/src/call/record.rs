//! What a call leaves behind: its messages and events on their way into the store.
//!
//! A call never waits for the database. It puts entries on a sheet of its own here; the [`desk`] puts what is on the sheets of all
//! calls into the store, in the order of each call, and tries again when the store fails, so that a database that is away for a while
//! loses nothing. What waits is bounded: events that do not fit are dropped, and a call whose messages do not fit has to end.

mod desk;
mod sheet;

use std::sync::Arc;

use antiphon_api::{CallId, CallStageId, Timestamp};
use antiphon_engine::output::EndReason;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::storage::{Severity, Storage, StoredEvent, StoredMessage, StoredStage, ToolUse};
pub(super) use desk::Desk;
use sheet::{Entry, Put, Sheet};

/// Events that one call may leave behind; of a flood the beginning tells enough.
const MOST_EVENTS: usize = 2_000;

/// The call's end of its record.
pub(super) struct Recorder {
    stage: CallStageId,
    sheet: Arc<Sheet>,
    desk: Desk,
    events: usize,
}

/// Starts the record of a call. The future is over when the recorder is dropped and everything is written; nobody has to ask it
/// before.
pub(super) fn start(
    call: CallId,
    stage: CallStageId,
    desk: &Desk,
) -> (Recorder, impl Future<Output = ()> + Send + use<>) {
    let (written, done) = oneshot::channel();
    let sheet = Arc::new(Sheet::new(call, written));
    let done = async {
        // Dropped, not sent.
        let _ = done.await;
    };
    (Recorder { stage, sheet, desk: desk.clone(), events: 0 }, done)
}

/// Records the end of a call that did not come to one itself.
pub(super) async fn end(call: CallId, storage: &Storage, at: Timestamp, reason: EndReason) {
    desk::insist(call, |_| storage.calls.mark_ended(call, at, reason)).await;
}

/// The record cannot be kept: too much of it waits for the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordFull;

impl Recorder {
    pub(super) fn joined(&self, at: Timestamp, client_version: Option<String>) {
        // Room for this is reserved.
        self.ring(self.sheet.put_reserved(Entry::Joined { at, client_version }));
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
        self.ring(self.sheet.put_reserved(Entry::Ended { at, reason }));
    }

    fn put(&self, entry: Entry) -> Result<(), RecordFull> {
        self.ring(self.sheet.put(entry)?);
        Ok(())
    }

    fn ring(&self, put: Put) {
        match put {
            Put::First => self.desk.look_at(&self.sheet),
            Put::Behind => {}
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.ring(self.sheet.close());
    }
}
