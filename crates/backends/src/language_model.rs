//! The language model: a prompt in, streamed text and tool calls out.

pub mod openai;
pub mod scripted;

use std::sync::Arc;

use antiphon_engine::ids::TurnId;
use antiphon_engine::input::ModelEvent;
use antiphon_engine::message::Prompt;
use futures::stream::BoxStream;

/// What a model can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether it hears the user's audio; one that does not is given transcripts.
    pub audio: bool,
}

/// The user's voice for the turns of a prompt: 16 kHz mono.
#[derive(Debug, Clone, Default)]
pub struct Clips(Vec<(TurnId, Arc<[i16]>)>);

impl Clips {
    /// Adds a turn's audio.
    pub fn insert(&mut self, turn: TurnId, samples: Arc<[i16]>) {
        self.0.push((turn, samples));
    }

    /// A turn's audio, if it is still at hand.
    #[must_use]
    pub fn get(&self, turn: TurnId) -> Option<&Arc<[i16]>> {
        self.0.iter().find(|(id, _)| *id == turn).map(|(_, samples)| samples)
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

/// A language model. Dropping the stream cancels the run.
pub trait LanguageModel: Send + Sync + 'static {
    /// What it can take.
    fn capabilities(&self) -> Capabilities;

    /// Starts a run. The stream ends with exactly one `Finished` or `Failed`.
    fn generate(&self, request: Request) -> BoxStream<'static, ModelEvent>;
}
