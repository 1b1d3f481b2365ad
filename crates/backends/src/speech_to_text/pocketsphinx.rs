//! The offline recognizer: the program `pocketsphinx` of Debian and Ubuntu, English only.
//!
//! It needs half a second to load its model, so a few processes that have done so wait on their standard input. Each is given
//! one clip and ends. Owns these processes and the reading of what they print. It must not know what the words are for.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use antiphon_audio::{SampleRate, signal};
use antiphon_engine::input::Transcription;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Heard, Request, SpeechToText};

/// What a recognizer may print about one clip; a minute of speech is about a kilobyte.
const OUTPUT_LIMIT: u64 = 256 * 1024;
/// Noise added to every clip, about -59 dBFS. Speech off the phone has nothing above 4 kHz, and the recognizer, which was made
/// for 16 kHz, makes nonsense of bands that are exactly empty.
const NOISE_FLOOR: f64 = 0.002;

/// How the recognizer is run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The program; `None` looks for it in `PATH`.
    pub program: Option<PathBuf>,
    /// Processes that wait with the model loaded (about 100 MB each, mostly shared).
    pub warm: usize,
    /// Clips that are recognized at a time; further ones wait for their turn.
    pub concurrency: usize,
    /// How long one clip may take, from its turn on.
    pub timeout: Duration,
}

impl Default for Settings {
    /// Two processes, found in `PATH`, twelve seconds: less than the conversation waits for a transcript.
    fn default() -> Self {
        Self { program: None, warm: 2, concurrency: 2, timeout: Duration::from_secs(12) }
    }
}

/// Why there is no recognizer.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    /// No such program.
    #[error("pocketsphinx is not installed (looked for {0}); apt install pocketsphinx pocketsphinx-en-us")]
    Program(String),
    /// A program that is neither of the two known ones.
    #[error("{} is called neither pocketsphinx_continuous nor pocketsphinx; name one of these programs", .0.display())]
    UnknownProgram(PathBuf),
}

/// The two ways of the two generations of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Generation {
    /// `pocketsphinx_continuous` of Debian 12 and Ubuntu 22.04: reads a file, prints a line per stretch of speech.
    Continuous,
    /// `pocketsphinx` of Debian 13 and Ubuntu 24.04: reads standard input, prints a JSON object.
    Single,
}

/// The offline recognizer.
#[derive(Debug, Clone)]
pub struct PocketSphinx(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    program: PathBuf,
    generation: Generation,
    settings: Settings,
    turns: Semaphore,
    /// Held for a push or a pop, never while waiting.
    waiting: Mutex<Vec<Child>>,
}

impl PocketSphinx {
    /// Finds the program. Inside a tokio runtime, it begins to load its model at once.
    pub fn new(settings: Settings) -> Result<Self, Missing> {
        let (program, generation) = match &settings.program {
            Some(program) => named(program)?,
            None => found()?,
        };
        let pool = Pool {
            program,
            generation,
            turns: Semaphore::new(settings.concurrency.max(1)),
            settings,
            waiting: Mutex::new(Vec::new()),
        };
        pool.replenish();
        Ok(Self(Arc::new(pool)))
    }
}

impl SpeechToText for PocketSphinx {
    fn transcribe(&self, request: Request) -> BoxFuture<'static, Heard> {
        let pool = Arc::clone(&self.0);
        async move {
            let _turn = pool.turns.acquire().await.expect("the semaphore is never closed");
            let _replenished = Replenish(Arc::clone(&pool));
            let transcription =
                match timeout(pool.settings.timeout, pool.recognize(&request.samples.to_vec())).await {
                    Ok(Ok(words)) => Transcription::Words(words.into()),
                    Ok(Err(error)) => Transcription::Failed(format!("pocketsphinx failed: {error}").into()),
                    Err(_) => Transcription::Failed(
                        format!("pocketsphinx took longer than {} s", pool.settings.timeout.as_secs()).into(),
                    ),
                };
            Heard::by(&Arc::from("pocketsphinx"), transcription)
        }
        .boxed()
    }
}

/// Fills the pool when a clip is done with, be it recognized, timed out or dropped: not before, for loading a model and
/// recognizing at once would slow both.
struct Replenish(Arc<Pool>);

impl Drop for Replenish {
    fn drop(&mut self) {
        self.0.replenish();
    }
}

