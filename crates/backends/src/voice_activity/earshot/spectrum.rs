//! From samples to what the network sees of a frame: the logarithms of its power in forty bands.
//!
//! Owns the window, the transform and the bands. Every sum is made in the order in which the original makes it, so that equal samples
//! give equal numbers, here and there and on every machine. What is independent stands side by side, for compilers to make vectors
//! of. It must not know what the numbers are for.

use std::f32::consts::PI;
use std::f64::consts::TAU;
use std::sync::LazyLock;

/// Samples in a frame: 16 ms at 16 kHz.
pub(super) const FRAME: usize = 256;
/// Numbers that are made of a frame.
pub(super) const BANDS: usize = 40;

/// Frames in the window that ends with a frame.
const FRAMES: u8 = 3;
/// Samples in it.
const WINDOW: usize = FRAMES as usize * FRAME;
/// Samples that are transformed: the window and silence behind it.
const LENGTH: usize = 1_024;
/// They are taken in pairs, as complex numbers.
const POINTS: usize = LENGTH / 2;
const HALF: usize = POINTS / 2;
const QUARTER: usize = POINTS / 4;
/// Where the triangular bands begin, peak and end, in steps of 15.6 Hz: each begins where the one before peaks.
const CORNERS: [usize; BANDS + 2] = [
    4, 7, 10, 13, 17, 21, 25, 29, 33, 38, 43, 48, 54, 60, 66, 73, 80, 87, 95, 103, 112, 122, 132, 142, 153,
    165, 178, 191, 205, 220, 236, 253, 270, 289, 309, 330, 353, 376, 402, 428, 456, 486,
];
/// How much of the sample before is taken from a sample.
const PRE_EMPHASIS: f32 = 0.97;
/// Makes powers of samples into shares of the loudest.
const FULL_SCALE: f32 = 1.0 / (32_768.0 * 32_768.0);
/// What silence has instead of no power.
const FLOOR: f32 = 1e-20;

type Points = [f32; POINTS];

/// The recent past of one stream.
#[derive(Debug)]
pub(super) struct Spectrum {
    /// The window, the oldest sample first.
    samples: [f32; WINDOW],
    /// The last sample, as it came.
    before: f32,
    /// How many frames of digital silence came last, as far as that matters.
    silent: u8,
}

impl Spectrum {
    pub(super) fn new() -> Self {
        Self { samples: [0.0; WINDOW], before: 0.0, silent: 0 }
    }

    /// Takes the next frame.
    #[inline(always)]
    pub(super) fn push(&mut self, frame: &[i16; FRAME]) {
        // The first sample of silence still hears the one before it.
        let is_silent = self.before == 0.0 && frame.iter().fold(0, |all, sample| all | sample) == 0;
        self.silent = if is_silent { self.silent.saturating_add(1) } else { 0 };
        if self.silent > FRAMES {
            return;
        }
        self.samples.copy_within(FRAME.., 0);
        let mut before = self.before;
        for (place, sample) in self.samples[WINDOW - FRAME..].iter_mut().zip(frame) {
            let sample = f32::from(*sample);
            *place = sample - PRE_EMPHASIS * before;
            before = sample;
        }
        self.before = before;
    }

    /// For how many frames the window has been digital silence, as far as that matters.
    #[inline(always)]
    pub(super) fn silent(&self) -> u8 {
        self.silent.saturating_sub(FRAMES - 1)
    }

    /// The logarithms of the power in each band.
    #[inline(always)]
    pub(super) fn bands(&self) -> [f32; BANDS] {
        let tables = &*TABLES;
        let (mut re, mut im) = ([0.0; POINTS], [0.0; POINTS]);
        let pairs = self.samples.as_chunks::<2>().0.iter().zip(tables.window.as_chunks::<2>().0);
        for ((re, im), (samples, window)) in re.iter_mut().zip(&mut im).zip(pairs) {
            *re = samples[0] * window[0];
            *im = samples[1] * window[1];
        }
        transform(&mut re, &mut im, tables);
        let power = powers(&re, &im, tables);
        let mut bands = [0.0; BANDS];
        let mut weights = &tables.weights[..];
        for (level, corners) in bands.iter_mut().zip(CORNERS.windows(3)) {
            let power = &power[corners[0]..corners[2]];
            let (own, rest) = weights.split_at(power.len());
            weights = rest;
            *level = power.iter().zip(own).fold(0.0, |sum, (power, weight)| sum + power * weight);
        }
        bands.map(|level| (level + FLOOR).ln())
    }
}

/// What is the same for all streams.
struct Tables {
    window: [f32; WINDOW],
    /// The real and imaginary parts of `exp(-2 pi i k / 1024)`.
    cos: Points,
    sin: Points,
    /// Every second of them, and every fourth, side by side.
    second: [[f32; HALF]; 2],
    fourth: [[f32; QUARTER]; 2],
    /// The bands' weights, those of one band behind those of the other.
    weights: Vec<f32>,
}

