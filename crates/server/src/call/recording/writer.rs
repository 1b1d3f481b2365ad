//! Writes a call's recording, off the call's path: a task that mixes what the call hands over and puts a second at a time on the
//! disk. A disk that is too slow fills a bounded queue; what finds no room in it is silence in the recording.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use antiphon_audio::{Channels, SampleRate, WavWriter};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use super::mixer::Mixer;
use super::places::{Entry, What};
use crate::private;

/// Entries that may wait for the writer: ten seconds of both sides.
const ENTRIES: usize = 1_024;
/// Of these, what is kept free for cuts and the end.
const RESERVED: usize = 64;
/// Bytes of audio that may wait for the writer: a minute of the agent at 48 kHz, sent at once, and some more.
const BYTES: usize = 6 * 1024 * 1024;
/// Entries taken in one go.
const BATCH: usize = 64;
/// How often the file goes on when nothing comes.
const TICK: Duration = Duration::from_secs(1);
/// How much is put on the disk in one go. A crash costs at most this much and what was not settled.
const CHUNK: Duration = Duration::from_secs(1);

/// The call's end of the queue.
#[derive(Debug)]
pub(super) struct Queue {
    entries: mpsc::Sender<Entry>,
    shared: Arc<Shared>,
}

/// What both ends know.
#[derive(Debug, Default)]
struct Shared {
    /// Bytes of audio on their way.
    bytes: AtomicUsize,
    /// Why the recording could not be written, once it could not.
    failure: OnceLock<String>,
}

/// There is no room: the writer does not keep up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

impl Queue {
    /// Hands an entry over.
    pub(super) fn put(&self, entry: Entry) -> Result<(), Full> {
        let (bytes, reserved) = match &entry.what {
            What::Audio { audio, .. } => (audio.len(), RESERVED),
            What::Cut { .. } => (0, 1),
            What::End => (0, 0),
        };
        let waiting = self.shared.bytes.load(Ordering::Relaxed);
        if self.entries.capacity() <= reserved || waiting + bytes > BYTES {
            return Err(Full);
        }
        self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        match self.entries.try_send(entry) {
            Ok(()) => Ok(()),
            // A writer that has given up said why.
            Err(mpsc::error::TrySendError::Closed(_)) => {
                self.shared.bytes.fetch_sub(bytes, Ordering::Relaxed);
                Ok(())
            }
            Err(mpsc::error::TrySendError::Full(_)) => Err(Full),
        }
    }

    /// Why the recording could not be written, if it could not.
    pub(super) fn failure(&self) -> Option<&str> {
        self.shared.failure.get().map(String::as_str)
    }
}

/// What a recording is made of.
#[derive(Debug)]
pub(super) struct Shape {
    /// The file while the recording runs; it can be played at any time.
    pub(super) partial: PathBuf,
    /// The file when it is complete.
    pub(super) complete: PathBuf,
    pub(super) user: SampleRate,
    pub(super) agent: SampleRate,
    pub(super) rate: SampleRate,
}

/// Makes a queue, and what writes a recording from it: until the end is handed over, or the queue is dropped.
pub(super) fn writer(shape: Shape) -> (Queue, impl Future<Output = ()> + Send + 'static) {
    let (sender, receiver) = mpsc::channel(ENTRIES);
    let shared = Arc::new(Shared::default());
    let queue = Queue { entries: sender, shared: Arc::clone(&shared) };
    (queue, async move {
        let file = shape.partial.clone();
        if let Err(error) = write(shape, receiver, &shared).await {
            tracing::error!(file = %file.display(), %error, "the recording cannot be written");
            let _ = shared.failure.set(error.to_string());
        }
    })
}

async fn write(shape: Shape, mut receiver: mpsc::Receiver<Entry>, shared: &Shared) -> io::Result<()> {
    let joined = Instant::now();
    let rate = shape.rate;
    let mut disk = blocking(move || Disk::create(shape.partial, shape.complete, rate)).await??;
    let mut mixer = Mixer::new(shape.user, shape.agent, rate);
    let chunk = usize::try_from(rate.samples_in(CHUNK)).unwrap_or(usize::MAX) * usize::from(STEREO.count());
    let (mut batch, mut mixed) = (Vec::with_capacity(BATCH), Vec::with_capacity(2 * chunk));
    let mut now = Duration::ZERO;
    loop {
        let mut end = false;
        let idle = match timeout(TICK, receiver.recv_many(&mut batch, BATCH)).await {
            // Nobody said where the end is: the call failed.
            Ok(0) => {
                end = true;
                false
            }
            Ok(_) => false,
            Err(_) => {
                // Nothing is on its way, so that what is settled by the clock is settled.
                now = now.max(joined.elapsed());
                true
            }
        };
        for entry in batch.drain(..) {
            now = now.max(entry.now);
            match entry.what {
                What::Audio { side, at, audio } => {
                    shared.bytes.fetch_sub(audio.len(), Ordering::Relaxed);
                    mixer.place(side, at, audio);
                }
                What::Cut { at } => mixer.cut(at),
                What::End => end = true,
            }
        }
        let limit = if end { now.max(mixer.user_end()) } else { mixer.settled(now) };
        loop {
            let more = mixer.mix(limit, &mut mixed);
            if end && !more {
                mixer.finish(&mut mixed);
            }
            if !mixed.is_empty() && (mixed.len() >= chunk || idle || end) {
                (disk, mixed) = put(disk, mixed, shared).await?;
            }
            if !more {
                break;
            }
        }
        if end {
            return blocking(move || disk.finish()).await?;
        }
    }
}

