//! WAV as inference servers take and give it: 16 bits, one channel, often streamed with lengths that nobody knows yet.
//!
//! Owns one header and the reading of one. It must not know what the audio is for.

/// Bytes of a header that are searched for its data chunk; more is no WAV that we can use.
const LONGEST_HEADER: usize = 4_096;

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
    #[error("the WAV is no 16-bit mono PCM ({channels} channels, {bits} bits, format {format})")]
    Format { format: u16, channels: u16, bits: u16 },
    #[error(
        "the audio has {found} samples per second and the configuration says {expected}; set sample_rate = {found}"
    )]
    Rate { found: u32, expected: u32 },
}

/// Samples from a stream of bytes that is either bare s16le or a WAV file; parts may end anywhere.
#[derive(Debug)]
pub(crate) struct Samples {
    expected_rate: u32,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Not enough bytes to tell, or a header that goes on.
    Header(Vec<u8>),
    /// Samples, perhaps with one byte of the next.
    Data(Option<u8>),
}

impl Samples {
    pub(crate) fn new(expected_rate: u32) -> Self {
        Self { expected_rate, state: State::Header(Vec::new()) }
    }

    pub(crate) fn push(&mut self, part: &[u8]) -> Result<Vec<i16>, WavError> {
        match &mut self.state {
            State::Header(header) => {
                header.extend_from_slice(part);
                if header.len() < 4 && b"RIFF".starts_with(header) {
                    return Ok(Vec::new());
                }
                let data = if header.starts_with(b"RIFF") {
                    match data_offset(header, self.expected_rate)? {
                        Some(data) => data,
                        None => return Ok(Vec::new()),
                    }
                } else {
                    0
                };
                let rest = header.split_off(data);
                let mut odd = None;
                let samples = to_samples(&mut odd, &rest);
                self.state = State::Data(odd);
                Ok(samples)
            }
            State::Data(odd) => Ok(to_samples(odd, part)),
        }
    }
}

/// Where the samples begin; `None` when more bytes are needed.
fn data_offset(header: &[u8], expected: u32) -> Result<Option<usize>, WavError> {
    let u16_at = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let u32_at = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let mut at = 12;
    let mut known = false;
    while at + 8 <= header.len() && at < LONGEST_HEADER {
        let body = at + 8;
        let length = u32_at(at + 4) as usize;
        match &header[at..at + 4] {
            b"data" if known => return Ok(Some(body)),
            b"data" => return Err(WavError::Header),
            b"fmt " => {
                if header.len() < body + 16 {
                    return Ok(None);
                }
                let (format, channels, found, bits) =
                    (u16_at(body), u16_at(body + 2), u32_at(body + 4), u16_at(body + 14));
                // 0xFFFE is the extensible format, which 16-bit PCM may be wrapped in.
                if !matches!(format, 1 | 0xFFFE) || channels != 1 || bits != 16 {
                    return Err(WavError::Format { format, channels, bits });
                }
                if found != expected {
                    return Err(WavError::Rate { found, expected });
                }
                known = true;
            }
            _ => {}
        }
        at = body.saturating_add(length).saturating_add(length & 1);
    }
    if header.len() > LONGEST_HEADER || at > LONGEST_HEADER { Err(WavError::Header) } else { Ok(None) }
}

fn to_samples(odd: &mut Option<u8>, bytes: &[u8]) -> Vec<i16> {
    let mut samples = Vec::with_capacity(bytes.len() / 2 + 1);
    let mut bytes = bytes.iter().copied();
    if let Some(low) = odd.take() {
        match bytes.next() {
            Some(high) => samples.push(i16::from_le_bytes([low, high])),
            None => *odd = Some(low),
        }
    }
    while let Some(low) = bytes.next() {
        match bytes.next() {
            Some(high) => samples.push(i16::from_le_bytes([low, high])),
            None => *odd = Some(low),
        }
    }
    samples
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
    fn a_wav_that_does_not_fit_says_how() {
        let rate = in_parts(&encode(&AUDIO, 22_050), 100, 24_000).unwrap_err();
        assert!(rate.to_string().ends_with("set sample_rate = 22050"));
        let mut stereo = encode(&AUDIO, 24_000);
        stereo[22] = 2;
        assert_eq!(in_parts(&stereo, 9, 24_000), Err(WavError::Format { format: 1, channels: 2, bits: 16 }));
        let endless = [b"RIFF\0\0\0\0WAVEjunk\xff\xff\xff\x7f".as_slice(), &[0; 5_000]].concat();
        assert_eq!(in_parts(&endless, 100, 24_000), Err(WavError::Header));
    }
}
