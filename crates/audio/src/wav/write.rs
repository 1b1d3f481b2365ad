//! Writes 16-bit WAV files as the audio comes, for recordings that must survive a crash.

use std::io::{self, Seek, SeekFrom, Write};

use super::WavHeader;
use crate::{SampleRate, write_pcm};

/// Audio that is kept back before it is written out: a third of a second of stereo at 48 kHz.
const BUFFER: usize = 64 * 1024;

/// How many channels a written file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channels {
    /// One.
    Mono,
    /// Two, interleaved, left first.
    Stereo,
}

impl Channels {
    /// How many they are.
    #[must_use]
    pub const fn count(self) -> u16 {
        match self {
            Self::Mono => 1,
            Self::Stereo => 2,
        }
    }
}

/// Writes a 16-bit WAV file piece by piece, with a bounded buffer.
///
/// After every [`flush`](Self::flush) the file is complete, header and all; it is flushed every 64 KiB by itself, when
/// finished, and when dropped. So a crash costs at most the last third of a second of a 48 kHz stereo recording, and
/// never the file. Past 4 GiB (6 hours of that) the header gives the largest length it can, and readers that stop there
/// miss the rest.
#[derive(Debug)]
pub struct WavWriter<W: Write + Seek> {
    file: W,
    rate: SampleRate,
    channels: Channels,
    /// Audio that is not in the file yet.
    waiting: Vec<u8>,
    /// Bytes of audio in the file.
    written: u64,
}

impl<W: Write + Seek> WavWriter<W> {
    /// Starts a file of its own at the beginning of `file`, which is valid (and silent) from here on.
    pub fn new(mut file: W, rate: SampleRate, channels: Channels) -> io::Result<Self> {
        let header = WavHeader { rate, channels, audio: 0 }.to_bytes();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header)?;
        file.flush()?;
        Ok(Self { file, rate, channels, waiting: Vec::with_capacity(BUFFER), written: 0 })
    }

    /// Adds samples, interleaved where the file is stereo.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if stereo samples do not come in pairs, and whatever the file says. What was taken before is kept
    /// and tried again with the next write or flush; no more than 64 KiB ever wait.
    pub fn write(&mut self, samples: &[i16]) -> io::Result<()> {
        let count = usize::from(self.channels.count());
        if !samples.len().is_multiple_of(count) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "stereo samples must come in pairs"));
        }
        for piece in samples.chunks(BUFFER / 2) {
            if self.waiting.len() + piece.len() * 2 > BUFFER {
                self.flush()?;
            }
            write_pcm(piece, &mut self.waiting);
        }
        Ok(())
    }

    /// Writes everything out and corrects the header: the file can be played from here on.
    ///
    /// The data goes to the operating system, not necessarily to the disk.
    pub fn flush(&mut self) -> io::Result<()> {
        // The audio first: until the header follows, it still describes a file that is there.
        self.file.seek(SeekFrom::Start(WavHeader::LENGTH as u64 + self.written))?;
        self.file.write_all(&self.waiting)?;
        self.written += self.waiting.len() as u64;
        self.waiting.clear();

        let header = WavHeader { rate: self.rate, channels: self.channels, audio: self.written };
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header.to_bytes())?;
        self.file.flush()
    }

    /// Ends the file, and reports what dropping the writer could not.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()
    }
}

impl<W: Write + Seek> Drop for WavWriter<W> {
    fn drop(&mut self) {
        // Nobody is left to be told of an error; whoever cares calls `finish`.
        let _ = self.flush();
    }
}
