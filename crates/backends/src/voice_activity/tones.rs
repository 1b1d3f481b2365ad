//! Key tones: does a frame hold nothing but a DTMF pair?
//!
//! Owns the arithmetic of eight Goertzel filters. It must not know which key was pressed: that is for whoever decodes keys.

use std::f32::consts::TAU;

use fearless_simd::{Level, dispatch};

/// The rows and columns of the keypad (ITU-T Q.23), in hertz: first the four low tones, then the four high ones.
const DTMF_HZ: [f32; 8] = [697.0, 770.0, 852.0, 941.0, 1_209.0, 1_336.0, 1_477.0, 1_633.0];
const SAMPLE_RATE: f32 = 16_000.0;

/// The share of a frame's energy that the strongest low and the strongest high tone hold together in a key tone. A pure one
/// reaches 0.9 and more in 16 ms; voiced speech spreads over its harmonics and stays below 0.6.
const PAIR_SHARE: f32 = 0.8;
/// The share that each of the two must hold alone: lines may favour one of them by some 8 dB.
const SINGLE_SHARE: f32 = 0.1;
/// Mean square of a sample below which a frame is silence and not worth the question (about -60 dBFS).
const QUIET: f32 = 1_000.0;

/// Notices frames that hold one low and one high tone and next to nothing else.
#[derive(Debug)]
pub(super) struct TwoTones {
    /// `2 cos w` of each filter.
    coefficients: [f32; 8],
}

impl TwoTones {
    pub(super) fn dtmf() -> Self {
        Self { coefficients: DTMF_HZ.map(|hz| 2.0 * (TAU * hz / SAMPLE_RATE).cos()) }
    }

    /// Whether the tones fill the frame (16 kHz mono, 10 to 40 ms).
    pub(super) fn fill(&self, frame: &[i16]) -> bool {
        // Most frames of most calls, and not worth the filters.
        if frame.iter().all(|sample| *sample == 0) {
            return false;
        }
        dispatch!(Level::new(), _ => self.filtered(frame))
    }

    #[inline(always)]
    fn filtered(&self, frame: &[i16]) -> bool {
        let mut energy = 0.0_f32;
        let mut last = [0.0_f32; 8];
        let mut before = [0.0_f32; 8];
        for &sample in frame {
            let sample = f32::from(sample);
            energy += sample * sample;
            for filter in 0..8 {
                // In this order, only a product and a sum wait for the step before.
                let next = (sample - before[filter]) + self.coefficients[filter] * last[filter];
                before[filter] = last[filter];
                last[filter] = next;
            }
        }
        let length = frame.len() as f32;
        if energy < QUIET * length {
            return false;
        }
        let share = |filter: usize| {
            let (s1, s2) = (last[filter], before[filter]);
            let power = s1 * s1 + s2 * s2 - self.coefficients[filter] * s1 * s2;
            // A sine that fills the frame has the energy `2 power / length`.
            2.0 * power / length / energy
        };
        let low = (0..4).map(share).fold(0.0, f32::max);
        let high = (4..8).map(share).fold(0.0, f32::max);
        low >= SINGLE_SHARE && high >= SINGLE_SHARE && low + high >= PAIR_SHARE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tones(hz: &[f32], samples: usize) -> Vec<i16> {
        (0..samples)
            .map(|n| {
                hz.iter().map(|hz| 6_000.0 * (TAU * hz * n as f32 / SAMPLE_RATE).sin()).sum::<f32>() as i16
            })
            .collect()
    }

    #[test]
    fn every_key_is_noticed_in_every_full_frame() {
        let guard = TwoTones::dtmf();
        for row in &DTMF_HZ[..4] {
            for column in &DTMF_HZ[4..] {
                let audio = tones(&[*row, *column], 4_096);
                assert!(audio.chunks_exact(256).all(|frame| guard.fill(frame)), "{row} Hz and {column} Hz");
            }
        }
    }

    #[test]
    fn a_single_tone_a_voice_like_sound_and_silence_are_no_keys() {
        let guard = TwoTones::dtmf();
        let harmonics: Vec<f32> = (1..20).map(|n| 120.0 * n as f32).collect();
        for sound in [tones(&[697.0], 256), tones(&[440.0, 480.0], 256), tones(&harmonics, 256), vec![0; 256]]
        {
            assert!(!guard.fill(&sound));
        }
    }
}
