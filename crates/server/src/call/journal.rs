//! A call's journal: everything its engine was told and when, what it decided, and the settings it ran with, in one small file.
//!
//! So a call can be run again exactly ([`replay`]), with other settings ([`what_if`]), and be explained ([`super::waterfall`]).
//! There is no audio in a journal and no key; what users said can be left out ([`UserText`]). The file is written while the call
//! runs, by one thread for all calls ([`Scribe`]), and can be read after a crash up to the last block that was written.
//!
//! The format (`frame`, `codec`) is this version's own: a journal of another format version is refused by name.

mod bytes;
mod codec;
mod decision;
mod desk;
mod digest;
mod frame;
mod reading;
pub mod rehearing;
pub mod replay;
#[cfg(test)]
mod samples;
mod scribe;
pub mod settings;
pub mod what_if;

use std::path::{Path, PathBuf};
use std::time::Duration;

use antiphon_api::{CallId, Timestamp};
use antiphon_engine::{Config, Input};

pub use antiphon_engine::CallTime;
pub use decision::{Author, Deadline, Decision, Step, Words};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use reading::framed;
pub use reading::{ReadError, Tail, read, read_bytes};
pub use scribe::{Scribe, start};
#[cfg(test)]
pub(crate) use scribe::{contents_from, of_nothing};

/// How calls keep journals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journals {
    /// Where.
    pub directory: PathBuf,
    /// How long what happened may wait to be written.
    pub flush_interval: Duration,
    /// Whether they hold what users said.
    pub user_text: UserText,
}

impl Journals {
    /// The journal of a call.
    #[must_use]
    pub fn path(&self, call: CallId) -> PathBuf {
        path_in(&self.directory, call)
    }

    /// Deletes the journal of a call, if it left one.
    pub(super) async fn delete(&self, call: CallId) -> std::io::Result<()> {
        match tokio::fs::remove_file(self.path(call)).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// The journal of a call in this directory.
#[must_use]
pub fn path_in(directory: &Path, call: CallId) -> PathBuf {
    directory.join(call.to_string()).with_extension(EXTENSION)
}

/// The ending of a journal's file name, behind the call's id.
pub const EXTENSION: &str = "journal";

/// Whether a journal holds what users said and wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserText {
    /// It does.
    Keep,
    /// Of a user's text it holds the length only. A replay works with as many letters `x`; what the agent and its tools made of the
    /// text (an answer that quotes it, a tool's arguments) stays.
    Omit,
}

/// What stands at the beginning of a journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// The version of the server that wrote it.
    pub server_version: String,
    /// Whose it is.
    pub call: CallId,
    /// When the call was created: the zero of all its times.
    pub created: Timestamp,
    /// Whether it holds what users said.
    pub user_text: UserText,
    /// What the conversation ran with.
    pub config: Config,
    /// What the user's audio was listened to with.
    pub ear: EarSettings,
}

/// What decides which sounds the conversation is told of. It is no part of the conversation's own settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EarSettings {
    /// The `frameActivationThreshold` (protocol.md 5.2).
    pub threshold: f32,
    /// Whether the agent's own voice, coming back, was kept from being speech.
    pub echo_guard: bool,
}

/// One thing that happened, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When, on the call's clock.
    pub at: CallTime,
    /// What happened; `None` for the creation of the conversation.
    pub input: Option<Input>,
    /// What the engine decided.
    pub decisions: Vec<Decision>,
    /// When it wanted to be woken next.
    pub deadline: Deadline,
    /// The digest of everything it has said so far.
    digest: u32,
}

/// A journal that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Journal {
    /// What it is of.
    pub header: Header,
    /// What happened, in order.
    pub entries: Vec<Entry>,
    /// How it stops.
    pub tail: Tail,
}

impl Journal {
    /// Whether it goes on to the end of its call.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.entries.last().is_some_and(|entry| {
            entry.decisions.iter().any(|decision| matches!(decision, Decision::Ended(_)))
        })
    }
}

/// An input in a few words, for people.
#[must_use]
pub fn describe(input: Option<&Input>) -> String {
    let Some(input) = input else { return "the call was created".to_owned() };
    let text = format!("{input:?}");
    match text.char_indices().nth(160) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
