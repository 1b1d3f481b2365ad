//! WAV as inference servers take and give it: 16 bits, often streamed with lengths that nobody knows yet.
//!
//! Owns one header and the reading of one. It must not know what the audio is for.

/// Bytes of a header that are searched for its data chunk; more is no WAV that we can use.
const LONGEST_HEADER: usize = 4_096;
/// A length from here on is no length: encoders that stream write the like of 0x7FFFF000 and 0xFFFFFFFF.
const LONGEST_KNOWN: usize = 0x7000_0000;
/// Channels that are mixed.
const MOST_CHANNELS: u16 = 8;

/// A whole WAV file: s16le mono.
pub(crate) fn encode(samples: &[i16], rate: u32) -> Vec<u8> {
    let bytes = (samples.len() * 2) as u32;
    let mut wav = Vec::with_capacity(44 + bytes as usize);
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + bytes).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend_from_slice(&rate.to_le_bytes());
    wav.extend_from_slice(&(rate * 2).to_le_bytes());
    wav.extend_from_slice(b"\x02\0\x10\0data");
    wav.extend_from_slice(&bytes.to_le_bytes());
    wav.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    wav
}

/// Why audio cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WavError {
    #[error("the WAV header has no fmt and data chunk in its first {LONGEST_HEADER} bytes")]
    Header,
    #[error("the WAV is no 16-bit PCM ({channels} channels, {bits} bits, format {format})")]
    Format { format: u16, channels: u16, bits: u16 },
}

/// Samples from a stream of bytes that is either bare s16le or a WAV file; parts may end anywhere. Several channels become one.
#[derive(Debug)]
pub(crate) struct Samples {
    rate: u32,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Not enough bytes to tell, or a header that goes on.
    Header(Vec<u8>),
    /// Samples.
    Data(Data),
}

/// The samples of a file.
#[derive(Debug)]
struct Data {
    channels: usize,
    /// Bytes of a frame that has not ended, one sample a channel.
    begun: Vec<u8>,
    /// Bytes that belong to the samples; what follows them describes the file. None where nobody knows.
    left: Option<usize>,
}

/// What a header says.
struct Format {
    rate: u32,
    channels: usize,
}

impl Samples {
    /// Reads samples that have this rate unless a header says another.
    pub(crate) fn new(rate: u32) -> Self {
        Self { rate, state: State::Header(Vec::new()) }
    }

    /// The rate of what was read last.
    pub(crate) fn rate(&self) -> u32 {
        self.rate
    }

    pub(crate) fn push(&mut self, part: &[u8]) -> Result<Vec<i16>, WavError> {
        match &mut self.state {
            State::Header(header) => {
                header.extend_from_slice(part);
                if header.len() < 4 && b"RIFF".starts_with(header) {
                    return Ok(Vec::new());
                }
                let (at, mut data) = if header.starts_with(b"RIFF") {
                    let Some((at, left, format)) = data_offset(header)? else { return Ok(Vec::new()) };
                    self.rate = format.rate;
                    (at, Data { channels: format.channels, begun: Vec::new(), left })
                } else {
                    (0, Data { channels: 1, begun: Vec::new(), left: None })
                };
                let samples = data.push(&header[at..]);
                self.state = State::Data(data);
                Ok(samples)
            }
            State::Data(data) => Ok(data.push(part)),
        }
    }
}

impl Data {
    fn push(&mut self, mut bytes: &[u8]) -> Vec<i16> {
        if let Some(left) = &mut self.left {
            bytes = &bytes[..bytes.len().min(*left)];
            *left -= bytes.len();
        }
        self.begun.extend_from_slice(bytes);
        let frame = 2 * self.channels;
        let whole = self.begun.len() - self.begun.len() % frame;
        let samples = self.begun[..whole].chunks_exact(frame).map(|frame| {
            let channels =
                frame.chunks_exact(2).map(|pair| i32::from(i16::from_le_bytes([pair[0], pair[1]])));
            // The mean of 16-bit numbers is one.
            (channels.sum::<i32>() / self.channels as i32) as i16
        });
        let samples = samples.collect();
        self.begun.drain(..whole);
        samples
    }
}

