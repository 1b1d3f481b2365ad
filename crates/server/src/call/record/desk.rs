//! Where records get to the store: one task writes what is on the sheets of all calls, many in one transaction, every tenth of a second.
//!
//! One task for all calls, since a transaction of its own for everything that is said would cost a call more than all that is said. What
//! is more than words (a join, a stage, an end), and what the store did not take, each call writes in a task of its own, so that none
//! waits for what another one's entries cost or lack.

use std::sync::Arc;
use std::time::Duration;

use antiphon_api::CallId;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{error, warn};

use super::sheet::{Lot, Sheet};
use crate::storage::{Addition, Attempt, Pending, Storage};

/// Between two transactions, so that calls share them. What comes after a longer pause is written at once.
const PACE: Duration = Duration::from_millis(100);
/// Sheets whose entries are written in one transaction: some hundred kilobytes. Where there are more, the next follows at once.
const TOGETHER: usize = 32;
/// How long to wait after a failure of the store, doubling up to [`SLOWEST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_millis(100);
const SLOWEST_RETRY: Duration = Duration::from_secs(10);

/// The desk of one server's calls. Clones are the same.
#[derive(Clone)]
pub(in crate::call) struct Desk(mpsc::UnboundedSender<Arc<Sheet>>);

impl Desk {
    /// Has a task write to this store, until the desk and the recorders of all calls are gone.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub(in crate::call) fn open(storage: Storage) -> Self {
        // Each sheet is in it once at most, so that it holds no more than there are calls.
        let (desk, sheets) = mpsc::unbounded_channel();
        tokio::spawn(work(storage, sheets));
        Self(desk)
    }

    /// There is something new on a sheet that nobody has.
    pub(super) fn look_at(&self, sheet: &Arc<Sheet>) {
        // The task is there as long as this is.
        let _ = self.0.send(Arc::clone(sheet));
    }
}

async fn work(storage: Storage, mut told: mpsc::UnboundedReceiver<Arc<Sheet>>) {
    let mut next = Instant::now();
    let (mut sheets, mut lots) = (Vec::new(), Vec::new());
    while !lots.is_empty() || told.recv_many(&mut sheets, TOGETHER).await > 0 {
        if Instant::now() < next {
            sleep_until(next).await;
        }
        // Whatever has come meanwhile goes in the same transaction.
        while lots.len() + sheets.len() < TOGETHER
            && let Ok(sheet) = told.try_recv()
        {
            sheets.push(sheet);
        }
        let more = lots.len() + sheets.len() == TOGETHER;
        next = Instant::now() + if more { Duration::ZERO } else { PACE };
        for sheet in sheets.drain(..) {
            take_up(&storage, sheet, &mut lots);
        }
        if lots.is_empty() {
            continue;
        }
        let additions: Vec<Addition<'_>> =
            lots.iter().map(|(sheet, lot)| addition(sheet.call, lot, Attempt::First)).collect();
        let written = storage.calls.append(&additions).await;
        drop(additions);
        for (sheet, lot) in std::mem::take(&mut lots) {
            match written {
                // What was put on it while its beginning was written comes with the next transaction.
                Ok(()) => take_up(&storage, sheet, &mut lots),
                // Some of it may be written: the store fails when it does not know as well.
                Err(_) => write_alone(&storage, sheet, lot, Attempt::Again),
            }
        }
    }
}

/// Takes what is on a sheet, to be written with that of others if it is but words, and at once if it is not.
fn take_up(storage: &Storage, sheet: Arc<Sheet>, lots: &mut Vec<(Arc<Sheet>, Lot)>) {
    match sheet.lot() {
        Some(lot) if lot.is_plain() => lots.push((sheet, lot)),
        Some(lot) => write_alone(storage, sheet, lot, Attempt::First),
        None => {}
    }
}

/// Writes this, and all that is on the sheet by then, until it is written.
fn write_alone(storage: &Storage, sheet: Arc<Sheet>, lot: Lot, attempt: Attempt) {
    let storage = storage.clone();
    tokio::spawn(async move {
        write(sheet.call, &storage, lot, attempt).await;
        while let Some(lot) = sheet.lot() {
            write(sheet.call, &storage, lot, Attempt::First).await;
        }
    });
}

/// Writes a lot until it is written; its messages and events may be there already, if this is not the first attempt.
async fn write(call: CallId, storage: &Storage, lot: Lot, attempt: Attempt) {
    // A stage comes before what happens in it, and is there only when its tools know that it uses them.
    for (stage, uses) in &lot.stages {
        if !uses.is_empty() {
            insist(call, |_| storage.tools.note_uses(call, uses)).await;
        }
        insist(call, |_| storage.calls.insert_stage(call, stage)).await;
    }
    if !lot.messages.is_empty() || !lot.events.is_empty() {
        insist_from(attempt, call, |attempt| storage.calls.append_one(addition(call, &lot, attempt))).await;
    }
    if let Some((at, client_version)) = &lot.joined {
        insist(call, |_| storage.calls.mark_joined(call, *at, client_version.as_deref())).await;
    }
    // The end comes last: once a call has ended, its record is complete.
    if let Some((at, reason)) = lot.ended {
        insist(call, |_| storage.calls.mark_ended(call, at, reason)).await;
    }
}

fn addition(call: CallId, lot: &Lot, attempt: Attempt) -> Addition<'_> {
    Addition { call, messages: &lot.messages, events: &lot.events, attempt }
}

/// Writes until it is written. A failure is told once when it begins and once when it is over.
pub(super) async fn insist<'a, T>(call: CallId, write: impl Fn(Attempt) -> Pending<'a, T>) {
    insist_from(Attempt::First, call, write).await;
}

/// The same, where it was tried before perhaps.
async fn insist_from<'a, T>(mut attempt: Attempt, call: CallId, write: impl Fn(Attempt) -> Pending<'a, T>) {
    let mut wait = FIRST_RETRY;
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
                sleep(wait).await;
                wait = (wait * 2).min(SLOWEST_RETRY);
                attempt = Attempt::Again;
            }
        }
    }
}
