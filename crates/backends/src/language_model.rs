//! The language model: a prompt in, streamed text and tool calls out.

pub mod anthropic;
pub mod fallback;
pub mod measure;
pub mod openai;
pub mod probe;
pub mod scripted;

mod answer;
mod thoughts;

use std::sync::Arc;
use std::time::Duration;

use antiphon_audio::Clip;
use antiphon_engine::ids::TurnId;
use antiphon_engine::input::{ModelEvent, ModelToolCall};
use antiphon_engine::message::Prompt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

pub use self::answer::Waits;

/// What a model can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether it hears the user's audio; one that does not is given transcripts.
    pub audio: bool,
    /// How many of the user's last spoken turns it may be given as audio; 0 for one that does not hear.
    pub clips: usize,
    /// Whether it was meant to hear and was found not to: it is given transcripts instead.
    pub found_deaf: bool,
    /// Whether reading a conversation in advance helps it; see [`LanguageModel::warm_up`].
    pub warm_up: bool,
}

impl Capabilities {
    /// A model that reads and needs no preparation.
    pub const TEXT: Self = Self { audio: false, clips: 0, found_deaf: false, warm_up: false };
}

/// The user's voice for the turns of a prompt: 16 kHz mono.
#[derive(Debug, Clone, Default)]
pub struct Clips(Vec<(TurnId, Clip)>);

impl Clips {
    /// Adds a turn's audio.
    pub fn insert(&mut self, turn: TurnId, clip: Clip) {
        self.0.push((turn, clip));
    }

    /// A turn's audio, if it is still at hand.
    #[must_use]
    pub fn get(&self, turn: TurnId) -> Option<&Clip> {
        self.0.iter().find(|(id, _)| *id == turn).map(|(_, clip)| clip)
    }
}

/// One run of a model.
#[derive(Debug, Clone)]
pub struct Request {
    /// The conversation so far.
    pub prompt: Prompt,
    /// The audio of its spoken user messages, as far as the model hears audio and it is still at hand.
    pub clips: Clips,
}

/// What a run streams.
#[derive(Debug, Clone, PartialEq)]
pub enum RunEvent {
    /// More text of the answer.
    Text(Arc<str>),
    /// A complete tool call.
    ToolCall(ModelToolCall),
    /// How the answer comes about. No part of it.
    Note(Note),
    /// The answer is complete. Nothing follows.
    Finished,
    /// The model failed. Nothing follows.
    Failed(Failure),
}

impl RunEvent {
    /// What it means to a conversation; nothing for a note.
    #[must_use]
    pub fn for_conversation(self) -> Option<ModelEvent> {
        match self {
            Self::Text(text) => Some(ModelEvent::Text(text)),
            Self::ToolCall(call) => Some(ModelEvent::ToolCall(call)),
            Self::Note(_) => None,
            Self::Finished => Some(ModelEvent::Finished),
            Self::Failed(failure) => Some(ModelEvent::Failed(failure.reason)),
        }
    }
}

impl From<ModelEvent> for RunEvent {
    fn from(event: ModelEvent) -> Self {
        match event {
            ModelEvent::Text(text) => Self::Text(text),
            ModelEvent::ToolCall(call) => Self::ToolCall(call),
            ModelEvent::Finished => Self::Finished,
            ModelEvent::Failed(reason) => Self::Failed(Failure::of_backend(reason)),
        }
    }
}

/// Why a run came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For people, in a lowercase fragment.
    pub reason: Arc<str>,
    /// Who is at fault.
    pub fault: Fault,
    /// How long the backend asked to be left alone (`Retry-After`).
    pub retry_after: Option<Duration>,
}

/// Who is at fault when a run fails: whether the same would fail again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The backend: it cannot be reached, is overloaded, stalled or broke off. It may work again later.
    Backend,
    /// What was asked: this backend refuses it now and later.
    Request,
}

impl Failure {
    /// A backend that does not do its work.
    #[must_use]
    pub fn of_backend(reason: impl Into<Arc<str>>) -> Self {
        Self { reason: reason.into(), fault: Fault::Backend, retry_after: None }
    }
}

/// What a run tells about itself, for whoever looks into a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    /// A model was asked.
    Asked(Asked),
    /// The model thinks before it speaks, and whoever asked waits for it. Told once.
    Thinks,
    /// What the run took.
    Usage(Usage),
    /// A model failed before the first word, and another one, or the same again, is asked instead.
    Fallback(Fallback),
}

/// How a model was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The model's name at its endpoint.
    pub model: Arc<str>,
    /// How it was given the user's spoken turns, oldest first.
    pub turns: Vec<(TurnId, GivenAs)>,
}

/// What a model was given of a spoken turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenAs {
    /// The user's voice.
    Audio,
    /// The words.
    Transcript,
    /// That something was said and not understood: there was neither audio nor a transcript.
    Unknown,
}

impl GivenAs {
    /// Its name for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Transcript => "transcript",
            Self::Unknown => "unknown",
        }
    }
}

/// The tokens of a run, as the backend counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub input: u64,
    /// Tokens of the prompt that the backend had read before, where it says so.
    pub cached: Option<u64>,
    /// Tokens of the answer, reasoning included.
    pub output: u64,
}

/// From one model to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// The configured name of the model that failed.
    pub from: Arc<str>,
    /// The configured name of the one that is asked instead; the same name where it is asked again.
    pub to: Arc<str>,
    /// Why the first one failed.
    pub reason: Arc<str>,
}

/// A language model. Dropping the stream cancels the run.
pub trait LanguageModel: Send + Sync + 'static {
    /// What it can take. May change when more is learnt about the model.
    fn capabilities(&self) -> Capabilities;

    /// Starts a run. The stream ends with exactly one `Finished` or `Failed`.
    fn generate(&self, request: Request) -> BoxStream<'static, RunEvent>;

    /// Has a conversation read in advance, so that the next run, which begins with the same, is quicker. Nobody waits for it,
    /// and dropping the future cancels it. Done at once where it would not help or would cost money.
    fn warm_up(&self, request: Request) -> BoxFuture<'static, ()>;
}
