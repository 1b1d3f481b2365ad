//! The default detector: earshot, a small neural network whose weights are compiled in.
//!
//! The network is that of the crate `earshot` 1.2, and gives the same scores bit for bit; it is written anew here because it is most
//! of what a silent call computes, with the widest vectors that the machine has. Owns what is done for each frame: nothing twice that comes out the same. Owns also the mapping
//! of the score onto the published scale, and the guard against key tones, seven in ten frames of which the network takes for speech.
//! Other steady tones (a ring-back tone, a whistle) can still pass for speech: a single strong harmonic of a voice looks the same in
//! 16 ms. It must not know how probabilities become speech.

mod network;
mod spectrum;

use fearless_simd::{Level, dispatch};
use network::Network;
use spectrum::{FRAME, Spectrum};

use super::tones::TwoTones;
use super::{VoiceActivity, VoiceActivityFactory};

/// Samples in a frame: 16 ms at 16 kHz, the only size that the network takes.
pub const FRAME_SAMPLES: usize = FRAME;

/// Frames that the network sees at a time.
const SEEN: u8 = 3;

/// For how many frames the guard holds from a key tone on. The network remembers: measured, its score falls below the even
/// chance five frames after a tone's end. A word that follows a key within this time is heard from then on, and its
/// beginning is in the pre-roll.
const GUARD_FRAMES: u8 = 7;

/// Makes earshot detectors.
#[derive(Debug, Clone, Copy, Default)]
pub struct Earshot;

impl VoiceActivityFactory for Earshot {
    fn detector(&self) -> Box<dyn VoiceActivity> {
        Box::new(EarshotDetector { score: Score::new(Level::new()), tones: TwoTones::dtmf(), guarded: 0 })
    }
}

struct EarshotDetector {
    score: Score,
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
        let Ok(frame) = frame.try_into() else { return 0.0 };
        // The network hears every frame, guarded or not, so that its memory of the stream has no gaps.
        let score = self.score.of(frame);
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

/// What the network makes of a stream.
#[derive(Debug)]
struct Score {
    /// Which vectors there are. What is computed with them is written as loops, in an order that is kept: the numbers are the same.
    vectors: Level,
    spectrum: Spectrum,
    network: Network,
}

impl Score {
    fn new(vectors: Level) -> Self {
        Self { vectors, spectrum: Spectrum::new(), network: Network::new() }
    }

    /// The score of the next frame, from 0 to 1.
    fn of(&mut self, frame: &[i16; FRAME]) -> f32 {
        dispatch!(self.vectors, _ => self.computed(frame))
    }

    /// What it calls is compiled into it, and so for each kind of vectors.
    #[inline(always)]
    fn computed(&mut self, frame: &[i16; FRAME]) -> f32 {
        self.spectrum.push(frame);
        // Silence looks like the silence before it once nothing else is seen. What is left to do is to remember it.
        if self.spectrum.silent() <= SEEN {
            self.network.see(&self.spectrum.bands());
        }
        self.network.remember()
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

    /// Bits of the scores that this network gives, and those of the crate that it is after.
    fn both(vectors: Level, audio: &[[i16; FRAME]]) -> Vec<(u32, u32)> {
        let (mut ours, mut original) = (Score::new(vectors), ::earshot::Detector::default_boxed());
        audio.iter().map(|frame| (ours.of(frame).to_bits(), original.predict_i16(frame).to_bits())).collect()
    }

    /// The vectors that every machine of this kind has, and those that this one has.
    fn vectors() -> [Level; 2] {
        [Level::baseline(), Level::new()]
    }

    /// Noise of this amplitude, from silence to what distorts.
    fn noise(amplitude: i32, frames: usize) -> impl Iterator<Item = [i16; FRAME]> {
        let mut random = 1_u32;
        std::iter::repeat_with(move || {
            std::array::from_fn(|_| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let share = f64::from(random) / f64::from(u32::MAX) - 0.5;
                (2.0 * share * f64::from(amplitude)) as i16
            })
        })
        .take(frames)
    }

    #[test]
    fn the_score_is_that_of_the_original_bit_for_bit() {
        let loudness = [0, 1, 3, 0, 40, 900, 0, 12_000, 90_000, 2];
        let mut audio: Vec<_> = loudness.into_iter().flat_map(|amplitude| noise(amplitude, 60)).collect();
        // A buzz that comes and goes as a voice does.
        audio.extend((0..600_usize).map(|nth| {
            std::array::from_fn(|n| {
                let at = nth * FRAME + n;
                let pulse = if at % 130 < 9 { 9_000 } else { -700 };
                if nth % 25 < 15 { pulse } else { 0 }
            })
        }));
        for vectors in vectors() {
            let differ = both(vectors, &audio).into_iter().position(|(ours, original)| ours != original);
            assert_eq!(differ, None, "the first frame that differs with {vectors:?}");
        }
    }

    #[test]
    fn silence_that_is_only_remembered_gives_the_score_of_silence_that_is_seen() {
        let audio: Vec<_> = noise(8_000, 20).chain(noise(0, 2_000)).chain(noise(8_000, 20)).collect();
        for vectors in vectors() {
            assert!(
                both(vectors, &audio).into_iter().all(|(ours, original)| ours == original),
                "{vectors:?}"
            );
        }
    }

    #[test]
    fn a_frame_of_the_wrong_size_is_no_speech() {
        let mut detector = Earshot.detector();
        assert_eq!(detector.speech_probability(&[12_000; 100]), 0.0);
        assert_eq!(detector.speech_probability(&[]), 0.0);
    }
}
