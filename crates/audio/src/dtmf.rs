//! The tones of telephone keys (DTMF): two sines each, one of a low and one of a high group (ITU-T Q.23).
//!
//! Made from an exact phase for every sample, so that the frequencies hold however long a key is pressed. Knows no call.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::rate::SampleRate;

/// The keys by rows of the low group and columns of the high one.
const KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];
/// Frequencies of the rows and of the columns, in Hz (ITU-T Q.23).
const LOW: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
/// Amplitudes as parts of full scale. The high group is 2 dB louder, since lines lose more of it (ITU-T Q.24 allows 4 dB), and
/// both together stay clear of full scale.
const LOW_LEVEL: f64 = 0.25;
const HIGH_LEVEL: f64 = 0.315;
/// A tone swells and fades for this long, so that it does not click.
const RAMP: Duration = Duration::from_millis(2);

/// A key of a telephone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DtmfKey {
    row: usize,
    column: usize,
}

impl DtmfKey {
    /// The key with this sign: `0` to `9`, `*`, `#`, `A` to `D` in either case.
    #[must_use]
    pub fn new(sign: char) -> Option<Self> {
        let sign = sign.to_ascii_uppercase();
        KEYS.iter().enumerate().find_map(|(row, keys)| {
            let column = keys.iter().position(|key| *key == sign)?;
            Some(Self { row, column })
        })
    }

    /// The sign on the key.
    #[must_use]
    pub fn sign(self) -> char {
        KEYS[self.row][self.column]
    }

    /// The two frequencies, in Hz.
    #[must_use]
    pub fn frequencies(self) -> (f64, f64) {
        (LOW[self.row], HIGH[self.column])
    }

    /// The sound of the key while it is pressed for `length`, added to `out`.
    pub fn press(self, length: Duration, rate: SampleRate, out: &mut Vec<i16>) {
        let count = rate.samples_in(length);
        let ramp = rate.samples_in(RAMP).min(count / 2).max(1) as f64;
        let (low, high) = self.frequencies();
        let per_sample = TAU / f64::from(rate.hz());
        out.extend((0..count).map(|index| {
            let at = index as f64 * per_sample;
            let edge = (index.min(count - 1 - index) as f64 / ramp).min(1.0);
            let sound = LOW_LEVEL * (low * at).sin() + HIGH_LEVEL * (high * at).sin();
            (edge * sound * f64::from(i16::MAX)) as i16
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much of a frequency is in the samples, as a part of full scale (Goertzel).
    fn level(samples: &[i16], hz: f64, rate: SampleRate) -> f64 {
        let step = TAU * hz / f64::from(rate.hz());
        let (mut real, mut imaginary) = (0.0, 0.0);
        for (index, sample) in samples.iter().enumerate() {
            let value = f64::from(*sample) / f64::from(i16::MAX);
            real += value * (step * index as f64).cos();
            imaginary += value * (step * index as f64).sin();
        }
        2.0 * f64::hypot(real, imaginary) / samples.len() as f64
    }

    #[test]
    fn each_key_sounds_in_its_two_frequencies_and_no_other() {
        for rate in [8_000, 16_000, 48_000].map(|hz| SampleRate::new(hz).unwrap()) {
            for sign in "0123456789*#ABCD".chars() {
                let key = DtmfKey::new(sign).unwrap();
                assert_eq!(key.sign(), sign);
                let mut samples = Vec::new();
                key.press(Duration::from_millis(200), rate, &mut samples);
                assert_eq!(samples.len() as u64, rate.samples_in(Duration::from_millis(200)));
                let (low, high) = key.frequencies();
                for hz in LOW.into_iter().chain(HIGH) {
                    let found = level(&samples, hz, rate);
                    let expected = if hz == low {
                        LOW_LEVEL
                    } else if hz == high {
                        HIGH_LEVEL
                    } else {
                        0.0
                    };
                    assert!((found - expected).abs() < 0.02, "{sign} at {hz} Hz: {found}");
                }
            }
        }
    }

    #[test]
    fn signs_are_taken_in_either_case_and_others_are_none() {
        assert_eq!(DtmfKey::new('d').map(DtmfKey::sign), Some('D'));
        for sign in ['E', ' ', '１', ','] {
            assert_eq!(DtmfKey::new(sign), None);
        }
    }

    #[test]
    fn a_tone_begins_and_ends_without_a_click_and_never_clips() {
        let mut samples = Vec::new();
        DtmfKey::new('5').unwrap().press(
            Duration::from_millis(40),
            SampleRate::new(8_000).unwrap(),
            &mut samples,
        );
        assert_eq!((samples[0], samples[samples.len() - 1]), (0, 0));
        let loudest = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!((10_000..20_000).contains(&loudest), "{loudest}");
        let mut nothing = Vec::new();
        DtmfKey::new('5').unwrap().press(Duration::ZERO, SampleRate::new(8_000).unwrap(), &mut nothing);
        assert_eq!(nothing, []);
    }
}
