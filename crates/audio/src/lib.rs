//! PCM frames, sample rates, resampling and WAV. Pure: no clock, no sockets, no tasks.

mod rate;

pub use rate::{SampleRate, UnsupportedRate};
