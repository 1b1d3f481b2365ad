//! A unit that says what is in a WAV file, and writes what it hears to another.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use antiphon_audio::{Channels, SampleRate, Wav, WavError, WavWriter, convert};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::port::Port;
use super::unit::MediaUnit;

const FRAME: Duration = Duration::from_millis(20);

/// Says what is in a file, in real time, and records what it hears.
///
/// The file begins when somebody hears the unit, and waits while nobody does; after it there is silence. The recording begins with
/// the unit and keeps step with the clock.
#[derive(Debug)]
pub struct WavUnit {
    port: Port,
    progress: watch::Receiver<Progress>,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<io::Result<()>>>,
}

/// How far a file was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Speaking,
    Done,
}

/// What a [`WavUnit`] is made from.
#[derive(Debug, Default)]
#[must_use = "nothing happens until it is started"]
pub struct WavUnitBuilder {
    says: Option<(Vec<i16>, u32)>,
    records: Option<(PathBuf, File)>,
    rate: Option<SampleRate>,
    repeats: bool,
}

/// Why a file cannot be used. Whoever named it names another.
#[derive(Debug, thiserror::Error)]
pub enum WavUnitError {
    /// There is no audio in it.
    #[error("there is no audio in {0}")]
    Empty(PathBuf),
    /// It cannot be opened or created.
    #[error("cannot open {path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// It is no WAV file that can be read.
    #[error("cannot use {path}: {error}")]
    Wav {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: WavError,
    },
}

impl WavUnit {
    /// Begins a unit that says and records nothing.
    #[expect(clippy::new_ret_no_self, reason = "a unit has to be started")]
    pub fn new() -> WavUnitBuilder {
        WavUnitBuilder::default()
    }

    /// Whether all of the file was said. True of a unit that has none.
    #[must_use]
    pub fn is_done(&self) -> bool {
        *self.progress.borrow() == Progress::Done
    }

    /// Waits until all of the file was said.
    pub async fn done(&self) {
        // Should the task be gone, then so is the file.
        let _ = self.progress.clone().wait_for(|progress| *progress == Progress::Done).await;
    }

    /// Stops and completes the recording. A unit that is dropped does the same, and nobody learns of errors.
    ///
    /// # Errors
    ///
    /// The recording could not be written.
    pub async fn finish(mut self) -> io::Result<()> {
        self.stop = None;
        match self.task.take() {
            Some(task) => task.await.unwrap_or_else(|error| Err(io::Error::other(error))),
            None => Ok(()),
        }
    }
}

impl MediaUnit for WavUnit {
    fn port(&self) -> &Port {
        &self.port
    }
}

impl WavUnitBuilder {
    /// Says what is in this file: any that [`Wav`] reads, at any rate.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or there is nothing in it.
    pub fn play(self, path: impl AsRef<Path>) -> Result<Self, WavUnitError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|error| WavUnitError::File { path: path.into(), error })?;
        let wav = Wav::read(file).map_err(|error| WavUnitError::Wav { path: path.into(), error })?;
        if wav.samples.is_empty() || wav.rate_hz == 0 {
            return Err(WavUnitError::Empty(path.into()));
        }
        Ok(self.samples(wav.mono(), wav.rate_hz))
    }

    /// Says these samples.
    pub fn samples(mut self, samples: Vec<i16>, rate_hz: u32) -> Self {
        self.says = Some((samples, rate_hz));
        self
    }

    /// Begins the file again at its end, for ever.
    pub fn repeating(mut self) -> Self {
        self.repeats = true;
        self
    }

    /// Writes what is heard to this file, replacing one that is there.
    ///
    /// # Errors
    ///
    /// The file cannot be created.
    pub fn record(mut self, path: impl AsRef<Path>) -> Result<Self, WavUnitError> {
        let path = path.as_ref();
        let file = File::create(path).map_err(|error| WavUnitError::File { path: path.into(), error })?;
        self.records = Some((path.into(), file));
        Ok(self)
    }

    /// The rate of the recording, and of what is said; that of the file if lines have it, else 16000 Hz.
    pub fn rate(mut self, rate: SampleRate) -> Self {
        self.rate = Some(rate);
        self
    }

    /// Starts the unit's clock. Must be called within a tokio runtime.
    #[must_use]
    pub fn start(self) -> WavUnit {
        let of_file = self.says.as_ref().and_then(|(_, hz)| SampleRate::new(*hz).ok());
        let rate = self.rate.or(of_file).unwrap_or(SampleRate::EAR);
        let port = Port::live(rate);
        let says = self.says.map(|(samples, hz)| convert(&samples, hz, rate)).unwrap_or_default();
        let progress = if says.is_empty() { Progress::Done } else { Progress::Speaking };
        let (progress, watched) = watch::channel(progress);
        let (stop, stopped) = oneshot::channel();
        let speech = Speech { samples: says, said: 0, repeats: self.repeats, progress };
        let task = tokio::spawn(run(port.clone(), speech, self.records, stopped));
        WavUnit { port, progress: watched, stop: Some(stop), task: Some(task) }
    }
}

/// A file being said.
struct Speech {
    samples: Vec<i16>,
    said: usize,
    repeats: bool,
    progress: watch::Sender<Progress>,
}

impl Speech {
    fn frame(&mut self, port: &Port, length: usize) {
        if self.said == self.samples.len() || port.targets() == 0 {
            return;
        }
        let end = self.samples.len().min(self.said + length);
        port.give(&self.samples[self.said..end]);
        self.said = end;
        if end == self.samples.len() {
            if self.repeats {
                self.said = 0;
            } else {
                port.utterance_ended();
                self.progress.send_replace(Progress::Done);
            }
        }
    }
}

async fn run(
    port: Port,
    mut speech: Speech,
    records: Option<(PathBuf, File)>,
    mut stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let mut recording = match records {
        None => None,
        Some((path, file)) => {
            let file =
                WavWriter::new(file, port.takes(), Channels::Mono).map_err(|error| named(&path, &error))?;
            Some((path, file))
        }
    };
    let mut frame = vec![0; port.takes().samples_in(FRAME) as usize];
    let mut clock = interval(FRAME);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        tokio::select! {
            biased;
            // Dropped as well as sent.
            _ = &mut stopped => break,
            _ = clock.tick() => {}
        }
        speech.frame(&port, frame.len());
        port.take(&mut frame);
        if let Some((path, file)) = &mut recording {
            file.write(&frame).map_err(|error| named(path, &error))?;
        }
    }
    match recording {
        None => Ok(()),
        Some((path, file)) => file.finish().map_err(|error| named(&path, &error)),
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display()))
}
