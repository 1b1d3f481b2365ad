//! What was said and heard, as a WAV file in step with the conversation's clock. Knows nothing of calls.

use std::fs::File;
use std::path::{Path, PathBuf};

use antiphon_audio::{Channels, SampleRate, WavWriter, signal};
use anyhow::Context as _;

/// Who is on which channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Only the agent, as it was played.
    Agent,
    /// The user on the left, the agent on the right.
    Both,
}

/// A recording under way.
#[derive(Debug)]
pub(crate) struct Recording {
    path: PathBuf,
    layout: Layout,
    file: WavWriter<File>,
}

impl Recording {
    /// Begins the file `path`, replacing one that is there.
    pub(crate) fn create(path: &Path, rate: SampleRate, layout: Layout) -> anyhow::Result<Self> {
        let channels = match layout {
            Layout::Agent => Channels::Mono,
            Layout::Both => Channels::Stereo,
        };
        let file = File::create(path)
            .and_then(|file| WavWriter::new(file, rate, channels))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path: path.to_owned(), layout, file })
    }

    /// Adds a frame of both sides, equally long.
    pub(crate) fn write(&mut self, user: &[i16], agent: &[i16]) -> anyhow::Result<()> {
        let written = match self.layout {
            Layout::Agent => self.file.write(agent),
            Layout::Both => self.file.write(&signal::interleave(user, agent)),
        };
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }

    pub(crate) fn finish(self) -> anyhow::Result<()> {
        self.file.finish().with_context(|| format!("cannot write {}", self.path.display()))
    }
}
