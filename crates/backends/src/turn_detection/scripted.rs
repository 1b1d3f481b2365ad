//! The fake judge: it goes by the length of the turn.
//!
//! It must not listen.

use std::time::Duration;

use antiphon_audio::SampleRate;

use super::TurnDetector;

/// Takes a turn for finished once it has lasted long enough.
#[derive(Debug, Clone, Copy)]
pub struct Patient {
    /// The shortest finished turn; zero takes every turn for finished.
    pub until: Duration,
}

impl TurnDetector for Patient {
    fn end_of_turn(&self, samples: &[i16]) -> f32 {
        let length = SampleRate::EAR.duration_of(samples.len() as u64);
        if length >= self.until { 1.0 } else { 0.0 }
    }
}
