//! A user whose voice is a WAV file, followed by silence for as long as the agent has something to say.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use antiphon_audio::{SampleRate, Wav, convert};

use super::listener::Patience;
use crate::conversation::{Deed, Scene, User};
use crate::exit::misuse;

/// Reads the file, or says why it cannot be said.
pub(crate) fn read(path: &Path) -> anyhow::Result<Wav> {
    let complain = |error: &dyn std::fmt::Display| misuse(format!("cannot use {}: {error}", path.display()));
    let file = File::open(path).map_err(|error| complain(&error))?;
    let wav = Wav::read(file).map_err(|error| complain(&error))?;
    if wav.samples.is_empty() {
        return Err(complain(&"there is no audio in it"));
    }
    Ok(wav)
}

/// The file being said.
#[derive(Debug)]
pub(super) struct Speech {
    samples: Vec<i16>,
    said: usize,
    patience: Patience,
    /// When the file ended, and how many answers there were before.
    asked: Option<(Duration, usize)>,
}

impl Speech {
    pub(super) fn new(wav: &Wav, rate: SampleRate, patience: Patience) -> Self {
        Self { samples: convert(&wav.mono(), wav.rate_hz, rate), said: 0, patience, asked: None }
    }
}

impl User for Speech {
    fn act(&mut self, frame: &mut [i16], scene: &Scene<'_>) -> Deed {
        let rest = &self.samples[self.said..];
        let count = rest.len().min(frame.len());
        frame[..count].copy_from_slice(&rest[..count]);
        self.said += count;
        if self.said < self.samples.len() {
            return Deed::Nothing;
        }
        let (asked, answers) = *self.asked.get_or_insert((scene.at, scene.answers()));
        if self.patience.is_over(scene, asked, answers) { Deed::HangUp } else { Deed::Nothing }
    }
}
