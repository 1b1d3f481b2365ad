//! WAV files: what is read from users and tests, and what is recorded. Owns the format; knows nothing of calls.
//!
//! The container is Microsoft's RIFF "Multimedia Programming Interface and Data Specifications 1.0", with the
//! extensible header of `WAVEFORMATEXTENSIBLE`.

mod header;
mod read;
mod write;

pub use header::WavHeader;
pub use read::{Wav, WavError};
pub use write::{Channels, WavWriter};

/// Format tags of the `fmt ` chunk (`mmreg.h`).
const FORMAT_PCM: u16 = 1;
const FORMAT_FLOAT: u16 = 3;
const FORMAT_EXTENSIBLE: u16 = 0xfffe;
