//! What a conversation decided, short enough to keep and clear enough to read: one of these for every output.
//!
//! A decision names work by its id and quotes words; what only a digest needs (a prompt's messages, a tool's state) is not in it.

use std::fmt;
use std::sync::Arc;

use antiphon_engine::CallTime;
use antiphon_engine::ids::{GenerationId, InvocationId, Ordinal, StageNumber, TurnId, UtteranceId};
use antiphon_engine::message::{AudioSpan, MessageBody, Speaker};
use antiphon_engine::output::{
    AgentState, Effect, EndReason, Event, Judgement, Output, Severity, ThreadEvent, TranscriptWords, Verdict,
    Work,
};
use antiphon_engine::timers::Timer;

use super::bytes::{Malformed, Reader, Writer};
use super::codec::{Put, Take, choice};

/// Words that are quoted at most, in bytes.
const QUOTE: usize = 240;

/// Something that the engine decided.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// To stop this work.
    Cancel(Work),
    /// To drop the audio that was sent and not played.
    ClearPlayback,
    /// To close the leg.
    CloseLeg(EndReason),
    /// To run a tool.
    InvokeTool {
        /// Which invocation.
        invocation: InvocationId,
        /// The tool's name.
        tool: Arc<str>,
        /// The side thread that wants it.
        thread: Option<Arc<str>>,
    },
    /// To send audio.
    Play {
        /// Of which utterance.
        utterance: UtteranceId,
        /// How many samples at the call's output rate.
        samples: u32,
    },
    /// To run the model.
    StartModel {
        /// Which run.
        generation: GenerationId,
        /// How many messages it was given.
        messages: usize,
        /// The side thread that it answers in.
        thread: Option<Arc<str>>,
    },
    /// To speak a text.
    StartSpeech {
        /// Which utterance.
        utterance: UtteranceId,
        /// What it says.
        text: Arc<str>,
    },
    /// To find out how likely it is that a turn is over.
    JudgeTurn(AudioSpan),
    /// To find out the words of a turn.
    Transcribe(AudioSpan),
    /// The conversation runs.
    Started,
    /// The agent's state changed.
    State(AgentState),
    /// Words for the client.
    Words(Words),
    /// A message was settled.
    Committed {
        /// Its index in the record.
        index: usize,
        /// Whose it is.
        author: Author,
        /// Its place among the transcripts.
        ordinal: Option<Ordinal>,
    },
    /// The user began to speak.
    UserStartedSpeaking,
    /// The user's turn is over.
    UserStoppedSpeaking,
    /// The user's turn counts.
    TurnTaken(TurnId),
    /// What speech over the agent was.
    SpeechJudged(Judgement),
    /// Another stage of the call began.
    StageChanged(StageNumber),
    /// Something happened in a side thread.
    Thread {
        /// Its name.
        thread: Arc<str>,
        /// What.
        news: ThreadNews,
    },
    /// Something for the developer.
    Notice {
        /// How much it matters.
        severity: Severity,
        /// Its published name.
        kind: Arc<str>,
        /// What it says.
        text: Arc<str>,
    },
    /// The call is over.
    Ended(EndReason),
}

/// Words of a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Whose.
    pub speaker: Speaker,
    /// Of which message.
    pub ordinal: Ordinal,
    /// How the transcript grew.
    pub step: Step,
    /// The words.
    pub text: Arc<str>,
}

/// How a transcript grew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Its first words.
    First,
    /// More of them.
    More,
    /// All of them.
    Final,
}

/// Whose message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// The agent's.
    Agent,
    /// A call of this tool.
    Call(InvocationId),
    /// A result of this tool.
    Result(InvocationId),
    /// The user's, spoken or written.
    User(Option<TurnId>),
}

/// When the engine wants to be woken, and why.
pub type Deadline = Option<(CallTime, Timer)>;

impl Decision {
    /// What an output decides; a timeout is no decision.
    #[must_use]
    pub fn of(output: &Output) -> Option<Self> {
        match output {
            Output::Effect(effect) => Some(Self::of_effect(effect)),
            Output::Event(event) => Some(Self::of_event(event)),
            Output::Timeout(_) => None,
        }
    }

