//! The HTTP requests of a session: a few at a time, some that wait. Sends nothing itself.

use std::collections::{BTreeSet, VecDeque};

use crate::command::{HttpRequest, RequestId};

/// The requests that are under way or wait.
#[derive(Debug, Default)]
pub(super) struct Requests {
    active: BTreeSet<RequestId>,
    waiting: VecDeque<(RequestId, HttpRequest)>,
    last: u32,
}

impl Requests {
    pub(super) fn count(&self) -> usize {
        self.active.len() + self.waiting.len()
    }

    pub(super) fn active(&self) -> usize {
        self.active.len()
    }

    pub(super) fn add(&mut self, http: HttpRequest) -> RequestId {
        self.last += 1;
        let id = RequestId::new(self.last);
        self.waiting.push_back((id.clone(), http));
        id
    }

    /// The next one that may be sent, if fewer than `most` are under way.
    pub(super) fn next(&mut self, most: usize) -> Option<(RequestId, HttpRequest)> {
        if self.active.len() >= most {
            return None;
        }
        let (id, http) = self.waiting.pop_front()?;
        self.active.insert(id.clone());
        Some((id, http))
    }

    /// Whether this is the answer to one that is under way, which it is no longer.
    pub(super) fn answered(&mut self, id: &RequestId) -> bool {
        self.active.remove(id)
    }

    pub(super) fn drop_waiting(&mut self) {
        self.waiting.clear();
    }

    pub(super) fn forget(&mut self) {
        self.waiting.clear();
        self.active.clear();
    }
}
