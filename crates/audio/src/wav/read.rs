//! Reads a whole WAV file into 16-bit samples. Liberal: what can be understood is understood, a header that lies about
//! lengths included, because files are cut short, piped, and left behind by crashes.

use std::io::{self, Read};

use super::{FORMAT_EXTENSIBLE, FORMAT_FLOAT, FORMAT_PCM};

/// The contents of a WAV file, as 16-bit samples whatever they were in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wav {
    /// Samples per second and channel. Any rate: whether it is a supported one, [`SampleRate::new`] says.
    ///
    /// [`SampleRate::new`]: crate::SampleRate::new
    pub rate_hz: u32,
    /// How many channels are interleaved in `samples`; at least one.
    pub channels: u16,
    /// The samples, channel after channel for each instant. A last, incomplete instant is left out.
    pub samples: Vec<i16>,
}

/// Why a WAV file cannot be read. Whoever supplied the file must supply another one.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// The file could not be read at all.
    #[error("cannot read the WAV file: {0}")]
    Io(#[from] io::Error),
    /// It is something else, or cut off within its header.
    #[error("not a WAV file, {0}; convert the audio to a WAV file with 16-bit PCM")]
    Malformed(&'static str),
    /// A WAV file of a kind that is not read.
    #[error(
        "WAV format {tag} with {bits} bits is not supported; convert the audio to 8, 16, 24 or 32-bit PCM or 32 or 64-bit float"
    )]
    Unsupported {
        /// The format tag (`mmreg.h`), for instance 7 for G.711 mu-law.
        tag: u16,
        /// Bits that one sample takes up in the file.
        bits: u16,
    },
}

impl Wav {
    /// Reads a file: 8, 16, 24 or 32-bit integers or 32 or 64-bit floats, in any number of channels.
    ///
    /// The whole file is held in memory; meant for speech samples, not for archives. A length of the audio that exceeds
    /// the file, or was never filled in, means "to the end of the file".
    pub fn read(mut file: impl Read) -> Result<Self, WavError> {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Self::parse(&bytes)
    }

    /// All channels mixed down to one by their mean.
    #[must_use]
    pub fn mono(&self) -> Vec<i16> {
        let mean = |instant: &[i16]| {
            let sum: i64 = instant.iter().map(|sample| i64::from(*sample)).sum();
            (sum / instant.len() as i64) as i16
        };
        self.samples.chunks_exact(self.channels.into()).map(mean).collect()
    }

    /// One channel alone, counted from zero (left); empty if there is no such channel.
    #[must_use]
    pub fn channel(&self, index: u16) -> Vec<i16> {
        if index >= self.channels {
            return Vec::new();
        }
        self.samples.iter().skip(index.into()).step_by(self.channels.into()).copied().collect()
    }

