//! Conversion between rates of a small ratio, such as 3 to 1 or 2 to 3, with a filter of our own: for each of the places that
//! output may have between two input samples (its phase) the taps that count there, and a sum of products.
//!
//! Owns the taps, which all streams share, and of a stream the samples that later output still needs. Waits for no block, so
//! that it holds back 24 samples of the lower rate and no more, and its state is a few hundred bytes.
//!
//! It is compiled for each kind of vectors there is. No step rounds otherwise on one machine than on another, so that a
//! recording is heard alike wherever it is replayed.

use std::sync::OnceLock;

use fearless_simd::{Level, dispatch};

use super::to_nearest;
use crate::SampleRate;

/// How far the filter reaches to either side, in samples of the lower rate. With the window below it is flat to 0.86 of the
/// lower Nyquist frequency and lets nothing through from 1.11 of it on.
const REACH: usize = 24;
/// Where it has halved, as a part of the lower Nyquist frequency: in the middle of that.
const CUTOFF: f64 = 0.985;
/// The window's shape (Kaiser): what is not to come through is 94 dB down.
const SHAPE: f64 = 0.1102 * (94.0 - 8.7);
/// The largest number in a ratio of rates that has a filter. 8 to 3 is between 32 and 12 kHz.
const LARGEST: usize = 8;
/// Groups of output that are worked out in one go: 20 ms of 8 kHz.
const BLOCK: usize = 160;
/// Sums that are worked out beside each other: as many as registers hold, so that none waits for the one before.
const LANES: usize = 80;
/// Room for what the first taps of a block's last group reach, and its last.
const ROW: usize = BLOCK + 2 * REACH + 16;
/// Room for a block's input and what the taps reach before and behind it.
const STREAM: usize = BLOCK * LARGEST + (2 * REACH + 2) * LARGEST;

/// The filter between two rates. Input comes in groups of `down` samples and goes out in groups of `up`.
#[derive(Debug)]
struct Bank {
    up: usize,
    down: usize,
    /// How many input samples before the first of a group its output is made of.
    before: usize,
    /// How many samples a group's output is made of, from `before` on.
    span: usize,
    /// The taps of each phase, for each place in a group of input: `taps[phase][place]` meets every `down`th sample.
    taps: Vec<Vec<Vec<f32>>>,
}

impl Bank {
    fn new(up: usize, down: usize) -> Self {
        // Distances count at `up` times the input's rate, at which input and output are both whole numbers.
        let reach = REACH * up.max(down);
        let before = reach / up;
        let span = before + (reach + (up - 1) * down) / up + 1;
        let tap = |phase: usize, sample: usize| {
            let (sample, output) = (sample as f64 - before as f64, (phase * down) as f64);
            (up as f64 * low_pass(sample * up as f64 - output, up.max(down) as f64, reach as f64)) as f32
        };
        let taps = (0..up)
            .map(|phase| {
                let place = |place| (place..span).step_by(down).map(|sample| tap(phase, sample)).collect();
                (0..down).map(place).collect()
            })
            .collect();
        Self { up, down, before, span, taps }
    }

    /// The filter between these rates, which is made once.
    fn between(from: SampleRate, to: SampleRate) -> Option<&'static Self> {
        static BANKS: [OnceLock<Bank>; LARGEST * LARGEST] = [const { OnceLock::new() }; LARGEST * LARGEST];
        let (from, to) = (from.hz() as usize, to.hz() as usize);
        let common = greatest_common_divisor(from, to);
        let (up, down) = (to / common, from / common);
        if up.max(down) > LARGEST {
            return None;
        }
        let place = (up - 1) * LARGEST + down - 1;
        Some(BANKS[place].get_or_init(|| Self::new(up, down)))
    }
}

/// A low-pass filter that reaches `reach` to either side, for a rate that is lower by `ratio`.
fn low_pass(distance: f64, ratio: f64, reach: f64) -> f64 {
    if distance.abs() > reach {
        return 0.0;
    }
    let turns = std::f64::consts::PI * CUTOFF * distance / ratio;
    let sine = if distance == 0.0 { 1.0 } else { turns.sin() / turns };
    let window = bessel(SHAPE * (1.0 - (distance / reach).powi(2)).sqrt()) / bessel(SHAPE);
    CUTOFF * sine * window / ratio
}

/// The modified Bessel function of the first kind and order 0.
fn bessel(x: f64) -> f64 {
    let term = |term: &mut f64, n: i32| {
        *term *= (x / 2.0 / f64::from(n)).powi(2);
        Some(*term)
    };
    1.0 + (1..64).scan(1.0, term).sum::<f64>()
}