static TABLES: LazyLock<Box<Tables>> = LazyLock::new(|| {
    let angle = |k: usize| TAU * k as f64 / LENGTH as f64;
    let mut cos: Points = std::array::from_fn(|k| angle(k).cos() as f32);
    // A right angle, which is not exact in radians.
    cos[HALF] = 0.0;
    let sin: Points = std::array::from_fn(|k| -angle(k).sin() as f32);
    let mut weights = Vec::new();
    for band in CORNERS.windows(3) {
        let [from, peak, to] = [band[0], band[1], band[2]];
        weights.extend((from..peak).map(|bin| (bin - from) as f32 / (peak - from) as f32));
        weights.extend((peak..to).map(|bin| (to - bin) as f32 / (to - peak) as f32));
    }
    Box::new(Tables {
        window: std::array::from_fn(|n| {
            let angle = (f64::from(PI) * n as f64 / WINDOW as f64) as f32;
            let sine = f64::from(angle).sin() as f32;
            sine * sine
        }),
        second: [cos, sin].map(|table| std::array::from_fn(|k| table[2 * k])),
        fourth: [cos, sin].map(|table| std::array::from_fn(|k| table[4 * k])),
        cos,
        sin,
        weights,
    })
});

/// The discrete Fourier transform of 512 complex numbers, by halves: two transforms make one of twice the size, and four one of four
/// times the size. Numbers that stand side by side belong to different transforms, until there are so few of these that it is better
/// the other way round.
#[inline(always)]
fn transform(re: &mut Points, im: &mut Points, tables: &Tables) {
    let (mut other_re, mut other_im) = ([0.0; POINTS], [0.0; POINTS]);
    let (to_re, to_im) = (&mut other_re, &mut other_im);
    by_fours::<128>((re, im), to_re, to_im, tables);
    by_fours::<32>((to_re, to_im), re, im, tables);
    by_fours::<8>((re, im), to_re, to_im, tables);
    by_twos::<4>((to_re, to_im), re, im, tables);
    turn_over(re, to_re);
    turn_over(im, to_im);
    let four = quarters(to_re, to_im);
    let [mut first, mut second, mut third, mut fourth] = quarters_mut(re, im);
    let [cos, sin] = &tables.fourth;
    let [half_cos, half_sin] = &tables.second;
    for k in 0..QUARTER {
        let turns =
            [(cos[k], sin[k]), (half_cos[k], half_sin[k]), (half_cos[k + QUARTER], half_sin[k + QUARTER])];
        let joined = join_four(four.map(|(re, im)| (re[k], im[k])), turns);
        put(k, joined, [&mut first, &mut second, &mut third, &mut fourth]);
    }
}

type Quarter = [f32; QUARTER];

#[inline(always)]
fn quarters<'a>(re: &'a Points, im: &'a Points) -> [(&'a Quarter, &'a Quarter); 4] {
    let (re, im) = (re.as_chunks().0, im.as_chunks().0);
    std::array::from_fn(|nth| (&re[nth], &im[nth]))
}

#[inline(always)]
fn quarters_mut<'a>(re: &'a mut Points, im: &'a mut Points) -> [(&'a mut [f32], &'a mut [f32]); 4] {
    let ((re_a, re_b), (im_a, im_b)) = (re.split_at_mut(HALF), im.split_at_mut(HALF));
    let ((re_0, re_1), (im_0, im_1)) = (re_a.split_at_mut(QUARTER), im_a.split_at_mut(QUARTER));
    let ((re_2, re_3), (im_2, im_3)) = (re_b.split_at_mut(QUARTER), im_b.split_at_mut(QUARTER));
    [(re_0, im_0), (re_1, im_1), (re_2, im_2), (re_3, im_3)]
}

#[inline(always)]
fn put(at: usize, numbers: [(f32, f32); 4], to: [&mut (&mut [f32], &mut [f32]); 4]) {
    for ((re, im), (to_re, to_im)) in numbers.into_iter().zip(to) {
        to_re[at] = re;
        to_im[at] = im;
    }
}

/// One number each of four transforms: first and third, second and fourth are joined, and then what came of them. Gives the numbers
/// in the first to the last quarter of the result. Turns are those of the first two joints, of the last, and of its second quarter.
#[inline(always)]
fn join_four(numbers: [(f32, f32); 4], turns: [(f32, f32); 3]) -> [(f32, f32); 4] {
    let [a, b, c, d] = numbers;
    let (even_low, even_high) = join(a, turned(c, turns[0]));
    let (odd_low, odd_high) = join(b, turned(d, turns[0]));
    let (first, third) = join(even_low, turned(odd_low, turns[1]));
    let (second, fourth) = join(even_high, turned(odd_high, turns[2]));
    [first, second, third, fourth]
}

#[inline(always)]
fn turned((re, im): (f32, f32), (cos, sin): (f32, f32)) -> (f32, f32) {
    (cos * re - sin * im, cos * im + sin * re)
}

#[inline(always)]
fn join(even: (f32, f32), odd: (f32, f32)) -> ((f32, f32), (f32, f32)) {
    ((even.0 + odd.0, even.1 + odd.1), (even.0 - odd.0, even.1 - odd.1))
}