/// Puts what is mixed on the disk. A disk that fails may recover: what is missing meanwhile is silence.
async fn put(mut disk: Disk, mut mixed: Vec<i16>, shared: &Shared) -> io::Result<(Disk, Vec<i16>)> {
    let (disk, mixed, outcome) = blocking(move || {
        let outcome = disk.audio.append(&mixed);
        mixed.clear();
        (disk, mixed, outcome)
    })
    .await?;
    if let Err(error) = outcome {
        let first = shared.failure.set(error.to_string()).is_ok();
        if first {
            tracing::error!(%error, "the disk does not take a recording; what it does not take is silence");
        }
    }
    Ok((disk, mixed))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)
}

const STEREO: Channels = Channels::Stereo;
/// Samples that [`WavWriter`] takes without writing them out in between, so that it takes all of them or none.
const PIECE: usize = 32 * 1024;

/// The file.
#[derive(Debug)]
struct Disk {
    audio: Gapless<File>,
    /// The same file, for what a writer of WAV files does not know.
    file: File,
    partial: PathBuf,
    complete: PathBuf,
}

impl Disk {
    fn create(partial: PathBuf, complete: PathBuf, rate: SampleRate) -> io::Result<Self> {
        if let Some(directory) = partial.parent() {
            private::create_directory(directory)?;
        }
        let file = private::options().create(true).truncate(true).open(&partial)?;
        let audio = Gapless { wav: WavWriter::new(file.try_clone()?, rate, STEREO)?, missing: 0 };
        Ok(Self { audio, file, partial, complete })
    }

    /// Gives the recording its name, once all of it is on the disk itself.
    fn finish(self) -> io::Result<()> {
        self.audio.finish()?;
        self.file.sync_all()?;
        match std::fs::rename(&self.partial, &self.complete) {
            // Somebody who asked for it may have done that before.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.complete.exists() => Ok(()),
            other => other,
        }
    }
}

/// Audio on a disk that may fail and recover: what it does not take is silence later, so that everything behind it keeps its
/// place.
#[derive(Debug)]
struct Gapless<W: Write + Seek> {
    wav: WavWriter<W>,
    /// Samples that the disk did not take.
    missing: usize,
}

impl<W: Write + Seek> Gapless<W> {
    fn append(&mut self, mixed: &[i16]) -> io::Result<()> {
        let mut rest = mixed;
        let written = self.make_up().and_then(|()| {
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(PIECE));
                self.wav.write(piece)?;
                // What is taken and cannot be flushed is tried again with the next.
                rest = after;
                self.wav.flush()?;
            }
            Ok(())
        });
        self.missing += rest.len();
        written
    }

    fn make_up(&mut self) -> io::Result<()> {
        while self.missing > 0 {
            let piece = self.missing.min(PIECE);
            self.wav.write(&[0; PIECE][..piece])?;
            self.missing -= piece;
            self.wav.flush()?;
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        self.make_up()?;
        self.wav.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::{Cursor, SeekFrom};
    use std::rc::Rc;

    use antiphon_audio::Wav;

    use super::*;

    /// A disk that is full until somebody makes room.
    struct Full {
        disk: Cursor<Vec<u8>>,
        full: Rc<Cell<bool>>,
    }

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.full.get() { Err(io::ErrorKind::StorageFull.into()) } else { self.disk.write(bytes) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seek for Full {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.disk.seek(to)
        }
    }

    #[test]
    fn what_a_full_disk_does_not_take_is_silence_and_the_rest_keeps_its_place() {
        let full = Rc::new(Cell::new(false));
        let mut disk = Full { disk: Cursor::new(Vec::new()), full: Rc::clone(&full) };
        let wav = WavWriter::new(&mut disk, SampleRate::EAR, STEREO).unwrap();
        let mut audio = Gapless { wav, missing: 0 };
        let second = |value| vec![value; 2 * 16_000];
        audio.append(&second(1)).unwrap();
        full.set(true);
        for value in 2..=5 {
            assert_eq!(audio.append(&second(value)).unwrap_err().kind(), io::ErrorKind::StorageFull);
        }
        full.set(false);
        audio.append(&second(6)).unwrap();
        audio.finish().unwrap();

        let wav = Wav::read(&disk.disk.get_ref()[..]).unwrap();
        let seconds: Vec<i16> = wav.samples.chunks(2 * 16_000).map(|second| second[0]).collect();
        // One second waited in memory; the others were lost.
        assert_eq!(seconds, [1, 2, 0, 0, 0, 6]);
        assert_eq!(wav.samples.len(), 6 * 2 * 16_000);
    }
}