impl Pool {
    fn replenish(&self) {
        // Outside a runtime no process can be watched; the first clip will start its own.
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let mut waiting = self.waiting();
        while waiting.len() < self.settings.warm {
            match self.start() {
                Ok(process) => waiting.push(process),
                Err(error) => {
                    tracing::warn!(program = %self.program.display(), %error, "pocketsphinx cannot be started");
                    return;
                }
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Child>> {
        // A panic while holding it cannot leave a half-done change.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self) -> io::Result<Child> {
        let arguments: &[&str] = match self.generation {
            Generation::Continuous => &["-infile", "/dev/stdin", "-logfn", "/dev/null"],
            Generation::Single => &["single", "-loglevel", "FATAL"],
        };
        Command::new(&self.program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
    }

    async fn recognize(&self, samples: &[i16]) -> Result<String, Broken> {
        let warm = self.waiting().pop();
        if let Some(process) = warm {
            match self.give(process, samples).await {
                Ok(words) => return Ok(words),
                // It may have died while it waited, and another one need not.
                Err(error) => tracing::debug!(%error, "a waiting pocketsphinx did not answer"),
            }
        }
        self.give(self.start()?, samples).await
    }

    async fn give(&self, mut process: Child, samples: &[i16]) -> Result<String, Broken> {
        let mut stdin = process.stdin.take().expect("its standard input is a pipe");
        let stdout = process.stdout.take().expect("its standard output is a pipe");
        let mut audible = samples.to_vec();
        let length = SampleRate::EAR.duration_of(samples.len() as u64);
        signal::mix(&mut audible, &signal::noise(SampleRate::EAR, NOISE_FLOOR, length, 1), 0);
        let bytes: Vec<u8> = audible.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let write = async move {
            stdin.write_all(&bytes).await?;
            stdin.shutdown().await
        };
        let read = async {
            let mut output = String::new();
            stdout.take(OUTPUT_LIMIT).read_to_string(&mut output).await.map(|_| output)
        };
        let (written, output) = tokio::join!(write, read);
        let status = process.wait().await?;
        if !status.success() {
            return Err(Broken::Status(status));
        }
        written?;
        Ok(words(self.generation, &output?))
    }
}

#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}; see that pocketsphinx-en-us is installed")]
    Status(ExitStatus),
}

fn words(generation: Generation, output: &str) -> String {
    /// What the newer generation prints for a clip; `t` is the text.
    #[derive(Deserialize)]
    struct Hypothesis {
        #[serde(default)]
        t: String,
    }
    let lines: Vec<String> = match generation {
        Generation::Continuous => output.lines().map(str::to_owned).collect(),
        Generation::Single => output
            .lines()
            .filter_map(|line| serde_json::from_str::<Hypothesis>(line).ok())
            .map(|hypothesis| hypothesis.t)
            .collect(),
    };
    let words = lines.iter().flat_map(|line| line.split_whitespace());
    // Noises are written in brackets, such as <sil> and [COUGH].
    words.filter(|word| !word.starts_with(['<', '['])).collect::<Vec<_>>().join(" ")
}

const PROGRAMS: [(&str, Generation); 2] =
    [("pocketsphinx_continuous", Generation::Continuous), ("pocketsphinx", Generation::Single)];

fn named(program: &Path) -> Result<(PathBuf, Generation), Missing> {
    let known = PROGRAMS.into_iter().find(|(name, _)| program.file_name().is_some_and(|file| file == *name));
    let (_, generation) = known.ok_or_else(|| Missing::UnknownProgram(program.to_owned()))?;
    if program.is_file() {
        Ok((program.to_owned(), generation))
    } else {
        Err(Missing::Program(program.display().to_string()))
    }
}

fn found() -> Result<(PathBuf, Generation), Missing> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    PROGRAMS
        .into_iter()
        .find_map(|(name, generation)| {
            let program =
                std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())?;
            Some((program, generation))
        })
        .ok_or_else(|| Missing::Program("pocketsphinx_continuous and pocketsphinx in PATH".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_either_generation_prints_becomes_words() {
        assert_eq!(
            words(Generation::Continuous, "go forward\n\nten <sil> meters \n"),
            "go forward ten meters"
        );
        assert_eq!(words(Generation::Continuous, ""), "");
        let json = r#"{"b":0.000,"d":2.780,"p":1.000,"t":"go forward ten meters","w":[{"t":"go"}]}"#;
        assert_eq!(words(Generation::Single, &format!("{json}\n")), "go forward ten meters");
        assert_eq!(words(Generation::Single, "{\"b\":0.0,\"d\":1.0}\n"), "");
    }

    #[test]
    fn a_missing_program_names_the_packages() {
        let settings = Settings { program: Some("/nowhere/pocketsphinx".into()), ..Settings::default() };
        let error = PocketSphinx::new(settings).unwrap_err().to_string();
        assert!(error.contains("apt install pocketsphinx pocketsphinx-en-us"), "{error}");
        let settings = Settings { program: Some("/bin/sh".into()), ..Settings::default() };
        assert!(matches!(PocketSphinx::new(settings), Err(Missing::UnknownProgram(_))));
    }
}