    fn of_effect(effect: &Effect) -> Self {
        match effect {
            Effect::Cancel(work) => Self::Cancel(*work),
            Effect::ClearPlayback => Self::ClearPlayback,
            Effect::CloseLeg(reason) => Self::CloseLeg(*reason),
            Effect::InvokeTool(invocation) => Self::InvokeTool {
                invocation: invocation.id,
                tool: quote(&invocation.name),
                thread: invocation.thread.as_ref().map(quote),
            },
            Effect::Play { utterance, samples } => Self::Play { utterance: *utterance, samples: *samples },
            Effect::StartModel { generation, thread, prompt } => {
                let thread = thread.as_ref().map(quote);
                Self::StartModel { generation: *generation, messages: prompt.messages.len(), thread }
            }
            Effect::StartSpeech { utterance, text } => {
                Self::StartSpeech { utterance: *utterance, text: quote(text) }
            }
            // The keys may be anybody's secret number.
            Effect::StartTones { utterance, .. } => {
                Self::StartSpeech { utterance: *utterance, text: Arc::from("(keys of a telephone)") }
            }
            Effect::JudgeTurn(span) => Self::JudgeTurn(*span),
            Effect::Transcribe(span) => Self::Transcribe(*span),
        }
    }

    fn of_thread(event: &ThreadEvent) -> Self {
        let (thread, news) = match event {
            ThreadEvent::Spawned { thread } => (thread, ThreadNews::Spawned),
            ThreadEvent::Rejected { thread, .. } => (thread, ThreadNews::Rejected),
            ThreadEvent::Terminated { thread, .. } => (thread, ThreadNews::Terminated),
            ThreadEvent::Delta { thread, .. } => (thread, ThreadNews::Delta),
            ThreadEvent::Completed { thread, .. } => (thread, ThreadNews::Completed),
            ThreadEvent::GenerationFailed { thread, .. } => (thread, ThreadNews::GenerationFailed),
            ThreadEvent::GenerationCanceled { thread, .. } => (thread, ThreadNews::GenerationCanceled),
        };
        Self::Thread { thread: quote(thread), news }
    }

    fn of_event(event: &Event) -> Self {
        match event {
            Event::Started => Self::Started,
            Event::StateChanged(state) => Self::State(*state),
            Event::Transcript(transcript) => {
                let (step, text) = match &transcript.words {
                    TranscriptWords::First(words) => (Step::First, words),
                    TranscriptWords::More(words) => (Step::More, words),
                    TranscriptWords::Final(words) => (Step::Final, words),
                };
                let (speaker, ordinal) = (transcript.speaker, transcript.ordinal);
                Self::Words(Words { speaker, ordinal, step, text: quote(text) })
            }
            Event::MessageCommitted { index, message, .. } => {
                let author = match &message.body {
                    MessageBody::Agent { .. } => Author::Agent,
                    MessageBody::ToolCall { invocation, .. } => Author::Call(*invocation),
                    MessageBody::ToolResult { invocation, .. } => Author::Result(*invocation),
                    MessageBody::User { audio, .. } => Author::User(audio.map(|span| span.turn)),
                };
                Self::Committed { index: *index, author, ordinal: message.ordinal }
            }
            Event::UserStartedSpeaking => Self::UserStartedSpeaking,
            Event::UserStoppedSpeaking => Self::UserStoppedSpeaking,
            Event::TurnTaken(turn) => Self::TurnTaken(*turn),
            Event::SpeechJudged(judgement) => Self::SpeechJudged(*judgement),
            Event::StageChanged { number, .. } => Self::StageChanged(*number),
            Event::Thread(event) => Self::of_thread(event),
            Event::Notice(notice) => Self::Notice {
                severity: notice.severity,
                kind: Arc::from(notice.kind),
                text: Arc::from(cut(&notice.text)),
            },
            Event::Ended(reason) => Self::Ended(*reason),
        }
    }
}

/// What happened in a side thread; its words are in the journal's inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadNews {
    /// It began.
    Spawned,
    /// It did not begin.
    Rejected,
    /// It ended.
    Terminated,
    /// The agent says more there.
    Delta,
    /// The agent has said something there.
    Completed,
    /// The model failed there.
    GenerationFailed,
    /// The model was stopped there.
    GenerationCanceled,
}

/// The beginning of a text, on a border between characters.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(QUOTE)]
}

