//! From a rate of the wire to the low rate at which sides are compared: a triangle over twice as many samples as become one, then a
//! gentle lift of the higher half, so that the pitch does not outweigh everything. In whole numbers up to there, which are exact.

use antiphon_audio::SampleRate;

/// Samples per second at the low rate.
pub(super) const RATE: u64 = 2_000;
/// How much of the sample before is taken off one.
const LIFT: f32 = 0.7;

/// Goes down to [`RATE`].
#[derive(Debug)]
pub(super) struct Decimator {
    factor: Factor,
    /// What has come of the samples that become one.
    begun: Sums,
    filled: i32,
    /// Those that became one before.
    before: Sums,
    last: f32,
}

/// How many samples become one: for each a loop of its own, which has no remainder and is done in vectors.
#[derive(Debug, Clone, Copy)]
enum Factor {
    Four = 4,
    Eight = 8,
    Twelve = 12,
    Sixteen = 16,
    TwentyFour = 24,
}

/// Of samples that stand one behind the other.
#[derive(Debug, Default, Clone, Copy)]
struct Sums {
    plain: i32,
    /// The first once, the second twice, and so on.
    rising: i32,
}

impl Decimator {
    /// From this rate, if whole numbers of its samples make one.
    pub(super) fn new(from: SampleRate) -> Option<Self> {
        let factor = match from.hz() {
            8_000 => Factor::Four,
            16_000 => Factor::Eight,
            24_000 => Factor::Twelve,
            32_000 => Factor::Sixteen,
            48_000 => Factor::TwentyFour,
            _ => return None,
        };
        Some(Self::by(factor))
    }

    /// From the 16 kHz that the user's side has everywhere.
    pub(super) fn of_ear() -> Self {
        Self::by(Factor::Eight)
    }

    fn by(factor: Factor) -> Self {
        Self { factor, begun: Sums::default(), filled: 0, before: Sums::default(), last: 0.0 }
    }

    pub(super) fn process(&mut self, samples: &[i16], out: impl FnMut(f32)) {
        match self.factor {
            Factor::Four => self.process_by::<4>(samples, out),
            Factor::Eight => self.process_by::<8>(samples, out),
            Factor::Twelve => self.process_by::<12>(samples, out),
            Factor::Sixteen => self.process_by::<16>(samples, out),
            Factor::TwentyFour => self.process_by::<24>(samples, out),
        }
    }

    fn process_by<const N: usize>(&mut self, samples: &[i16], mut out: impl FnMut(f32)) {
        let missing = (N - self.filled as usize) % N;
        let (first, samples) = samples.split_at(missing.min(samples.len()));
        self.begin(first, &mut out);
        // What follows is taken whole, most often all of it.
        let (groups, last) = samples.as_chunks::<N>();
        for group in groups {
            let mut sums = Sums::default();
            for (sample, weight) in group.iter().zip(1..) {
                sums.plain += i32::from(*sample);
                sums.rising += i32::from(*sample) * weight;
            }
            out(self.take(sums));
        }
        self.begin(last, &mut out);
    }

    fn begin(&mut self, samples: &[i16], mut out: impl FnMut(f32)) {
        for sample in samples {
            self.filled += 1;
            self.begun.plain += i32::from(*sample);
            self.begun.rising += i32::from(*sample) * self.filled;
            if self.filled == self.factor as i32 {
                self.filled = 0;
                let sums = std::mem::take(&mut self.begun);
                out(self.take(sums));
            }
        }
    }

    /// The triangle rises over the latest samples and falls over those before.
    fn take(&mut self, sums: Sums) -> f32 {
        let factor = self.factor as i32;
        let falling = factor * self.before.plain - self.before.rising;
        let level = (sums.rising + falling) as f32 / (factor * factor) as f32;
        self.before = sums;
        let lifted = level - LIFT * self.last;
        self.last = level;
        lifted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimated(from: u32, samples: &[i16], pieces: usize) -> Vec<f32> {
        let mut decimator = Decimator::new(SampleRate::new(from).unwrap()).unwrap();
        let mut out = Vec::new();
        for piece in samples.chunks(pieces) {
            decimator.process(piece, |sample| out.push(sample));
        }
        out
    }

    /// A tone of 200 Hz, and one of a rate that becomes silence.
    fn tones(rate: u32) -> Vec<i16> {
        let turn = |hz: f64, nth: u32| (f64::from(nth) * hz * std::f64::consts::TAU / f64::from(rate)).sin();
        (0..rate).map(|nth| (10_000.0 * turn(200.0, nth) + 10_000.0 * turn(2_000.0, nth)) as i16).collect()
    }

    #[test]
    fn every_rate_becomes_the_same() {
        let ear = decimated(16_000, &tones(16_000), 320);
        assert_eq!(ear.len(), 2_000);
        for rate in [8_000, 24_000, 32_000, 48_000] {
            let other = decimated(rate, &tones(rate), 320);
            assert_eq!(other.len(), 2_000);
            // Each stands at the middle of its samples, which differs by less than one of 8 kHz.
            let difference = ear.iter().zip(&other).skip(2).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(difference < 900.0, "{rate} Hz: {difference}");
        }
        let loudest = ear.iter().skip(2).copied().fold(0.0, f32::max);
        assert!(loudest > 4_000.0 && loudest < 8_000.0, "{loudest}");
    }

    #[test]
    fn pieces_make_no_difference() {
        for rate in [8_000, 16_000, 24_000, 32_000, 48_000] {
            let tones = tones(rate);
            let whole = decimated(rate, &tones, usize::MAX);
            for pieces in [1, 5, 7, 23, 320, 441] {
                assert_eq!(decimated(rate, &tones, pieces), whole, "{rate} Hz in pieces of {pieces}");
            }
        }
    }

    #[test]
    fn the_loudest_noise_there_is_does_not_overflow() {
        for edge in [i16::MIN, i16::MAX] {
            let out = decimated(48_000, &[edge; 4_800], 480);
            let settled = f32::from(edge) * (1.0 - LIFT);
            assert!((out[50] - settled).abs() < 1.0, "{} is not {settled}", out[50]);
        }
    }
}
