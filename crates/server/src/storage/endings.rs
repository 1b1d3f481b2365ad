//! What is still to be done for calls that ended: sum them up, then let receivers know, then delete those that asked for it.
//!
//! An ending is kept in the same transaction as the end of its call, so that a crash forgets none. Until it is released, no receiver is
//! told of the end: what it is told should hold the summary. Knows nothing of how a call is summed up.

use antiphon_api::{CallId, Timestamp};

use super::{AccountId, Pending};

/// What a call was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// In about one sentence.
    pub short: String,
    /// In a few.
    pub long: String,
}

/// A call that ended and is not summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// The call.
    pub call: CallId,
    /// When it ended.
    pub ended: Timestamp,
    /// Whether receivers wait for its summary.
    pub held: bool,
}

/// How far an ending is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Receivers wait for the summary.
    Held,
    /// The summary is still to come; receivers wait no more.
    Late,
    /// The call is deleted once all is delivered.
    Delivering,
    /// The call can be deleted.
    Deletable,
}

impl Phase {
    /// What a database holds for it.
    pub(super) fn number(self) -> i64 {
        match self {
            Self::Held => 0,
            Self::Late => 1,
            Self::Delivering => 2,
            Self::Deletable => 3,
        }
    }
}

/// Where endings are kept.
pub trait EndingStore: Send + Sync {
    /// The endings that are not summed up, those that receivers wait for first, oldest first, at most `limit`.
    fn endings(&self, limit: u32) -> Pending<'_, Vec<Ending>>;
    /// Lets receivers know of calls that ended by then, summed up or not, at most `limit` calls. How many they were.
    fn release_endings(&self, ended_by: Timestamp, now: Timestamp, limit: u32) -> Pending<'_, u32>;
    /// Keeps a call's summary, if there is one, and lets receivers know of the call's end. Without effect if that is done.
    fn finish_ending<'a>(
        &'a self,
        call: CallId,
        summary: Option<&'a Summary>,
        now: Timestamp,
    ) -> Pending<'a, ()>;
    /// Calls that asked to be deleted and can be, since all of their deliveries are over, at most `limit`.
    fn deletable(&self, limit: u32) -> Pending<'_, Vec<(AccountId, CallId)>>;
}
