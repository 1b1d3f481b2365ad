//! Everything a conversation wants done or known. Work goes out as effects, news as events, and the wish to be woken as a
//! timeout.
//!
//! Drain after every input: poll until a [`Output::Timeout`] comes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::ids::{GenerationId, InvocationId, Ordinal, StageNumber, TurnId, UtteranceId};
use crate::input::{ModelToolCall, Tones};
use crate::message::{AudioSpan, Medium, Message, Prompt, Speaker};
use crate::stage::NewStage;
use crate::time::CallTime;
use crate::timers::Timer;

/// What `poll` gives.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "an output that is dropped is work not done"]
pub enum Output {
    /// Something to do.
    Effect(Effect),
    /// Something to tell.
    Event(Event),
    /// Nothing more until this deadline, and why; `None` when only an input can change anything.
    Timeout(Option<(CallTime, Timer)>),
}

/// Work for the driver.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Stop this work; its results will be ignored.
    Cancel(Work),
    /// Drop all audio that was sent and not yet played. Nothing of it may follow.
    ClearPlayback,
    /// Close the leg. The last effect of a call that was joined, but for cancelling transcriptions that take too long.
    CloseLeg(EndReason),
    /// Run a tool and report its outcome.
    InvokeTool(Box<Invocation>),
    /// Send the next `samples` of this utterance's audio now.
    Play {
        /// Which utterance.
        utterance: UtteranceId,
        /// How many samples at the call's output rate.
        samples: u32,
    },
    /// Find out how likely it is that this turn is over, while the user pauses. Takes no longer than a pause and is not
    /// cancelled: a verdict that comes too late names a turn that nobody asks about any more.
    JudgeTurn(AudioSpan),
    /// Run the language model.
    StartModel {
        /// The id its events must carry.
        generation: GenerationId,
        /// The side thread that it answers in; the main conversation if absent.
        thread: Option<Arc<str>>,
        /// What it is given.
        prompt: Box<Prompt>,
    },
    /// Speak this text and report its audio.
    StartSpeech {
        /// The id its events must carry.
        utterance: UtteranceId,
        /// What to speak.
        text: Arc<str>,
    },
    /// Make the sound of these keys and report its audio, like that of a voice.
    StartTones {
        /// The id its events must carry.
        utterance: UtteranceId,
        /// The keys.
        tones: Tones,
    },
    /// Find out the words in this audio. While the user pauses, the same audio may come again, and more of it, as another turn;
    /// the turn before is cancelled then.
    Transcribe(AudioSpan),
}

/// Work that can be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Work {
    /// A run of the language model.
    Model(GenerationId),
    /// An utterance's synthesis; audio not yet played is dropped too.
    Speech(UtteranceId),
    /// A tool's invocation.
    Tool(InvocationId),
    /// A turn's transcription.
    Transcription(TurnId),
}

/// A tool to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    /// The id its outcome must carry.
    pub id: InvocationId,
    /// The id that the outside caller gave, for calls of a forced message.
    pub given_id: Option<Arc<str>>,
    /// Index in the tools of the stage.
    pub tool: usize,
    /// The name that the model knows it by.
    pub name: Arc<str>,
    /// The model's arguments: always a JSON object.
    pub arguments: Arc<serde_json::Value>,
    /// The call's state, invisible to the model: always a JSON object.
    pub state: Arc<serde_json::Value>,
    /// The conversation so far, this call included, if the tool wants it.
    pub history: Option<Vec<Message>>,
    /// The side thread that calls it; the main conversation if absent.
    pub thread: Option<Arc<str>>,
    /// What the side threads are doing.
    pub threads: Vec<ThreadStatus>,
}

/// What a side thread is doing (protocol.md 6.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadStatus {
    /// Its name.
    pub id: Arc<str>,
    /// What it does.
    pub state: ThreadState,
    /// What the agent said there last, if it does nothing.
    pub last_response: Option<Arc<str>>,
}

/// What a side thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadState {
    /// Nothing.
    Idle,
    /// The model runs, or waits for its turn.
    Generating,
    /// Tools run.
    CallingTool,
    /// It has ended for good.
    Failed,
}

/// What side threads have used. Tokens are estimated from the length of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ThreadUsage {
    /// Runs of the model.
    pub generations: u32,
    /// Tokens taken in.
    pub input_tokens: u64,
    /// Tokens given out.
    pub output_tokens: u64,
}

/// Why a side thread ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadEnd {
    /// Its call, its stage or its name was taken from it.
    Canceled,
    /// It reached a limit.
    LimitReached,
    /// Something broke.
    Failed,
}

