//! Everything that can happen to a conversation. One value, handled once, at a stated time.
//!
//! Inputs are facts, not instructions: the engine decides what they mean. Each result names the work it answers.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::ids::{GenerationId, InvocationId, TurnId, UtteranceId};
use crate::message::Medium;
use crate::stage::NewStage;
use crate::time::AudioTime;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A client joined the call.
    Joined,
    /// The client was lost, and may come back. Until it does, or is given up, time stands.
    ConnectionLost,
    /// The client is gone.
    LegClosed(LegClosed),
    /// The model that runs a generation said something.
    Model(GenerationId, ModelEvent),
    /// The client is back that was lost.
    Rejoined {
        /// How long it was away, in which time stood.
        after: Duration,
        /// How much of what counts as played it never received.
        lost_audio: Duration,
    },
    /// The process is going down; the call must end now.
    ShutDown,
    /// The user began to speak.
    SpeechStarted {
        /// Where on the user's audio clock the first active sample lies.
        at: AudioTime,
        /// How much audio has been received so far; `received - at` is the detector's delay.
        received: AudioTime,
    },
    /// The user fell silent.
    SpeechStopped {
        /// Where on the user's audio clock the last active sample lies.
        at: AudioTime,
        /// How much audio has been received so far; `received - at` is silence already heard.
        received: AudioTime,
    },
    /// The user asked for something by data message or over REST.
    Request(Request),
    /// A deadline that `poll` named has been reached.
    Timeout,
    /// A tool answered.
    Tool(InvocationId, ToolOutcome),
    /// Words of the turn that the user is in the middle of, as far as they are known. They may still change.
    Overheard(Arc<str>),
    /// The words of a user's turn are known.
    Transcribed {
        /// Which turn.
        turn: TurnId,
        /// What became of the wish to know them.
        words: Transcription,
        /// Who found them; nobody, where nothing was there that could.
        by: Option<Arc<str>>,
    },
    /// How likely the turn was over when the user paused, 0 to 1.
    TurnJudged(TurnId, f32),
    /// The voice that speaks an utterance produced something.
    Voice(UtteranceId, VoiceEvent),
}

/// Why a client is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegClosed {
    /// It hung up, cleanly or not.
    ByPeer,
    /// No audio arrived for as long as the medium allows.
    MediaIdle,
    /// It answered no keep-alive, broke the protocol, or did not take what was sent.
    Unresponsive,
    /// Our side of the connection failed.
    OurFault,
}

/// What a language model streams.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelEvent {
    /// More text of the answer.
    Text(Arc<str>),
    /// A complete tool call.
    ToolCall(ModelToolCall),
    /// The answer is complete. Nothing follows.
    Finished,
    /// The model failed. Nothing follows.
    Failed(Arc<str>),
}

/// A tool call as a model or a forced message wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelToolCall {
    /// The name the caller used; the engine checks that there is such a tool.
    pub name: Arc<str>,
    /// The arguments as JSON text; anything but an object is answered with an error.
    pub arguments: Arc<str>,
    /// The id that the caller gave it, for calls of a forced message.
    pub given_id: Option<Arc<str>>,
}

/// What a voice streams for one utterance.
#[derive(Debug, Clone, PartialEq)]
pub enum VoiceEvent {
    /// More audio is at hand, in samples at the call's output rate. The driver keeps the audio itself.
    Audio {
        /// How many samples were added.
        samples: u32,
    },
    /// Where words end, in samples from the utterance's beginning; replaces all estimates so far.
    Words(Arc<[WordEnd]>),
    /// All audio is at hand. Nothing follows.
    Finished,
    /// The voice failed; audio at hand stays usable. Nothing follows.
    Failed(Arc<str>),
}

/// Where a word of an utterance ends in its text and in its audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordEnd {
    /// Byte offset in the utterance's text just behind the word.
    pub text: u32,
    /// Samples from the utterance's beginning at the call's output rate.
    pub samples: u32,
}

/// What became of the wish to know a turn's words.
#[derive(Debug, Clone, PartialEq)]
pub enum Transcription {
    /// The words; empty when there was no speech in the audio.
    Words(Arc<str>),
    /// They could not be had, and why.
    Failed(Arc<str>),
}

/// What became of a tool's invocation.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolOutcome {
    /// It answered.
    Answered(ToolAnswer),
    /// It could not be run or reported an error.
    Failed {
        /// For the model.
        text: Arc<str>,
        /// For the developer.
        detail: Arc<str>,
    },
}

/// A tool's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolAnswer {
    /// What to do with it.
    pub action: ToolAction,
    /// What the agent does next; `None` means the tool's own default.
    pub reaction: Option<Reaction>,
    /// Keys to set in the call's state, or to remove where the value is null.
    pub state_update: Option<Arc<Value>>,
}

/// What a tool's answer asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolAction {
    /// Give the text to the model.
    Respond(Arc<str>),
    /// End the call.
    HangUp(HangUpRequest),
    /// Press keys, and go on when they have been heard.
    PlayTones(Tones),
    /// Go on in another stage of the call. Whoever gave it knows it by its address when it begins.
    NewStage(Arc<NewStage>),
    /// Do something in another conversation of the call.
    SendToThread {
        /// What the model of the calling one sees.
        result: Arc<str>,
        /// What is done, and where.
        request: Box<ThreadRequest>,
    },
}

