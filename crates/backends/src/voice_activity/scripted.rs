//! The fake detector: loud is speech.
//!
//! Deterministic and easy to foresee, so that a test draws its speech as a tone. It must not know what a voice sounds like.

use super::{VoiceActivity, VoiceActivityFactory};

/// Makes detectors that call a frame speech when it is loud enough.
#[derive(Debug, Clone, Copy)]
pub struct Loudness {
    /// Samples in a frame (16 kHz mono).
    pub frame_samples: usize,
    /// The root mean square of the samples from which on a frame is speech.
    pub threshold: f32,
}

impl Default for Loudness {
    /// Frames of 16 ms, speech from about -36 dBFS on.
    fn default() -> Self {
        Self { frame_samples: 256, threshold: 500.0 }
    }
}

impl VoiceActivityFactory for Loudness {
    fn detector(&self) -> Box<dyn VoiceActivity> {
        Box::new(*self)
    }
}

impl VoiceActivity for Loudness {
    fn frame_samples(&self) -> usize {
        self.frame_samples
    }

    fn speech_probability(&mut self, frame: &[i16]) -> f32 {
        let squares: f32 = frame.iter().map(|&sample| f32::from(sample) * f32::from(sample)).sum();
        if squares >= self.threshold * self.threshold * frame.len() as f32 && squares > 0.0 {
            1.0
        } else {
            0.0
        }
    }
}
