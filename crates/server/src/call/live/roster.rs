//! The list of live calls: which there are, how to reach them, and how many of them are whose.

use std::collections::HashMap;

use antiphon_api::CallId;
use tokio::sync::mpsc;

use super::super::run::Command;
use crate::storage::AccountId;

/// All live calls.
#[derive(Default)]
pub(super) struct Roster {
    calls: HashMap<CallId, Handle>,
    by_account: HashMap<AccountId, usize>,
}

/// The way to a live call.
#[derive(Clone)]
pub(super) struct Handle {
    pub(super) commands: mpsc::Sender<Box<Command>>,
    /// Set once a client joined; before that, nothing can be sent into the call.
    pub(super) joined: bool,
    pub(super) account: AccountId,
}

impl Roster {
    pub(super) fn insert(&mut self, call: CallId, handle: Handle) {
        *self.by_account.entry(handle.account).or_default() += 1;
        self.calls.insert(call, handle);
    }

    pub(super) fn remove(&mut self, call: CallId) {
        let Some(handle) = self.calls.remove(&call) else { return };
        if let Some(count) = self.by_account.get_mut(&handle.account) {
            *count -= 1;
            if *count == 0 {
                self.by_account.remove(&handle.account);
            }
        }
    }

    pub(super) fn get(&self, call: CallId) -> Option<&Handle> {
        self.calls.get(&call)
    }

    pub(super) fn get_mut(&mut self, call: CallId) -> Option<&mut Handle> {
        self.calls.get_mut(&call)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Handle> {
        self.calls.values()
    }

    pub(super) fn count(&self) -> usize {
        self.calls.len()
    }

    pub(super) fn count_of(&self, account: AccountId) -> usize {
        self.by_account.get(&account).copied().unwrap_or(0)
    }
}
