//! From the bands of three frames to how much the last of them is like speech: three small convolutions and two recurrent layers.
//!
//! Owns the weights and one stream's memory. Convolutions are in floating point, every sum in the order of the original; recurrent
//! layers are in whole numbers. Seeing a frame and remembering it are two steps: what looks the same does not have to be seen again.

use std::sync::LazyLock;

use super::spectrum::BANDS;

/// Frames that are seen at a time.
const FRAMES: usize = 3;
/// Bands that a convolution covers.
const KERNEL: usize = 3;
const CHANNELS: usize = 16;
/// Places along the bands: of the first convolution, of the largest of every second three, and of the other convolutions.
const ROW: usize = BANDS - KERNEL + 1;
const FIRST: usize = 18;
const SECOND: usize = 9;
const THIRD: usize = 5;
/// What the recurrent layers are given.
const SEEN: usize = THIRD * CHANNELS;
/// Numbers that a recurrent layer remembers.
const UNITS: usize = 64;
/// Next to one, with 24 bits behind the point.
const ONE: i32 = (1 << 24) - 1;

/// All channels of one place, side by side.
type Place = [f32; CHANNELS];
/// What drives a recurrent layer: where to go, and how far to go there.
type Drive = [i32; 2 * UNITS];

/// One stream.
#[derive(Debug)]
pub(super) struct Network {
    /// The last frames' bands, the oldest first.
    frames: [[f32; BANDS]; FRAMES],
    /// What seeing them does to the lower layer.
    drive: Drive,
    lower: [i16; UNITS],
    upper: [i16; UNITS],
}

impl Network {
    pub(super) fn new() -> Self {
        Self { frames: [[0.0; BANDS]; FRAMES], drive: [0; 2 * UNITS], lower: [0; UNITS], upper: [0; UNITS] }
    }

    /// Sees the next frame.
    #[inline(always)]
    pub(super) fn see(&mut self, bands: &[f32; BANDS]) {
        let weights = &**WEIGHTS;
        let mean = bands.iter().map(|level| level * level).sum::<f32>() / BANDS as f32;
        let scale = mean.sqrt().recip();
        self.frames.rotate_left(1);
        for ((to, level), weight) in self.frames[FRAMES - 1].iter_mut().zip(bands).zip(&weights.bands) {
            *to = weight * level * scale;
        }
        let first = weights.first(&self.frames);
        let mut second: [Place; SECOND] = weights.second.apply(&first);
        for number in second.iter_mut().flat_map(|place| place.iter_mut().zip(&weights.second_bias)) {
            *number.0 = (*number.0 + number.1).max(0.0);
        }
        let third: [Place; THIRD] = weights.third.apply(&second);
        let mut seen = [0; SEEN];
        for (to, from) in seen.iter_mut().zip(third.as_flattened()) {
            *to = rounded(from * 32_768.0);
        }
        self.drive = products(&seen, &weights.lower);
    }

    /// Remembers what it saw last, for the length of a frame, and says how much that is like speech, from 0 to 1.
    #[inline(always)]
    pub(super) fn remember(&mut self) -> f32 {
        let weights = &**WEIGHTS;
        go_on(&mut self.lower, &self.drive);
        go_on(&mut self.upper, &products(&self.lower, &weights.upper));
        let [of_lower, of_upper] = &weights.output;
        let sum = product(&self.lower, of_lower) + product(&self.upper, of_upper);
        1.0 / (1.0 + (-(sum as f32 / (1 << 24) as f32)).exp())
    }
}

/// Lets a recurrent layer go on for one frame.
#[inline(always)]
fn go_on(state: &mut [i16; UNITS], drive: &Drive) {
    let (targets, gates) = drive.split_at(UNITS);
    for ((state, target), gate) in state.iter_mut().zip(targets).zip(gates) {
        let gate = i64::from((gate << 2).clamp(0, ONE));
        let next = (i64::from(ONE) - gate) * (i64::from(*state) << 9) + gate * i64::from(*target);
        // Shifted by 33 in two steps, the first of which takes a half: shifts of long numbers with a sign are not among all vectors.
        *state = (((next >> 32) as i32) >> 1).clamp(i16::MIN.into(), i16::MAX.into()) as i16;
    }
}

#[inline(always)]
fn products<const IN: usize>(input: &[i16; IN], weights: &[[i16; IN]; 2 * UNITS]) -> Drive {
    let mut drive = [0; 2 * UNITS];
    for (to, row) in drive.iter_mut().zip(weights) {
        *to = product(input, row);
    }
    drive
}

#[inline(always)]
fn product<const IN: usize>(a: &[i16; IN], b: &[i16; IN]) -> i32 {
    a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
}