/// Joins each four transforms, which leaves `COUNT`, number by number.
#[inline(always)]
fn by_fours<const COUNT: usize>(
    from: (&Points, &Points),
    to_re: &mut Points,
    to_im: &mut Points,
    tables: &Tables,
) {
    let size = QUARTER / COUNT;
    let fours_re = from.0.as_chunks::<COUNT>().0.as_chunks::<4>().0;
    let fours_im = from.1.as_chunks::<COUNT>().0.as_chunks::<4>().0;
    let [first, second, third, fourth] = quarters_mut(to_re, to_im);
    let turn = |nth: usize| (tables.cos[nth * 2 * COUNT], tables.sin[nth * 2 * COUNT]);
    for (k, ([a, b, c, d], [a_im, b_im, c_im, d_im])) in fours_re.iter().zip(fours_im).enumerate() {
        let turns = [turn(2 * k), turn(k), turn(k + size)];
        let row = COUNT * k..COUNT * (k + 1);
        let mut first = (&mut first.0[row.clone()], &mut first.1[row.clone()]);
        let mut second = (&mut second.0[row.clone()], &mut second.1[row.clone()]);
        let mut third = (&mut third.0[row.clone()], &mut third.1[row.clone()]);
        let mut fourth = (&mut fourth.0[row.clone()], &mut fourth.1[row]);
        for j in 0..COUNT {
            let numbers = [(a[j], a_im[j]), (b[j], b_im[j]), (c[j], c_im[j]), (d[j], d_im[j])];
            let joined = join_four(numbers, turns);
            put(j, joined, [&mut first, &mut second, &mut third, &mut fourth]);
        }
    }
}

/// Joins each two transforms, which leaves `COUNT`, number by number.
#[inline(always)]
fn by_twos<const COUNT: usize>(
    from: (&Points, &Points),
    to_re: &mut Points,
    to_im: &mut Points,
    tables: &Tables,
) {
    let pairs_re = from.0.as_chunks::<COUNT>().0.as_chunks::<2>().0;
    let pairs_im = from.1.as_chunks::<COUNT>().0.as_chunks::<2>().0;
    let (low_re, high_re) = to_re.split_at_mut(HALF);
    let (low_im, high_im) = to_im.split_at_mut(HALF);
    let low = low_re.as_chunks_mut::<COUNT>().0.iter_mut().zip(low_im.as_chunks_mut::<COUNT>().0);
    let high = high_re.as_chunks_mut::<COUNT>().0.iter_mut().zip(high_im.as_chunks_mut::<COUNT>().0);
    let turns = tables.cos.iter().zip(&tables.sin).step_by(2 * COUNT);
    for ((([a, b], [a_im, b_im]), (low, high)), (cos, sin)) in
        pairs_re.iter().zip(pairs_im).zip(low.zip(high)).zip(turns)
    {
        for j in 0..COUNT {
            let (sum, difference) = join((a[j], a_im[j]), turned((b[j], b_im[j]), (*cos, *sin)));
            (low.0[j], low.1[j]) = sum;
            (high.0[j], high.1[j]) = difference;
        }
    }
}

/// Four transforms, number by number before, one behind the other then.
#[inline(always)]
fn turn_over(from: &Points, to: &mut Points) {
    let (rows, _) = to.as_chunks_mut::<QUARTER>();
    for (k, numbers) in from.as_chunks::<4>().0.iter().enumerate() {
        for (row, number) in rows.iter_mut().zip(numbers) {
            row[k] = *number;
        }
    }
}

/// The powers of the 513 frequencies of a real signal, of whose pairs this is the transform.
#[inline(always)]
fn powers(re: &Points, im: &Points, tables: &Tables) -> [f32; POINTS + 1] {
    let norm = |re: f32, im: f32| (re * re + im * im) * FULL_SCALE;
    let mut power = [0.0; POINTS + 1];
    // Each frequency beside its mirror image, which is turned round for that.
    let turned_round = |of: &Points| {
        let mut to = [0.0; HALF];
        to[1..].copy_from_slice(&of[HALF + 1..]);
        to[1..].reverse();
        to
    };
    let (mirrored_re, mirrored_im) = (turned_round(re), turned_round(im));
    let mut mirrored = [0.0; HALF];
    for k in 0..HALF {
        let (sum_re, sum_im) = ((re[k] + mirrored_re[k]) * 0.5, (im[k] + mirrored_im[k]) * 0.5);
        let (diff_re, diff_im) = ((re[k] - mirrored_re[k]) * 0.5, (im[k] - mirrored_im[k]) * 0.5);
        let (cos, sin) = (tables.cos[k], tables.sin[k]);
        power[k] = norm(sum_re + cos * sum_im + sin * diff_re, diff_im + sin * sum_im - cos * diff_re);
        mirrored[k] = norm(sum_re - cos * sum_im - sin * diff_re, -diff_im + sin * sum_im - cos * diff_re);
    }
    mirrored[1..].reverse();
    power[HALF + 1..POINTS].copy_from_slice(&mirrored[1..]);
    power[0] = norm(re[0] + im[0], 0.0);
    power[HALF] = norm(re[HALF], im[HALF]);
    power[POINTS] = norm(re[0] - im[0], 0.0);
    power
}
