//! What the stores in SQL databases have in common.
//!
//! The files beside this one (`sql/`) are their queries, written once: `sqlite` and `postgres` each load them as modules of their
//! own, so that the same text is compiled for the rows, connections and pools of either, which have no type in common. They name these
//! by what their parent calls `Db`, `Row`, `Connection` and `Store`. Placeholders are `$1`, what sums to more than it adds up is cast,
//! and what only one of the databases understands is in that one's directory.
//!
//! A write is one statement or one transaction. Where it depends on what it has read, it is alone with that ([`Alone`]): in SQLite with
//! the whole database, in Postgres with a lock of that name, which nodes share.

use std::fmt;

use antiphon_api::{BatchId, CallId, CorpusId, ThrottleId};

use super::{AccountId, Receiver};

/// What a transaction is alone with until it ends. Whoever needs several takes them in this order, and receivers in theirs, so that no
/// two transactions wait for each other.
#[derive(Debug, Clone, Copy)]
pub(super) enum Alone<'a> {
    /// The lists of an account, which are bounded and have names that are taken once.
    Account(AccountId),
    /// What is in a corpus.
    Corpus(CorpusId),
    /// The progress of a batch.
    Batch(BatchId),
    /// What a throttle has counted.
    Throttle(ThrottleId),
    /// The order of what was said and what happened in a call.
    Record(CallId),
    /// What is to be told of a call, and done after its end.
    Ending(CallId),
    /// What a receiver is to be told.
    Receiver(&'a Receiver),
}

impl fmt::Display for Alone<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => write!(f, "account {id}"),
            Self::Corpus(id) => write!(f, "corpus {id}"),
            Self::Batch(id) => write!(f, "batch {id}"),
            Self::Throttle(id) => write!(f, "throttle {id}"),
            Self::Record(id) => write!(f, "record {id}"),
            Self::Ending(id) => write!(f, "ending {id}"),
            Self::Receiver(receiver) => write!(f, "receiver {receiver}"),
        }
    }
}

/// What there may be to do for whoever waits for it, on any node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    /// Something to deliver, or calls that ended.
    Outbox,
    /// Scheduled calls to create.
    Schedule,
}

/// What a type of the wire is in a column of JSON.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("wire types have string keys")
}

/// A text as a part of a pattern of LIKE, in which `\` says that what follows it is meant as it is.
pub(super) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