/// How to end the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HangUpRequest {
    /// Whether the call ends even if the user speaks during the farewell.
    pub strict: bool,
    /// The farewell.
    pub message: Option<Arc<str>>,
    /// What the model is told of the tool's result; `OK` if there is nothing else to say.
    pub result: Option<Arc<str>>,
}

/// Keys of a telephone for the agent to press, as tones among its own audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tones {
    /// The signs on the keys. The driver knows which there are; here they are only counted.
    pub keys: Arc<str>,
    /// How long each is pressed.
    pub tone: Duration,
    /// The silence between two of them.
    pub space: Duration,
}

/// What the agent does after a tool's result (protocol.md 6.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reaction {
    /// Say nothing, wait for the user.
    Listens,
    /// Answer at once.
    #[default]
    Speaks,
    /// Answer only if nothing was said right before the call.
    SpeaksOnce,
}

/// When a message from outside is heeded (protocol.md 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Urgency {
    /// At once, over whoever is speaking.
    Immediate,
    /// With the next answer that happens anyway.
    Later,
    /// When the agent has finished and the user is not in the middle of a turn.
    #[default]
    Soon,
}

/// A wish of the client, the data connection or the REST caller.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// The user wrote something; empty text has the meanings of A-21.
    UserText {
        /// The text.
        text: Arc<str>,
        /// When it is heeded.
        urgency: Urgency,
    },
    /// The agent shall say exactly this, then run these tools.
    ForcedMessage(ForcedMessage),
    /// Say the message, if any, and end the call.
    HangUp {
        /// The farewell; empty for none.
        message: Arc<str>,
    },
    /// The agent answers in this medium from its next message on.
    SetOutputMedium(Medium),
    /// Something happens in a side thread.
    Thread(Box<ThreadRequest>),
}

/// Which conversation of a call is meant (protocol.md 7.11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ThreadRef {
    /// The one that the user hears.
    Main,
    /// A side thread.
    Side(Arc<str>),
    /// The one that began the calling thread; for a tool of the main one, that itself.
    Parent,
}

/// A wish that concerns a thread.
#[derive(Debug, Clone, PartialEq)]
pub enum ThreadRequest {
    /// Begin one.
    Spawn(Box<SpawnThread>),
    /// Somebody writes to it. It is answered when the thread is free; only the main conversation knows of urgency.
    UserText {
        /// To whom.
        to: ThreadRef,
        /// The text.
        text: Arc<str>,
        /// When the main conversation heeds it.
        urgency: Urgency,
    },
    /// A message is put into the agent's mouth there.
    Forced {
        /// Where.
        to: ThreadRef,
        /// The message.
        message: ForcedMessage,
    },
}

/// A side thread to begin: a fork of what another conversation knows.
#[derive(Debug, Clone, PartialEq)]
pub struct SpawnThread {
    /// Its name; one is made if there is none.
    pub id: Option<Arc<str>>,
    /// What it forks.
    pub parent: ThreadRef,
    /// Whether it takes the place of a thread of its name. If not, it is refused then.
    pub replaces: bool,
    /// What is added to the fork's history.
    pub messages: Vec<ThreadMessage>,
    /// The tools that it may use; all of them if absent.
    pub allowed_tools: Option<Vec<Arc<str>>>,
    /// The tools that it may not use after all.
    pub blocked_tools: Vec<Arc<str>>,
    /// When it is stopped.
    pub limits: ThreadLimits,
}

/// A message for a side thread.
#[derive(Debug, Clone, PartialEq)]
pub enum ThreadMessage {
    /// Somebody writes.
    UserText(Arc<str>),
    /// It is put into the agent's mouth, with tools to run. When, and whether it may be interrupted, means nothing there.
    Forced(ForcedMessage),
}

/// What stops a side thread. Tokens are estimated from the length of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ThreadLimits {
    /// Tokens that it may give out.
    pub output_tokens: Option<u32>,
    /// Tokens that it may take in.
    pub input_tokens: Option<u32>,
    /// Generations that it may make.
    pub generations: Option<u32>,
    /// Tokens that one generation may give out.
    pub generation_output_tokens: Option<u32>,
    /// Tokens that one generation may take in.
    pub generation_input_tokens: Option<u32>,
}

/// A message put into the agent's mouth.
#[derive(Debug, Clone, PartialEq)]
pub struct ForcedMessage {
    /// What to say; may be empty.
    pub content: Arc<str>,
    /// Tools to run after it was said.
    pub tool_calls: Vec<ModelToolCall>,
    /// Results that are already known, by the `given_id` of the call they answer.
    pub known_results: Vec<(Arc<str>, ToolOutcome)>,
    /// Whether the user's speech leaves it alone.
    pub uninterruptible: bool,
    /// When it is said.
    pub urgency: ForcedUrgency,
}

/// When a forced message is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForcedUrgency {
    /// At once, over whoever is speaking.
    Immediate,
    /// When the agent has finished and the user is not in the middle of a turn.
    #[default]
    Soon,
}
