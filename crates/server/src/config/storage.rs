//! `[storage]`: where calls, messages and keys are kept.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::problem::Checks;

/// The `[storage]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// The SQLite database file, made when it is not there. Default `antiphon.db` in the working directory.
    pub path: PathBuf,
}

impl Default for Storage {
    fn default() -> Self {
        Self { path: PathBuf::from("antiphon.db") }
    }
}

impl Storage {
    /// Where the recordings lie that voices were cloned from: a directory beside the database.
    #[must_use]
    pub fn voice_samples(&self) -> PathBuf {
        self.path.with_file_name("voices")
    }

    pub(super) fn validate(&self, checks: &mut Checks) {
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => return,
        };
        if !directory.is_dir() {
            checks.refuse(
                "storage.path",
                format!("there is no directory {}; make it, or name a file elsewhere", directory.display()),
            );
        }
    }
}
