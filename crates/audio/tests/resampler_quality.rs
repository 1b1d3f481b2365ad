//! Measures the resampler, for every pair of rates, and holds it to floors. The figures are printed: run with
//! `--nocapture` to see them.
//!
//! A 16-bit output of a 16-bit input cannot be better than about 95 dB; see the constants for what is demanded.

use std::f64::consts::TAU;
use std::time::Duration;

use antiphon_audio::{Resampler, SampleRate, signal};

/// Signal to everything else (noise, distortion, images, aliases) of a tone, in dB.
const TONE_SNR: f64 = 90.0;
/// The most that any sample may be off the ideal tone, in steps of 16 bits. A click would be hundreds.
const TONE_PEAK_ERROR: f64 = 2.0;
/// Change of level up to half the lower Nyquist frequency, in dB.
const FLATNESS: f64 = 0.01;
/// Change of level at three quarters of the lower Nyquist frequency, in dB; the worst pairs are those of 8 kHz.
const FLATNESS_HIGH: f64 = 0.2;
/// Signal to everything else of a sweep to half the lower Nyquist frequency, in dB.
const SWEEP_SNR: f64 = 75.0;
/// The loudest that a full-scale tone from 1.12 times the new Nyquist frequency on may come through, in dBFS.
const ALIAS: f64 = -90.0;
/// How far the output may be shifted against the input, in samples of the slower stream: a block with an odd number of
/// samples has its middle between two of them.
const SHIFT: f64 = 0.501;

const AMPLITUDE: f64 = 0.9;
const LENGTH: Duration = Duration::from_millis(400);

fn pairs() -> impl Iterator<Item = (SampleRate, SampleRate)> {
    SampleRate::ALL
        .into_iter()
        .flat_map(|from| SampleRate::ALL.map(|to| (from, to)))
        .filter(|(from, to)| from != to)
}

fn lower_nyquist(from: SampleRate, to: SampleRate) -> f64 {
    f64::from(from.min(to).hz()) / 2.0
}

fn resample(from: SampleRate, to: SampleRate, input: &[i16]) -> Vec<i16> {
    let mut output = Vec::new();
    let mut resampler = Resampler::new(from, to);
    // Frames that end anywhere in a block, so that a click at a border would be in what is measured.
    for frame in input.chunks(from.hz() as usize / 73) {
        resampler.process(frame, &mut output);
    }
    resampler.flush(&mut output);
    output
}

/// A tone found in a signal by least squares.
struct Fit {
    amplitude: f64,
    /// Of the sine, at the first sample of the whole output; in turns.
    phase: f64,
    snr: f64,
    peak_error: f64,
}

/// Fits a sine of `frequency` to `samples`, without the first and last 25 ms: the tone begins and ends abruptly.
fn fit(rate: SampleRate, frequency: f64, samples: &[i16]) -> Fit {
    let edge = rate.samples_in(Duration::from_millis(25)) as usize;
    let steady = edge..samples.len() - edge;
    let turns = |at: usize| TAU * frequency * at as f64 / f64::from(rate.hz());
    // Normal equations of a*sin + b*cos.
    let (mut ss, mut cc, mut sc, mut ys, mut yc) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for at in steady.clone() {
        let ((s, c), y) = (turns(at).sin_cos(), f64::from(samples[at]));
        ss += s * s;
        cc += c * c;
        sc += s * c;
        ys += y * s;
        yc += y * c;
    }
    let determinant = ss * cc - sc * sc;
    let (a, b) = ((ys * cc - yc * sc) / determinant, (yc * ss - ys * sc) / determinant);
    let (mut signal, mut error, mut peak_error) = (0.0, 0.0, 0.0f64);
    for at in steady {
        let (s, c) = turns(at).sin_cos();
        let ideal = a * s + b * c;
        let off = f64::from(samples[at]) - ideal;
        signal += ideal * ideal;
        error += off * off;
        peak_error = peak_error.max(off.abs());
    }
    Fit { amplitude: a.hypot(b), phase: b.atan2(a) / TAU, snr: 10.0 * (signal / error).log10(), peak_error }
}

fn tone(from: SampleRate, to: SampleRate, frequency: f64) -> Fit {
    fit(to, frequency, &resample(from, to, &signal::sine(from, frequency, AMPLITUDE, LENGTH)))
}

fn gain(fit: &Fit) -> f64 {
    20.0 * (fit.amplitude / (AMPLITUDE * 32_767.0)).log10()
}

