//! The header of the WAV files that are written here: 44 bytes in front of 16-bit PCM, always the same shape.

use super::{Channels, FORMAT_PCM};
use crate::SampleRate;

/// What stands in front of the audio of a file that [`WavWriter`](super::WavWriter) writes, or of one whose audio comes from
/// somewhere else and whose length is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WavHeader {
    /// Samples per second and channel.
    pub rate: SampleRate,
    /// How many samples an instant has.
    pub channels: Channels,
    /// Bytes of audio. More than [`WavHeader::MOST_AUDIO`] count as that many.
    pub audio: u64,
}

impl WavHeader {
    /// Bytes of a header: RIFF head (12), `fmt ` chunk (8 + 16), head of the `data` chunk (8).
    pub const LENGTH: usize = 44;
    /// Bytes of audio that a header can speak of: the RIFF length counts all but its first 8 bytes in 32 bits. Whole stereo
    /// instants.
    pub const MOST_AUDIO: u64 = (u32::MAX as u64 - Self::LENGTH as u64) / 4 * 4;

    /// The header as it stands in the file.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::LENGTH] {
        let audio = u32::try_from(self.audio.min(Self::MOST_AUDIO)).expect("the most fits into 32 bits");
        let instant = self.channels.count() * 2;
        let hz = self.rate.hz();
        let mut bytes = [0; Self::LENGTH];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, b"RIFF");
        put(4, &(Self::LENGTH as u32 - 8 + audio).to_le_bytes());
        put(8, b"WAVEfmt ");
        put(16, &16u32.to_le_bytes());
        put(20, &FORMAT_PCM.to_le_bytes());
        put(22, &self.channels.count().to_le_bytes());
        put(24, &hz.to_le_bytes());
        put(28, &(hz * u32::from(instant)).to_le_bytes());
        put(32, &instant.to_le_bytes());
        put(34, &16u16.to_le_bytes());
        put(36, b"data");
        put(40, &audio.to_le_bytes());
        bytes
    }

    /// Reads a header of this shape; nothing if it is of another.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::LENGTH]) -> Option<Self> {
        let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let double = |at: usize| u32::from(word(at)) | u32::from(word(at + 2)) << 16;
        let channels = match word(22) {
            1 => Channels::Mono,
            2 => Channels::Stereo,
            _ => return None,
        };
        let header = Self { rate: SampleRate::new(double(24)).ok()?, channels, audio: double(40).into() };
        (header.to_bytes() == *bytes).then_some(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written() {
        for audio in [0, 4, 64_000, WavHeader::MOST_AUDIO] {
            for channels in [Channels::Mono, Channels::Stereo] {
                let header = WavHeader { rate: SampleRate::EAR, channels, audio };
                assert_eq!(WavHeader::from_bytes(&header.to_bytes()), Some(header));
            }
        }
    }

    #[test]
    fn more_than_a_header_can_say_is_the_most_it_can() {
        let header = |audio| WavHeader { rate: SampleRate::EAR, channels: Channels::Mono, audio };
        assert_eq!(header(u64::MAX).to_bytes(), header(WavHeader::MOST_AUDIO).to_bytes());
    }

    #[test]
    fn another_shape_is_none_of_these() {
        let good = WavHeader { rate: SampleRate::EAR, channels: Channels::Stereo, audio: 8 }.to_bytes();
        for at in 0..WavHeader::LENGTH - 4 {
            let mut bad = good;
            bad[at] ^= 0x55;
            assert_eq!(WavHeader::from_bytes(&bad), None, "byte {at}");
        }
    }
}
