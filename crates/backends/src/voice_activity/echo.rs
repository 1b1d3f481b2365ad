//! Is that the agent's own voice coming back? Compares what the user's microphone picks up with what the user's loudspeaker
//! plays, sample by sample at a low rate, over all delays that a room, a loudspeaker and a network may have.
//!
//! Pure: no clock, no allocation per frame. Knows samples and delays; what is done with an echo is the [`EchoGate`]'s business.
//!
//! Both sides are brought to 2 kHz, where a voice has most of its power and a comparison over 800 ms of delays costs about a
//! hundred microseconds. Unrelated speech correlates there with less than 0.37 in 95 of 100 windows of 192 ms, an echo from a
//! reverberant room with noise with more than 0.5.

mod decimator;
mod gate;

pub use gate::EchoGate;

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use antiphon_audio::{PcmReader, Resampler, SampleRate};
use decimator::{Decimator, RATE};
use fearless_simd::{Level, dispatch};

/// The window that is compared: 192 ms.
const WINDOW: usize = 384;
/// The longest delay that is looked for: 800 ms.
const LONGEST_DELAY: usize = 1_600;
/// What the window may be like.
const REACH: usize = LONGEST_DELAY + WINDOW;
/// How much a delay that is known may change from one look to the next: 32 ms.
const NEARBY: usize = 64;
/// How far behind the present the reference is kept: the longest delay, the window, and a client that sends its audio in pieces
/// of up to half a second.
const KEPT_BEHIND: u64 = 3 * RATE / 2;
/// Room for what a client with a small buffer has not played yet, and a piece that is added.
const USUALLY_AHEAD: u64 = RATE / 10;
/// How far ahead of the present the reference is kept, for clients that hold much audio: 64 s, 256 KB.
const KEPT_AHEAD: u64 = 64 * RATE;
/// The mean amplitude, at the low rate, below which nothing is played or heard.
const SILENCE: f32 = 12.0;

/// How the microphone's last window compares with the loudspeaker's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Likeness {
    /// Correlation at the most likely delay, 0 to 1.
    pub(super) correlation: f32,
    /// How loud the microphone is against the loudspeaker at that delay, in amplitude.
    pub(super) gain: f32,
    /// Where in the reference that is; it moves when the network's delay does.
    pub(super) place: usize,
}

/// The loudspeaker's and the microphone's recent past at the low rate.
pub struct Echo {
    pcm: PcmReader,
    /// For a rate that is no multiple of the low one, to 16 kHz.
    resampler: Option<Resampler>,
    raw: Vec<i16>,
    converted: Vec<i16>,
    far_filter: Decimator,
    /// What the client plays, from `far_from` on, on the clock of the wall since the join; halved, so that it fits.
    far: VecDeque<i16>,
    far_from: u64,
    near_filter: Decimator,
    near: VecDeque<f32>,
}

impl Echo {
    /// For a client that is sent audio of this rate.
    #[must_use]
    pub fn new(output_rate: SampleRate) -> Self {
        let (far_filter, resampler) = match Decimator::new(output_rate) {
            Some(decimator) => (decimator, None),
            None => (Decimator::of_ear(), Some(Resampler::new(output_rate, SampleRate::EAR))),
        };
        let mut near = VecDeque::with_capacity(WINDOW + NEARBY);
        near.resize(WINDOW, 0.0);
        Self {
            pcm: PcmReader::default(),
            resampler,
            raw: Vec::new(),
            converted: Vec::new(),
            far_filter,
            far: VecDeque::with_capacity((KEPT_BEHIND + USUALLY_AHEAD) as usize),
            far_from: 0,
            near_filter: Decimator::of_ear(),
            near,
        }
    }

    /// Audio was sent to the client, which plays it at once, or after what it has not played yet. `now` counts from the join.
    pub(super) fn sent(&mut self, audio: &[u8], now: Duration) {
        let present = position(now);
        self.let_go(present);
        let end = self.far_from + self.far.len() as u64;
        if end < present {
            // The client had nothing to play: silence, as much of it as can matter.
            let silence = (present - end).min(KEPT_BEHIND);
            if self.far.is_empty() {
                self.far_from = present - silence;
            }
            self.far.extend(std::iter::repeat_n(0, silence as usize));
        } else if end > present + KEPT_AHEAD {
            return;
        }
        self.raw.clear();
        self.pcm.read(audio, &mut self.raw);
        let samples = match &mut self.resampler {
            Some(resampler) => {
                self.converted.clear();
                resampler.process(&self.raw, &mut self.converted);
                &self.converted
            }
            None => &self.raw,
        };
        let far = &mut self.far;
        self.far_filter.process(samples, |sample| far.push_back((sample / 2.0) as i16));
    }

