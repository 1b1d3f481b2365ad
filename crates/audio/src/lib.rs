//! PCM frames, sample rates, resampling and WAV. Pure: no clock, no sockets, no tasks.

mod pcm;
mod rate;
pub mod signal;

pub use pcm::{PcmReader, write_pcm};
pub use rate::{SampleRate, UnsupportedRate};
