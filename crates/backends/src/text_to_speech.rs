//! The voice: text in, streamed audio and word times out.

pub mod flite;
pub mod openai;

mod plain_english;
pub mod scripted;

use std::fmt;
use std::sync::Arc;

use antiphon_audio::SampleRate;
use antiphon_engine::input::WordEnd;
use bytes::Bytes;
use futures::stream::BoxStream;

/// What a voice gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// The rate of its audio.
    pub sample_rate: SampleRate,
    /// Whether it says where words end.
    pub word_times: bool,
    /// Whether it can speak like a recording that comes with the request.
    pub clones: bool,
}

/// What somebody sounds like: a recording of up to a minute, as it was uploaded.
#[derive(Clone, PartialEq, Eq)]
pub struct VoiceSample {
    /// The file's bytes.
    pub file: Bytes,
    /// What the bytes are.
    pub format: SampleFormat,
}

/// The format of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleFormat {
    /// MPEG audio, layer III.
    Mp3,
    /// RIFF WAVE.
    Wav,
}

impl fmt::Debug for VoiceSample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VoiceSample").field("bytes", &self.file.len()).field("format", &self.format).finish()
    }
}

/// A piece of text to speak.
#[derive(Debug, Clone)]
pub struct Request {
    /// The text; holds at least one letter or digit.
    pub text: Arc<str>,
    /// BCP-47 language of the conversation, when the developer gave one.
    pub language: Option<Arc<str>>,
    /// Whom to speak like. Only voices that clone are asked to.
    pub sample: Option<Arc<VoiceSample>>,
}

/// What a voice streams.
#[derive(Debug, Clone, PartialEq)]
pub enum SpeechEvent {
    /// More audio: s16 mono at the voice's rate.
    Audio(Vec<i16>),
    /// Where words end, in samples at the voice's rate; replaces what was said before.
    Words(Vec<WordEnd>),
    /// All audio was given. Nothing follows.
    Finished,
    /// The voice failed. Nothing follows.
    Failed(Arc<str>),
}

/// A voice. Dropping the stream cancels the work.
pub trait TextToSpeech: Send + Sync + 'static {
    /// What it gives.
    fn capabilities(&self) -> Capabilities;

    /// Speaks. The stream ends with exactly one `Finished` or `Failed`.
    fn speak(&self, request: Request) -> BoxStream<'static, SpeechEvent>;
}
