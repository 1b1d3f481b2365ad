//! `[journal]`: whether and where calls leave the journals that they can be replayed and explained from.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::problem::Checks;
use super::{Storage, period};
use crate::call::journal::{Journals, UserText};

/// The `[journal]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Journal {
    /// Whether calls leave journals. Default true.
    pub enabled: bool,
    /// Where they are written, one file a call, in a directory that is made when it is not there. Default `journals` beside the
    /// database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
    /// Whether they hold what users said and wrote. Default `keep`.
    pub user_text: UserTextChoice,
    /// How often what happened is written: a process that is killed loses at most this much. Default 1 s.
    #[serde(with = "period")]
    pub flush_interval: Duration,
}

/// Whether journals hold what users said and wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserTextChoice {
    /// They do.
    Keep,
    /// They hold how long each text was.
    Omit,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            enabled: true,
            directory: None,
            user_text: UserTextChoice::Keep,
            flush_interval: Duration::from_secs(1),
        }
    }
}

impl Journal {
    pub(super) fn validate(&self, checks: &mut Checks) {
        if self.flush_interval > Duration::from_secs(60) {
            checks.refuse("journal.flush_interval", "must be at most \"60s\": more would wait in memory");
        }
        if self.directory.as_ref().is_some_and(|directory| directory.exists() && !directory.is_dir()) {
            checks.refuse("journal.directory", "is a file; name a directory");
        }
    }

    /// Where journals lie.
    #[must_use]
    pub fn directory(&self, storage: &Storage) -> PathBuf {
        self.directory.clone().unwrap_or_else(|| storage.path.with_file_name("journals"))
    }

    /// How calls keep journals, if they do.
    #[must_use]
    pub fn journals(&self, storage: &Storage) -> Option<Journals> {
        self.enabled.then(|| Journals {
            directory: self.directory(storage),
            flush_interval: self.flush_interval,
            user_text: match self.user_text {
                UserTextChoice::Keep => UserText::Keep,
                UserTextChoice::Omit => UserText::Omit,
            },
        })
    }
}