const fn greatest_common_divisor(mut a: usize, mut b: usize) -> usize {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// One stream.
#[derive(Debug)]
pub(super) struct Polyphase {
    bank: &'static Bank,
    vectors: Level,
    /// What the next group of output is made of, as far as it has come.
    tail: Vec<i16>,
}

impl Polyphase {
    /// A stream's filter, if the rates have one.
    pub(super) fn new(from: SampleRate, to: SampleRate) -> Option<Self> {
        let bank = Bank::between(from, to)?;
        Some(Self::on(bank, Level::new()))
    }

    fn on(bank: &'static Bank, vectors: Level) -> Self {
        let mut filter = Self { bank, vectors, tail: Vec::with_capacity(bank.span) };
        filter.reset();
        filter
    }

    /// How many output samples are still owed after input of whole groups.
    pub(super) const fn delay(&self) -> usize {
        (self.bank.span - 1 - self.bank.before) / self.bank.down * self.bank.up
    }

    pub(super) const fn ready(&self, taken: u64) -> u64 {
        let Bank { up, down, before, span, .. } = *self.bank;
        (taken + (before + down) as u64).saturating_sub(span as u64) / down as u64 * up as u64
    }

    /// Pushes silence behind the stream until there is output up to `end`.
    pub(super) fn drain(&mut self, output: &mut Vec<i16>, end: usize) {
        while output.len() < end {
            self.process(&[0; LANES], output);
        }
    }

    pub(super) fn reset(&mut self) {
        // Silence was before the stream.
        self.tail.clear();
        self.tail.resize(self.bank.before, 0);
    }

    pub(super) fn process(&mut self, input: &[i16], output: &mut Vec<i16>) {
        for piece in input.chunks(BLOCK * self.bank.down) {
            // Steps that are known are taken several at a time.
            match self.bank.down {
                1 => dispatch!(self.vectors, _ => self.filter::<1>(piece, output)),
                2 => dispatch!(self.vectors, _ => self.filter::<2>(piece, output)),
                3 => dispatch!(self.vectors, _ => self.filter::<3>(piece, output)),
                _ => dispatch!(self.vectors, _ => self.filter::<LARGEST>(piece, output)),
            }
        }
    }

    /// Takes at most a block, of groups of at most `DOWN` samples.
    #[inline(always)]
    fn filter<const DOWN: usize>(&mut self, piece: &[i16], output: &mut Vec<i16>) {
        let Bank { up, span, .. } = *self.bank;
        let down = if DOWN == LARGEST { self.bank.down } else { DOWN };
        let (waiting, length) = (self.tail.len(), self.tail.len() + piece.len());
        let mut stream = [0_i16; STREAM];
        stream[..waiting].copy_from_slice(&self.tail);
        stream[waiting..length].copy_from_slice(piece);
        let groups = (length + down).saturating_sub(span) / down;

        // A row holds what is at one place of each group of input, so that sums next to each other are of samples that are.
        let mut rows = [[0.0_f32; ROW]; DOWN];
        for (place, row) in rows.iter_mut().enumerate().take(down) {
            for (slot, sample) in row.iter_mut().zip(stream[place..length].iter().step_by(down)) {
                *slot = f32::from(*sample);
            }
        }
        let begin = output.len();
        output.resize(begin + groups * up, 0);
        for (phase, taps) in self.bank.taps.iter().enumerate() {
            let sums = sums(&rows, taps, groups);
            let of_phase = output[begin..].iter_mut().skip(phase).step_by(up);
            for (slot, sum) in of_phase.zip(&sums) {
                *slot = *sum;
            }
        }
        self.tail.clear();
        self.tail.extend_from_slice(&stream[groups * down..length]);
    }
}

/// Output of one phase: of each group, the products of its taps and what they meet.
#[inline(always)]
fn sums(rows: &[[f32; ROW]], taps: &[Vec<f32>], groups: usize) -> [i16; BLOCK] {
    let mut rounded = [0; BLOCK];
    for (start, rounded) in (0..groups).step_by(LANES).zip(rounded.chunks_exact_mut(LANES)) {
        let mut sums = [0.0_f32; LANES];
        for (row, taps) in rows.iter().zip(taps) {
            for (samples, tap) in row[start..].array_windows::<LANES>().zip(taps) {
                for (sum, sample) in sums.iter_mut().zip(samples) {
                    *sum += sample * tap;
                }
            }
        }
        for (slot, sum) in rounded.iter_mut().zip(&sums) {
            *slot = to_nearest(*sum);
        }
    }
    rounded
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::signal;

    #[test]
    fn every_kind_of_vectors_gives_the_same_samples() {
        let mut pairs = 0;
        for from in SampleRate::ALL {
            let input = signal::noise(from, 0.9, Duration::from_millis(200), 3);
            for bank in SampleRate::ALL.into_iter().filter_map(|to| Bank::between(from, to)) {
                let [plain, wide] = [Level::baseline(), Level::new()].map(|vectors| {
                    let mut output = Vec::new();
                    let mut filter = Polyphase::on(bank, vectors);
                    filter.process(&input, &mut output);
                    let end = output.len() + filter.delay();
                    filter.drain(&mut output, end);
                    output
                });
                assert!(plain == wide, "{from} by {} to {}", bank.down, bank.up);
                pairs += 1;
            }
        }
        assert_eq!(
            pairs, 40,
            "six rates of 4 kHz with each other, and two of compact discs, each with itself"
        );
    }
}
