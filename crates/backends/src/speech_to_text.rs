//! Speech to text: a turn's audio in, its words out.

pub mod deepgram;
pub mod fallback;
pub mod openai;
pub mod pocketsphinx;
pub mod scripted;
#[cfg(feature = "whisper-local")]
pub mod whisper;

mod segment;

use std::sync::Arc;

use antiphon_engine::input::Transcription;
use futures::future::BoxFuture;

/// A turn to transcribe.
#[derive(Debug, Clone)]
pub struct Request {
    /// The user's audio: 16 kHz mono.
    pub samples: Arc<[i16]>,
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
}

impl Heard {
    /// What a recognizer heard itself.
    #[must_use]
    pub fn by(by: &Arc<str>, transcription: Transcription) -> Self {
        Self { transcription, by: Arc::clone(by), instead: None }
    }
}

/// Something that finds the words in speech. Dropping the future cancels the work.
pub trait SpeechToText: Send + Sync + 'static {
    /// Transcribes one turn; empty words mean that there was no speech.
    fn transcribe(&self, request: Request) -> BoxFuture<'static, Heard>;
}