/// Where the samples begin, how many bytes they have, and their format; `None` when more bytes are needed.
fn data_offset(header: &[u8]) -> Result<Option<(usize, Option<usize>, Format)>, WavError> {
    let u16_at = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let u32_at = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let mut at = 12;
    let mut known = None;
    while at + 8 <= header.len() && at < LONGEST_HEADER {
        let body = at + 8;
        let length = u32_at(at + 4) as usize;
        match (&header[at..at + 4], known.take()) {
            (b"data", Some(format)) => {
                // Whoever streams does not know the length, and writes nothing or as much as there is room for.
                let left = (1..LONGEST_KNOWN).contains(&length).then_some(length);
                return Ok(Some((body, left, format)));
            }
            (b"data", None) => return Err(WavError::Header),
            (b"fmt ", _) => {
                if header.len() < body + 16 {
                    return Ok(None);
                }
                let (format, channels, rate, bits) =
                    (u16_at(body), u16_at(body + 2), u32_at(body + 4), u16_at(body + 14));
                // 0xFFFE is the extensible format, which 16-bit PCM may be wrapped in.
                if !matches!(format, 1 | 0xFFFE) || !(1..=MOST_CHANNELS).contains(&channels) || bits != 16 {
                    return Err(WavError::Format { format, channels, bits });
                }
                known = Some(Format { rate, channels: usize::from(channels) });
            }
            (_, format) => known = format,
        }
        at = body.saturating_add(length).saturating_add(length & 1);
    }
    if header.len() > LONGEST_HEADER || at > LONGEST_HEADER { Err(WavError::Header) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUDIO: [i16; 5] = [0, 1, -2, 32_767, -32_768];

    fn in_parts(bytes: &[u8], size: usize, rate: u32) -> Result<Vec<i16>, WavError> {
        let mut samples = Samples::new(rate);
        let mut all = Vec::new();
        for part in bytes.chunks(size) {
            all.extend(samples.push(part)?);
        }
        Ok(all)
    }

    #[test]
    fn bare_samples_and_a_wav_are_read_in_parts_of_any_size() {
        let wav = encode(&AUDIO, 24_000);
        let bare: Vec<u8> = AUDIO.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        for size in 1..=wav.len() {
            assert_eq!(in_parts(&wav, size, 24_000).unwrap(), AUDIO, "WAV in parts of {size}");
            assert_eq!(in_parts(&bare, size, 24_000).unwrap(), AUDIO, "samples in parts of {size}");
        }
    }

    #[test]
    fn a_streamed_wav_with_unknown_lengths_and_further_chunks_is_read() {
        let mut wav = encode(&AUDIO, 24_000);
        wav[4..8].fill(0xff);
        wav[40..44].fill(0xff);
        wav.splice(36..36, *b"LIST\x03\0\0\0abc\0");
        assert_eq!(in_parts(&wav, 7, 24_000).unwrap(), AUDIO);
    }

    #[test]
    fn a_header_says_the_rate_and_channels_are_mixed() {
        let mut wav = encode(&[100, 300, -5, -7], 22_050);
        wav[22] = 2;
        for size in 1..=wav.len() {
            let mut samples = Samples::new(24_000);
            let all: Vec<i16> = wav.chunks(size).flat_map(|part| samples.push(part).unwrap()).collect();
            assert_eq!((all.as_slice(), samples.rate()), ([200, -6].as_slice(), 22_050));
        }
    }

    #[test]
    fn what_follows_the_samples_is_not_heard() {
        let mut wav = encode(&AUDIO, 24_000);
        wav.extend_from_slice(b"LIST\x04\0\0\0loud");
        assert_eq!(in_parts(&wav, 5, 24_000).unwrap(), AUDIO);
    }

    #[test]
    fn a_wav_that_cannot_be_used_says_why() {
        let mut eight_bits = encode(&AUDIO, 24_000);
        eight_bits[34] = 8;
        assert_eq!(
            in_parts(&eight_bits, 9, 24_000),
            Err(WavError::Format { format: 1, channels: 1, bits: 8 })
        );
        let endless = [b"RIFF\0\0\0\0WAVEjunk\xff\xff\xff\x7f".as_slice(), &[0; 5_000]].concat();
        assert_eq!(in_parts(&endless, 100, 24_000), Err(WavError::Header));
    }
}
