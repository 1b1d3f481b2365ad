//! Speech to text: a turn's audio in, its words out; or the audio while it is spoken, for recognizers that can.

pub mod deepgram;
pub mod fallback;
pub mod openai;
pub mod pocketsphinx;
pub mod scripted;
#[cfg(feature = "whisper-local")]
pub mod whisper;

mod segment;

use std::sync::Arc;
use std::time::Duration;

use antiphon_audio::Clip;
use antiphon_engine::input::Transcription;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tokio::sync::mpsc;

use crate::http::HttpFailure;
use crate::language_model::Failure;

/// A turn to transcribe.
#[derive(Debug, Clone)]
pub struct Request {
    /// The user's audio: 16 kHz mono.
    pub samples: Clip,
    /// BCP-47 language of the conversation, when the developer gave one.
    pub language: Option<Arc<str>>,
}

/// What a recognizer heard.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// The words, or why there are none.
    pub transcription: Transcription,
    /// Who found them.
    pub by: Arc<str>,
    /// Why another one, which should have, did not.
    pub instead: Option<Arc<str>>,
    /// How long the recognizer asked to be left alone (`Retry-After`).
    pub retry_after: Option<Duration>,
}

impl Heard {
    /// What a recognizer heard itself.
    #[must_use]
    pub fn by(by: &Arc<str>, transcription: Transcription) -> Self {
        Self { transcription, by: Arc::clone(by), instead: None, retry_after: None }
    }

    /// What a model behind a connection made of a turn.
    fn from_model(by: &Arc<str>, model: &str, words: Result<Arc<str>, HttpFailure>) -> Self {
        match words {
            Ok(words) => Self::by(by, Transcription::Words(words)),
            Err(failure) => {
                let Failure { reason, retry_after, .. } =
                    failure.of(&format!("the transcription model \"{model}\""));
                Self { retry_after, ..Self::by(by, Transcription::Failed(reason)) }
            }
        }
    }
}

/// What a recognizer that listens is told. Positions are samples on a clock of 16 kHz that runs with the user's audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Speech {
    /// More of the user's audio. What lies between it and the audio before was not worth sending.
    Audio {
        /// Where its first sample lies.
        at: u64,
        /// The samples, 16 kHz mono.
        samples: Vec<i16>,
    },
    /// The user fell silent: the words up to here are wanted now. The user may go on.
    Pause,
}

/// What a recognizer that listens tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overheard {
    /// Words that will not change any more.
    Piece(Piece),
    /// Words behind the last such piece, as far as they are known; in place of those before. They may still change.
    Interim(Arc<str>),
    /// All pieces up to a pause were told. One for each pause, in order.
    CaughtUp {
        /// Where the audio ended that had been sent before the pause.
        to: u64,
        /// Whether the recognizer says so itself. If not it may have missed something, and the whole turn is worth a question.
        surely: bool,
    },
    /// It cannot go on. Nothing follows.
    Failed(Arc<str>),
}

/// Words, and where they lie in the user's audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The sample at which they begin.
    pub from: u64,
    /// The sample behind their end.
    pub to: u64,
    /// The words; not empty.
    pub words: Arc<str>,
}

/// A recognizer at work on what somebody says while they say it. Dropping it stops it at once; so does, once it has said goodbye,
/// dropping the sender of the speech.
pub struct Listener {
    /// Who finds the words.
    pub by: Arc<str>,
    /// What it tells. Ends with `Failed`, or when the speech has ended.
    pub told: BoxStream<'static, Overheard>,
}

/// Something that finds the words in speech. Dropping the future cancels the work.
pub trait SpeechToText: Send + Sync + 'static {
    /// Transcribes one turn; empty words mean that there was no speech.
    fn transcribe(&self, request: Request) -> BoxFuture<'static, Heard>;

    /// Listens to a user for as long as their speech comes, if it can: then the words of a turn are known when it ends. Nothing for
    /// recognizers that take whole turns only.
    fn listen(&self, _speech: mpsc::Receiver<Speech>, _language: Option<Arc<str>>) -> Option<Listener> {
        None
    }
}
