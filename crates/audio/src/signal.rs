//! Test signals, mixing and levels: what tests, demos and benchmarks are made of. Everything is computed, nothing is
//! random. Not for the audio path of a call.
//!
//! Amplitudes are fractions of full scale, 0.0 to 1.0; levels are decibels relative to a full-scale square wave (dBFS),
//! so that a full-scale sine has -3 dB.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::SampleRate;

/// A sine of `frequency` Hz that starts at zero.
#[must_use]
pub fn sine(rate: SampleRate, frequency: f64, amplitude: f64, length: Duration) -> Vec<i16> {
    render(rate, amplitude, length, |seconds| frequency * seconds)
}

/// A sine that glides evenly from `start` Hz to `end` Hz.
#[must_use]
pub fn sweep(rate: SampleRate, start: f64, end: f64, amplitude: f64, length: Duration) -> Vec<i16> {
    let slope = (end - start) / length.as_secs_f64();
    render(rate, amplitude, length, |seconds| (start + slope * seconds / 2.0) * seconds)
}

/// Nothing.
#[must_use]
pub fn silence(rate: SampleRate, length: Duration) -> Vec<i16> {
    vec![0; rate.samples_in(length) as usize]
}

/// Even noise over all frequencies; the same `seed` gives the same noise.
#[must_use]
pub fn noise(rate: SampleRate, amplitude: f64, length: Duration, seed: u64) -> Vec<i16> {
    let mut state = seed;
    (0..rate.samples_in(length))
        .map(|_| {
            // SplitMix64 (Steele, Lea, Flood 2014).
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let evenly = (z ^ (z >> 31)) as i64 as f64 / 2f64.powi(63);
            quantize(amplitude * evenly)
        })
        .collect()
}

/// Adds `other` to `base` from its sample `at` on; `base` grows where `other` reaches further. Loud sums saturate.
pub fn mix(base: &mut Vec<i16>, other: &[i16], at: usize) {
    base.resize(base.len().max(at + other.len()), 0);
    for (sum, sample) in base[at..].iter_mut().zip(other) {
        *sum = sum.saturating_add(*sample);
    }
}

/// Stereo samples from two sides; the shorter one is followed by silence.
#[must_use]
pub fn interleave(left: &[i16], right: &[i16]) -> Vec<i16> {
    let side = |samples: &[i16], at| samples.get(at).copied().unwrap_or(0);
    (0..left.len().max(right.len())).flat_map(|at| [side(left, at), side(right, at)]).collect()
}

/// The level of `samples` in dBFS; negative infinity for silence and for no samples at all.
#[must_use]
pub fn level(samples: &[i16]) -> f64 {
    let energy: f64 = samples.iter().map(|sample| (f64::from(*sample) / 32_768.0).powi(2)).sum();
    10.0 * (energy / samples.len().max(1) as f64).log10()
}

/// A sine whose phase, in turns, is a function of the time in seconds.
fn render(rate: SampleRate, amplitude: f64, length: Duration, turns: impl Fn(f64) -> f64) -> Vec<i16> {
    (0..rate.samples_in(length))
        .map(|sample| quantize(amplitude * (TAU * turns(sample as f64 / f64::from(rate.hz()))).sin()))
        .collect()
}

fn quantize(value: f64) -> i16 {
    (value * 32_767.0).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn crossings(samples: &[i16]) -> usize {
        samples.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count()
    }

    #[test]
    fn a_sine_has_its_length_frequency_and_level() {
        let tone = sine(SampleRate::EAR, 440.0, 0.5, SECOND);
        assert_eq!(tone.len(), 16_000);
        assert_eq!(crossings(&tone), 439);
        assert!((level(&tone) - (-9.03)).abs() < 0.01, "{}", level(&tone));
    }

    #[test]
    fn a_sweep_passes_through_the_mean_frequency() {
        let glide = sweep(SampleRate::EAR, 100.0, 900.0, 0.5, SECOND);
        assert!((498..=500).contains(&crossings(&glide)), "{}", crossings(&glide));
        assert!(crossings(&glide[..8_000]) < 200, "the first half is the lower one");
    }

    #[test]
    fn noise_repeats_with_its_seed_and_only_then() {
        let noise_of = |seed| noise(SampleRate::EAR, 0.5, SECOND, seed);
        assert_eq!(noise_of(7), noise_of(7));
        assert_ne!(noise_of(7), noise_of(8));
        assert!((level(&noise_of(7)) - (-10.8)).abs() < 0.2, "{}", level(&noise_of(7)));
    }

    #[test]
    fn silence_has_no_level() {
        assert_eq!(level(&silence(SampleRate::EAR, SECOND)), f64::NEG_INFINITY);
        assert_eq!(level(&[]), f64::NEG_INFINITY);
    }

    #[test]
    fn a_mix_grows_to_hold_both_and_saturates() {
        let mut base = vec![1, 30_000];
        mix(&mut base, &[30_000, 5], 1);
        assert_eq!(base, [1, i16::MAX, 5]);
        mix(&mut base, &[7], 4);
        assert_eq!(base, [1, i16::MAX, 5, 0, 7]);
    }

    #[test]
    fn two_sides_of_different_length_interleave() {
        assert_eq!(interleave(&[1, 2], &[9]), [1, 9, 2, 0]);
    }
}