    /// Forgets what is too long ago to come back.
    fn let_go(&mut self, present: u64) {
        let behind = present.saturating_sub(KEPT_BEHIND).saturating_sub(self.far_from);
        let behind = usize::try_from(behind).unwrap_or(usize::MAX).min(self.far.len());
        self.far.drain(..behind);
        self.far_from += behind as u64;
    }

    /// The client drops what it has not played.
    pub(super) fn cleared(&mut self, now: Duration) {
        let played = position(now).saturating_sub(self.far_from);
        self.far.truncate(usize::try_from(played).unwrap_or(usize::MAX));
    }

    /// Takes what the microphone picked up, at 16 kHz.
    pub(super) fn heard(&mut self, samples: &[i16]) {
        let near = &mut self.near;
        self.near_filter.process(samples, |sample| near.push_back(sample));
        near.drain(..near.len() - WINDOW);
    }

    /// Whether anything was played that could come back now. `now` is when the microphone's last sample came.
    pub(super) fn is_possible(&self, now: Duration) -> bool {
        let from = position(now).saturating_sub(REACH as u64);
        self.far_from + self.far.len() as u64 > from && loudness(&self.reference(now)) >= SILENCE
    }

    /// How loud the microphone's last window is.
    pub(super) fn near_loudness(&self) -> f32 {
        let (front, back) = self.near.as_slices();
        ((front.iter().chain(back).map(|x| x * x).sum::<f32>()) / WINDOW as f32).sqrt()
    }

    /// Compares the microphone's last window with what was played before. `now` is when its last sample came.
    pub(super) fn compare(&self, now: Duration) -> Likeness {
        self.compare_at(now, 0..=LONGEST_DELAY)
    }

    /// The same, when the delay is known and may have changed a little.
    pub(super) fn compare_near(&self, now: Duration, place: usize) -> Likeness {
        self.compare_at(now, place.saturating_sub(NEARBY)..=(place + NEARBY).min(LONGEST_DELAY))
    }

    fn compare_at(&self, now: Duration, places: RangeInclusive<usize>) -> Likeness {
        let reference = self.reference(now);
        let mut window = [0.0; WINDOW];
        window.iter_mut().zip(&self.near).for_each(|(slot, sample)| *slot = *sample);
        dispatch!(Level::new(), _ => best_of(&window, &reference, places))
    }

    /// What was played in the time that the window could echo, the oldest first.
    fn reference(&self, now: Duration) -> [f32; REACH] {
        let mut reference = [0.0; REACH];
        let skip = position(now) as i64 - REACH as i64 - self.far_from as i64;
        let missing = usize::try_from(-skip).unwrap_or(0).min(REACH);
        let from = usize::try_from(skip).unwrap_or(0).min(self.far.len());
        let played = self.far.range(from..).map(|sample| 2.0 * f32::from(*sample));
        reference[missing..].iter_mut().zip(played).for_each(|(slot, sample)| *slot = sample);
        reference
    }
}

/// The place where the window is most like what was played.
#[inline(always)]
fn best_of(window: &[f32; WINDOW], reference: &[f32; REACH], places: RangeInclusive<usize>) -> Likeness {
    let near_power = power(window);
    let mut best = Likeness { correlation: 0.0, gain: 0.0, place: 0 };
    let least = SILENCE * SILENCE * WINDOW as f32;
    if near_power < least {
        return best;
    }
    let mut far_power = power(&reference[*places.start()..places.start() + WINDOW]);
    for start in places {
        let far = &reference[start..start + WINDOW];
        if far_power >= least {
            let product: f32 = dot(window, far);
            let correlation = product.abs() / (near_power * far_power).sqrt();
            if correlation > best.correlation {
                best = Likeness { correlation, gain: (near_power / far_power).sqrt(), place: start };
            }
        }
        if let Some(next) = reference.get(start + WINDOW) {
            far_power = (far_power + next * next - far[0] * far[0]).max(0.0);
        }
    }
    best
}

/// Where on the low-rate clock a moment lies.
fn position(at: Duration) -> u64 {
    u64::try_from(at.as_micros()).unwrap_or(u64::MAX) / (1_000_000 / RATE)
}

#[inline(always)]
fn power(samples: &[f32]) -> f32 {
    dot(samples, samples)
}

fn loudness(samples: &[f32]) -> f32 {
    (power(samples) / samples.len().max(1) as f32).sqrt()
}

/// In eight sums, so that the compiler may use vectors.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests;