fn quote(text: &Arc<str>) -> Arc<str> {
    if text.len() <= QUOTE { Arc::clone(text) } else { Arc::from(cut(text)) }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancel(Work::Model(id)) => write!(f, "cancel {id}"),
            Self::Cancel(Work::Speech(id)) => write!(f, "cancel {id}"),
            Self::Cancel(Work::Tool(id)) => write!(f, "cancel {id}"),
            Self::Cancel(Work::Transcription(id)) => write!(f, "cancel the transcription of {id}"),
            Self::ClearPlayback => f.write_str("clear the client's buffer"),
            Self::CloseLeg(reason) => write!(f, "close the leg: {reason:?}"),
            Self::InvokeTool { invocation, tool, thread } => {
                write!(f, "run the tool {tool} as {invocation}{}", In(thread))
            }
            Self::Play { utterance, samples } => write!(f, "play {samples} samples of {utterance}"),
            Self::StartModel { generation, messages, thread } => {
                write!(f, "run the model as {generation} with {messages} messages{}", In(thread))
            }
            Self::StartSpeech { utterance, text } => write!(f, "speak {utterance}: {text:?}"),
            Self::Transcribe(span) => {
                let length = span.to.since(span.from).as_secs_f64();
                write!(f, "transcribe {} ({length:.3} s of audio)", span.turn)
            }
            Self::JudgeTurn(span) => write!(f, "ask whether {} is over", span.turn),
            Self::Started => f.write_str("the conversation runs"),
            Self::State(state) => write!(f, "state {}", state_name(*state)),
            Self::Words(words) => {
                let speaker = match words.speaker {
                    Speaker::Agent => "agent",
                    Speaker::User => "user",
                };
                let step = match words.step {
                    Step::First | Step::More => "says",
                    Step::Final => "said",
                };
                write!(f, "{speaker} {step} ({}): {:?}", words.ordinal, words.text)
            }
            Self::Committed { index, author, .. } => {
                write!(f, "message {index} is settled: ")?;
                match author {
                    Author::Agent => f.write_str("the agent's"),
                    Author::Call(id) => write!(f, "call of {id}"),
                    Author::Result(id) => write!(f, "result of {id}"),
                    Author::User(Some(turn)) => write!(f, "{turn}"),
                    Author::User(None) => f.write_str("the user's"),
                }
            }
            Self::UserStartedSpeaking => f.write_str("the user's turn begins"),
            Self::UserStoppedSpeaking => f.write_str("the user's turn ends"),
            Self::TurnTaken(turn) => write!(f, "{turn} counts"),
            Self::SpeechJudged(Judgement { verdict, by, spoken, .. }) => {
                let verdict = match verdict {
                    Verdict::Interruption => "an interruption",
                    Verdict::Nothing => "no interruption",
                };
                write!(f, "{} ms of speech are {verdict}, judged {by}", spoken.as_millis())
            }
            Self::StageChanged(number) => write!(f, "{number} begins"),
            Self::Thread { thread, news } => write!(f, "thread {thread:?}: {news:?}"),
            Self::Notice { kind, text, .. } => write!(f, "notice {kind}: {text}"),
            Self::Ended(reason) => write!(f, "the call is over: {reason:?}"),
        }
    }
}

/// Where something is done, if it is not in the main conversation.
struct In<'a>(&'a Option<Arc<str>>);

impl fmt::Display for In<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |thread| write!(f, " in the thread {thread:?}"))
    }
}

fn state_name(state: AgentState) -> &'static str {
    match state {
        AgentState::Listening => "listening",
        AgentState::Speaking => "speaking",
        AgentState::Thinking => "thinking",
    }
}

choice!(Decision {
    0: Cancel(work),
    1: ClearPlayback,
    2: CloseLeg(reason),
    3: InvokeTool { invocation, tool, thread },
    4: Play { utterance, samples },
    5: StartModel { generation, messages, thread },
    6: StartSpeech { utterance, text },
    7: Transcribe(span),
    8: Started,
    9: State(state),
    10: Words(words),
    11: Committed { index, author, ordinal },
    12: UserStartedSpeaking,
    13: UserStoppedSpeaking,
    14: Notice { severity, kind, text },
    15: Ended(reason),
    16: JudgeTurn(span),
    17: SpeechJudged(judgement),
    18: TurnTaken(turn),
    19: Thread { thread, news },
    20: StageChanged(number),
});
choice!(ThreadNews {
    0: Spawned,
    1: Rejected,
    2: Terminated,
    3: Delta,
    4: Completed,
    5: GenerationFailed,
    6: GenerationCanceled,
});
choice!(Step { 0: First, 1: More, 2: Final });
choice!(Author { 0: Agent, 1: Call(id), 2: Result(id), 3: User(turn) });

impl Put for Words {
    fn put(&self, out: &mut Writer) {
        let Self { speaker, ordinal, step, text } = self;
        speaker.put(out);
        ordinal.put(out);
        step.put(out);
        match speaker {
            Speaker::Agent => out.text(text),
            Speaker::User => out.user_text(text),
        }
    }
}

impl Take for Words {
    fn parse(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (speaker, ordinal, step) = (Speaker::parse(input)?, Ordinal::parse(input)?, Step::parse(input)?);
        let text = match speaker {
            Speaker::Agent => Arc::from(input.text()?),
            Speaker::User => input.user_text()?,
        };
        Ok(Self { speaker, ordinal, step, text })
    }
}