/// How far the output runs ahead of the input, in seconds.
fn shift(from: SampleRate, to: SampleRate) -> f64 {
    let frequency = 211.0; // slow enough that half a turn is more than any delay that could be meant
    tone(from, to, frequency).phase / frequency
}

#[test]
fn tones_come_through_clean_and_at_their_level() {
    println!("from    to      worst SNR  peak error  gain at 0.50 and 0.75 Nyquist");
    for (from, to) in pairs() {
        let nyquist = lower_nyquist(from, to);
        let at = |part: f64| tone(from, to, part * nyquist + 1.7);
        let (half, high) = (at(0.5), at(0.75));
        let low = [at(0.02), at(0.11), at(0.249), at(0.37)];
        let all = || low.iter().chain([&half, &high]);
        let snr = all().map(|fit| fit.snr).fold(f64::INFINITY, f64::min);
        let peak_error = all().map(|fit| fit.peak_error).fold(0.0, f64::max);
        println!(
            "{:<7} {:<7} {snr:6.1} dB  {peak_error:6.2}      {:6.3} dB {:6.3} dB",
            from.hz(),
            to.hz(),
            gain(&half),
            gain(&high)
        );
        assert!(snr >= TONE_SNR, "{from} to {to}: {snr:.1} dB");
        assert!(peak_error <= TONE_PEAK_ERROR, "{from} to {to}: a sample is {peak_error:.1} steps off");
        for fit in low.iter().chain([&half]) {
            assert!(gain(fit).abs() <= FLATNESS, "{from} to {to}: {:.3} dB", gain(fit));
        }
        assert!(gain(&high).abs() <= FLATNESS_HIGH, "{from} to {to}: {:.3} dB", gain(&high));
    }
}

#[test]
fn sweeps_come_through_clean() {
    println!("from    to      sweep SNR");
    for (from, to) in pairs() {
        let end = lower_nyquist(from, to) / 2.0;
        let (start, seconds) = (50.0, LENGTH.as_secs_f64());
        let output = resample(from, to, &signal::sweep(from, start, end, AMPLITUDE, LENGTH));
        let shift = shift(from, to);
        let edge = to.samples_in(Duration::from_millis(25)) as usize;
        let (mut signal, mut error) = (0.0, 0.0);
        for (at, sample) in output.iter().enumerate().take(output.len() - edge).skip(edge) {
            let time = at as f64 / f64::from(to.hz()) + shift;
            let turns = (start + (end - start) * time / seconds / 2.0) * time;
            let ideal = AMPLITUDE * 32_767.0 * (TAU * turns).sin();
            signal += ideal * ideal;
            error += (f64::from(*sample) - ideal).powi(2);
        }
        let snr = 10.0 * (signal / error).log10();
        println!("{:<7} {:<7} {snr:6.1} dB", from.hz(), to.hz());
        assert!(snr >= SWEEP_SNR, "{from} to {to}: {snr:.1} dB");
    }
}

#[test]
fn what_the_lower_rate_cannot_carry_does_not_come_back_as_something_else() {
    println!("from    to      loudest alias");
    for (from, to) in pairs().filter(|(from, to)| from > to) {
        let (nyquist, highest) = (f64::from(to.hz()) / 2.0, f64::from(from.hz()) / 2.0);
        let mut loudest = f64::NEG_INFINITY;
        for part in [1.12, 1.25, 1.5, 1.81, 1.99, 2.5, 3.1, 4.2, 5.6] {
            let frequency = part * nyquist;
            if frequency < highest {
                let output = resample(from, to, &signal::sine(from, frequency, 1.0, LENGTH));
                let edge = to.samples_in(Duration::from_millis(25)) as usize;
                loudest = loudest.max(signal::level(&output[edge..output.len() - edge]));
            }
        }
        println!("{:<7} {:<7} {loudest:6.1} dBFS", from.hz(), to.hz());
        assert!(loudest <= ALIAS, "{from} to {to}: {loudest:.1} dBFS");
    }
}

#[test]
fn output_is_aligned_with_input() {
    println!("from    to      stated delay  shift");
    for (from, to) in pairs() {
        let shift = shift(from, to);
        let delay = Resampler::new(from, to).delay();
        println!("{:<7} {:<7} {delay:8.2?}  {:6.1} us", from.hz(), to.hz(), shift * 1e6);
        let samples = shift.abs() * f64::from(from.min(to).hz());
        assert!(samples <= SHIFT, "{from} to {to} is off by {samples:.2} samples");
    }
}
