//! `[recordings]`: where the recordings of calls are kept that ask for one, and at which rate.

use std::path::PathBuf;

use antiphon_audio::SampleRate;
use serde::{Deserialize, Serialize};

use super::problem::Checks;

/// The `[recordings]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recordings {
    /// The directory, made with the first recording; a relative path begins where the database is. Default `recordings`.
    pub directory: PathBuf,
    /// Samples per second of a recording, one of the supported rates. Default 16000.
    pub sample_rate: u32,
}

impl Default for Recordings {
    fn default() -> Self {
        Self { directory: PathBuf::from("recordings"), sample_rate: SampleRate::EAR.hz() }
    }
}

impl Recordings {
    pub(super) fn validate(&self, checks: &mut Checks) {
        if let Err(error) = SampleRate::new(self.sample_rate) {
            checks.refuse("recordings.sample_rate", error.to_string());
        }
        if self.directory.as_os_str().is_empty() {
            checks.refuse("recordings.directory", "write the name of a directory, or leave the field out");
        }
    }
}
