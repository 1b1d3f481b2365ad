//! The default detector: earshot, a small neural network whose weights are compiled in.
//!
//! Owns the mapping of its score onto the published scale, and the guard against key tones, seven in ten frames of which it
//! takes for speech. Other steady tones (a ring-back tone, a whistle) can still pass for speech: a single strong harmonic of
//! a voice looks the same in 16 ms. It must not know how probabilities become speech.

use super::tones::TwoTones;
use super::{VoiceActivity, VoiceActivityFactory};

/// Samples in a frame: 16 ms at 16 kHz, the only size that the network takes.
pub const FRAME_SAMPLES: usize = 256;

/// For how many frames the guard holds from a key tone on. The network remembers: measured, its score falls below the even
/// chance five frames after a tone's end. A word that follows a key within this time is heard from then on, and its
/// beginning is in the pre-roll.
const GUARD_FRAMES: u8 = 7;

/// Makes earshot detectors.
#[derive(Debug, Clone, Copy, Default)]
pub struct Earshot;

impl VoiceActivityFactory for Earshot {
    fn detector(&self) -> Box<dyn VoiceActivity> {
        Box::new(EarshotDetector {
            network: ::earshot::Detector::default(),
            tones: TwoTones::dtmf(),
            guarded: 0,
        })
    }
}

struct EarshotDetector {
    network: ::earshot::Detector,
    tones: TwoTones,
    /// For how many more frames the guard holds.
    guarded: u8,
}

impl VoiceActivity for EarshotDetector {
    fn frame_samples(&self) -> usize {
        FRAME_SAMPLES
    }

    /// A frame of any other size than [`FRAME_SAMPLES`] is no speech.
    fn speech_probability(&mut self, frame: &[i16]) -> f32 {
        if frame.len() != FRAME_SAMPLES {
            return 0.0;
        }
        // The network hears every frame, guarded or not, so that its memory of the stream has no gaps.
        let score = self.network.predict_i16(frame);
        if self.tones.fill(frame) {
            self.guarded = GUARD_FRAMES;
        }
        if self.guarded > 0 {
            self.guarded -= 1;
            return 0.0;
        }
        published_probability(score)
    }
}

/// Maps earshot's score, for which 0.5 is the even chance, onto the published scale, on which 0.1 is: two straight lines
/// through (0, 0), (0.5, 0.1) and (1, 1). A threshold of 0.2 on the published scale is thus a score of 0.56, one of 0.5 a
/// score of 0.72.
fn published_probability(score: f32) -> f32 {
    let score = score.clamp(0.0, 1.0);
    if score <= 0.5 { score * 0.2 } else { 0.1 + (score - 0.5) * 1.8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_even_chance_is_the_published_default() {
        assert_eq!(published_probability(0.0), 0.0);
        assert!((published_probability(0.5) - 0.1).abs() < 1e-6);
        assert!((published_probability(1.0) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_higher_score_is_never_a_lower_probability() {
        let probabilities: Vec<f32> = (0..=100).map(|n| published_probability(n as f32 / 100.0)).collect();
        assert!(probabilities.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_frame_of_the_wrong_size_is_no_speech() {
        let mut detector = Earshot.detector();
        assert_eq!(detector.speech_probability(&[12_000; 100]), 0.0);
        assert_eq!(detector.speech_probability(&[]), 0.0);
    }
}