/// The nearest whole number, of two as near the one further from zero.
#[inline(always)]
fn rounded(number: f32) -> i16 {
    let number = number.clamp(i16::MIN.into(), i16::MAX.into());
    let whole = number as i32;
    let rest = number - whole as f32;
    (whole + i32::from(rest >= 0.5) - i32::from(rest <= -0.5)) as i16
}

struct Weights {
    bands: [f32; BANDS],
    kernel: [[f32; KERNEL]; FRAMES],
    scale: Place,
    bias: Place,
    second: Convolution,
    second_bias: Place,
    third: Convolution,
    lower: [[i16; SEEN]; 2 * UNITS],
    upper: [[i16; UNITS]; 2 * UNITS],
    output: [[i16; UNITS]; 2],
}

/// Along the bands, channel by channel and every second place, and then a mixture of the channels.
struct Convolution {
    kernel: [Place; KERNEL],
    /// By the channel that goes in.
    mixture: [Place; CHANNELS],
}

impl Convolution {
    #[inline(always)]
    fn apply<const OUT: usize>(&self, input: &[Place]) -> [Place; OUT] {
        let mut out = [[0.0; CHANNELS]; OUT];
        for (nth, out) in out.iter_mut().enumerate() {
            let mut own = [0.0; CHANNELS];
            for (of_kernel, kernel) in self.kernel.iter().enumerate() {
                // What lies before the first place or behind the last is nothing.
                let input = (2 * nth + of_kernel).checked_sub(1).and_then(|at| input.get(at));
                let Some(input) = input else { continue };
                for ((sum, number), weight) in own.iter_mut().zip(input).zip(kernel) {
                    *sum += number * weight;
                }
            }
            for (number, mixture) in own.iter().zip(&self.mixture) {
                for (sum, weight) in out.iter_mut().zip(mixture) {
                    *sum += number * weight;
                }
            }
        }
        out
    }
}

impl Weights {
    /// The first convolution, over bands and frames; of each three places, every second time, the largest.
    #[inline(always)]
    fn first(&self, frames: &[[f32; BANDS]; FRAMES]) -> [Place; FIRST] {
        let mut row = [0.0_f32; ROW];
        for (frame, kernel) in frames.iter().zip(&self.kernel) {
            for (from, weight) in kernel.iter().enumerate() {
                for (sum, level) in row.iter_mut().zip(&frame[from..]) {
                    *sum += level * weight;
                }
            }
        }
        let mut places = [[0.0; CHANNELS]; FIRST];
        for (nth, place) in places.iter_mut().enumerate() {
            let [a, b, c] = [row[2 * nth], row[2 * nth + 1], row[2 * nth + 2]];
            // The largest of each channel is made of one of these, by the sign of its scale.
            let (most, least) = (a.max(b).max(c), a.min(b).min(c));
            for ((to, scale), bias) in place.iter_mut().zip(&self.scale).zip(&self.bias) {
                *to = (most * scale + bias).max(least * scale + bias).max(0.0);
            }
        }
        places
    }
}

static WEIGHTS: LazyLock<Box<Weights>> = LazyLock::new(|| {
    let mut file = File(include_bytes!("weights.bin"));
    let weights = Box::new(Weights {
        bands: file.floats(),
        kernel: [file.floats(), file.floats(), file.floats()],
        scale: file.floats(),
        bias: file.floats(),
        second: file.convolution(),
        second_bias: file.floats(),
        third: file.convolution(),
        lower: std::array::from_fn(|_| file.shorts()),
        upper: std::array::from_fn(|_| file.shorts()),
        output: [file.shorts(), file.shorts()],
    });
    assert!(file.0.is_empty(), "the file that is compiled in holds these weights and no more");
    weights
});

/// What is left of the file of weights.
struct File<'a>(&'a [u8]);

impl File<'_> {
    fn take<const SIZE: usize>(&mut self) -> [u8; SIZE] {
        let (first, rest) =
            self.0.split_first_chunk().expect("the file that is compiled in holds all weights");
        self.0 = rest;
        *first
    }

    fn floats<const COUNT: usize>(&mut self) -> [f32; COUNT] {
        std::array::from_fn(|_| f32::from_le_bytes(self.take()))
    }

    fn shorts<const COUNT: usize>(&mut self) -> [i16; COUNT] {
        std::array::from_fn(|_| i16::from_le_bytes(self.take()))
    }

    /// It is written by the channel that comes out.
    fn convolution(&mut self) -> Convolution {
        let kernel: [[f32; KERNEL]; CHANNELS] = std::array::from_fn(|_| self.floats());
        let mixture: [Place; CHANNELS] = std::array::from_fn(|_| self.floats());
        Convolution {
            kernel: std::array::from_fn(|nth| kernel.map(|of_channel| of_channel[nth])),
            mixture: std::array::from_fn(|from| mixture.map(|to| to[from])),
        }
    }
}
