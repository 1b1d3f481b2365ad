//! Sample rate conversion of one live mono stream. Owns the choice of a filter: one of our own for rates of a small ratio,
//! such as 16 to 48 kHz, that of a library for the rates of compact discs. Knows nothing of the stream's meaning, nor of the
//! clock, nor of what waits in a filter between two frames. Nothing of the library underneath is public.

mod fourier;
mod polyphase;

use std::time::Duration;

use crate::SampleRate;
use fourier::Fourier;
use polyphase::Polyphase;

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
    /// Samples that came in since the stream began.
    taken: u64,
}

#[derive(Debug)]
enum Path {
    PassThrough,
    Polyphase(Polyphase),
    Fourier(Box<Fourier>),
}

impl Resampler {
    /// A resampler of a stream at `from` into one at `to`.
    #[must_use]
    pub fn new(from: SampleRate, to: SampleRate) -> Self {
        let path = if from == to {
            Path::PassThrough
        } else if let Some(filter) = Polyphase::new(from, to) {
            Path::Polyphase(filter)
        } else {
            Path::Fourier(Box::new(Fourier::new(from, to)))
        };
        Self { from, to, path, taken: 0 }
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

    /// How far the output trails the input after every full 20 ms of it: 24 samples of the lower rate, 1.5 ms at 16 kHz and
    /// 3 ms at 8 kHz; between 44100 Hz and others than 22050 Hz 5 ms, between 22050 Hz and others than 44100 Hz 10 ms; nothing
    /// where the rates are equal.
    ///
    /// Between two blocks of those others (10 ms; 20 ms with 22050 Hz) the samples of the begun block wait in addition.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.to.duration_of(self.delay_samples() as u64)
    }

    /// [`delay`](Self::delay) in samples of the output.
    #[must_use]
    pub fn delay_samples(&self) -> usize {
        match &self.path {
            Path::PassThrough => 0,
            Path::Polyphase(filter) => filter.delay(),
            Path::Fourier(filter) => filter.delay(),
        }
    }

    /// How many samples come out of a stream's first `taken` ones, before it ends.
    #[must_use]
    pub fn ready(&self, taken: u64) -> u64 {
        match &self.path {
            Path::PassThrough => taken,
            Path::Polyphase(filter) => filter.ready(taken),
            Path::Fourier(filter) => filter.ready(taken),
        }
    }

    /// How many samples come out of a stream of `taken` ones that has ended.
    #[must_use]
    pub fn whole(&self, taken: u64) -> u64 {
        (taken * u64::from(self.to.hz())).div_ceil(u64::from(self.from.hz()))
    }

    /// Takes `input` and appends to `output` all that can be said of it so far.
    pub fn process(&mut self, input: &[i16], output: &mut Vec<i16>) {
        self.taken += input.len() as u64;
        match &mut self.path {
            Path::PassThrough => output.extend_from_slice(input),
            Path::Polyphase(filter) => filter.process(input, output),
            Path::Fourier(filter) => filter.process(input, output),
        }
    }

    /// Ends the stream: appends all that is still owed, and is then ready for another stream.
    pub fn flush(&mut self, output: &mut Vec<i16>) {
        let end = output.len() + (self.whole(self.taken) - self.ready(self.taken)) as usize;
        match &mut self.path {
            Path::PassThrough => {}
            Path::Polyphase(filter) => filter.drain(output, end),
            Path::Fourier(filter) => filter.drain(output, end),
        }
        output.truncate(end);
        self.reset();
    }

    /// Forgets the stream, with what is still owed of it, and is then ready for another one.
    pub fn reset(&mut self) {
        self.taken = 0;
        match &mut self.path {
            Path::PassThrough => {}
            Path::Polyphase(filter) => filter.reset(),
            Path::Fourier(filter) => filter.reset(),
        }
    }
}

/// The nearest sample. A filtered full-scale signal may overshoot, and saturates.
///
/// `f32::round` calls into libm, sample by sample, which took a quarter of the whole conversion; this is vectorized.
#[inline(always)]
fn to_nearest(sample: f32) -> i16 {
    let above_zero = sample.clamp(-32_768.0, 32_767.0) + 32_768.5;
    (above_zero as i32 - 32_768) as i16
}
