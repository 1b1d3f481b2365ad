//! `[recordings]`: where the recordings of calls are kept that ask for one, and at which rate.

use std::path::PathBuf;
use std::time::Duration;

use antiphon_audio::SampleRate;
use serde::{Deserialize, Serialize};

use super::problem::Checks;
use super::{Storage, period};

/// The `[recordings]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recordings {
    /// Where they are written, one file a call, in a directory that is made with the first one. Default `recordings` beside the
    /// database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
    /// Samples per second of a recording, one of the supported rates. Default 16000.
    pub sample_rate: u32,
    /// How long a recording is kept after its call, at least a minute. Default forever.
    #[serde(with = "period::optional", skip_serializing_if = "Option::is_none")]
    pub keep: Option<Duration>,
    /// How many bytes all recordings may have together; of more, the oldest are removed. Default without limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum_bytes: Option<u64>,
}

impl Default for Recordings {
    fn default() -> Self {
        Self { directory: None, sample_rate: SampleRate::EAR.hz(), keep: None, maximum_bytes: None }
    }
}

impl Recordings {
    pub(super) fn validate(&self, checks: &mut Checks) {
        if let Err(error) = SampleRate::new(self.sample_rate) {
            checks.refuse("recordings.sample_rate", error.to_string());
        }
        if self.keep.is_some_and(|keep| keep < Duration::from_secs(60)) {
            checks.refuse("recordings.keep", "must be at least \"1m\"; leave it out to keep them forever");
        }
        if self.directory.as_ref().is_some_and(|directory| directory.exists() && !directory.is_dir()) {
            checks.refuse("recordings.directory", "is a file; name a directory");
        }
    }

    /// Where recordings lie.
    #[must_use]
    pub fn directory(&self, storage: &Storage) -> PathBuf {
        self.directory.clone().unwrap_or_else(|| storage.file("recordings"))
    }

    /// Their rate. One that was set past the checks becomes the default.
    #[must_use]
    pub fn rate(&self) -> SampleRate {
        SampleRate::new(self.sample_rate).unwrap_or(SampleRate::EAR)
    }
}