    fn parse(bytes: &[u8]) -> Result<Self, WavError> {
        // RF64 is RIFF for more than 4 GiB; its real lengths are elsewhere, and "to the end" serves as well.
        let chunks = match bytes.split_at_checked(12) {
            Some(([b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E'], chunks)) => chunks,
            Some(([b'R', b'F', b'6', b'4', _, _, _, _, b'W', b'A', b'V', b'E'], chunks)) => chunks,
            _ => return Err(WavError::Malformed("it does not start with a RIFF header")),
        };
        let mut format = None;
        let mut rest = chunks;
        while let Some((id, length, body)) = chunk_head(rest) {
            match id {
                b"fmt " => format = Some(Format::parse(&body[..length.min(body.len())])?),
                b"data" => {
                    let format = format.ok_or(WavError::Malformed("its audio comes before its format"))?;
                    return Ok(format.decode(audio_of(length, body)));
                }
                _ => {}
            }
            rest = after(length, body);
        }
        Err(WavError::Malformed("it ends before its audio begins"))
    }
}

/// How the audio of a file is to be understood.
struct Format {
    encoding: Encoding,
    rate_hz: u32,
    channels: u16,
}

/// One sample in the file. Padded integers are left-justified, so only the width of the container matters.
enum Encoding {
    U8,
    I16,
    I24,
    I32,
    F32,
    F64,
}

impl Format {
    /// From the body of the `fmt ` chunk: tag, channels, rate, bytes per second, bytes per instant, bits; and in the
    /// extensible form, size, valid bits, channel mask and a GUID that starts with the real tag.
    fn parse(body: &[u8]) -> Result<Self, WavError> {
        let word = |at: usize| body.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
        let cut_off = WavError::Malformed("its format is cut off");
        let (Some(tag), Some(channels), Some(rate_low), Some(rate_high), Some(instant), Some(bits)) =
            (word(0), word(2), word(4), word(6), word(12), word(14))
        else {
            return Err(cut_off);
        };
        let tag = if tag == FORMAT_EXTENSIBLE { word(24).ok_or(cut_off)? } else { tag };
        let rate_hz = u32::from(rate_low) | u32::from(rate_high) << 16;
        if channels == 0 || rate_hz == 0 {
            return Err(WavError::Malformed("it has no channel or no rate"));
        }
        // Some writers leave the bytes per instant out.
        let width = match instant / channels {
            0 => bits.div_ceil(8),
            width => width,
        };
        let encoding = match (tag, width) {
            (FORMAT_PCM, 1) => Encoding::U8,
            (FORMAT_PCM, 2) => Encoding::I16,
            (FORMAT_PCM, 3) => Encoding::I24,
            (FORMAT_PCM, 4) => Encoding::I32,
            (FORMAT_FLOAT, 4) => Encoding::F32,
            (FORMAT_FLOAT, 8) => Encoding::F64,
            (tag, width) => return Err(WavError::Unsupported { tag, bits: width.saturating_mul(8) }),
        };
        Ok(Self { encoding, rate_hz, channels })
    }

    fn decode(self, audio: &[u8]) -> Wav {
        let mut samples: Vec<i16> = match self.encoding {
            Encoding::U8 => audio.iter().map(|byte| (i16::from(*byte) - 128) << 8).collect(),
            Encoding::I16 => each(audio, i16::from_le_bytes),
            Encoding::I24 => each(audio, |[_, low, high]| i16::from_le_bytes([low, high])),
            Encoding::I32 => each(audio, |[_, _, low, high]| i16::from_le_bytes([low, high])),
            Encoding::F32 => each(audio, |bytes| from_float(f32::from_le_bytes(bytes).into())),
            Encoding::F64 => each(audio, |bytes| from_float(f64::from_le_bytes(bytes))),
        };
        samples.truncate(samples.len() - samples.len() % usize::from(self.channels));
        Wav { rate_hz: self.rate_hz, channels: self.channels, samples }
    }
}

fn each<const WIDTH: usize>(audio: &[u8], sample: impl Fn([u8; WIDTH]) -> i16) -> Vec<i16> {
    audio.as_chunks().0.iter().map(|bytes| sample(*bytes)).collect()
}

/// Full scale is 1.0; what is louder saturates and what is no number is silent.
fn from_float(sample: f64) -> i16 {
    (sample * 32_768.0).round() as i16
}

/// The id and the length of the chunk that `bytes` start with, and all that follows.
fn chunk_head(bytes: &[u8]) -> Option<(&[u8; 4], usize, &[u8])> {
    let (id, rest) = bytes.split_first_chunk()?;
    let (length, body) = rest.split_first_chunk()?;
    Some((id, u32::from_le_bytes(*length) as usize, body))
}

/// What follows a chunk; chunks start at even offsets.
fn after(length: usize, body: &[u8]) -> &[u8] {
    body.get(length.saturating_add(length % 2)..).unwrap_or_default()
}

/// The audio in a `data` chunk. A length of zero in front of bytes that are no chunks was never filled in.
fn audio_of(length: usize, body: &[u8]) -> &[u8] {
    if length == 0 && !is_chunks(body) { body } else { &body[..length.min(body.len())] }
}

fn is_chunks(mut bytes: &[u8]) -> bool {
    while let Some((id, length, body)) = chunk_head(bytes) {
        if !id.iter().all(|byte| (b' '..=b'~').contains(byte)) || length > body.len() {
            return false;
        }
        bytes = after(length, body);
    }
    bytes.is_empty()
}
