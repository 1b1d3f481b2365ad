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
    /// How often summing it up has failed.
    pub attempts: u32,
}

/// When something is to be done about endings that nothing is done about now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EndingTimes {
    /// When the first of the calls ended whose summaries receivers wait for.
    pub held: Option<Timestamp>,
    /// When the first of those that failed is to be tried again.
    pub attempt: Option<Timestamp>,
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
    /// The endings that are not summed up and can be now, those that receivers wait for first, oldest first, at most `limit`.
    fn endings(&self, now: Timestamp, limit: u32) -> Pending<'_, Vec<Ending>>;
    /// When to look again.
    fn ending_times(&self, now: Timestamp) -> Pending<'_, EndingTimes>;
    /// Notes how often summing a call up has failed, and when to try again. Without effect if the ending is finished.
    fn postpone_ending(&self, call: CallId, attempts: u32, due: Timestamp) -> Pending<'_, ()>;
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
