//! `[journal]`: whether and where calls leave the journals that they can be replayed and explained from.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::problem::Checks;
use super::{Storage, period};

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
    /// How long a journal is kept after its call, at least a minute. Default forever.
    #[serde(with = "period::optional", skip_serializing_if = "Option::is_none")]
    pub keep: Option<Duration>,
    /// How many bytes all journals may have together; of more, the oldest are removed. Default without limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum_bytes: Option<u64>,
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
            keep: None,
            maximum_bytes: None,
        }
    }
}

impl Journal {
    pub(super) fn validate(&self, checks: &mut Checks) {
        if self.flush_interval > Duration::from_secs(60) {
            checks.refuse("journal.flush_interval", "must be at most \"60s\": more would wait in memory");
        }
        if self.keep.is_some_and(|keep| keep < Duration::from_secs(60)) {
            checks.refuse("journal.keep", "must be at least \"1m\"; leave it out to keep them forever");
        }
        if self.directory.as_ref().is_some_and(|directory| directory.exists() && !directory.is_dir()) {
            checks.refuse("journal.directory", "is a file; name a directory");
        }
    }

    /// Where journals lie.
    #[must_use]
    pub fn directory(&self, storage: &Storage) -> PathBuf {
        self.directory.clone().unwrap_or_else(|| storage.file("journals"))
    }
}
