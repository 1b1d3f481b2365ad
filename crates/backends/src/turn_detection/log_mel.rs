//! The last eight seconds of a voice as a picture: how loud each of 80 bands is, a hundred times a second.
//!
//! These are the features that Whisper's encoder was trained on (OpenAI's Whisper, `log_mel_spectrogram`), computed as smart-turn
//! wants them: the waveform brought to zero mean and unit variance, silence in front of what is shorter. Errors here do not show as
//! errors but as bad judgements, so the numbers are held against a reference in the tests. It must not know of models.

use std::fmt;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// Bands, from low to high.
pub const MELS: usize = 80;
/// Steps of 10 ms, from old to new.
pub const FRAMES: usize = 800;
/// What is heard, in samples: 8 s at 16 kHz.
pub const SAMPLES: usize = FRAMES * HOP;

/// Samples a second.
const RATE: f64 = 16_000.0;
/// Samples in a step.
const HOP: usize = 160;
/// Samples that are looked at for a step: 12.5 ms to each side of it.
const WINDOW: usize = 400;
/// Frequencies that a window is taken apart into, 40 Hz from each other.
const BINS: usize = WINDOW / 2 + 1;
/// Power below which there is nothing.
const FLOOR: f64 = 1e-10;
/// How far below the loudest place a quiet one may lie, in powers of ten.
const RANGE: f64 = 8.0;
/// Keeps the variance of silence from being nothing.
const LEAST_VARIANCE: f64 = 1e-7;

/// What is needed for any number of pictures.
pub struct LogMel {
    fft: Arc<dyn RealToComplex<f64>>,
    /// A Hann window, periodic.
    window: Vec<f64>,
    bands: Vec<Band>,
}

/// A triangle over neighbouring bins.
struct Band {
    first: usize,
    weights: Vec<f64>,
}

impl LogMel {
    /// Plans the work.
    #[must_use]
    pub fn new() -> Self {
        let turn = std::f64::consts::TAU / WINDOW as f64;
        Self {
            fft: RealFftPlanner::new().plan_fft_forward(WINDOW),
            window: (0..WINDOW).map(|at| 0.5 - 0.5 * (turn * at as f64).cos()).collect(),
            bands: bands(),
        }
    }

    /// The features of the last [`SAMPLES`] of 16 kHz mono, [`MELS`] rows of [`FRAMES`], mostly between -1 and 1.
    #[must_use]
    pub fn features(&self, samples: &[i16]) -> Vec<f32> {
        let voice = normalized(&samples[samples.len().saturating_sub(SAMPLES)..]);
        let mut frame = self.fft.make_input_vec();
        let mut spectrum = self.fft.make_output_vec();
        let mut scratch = self.fft.make_scratch_vec();
        let mut picture = vec![0.0; MELS * FRAMES];
        let mut loudest = f64::MIN;
        for step in 0..FRAMES {
            for ((value, weight), at) in frame.iter_mut().zip(&self.window).zip(step * HOP..) {
                *value = f64::from(voice[mirrored(at)]) * weight;
            }
            self.fft
                .process_with_scratch(&mut frame, &mut spectrum, &mut scratch)
                .expect("the vectors are of the plan's lengths");
            for (row, band) in self.bands.iter().enumerate() {
                let value = band.power(&spectrum).max(FLOOR).log10();
                loudest = loudest.max(value);
                picture[row * FRAMES + step] = value;
            }
        }
        picture.iter().map(|value| ((value.max(loudest - RANGE) + 4.0) / 4.0) as f32).collect()
    }
}

impl Default for LogMel {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LogMel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogMel").finish_non_exhaustive()
    }
}

impl Band {
    fn power(&self, spectrum: &[Complex<f64>]) -> f64 {
        self.weights.iter().zip(&spectrum[self.first..]).map(|(weight, bin)| weight * bin.norm_sqr()).sum()
    }
}

/// Eight seconds that end with these samples, with zero mean and unit variance; the silence in front counts.
fn normalized(samples: &[i16]) -> Vec<f32> {
    let count = SAMPLES as f64;
    let full_scale = |sample: &i16| f64::from(*sample) / 32_768.0;
    let mean = samples.iter().map(full_scale).sum::<f64>() / count;
    let silence = SAMPLES - samples.len();
    let spread: f64 = samples.iter().map(|sample| (full_scale(sample) - mean).powi(2)).sum();
    let variance = (spread + silence as f64 * mean * mean) / count;
    let scale = (variance + LEAST_VARIANCE).sqrt().recip();
    let value = |sample: f64| ((sample - mean) * scale) as f32;
    std::iter::repeat_n(0.0, silence).chain(samples.iter().map(full_scale)).map(value).collect()
}

/// Where the sample is that stands at this place once half a window was put before the voice and behind it: what is near the ends,
/// mirrored at them.
fn mirrored(at: usize) -> usize {
    let inside = at.abs_diff(WINDOW / 2);
    if inside < SAMPLES { inside } else { 2 * (SAMPLES - 1) - inside }
}

/// Triangles that are equally wide on the mel scale from 0 Hz to 8 kHz, each with the same area (Slaney).
fn bands() -> Vec<Band> {
    let top = to_mel(RATE / 2.0);
    let corner = |index: usize| from_mel(top * index as f64 / (MELS + 1) as f64);
    let frequency = |bin: usize| bin as f64 * RATE / WINDOW as f64;
    (0..MELS)
        .map(|index| {
            let (low, middle, high) = (corner(index), corner(index + 1), corner(index + 2));
            let inside = |bin: &usize| (low..high).contains(&frequency(*bin));
            let first = (0..BINS).find(inside).unwrap_or(BINS);
            let weight = |bin: usize| {
                let rising = (frequency(bin) - low) / (middle - low);
                let falling = (high - frequency(bin)) / (high - middle);
                2.0 / (high - low) * rising.min(falling)
            };
            Band { first, weights: (first..BINS).take_while(inside).map(weight).collect() }
        })
        .collect()
}

/// Slaney's mel scale: straight to 1 kHz, which is 15 mel, and logarithmic from there on, 27 mel to the factor 6.4.
fn to_mel(hertz: f64) -> f64 {
    if hertz < 1_000.0 { hertz * 3.0 / 200.0 } else { 15.0 + (hertz / 1_000.0).ln() * 27.0 / 6.4_f64.ln() }
}

fn from_mel(mel: f64) -> f64 {
    if mel < 15.0 { mel * 200.0 / 3.0 } else { 1_000.0 * ((mel - 15.0) * 6.4_f64.ln() / 27.0).exp() }
}
