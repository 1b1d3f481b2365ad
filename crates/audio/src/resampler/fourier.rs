//! Conversion between any two rates by Fourier transforms of whole blocks. Owns the library's filter and the begun block.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _};

use super::to_nearest;
use crate::SampleRate;

/// The library's filter works on whole blocks; what surrounds it makes the blocks invisible.
#[derive(Debug)]
pub(super) struct Fourier {
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
}

impl Fourier {
    pub(super) fn new(from: SampleRate, to: SampleRate) -> Self {
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
        }
    }

    /// The filter's run-in, in output samples.
    pub(super) const fn delay(&self) -> usize {
        self.delay
    }

    pub(super) const fn ready(&self, taken: u64) -> u64 {
        let (block_in, block_out) = (self.input.len() as u64, self.output.len() as u64);
        (taken / block_in * block_out).saturating_sub(self.delay as u64)
    }

    pub(super) fn process(&mut self, input: &[i16], output: &mut Vec<i16>) {
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

    /// Pushes silence behind the stream until there is output up to `end`.
    pub(super) fn drain(&mut self, output: &mut Vec<i16>, end: usize) {
        while output.len() < end {
            self.input[self.filled..].fill(0.0);
            self.run_block(output);
        }
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
        output.extend(self.output[cut..].iter().map(|sample| to_nearest(*sample)));
    }

    pub(super) fn reset(&mut self) {
        self.fft.reset();
        self.filled = 0;
        self.run_in = self.delay;
    }
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