/// News of a side thread.
#[derive(Debug, Clone, PartialEq)]
pub enum ThreadEvent {
    /// It began.
    Spawned {
        /// Its name.
        thread: Arc<str>,
    },
    /// It did not begin.
    Rejected {
        /// The name that it would have had.
        thread: Arc<str>,
        /// Why not.
        reason: Arc<str>,
    },
    /// It ended.
    Terminated {
        /// Its name.
        thread: Arc<str>,
        /// How it came to that.
        end: ThreadEnd,
        /// A sentence for people.
        reason: Arc<str>,
        /// All that it used.
        usage: ThreadUsage,
    },
    /// The agent says more there.
    Delta {
        /// Its name.
        thread: Arc<str>,
        /// What was added.
        text: Arc<str>,
    },
    /// The agent has said something there.
    Completed {
        /// Its name.
        thread: Arc<str>,
        /// All of it.
        text: Arc<str>,
        /// The tools that it calls.
        tool_calls: Vec<ModelToolCall>,
        /// What it took.
        usage: ThreadUsage,
    },
    /// The model failed there.
    GenerationFailed {
        /// Its name.
        thread: Arc<str>,
        /// Why.
        reason: Arc<str>,
        /// What it took.
        usage: ThreadUsage,
    },
    /// The model was stopped there.
    GenerationCanceled {
        /// Its name.
        thread: Arc<str>,
        /// What it took.
        usage: ThreadUsage,
    },
}

/// News for the client, the record and the log.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The conversation began to run: a client is there.
    Started,
    /// The agent's state changed.
    StateChanged(AgentState),
    /// Words of a message became known to the client.
    Transcript(Transcript),
    /// A message's text is settled: it belongs to the record now, at this index.
    MessageCommitted {
        /// Its index in the record, counted from the first initial message.
        index: usize,
        /// The stage in which it took its place.
        stage: StageNumber,
        /// The message.
        message: Box<Message>,
    },
    /// The user began to speak: a turn is open.
    UserStartedSpeaking,
    /// The user has been silent for the endpoint delay: the turn is closed, whether it counted or not.
    UserStoppedSpeaking,
    /// The user's turn counts: it has its place in the record and will be answered.
    TurnTaken(TurnId),
    /// Speech over the agent turned out to be an interruption, or nothing.
    SpeechJudged(Judgement),
    /// A new stage of the call began: from here on, all work is done with what it changed.
    StageChanged {
        /// Which stage.
        number: StageNumber,
        /// What it changed, as it was given.
        stage: Arc<NewStage>,
    },
    /// Something happened in a side thread.
    Thread(Box<ThreadEvent>),
    /// Something worth the developer's attention.
    Notice(Notice),
    /// The call is over. Nothing follows.
    Ended(EndReason),
}

/// What came of speech over the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    /// What it was.
    pub verdict: Verdict,
    /// What showed it.
    pub by: JudgedBy,
    /// How much the user had spoken, pieces with short pauses between them added up.
    pub spoken: Duration,
    /// How long the agent's playout had stood by then.
    pub paused: Duration,
}

/// What speech over the agent was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Somebody wants the floor.
    Interruption,
    /// A sign of listening, a cough, a noise.
    Nothing,
}

/// What showed what speech over the agent was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JudgedBy {
    /// It was as long as it takes to interrupt, and nothing could be paused to judge it.
    Threshold,
    /// How long it was, and whether it went on.
    Length,
    /// What was said.
    Words,
}

impl fmt::Display for JudgedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Threshold => "at once",
            Self::Length => "by its length",
            Self::Words => "by its words",
        })
    }
}

/// What the agent is doing, as clients see it (protocol.md 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentState {
    /// Waiting for the user.
    Listening,
    /// Its audio is playing.
    Speaking,
    /// Preparing an answer or running a tool.
    Thinking,
}

/// A piece of a message's transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// Who said it.
    pub speaker: Speaker,
    /// How it was said.
    pub medium: Medium,
    /// Which message.
    pub ordinal: Ordinal,
    /// The words.
    pub words: TranscriptWords,
}

/// The ways in which a transcript grows (protocol.md 3.3, rules 1 to 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TranscriptWords {
    /// The first words of a message that will go on.
    First(Arc<str>),
    /// More words, with their leading blank.
    More(Arc<str>),
    /// The whole text. Nothing follows for this ordinal.
    Final(Arc<str>),
}

/// Something worth the developer's attention; becomes an event of the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How much it matters.
    pub severity: Severity,
    /// A dotted lower-case name from a published list, at most 50 characters.
    pub kind: &'static str,
    /// A sentence for people.
    pub text: String,
}

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// For whoever looks closely.
    Debug,
    /// Worth knowing.
    Info,
    /// Something is not as it should be; the call goes on.
    Warning,
    /// Something failed.
    Error,
}

/// Why a call ended (protocol.md 1.5, A-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// The agent's side ended it: a tool, a request, an inactivity message.
    AgentHangUp,
    /// The transport broke or its media went idle.
    ConnectionError,
    /// The client went away.
    HangUp,
    /// Our own failure.
    SystemError,
    /// The maximum duration was reached.
    Timeout,
    /// Nobody joined in time.
    Unjoined,
}
