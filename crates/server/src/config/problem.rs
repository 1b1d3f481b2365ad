//! What is wrong with a configuration, said so that its author can mend it: where, which field, what, and the remedy.

use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// An environment variable.
    Environment(String),
    /// A line of the file, counted from 1.
    File {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub source: Source,
    /// The field, as `section.field`; empty when the text as a whole is no TOML.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.source, self.field.is_empty()) {
            (Source::Default, true) => f.write_str(&self.message),
            (Source::Default, false) => write!(f, "{}: {}", self.field, self.message),
            (source @ (Source::Environment(_) | Source::File { .. }), true) => {
                write!(f, "{source}: {}", self.message)
            }
            (source @ (Source::Environment(_) | Source::File { .. }), false) => {
                write!(f, "{source}: {}: {}", self.field, self.message)
            }
        }
    }
}

/// Collects what validation finds; the places are added afterwards.
#[derive(Debug, Default)]
pub(super) struct Checks {
    pub(super) found: Vec<(String, String)>,
}

impl Checks {
    /// Refuses `field` (as `section.field`): `message` says what is wrong and what would be right.
    pub(super) fn refuse(&mut self, field: &str, message: impl Into<String>) {
        self.found.push((field.to_owned(), message.into()));
    }
}
