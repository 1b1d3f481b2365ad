//! Sample rate conversion of one live mono stream. Owns the filter and what waits in it between two frames; knows
//! nothing of the stream's meaning, nor of the clock. Nothing of the library underneath is public.

use std::time::Duration;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _};

use crate::SampleRate;

/// Converts one stream from one rate to another: one resampler per stream and direction.
///
/// The output is aligned with the input: output sample `k` is what sounded at `k / to` seconds, and `n` input samples
/// end as `n * to / from` output samples, rounded up, once [`flush`](Self::flush) is called. Frames of any size, empty
/// ones too, give the same output bit for bit. Equal rates pass through untouched and without delay.
///
/// No call allocates unless the caller's vector must grow.
#[derive(Debug)]
pub struct Resampler {
    from: SampleRate,
    to: SampleRate,
    path: Path,
}

#[derive(Debug)]
enum Path {
    PassThrough,
    Filter(Box<Filter>),
}

impl Resampler {
    /// A resampler of a stream at `from` into one at `to`.
    #[must_use]
    pub fn new(from: SampleRate, to: SampleRate) -> Self {
        let path = if from == to { Path::PassThrough } else { Path::Filter(Box::new(Filter::new(from, to))) };
        Self { from, to, path }
    }

    /// The rate of what comes in.
    #[must_use]
    pub const fn from(&self) -> SampleRate {
        self.from
    }

    /// The rate of what goes out.
    #[must_use]
    pub const fn to(&self) -> SampleRate {
        self.to
    }

    /// How far the output trails the input after every full 20 ms of it: 5 ms, or 10 ms where one of the rates is
    /// 22050 Hz, or nothing where the rates are equal.
    ///
    /// Between two blocks (10 ms; 20 ms with 22050 Hz) the samples of the begun block wait in addition.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.to.duration_of(self.delay_samples() as u64)
    }

    /// [`delay`](Self::delay) in samples of the output.
    #[must_use]
    pub fn delay_samples(&self) -> usize {
        match &self.path {
            Path::PassThrough => 0,
            Path::Filter(filter) => filter.delay,
        }
    }

    /// Takes `input` and appends to `output` all that can be said of it so far.
    pub fn process(&mut self, input: &[i16], output: &mut Vec<i16>) {
        match &mut self.path {
            Path::PassThrough => output.extend_from_slice(input),
            Path::Filter(filter) => filter.process(input, output),
        }
    }

    /// Ends the stream: appends all that is still owed, and is then ready for another stream.
    pub fn flush(&mut self, output: &mut Vec<i16>) {
        match &mut self.path {
            Path::PassThrough => {}
            Path::Filter(filter) => {
                filter.drain(self.from, self.to, output);
                filter.reset();
            }
        }
    }

    /// Forgets the stream, with what is still owed of it, and is then ready for another one.
    pub fn reset(&mut self) {
        match &mut self.path {
            Path::PassThrough => {}
            Path::Filter(filter) => filter.reset(),
        }
    }
}

/// The FFT filter works on whole blocks; what surrounds it makes the blocks invisible.
#[derive(Debug)]
struct Filter {
    fft: Fft<f32>,
    /// One block at the input rate, of which `filled` samples have arrived.
    input: Vec<f32>,
    filled: usize,
    /// One block at the output rate.
    output: Vec<f32>,
    /// The filter's run-in, in output samples. It is cut from the front of the stream, which is what aligns output
    /// with input.
    delay: usize,
    /// How much of the run-in is still to come.
    run_in: usize,
    /// Samples that came in and went out since the stream began.
    taken: u64,
    given: u64,
}

impl Filter {
    fn new(from: SampleRate, to: SampleRate) -> Self {
        let fft = Fft::new(
            from.hz() as usize,
            to.hz() as usize,
            block_length(from, to),
            1, // channel
            FixedSync::Both,
        )
        .expect("positive rates and a block of at least 80 samples make a filter");
        let (block_in, block_out) = (fft.input_frames_next(), fft.output_frames_next());
        // The filter's peak is at the input sample in the middle of its block. rubato's own `output_delay` halves the
        // output block instead, which is up to a sample off where the input block is odd (441).
        let delay = ((block_in / 2 * block_out) as f64 / block_in as f64).round() as usize;
        Self {
            fft,
            input: vec![0.0; block_in],
            filled: 0,
            output: vec![0.0; block_out],
            delay,
            run_in: delay,
            taken: 0,
            given: 0,
        }
    }

    fn process(&mut self, input: &[i16], output: &mut Vec<i16>) {
        self.taken += input.len() as u64;
        let mut rest = input;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(self.input.len() - self.filled));
            for (slot, sample) in self.input[self.filled..].iter_mut().zip(now) {
                *slot = f32::from(*sample);
            }
            self.filled += now.len();
            rest = later;
            if self.filled == self.input.len() {
                self.run_block(output);
            }
        }
    }

    /// Pushes silence behind the stream until all of it has come out.
    fn drain(&mut self, from: SampleRate, to: SampleRate, output: &mut Vec<i16>) {
        let owed = (self.taken * u64::from(to.hz())).div_ceil(u64::from(from.hz())) - self.given;
        let end = output.len() + owed as usize;
        while output.len() < end {
            self.input[self.filled..].fill(0.0);
            self.run_block(output);
        }
        output.truncate(end);
    }

    fn run_block(&mut self, output: &mut Vec<i16>) {
        let (block_in, block_out) = (self.input.len(), self.output.len());
        let input = InterleavedSlice::new(&self.input[..], 1, block_in).expect("the block is its own length");
        let mut filtered = InterleavedSlice::new_mut(&mut self.output[..], 1, block_out)
            .expect("the block is its own length");
        self.fft
            .process_into_buffer(&input, &mut filtered, None)
            .expect("blocks have the lengths that the filter asked for");
        self.filled = 0;

        let cut = self.run_in.min(block_out);
        self.run_in -= cut;
        self.given += (block_out - cut) as u64;
        output.extend(self.output[cut..].iter().map(|sample| to_nearest(*sample)));
    }

    fn reset(&mut self) {
        self.fft.reset();
        self.filled = 0;
        self.run_in = self.delay;
        self.taken = 0;
        self.given = 0;
    }
}

/// The nearest sample. A filtered full-scale signal may overshoot, and saturates.
///
/// `f32::round` calls into libm, sample by sample, which took a quarter of the whole conversion; this is vectorized.
fn to_nearest(sample: f32) -> i16 {
    let above_zero = sample.clamp(-32_768.0, 32_767.0) + 32_768.5;
    (above_zero as i32 - 32_768) as i16
}

/// Input samples of one block: 10 ms where that is a whole number of samples at both rates, else (22050 Hz) 20 ms.
///
/// Other lengths are rounded up to a common multiple of the rates, which need not divide a 20 ms frame: 22050 to 48000
/// would withhold up to 13 ms on top of the filter's own delay.
const fn block_length(from: SampleRate, to: SampleRate) -> usize {
    let blocks_per_second =
        if from.hz().is_multiple_of(100) && to.hz().is_multiple_of(100) { 100 } else { 50 };
    (from.hz() / blocks_per_second) as usize
}
