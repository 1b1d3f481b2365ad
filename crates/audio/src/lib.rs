//! PCM frames, sample rates, resampling, tapes of live streams, G.711 and WAV. Pure: no clock, no sockets, no tasks.
//!
//! Audio is `i16` samples everywhere: mono unless a name says otherwise, stereo interleaved (left first). Bytes exist
//! only at the two edges, the wire ([`PcmReader`], [`write_pcm`]) and files ([`Wav`], [`WavWriter`]).
//!
//! ```
//! use antiphon_audio::{PcmReader, Resampler, SampleRate, write_pcm};
//!
//! let (mut pcm, mut up) = (PcmReader::default(), Resampler::new(SampleRate::new(8_000)?, SampleRate::EAR));
//! let (mut heard, mut resampled, mut wire) = (Vec::new(), Vec::new(), Vec::new());
//! pcm.read(&[0x10; 320], &mut heard); // 20 ms as they come off the wire
//! up.process(&heard, &mut resampled);
//! up.flush(&mut resampled); // at the end of the stream only
//! write_pcm(&resampled, &mut wire);
//! assert_eq!((heard.len(), resampled.len(), wire.len()), (160, 320, 640));
//! # Ok::<(), antiphon_audio::UnsupportedRate>(())
//! ```

mod dtmf;
mod g711;
mod pcm;
mod rate;
mod resampler;
pub mod signal;
mod tape;
mod wav;
mod whole;

pub use dtmf::DtmfKey;
pub use g711::G711;
pub use pcm::{PcmReader, fill_pcm, write_pcm};
pub use rate::{SampleRate, UnsupportedRate};
pub use resampler::Resampler;
pub use tape::{Clip, Tape};
pub use wav::{Channels, Wav, WavError, WavHeader, WavWriter};
pub use whole::convert;
