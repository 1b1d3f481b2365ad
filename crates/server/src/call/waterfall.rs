//! Where the time of a turn went: from the user's last sample to the first one that the agent played, step by step, with the tools,
//! interruptions, gaps and stalls on the way.
//!
//! An observer, fed with what the engine was told and what it decided: live beside the call's driver, or from a journal. It changes
//! nothing. All times are on the call's clock; those of the user's audio are brought there by how much audio had arrived.

mod observer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::CallTime;
use antiphon_engine::ids::{InvocationId, TurnId};
use antiphon_engine::output::{JudgedBy, Judgement, Verdict};
use serde_json::{Map, Value, json};

pub use observer::Observer;

use super::journal::Journal;

/// A step of a turn, in the order in which they usually come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// The last sample of the user's speech arrived; of written words, they did.
    UserEnd,
    /// The detector noticed that the speech had stopped.
    SpeechStop,
    /// The turn was taken to be over.
    TurnEnd,
    /// The user's words were known.
    Transcript,
    /// The model was asked.
    ModelRequest,
    /// It said the first thing.
    FirstToken,
    /// There was enough text to speak.
    FirstText,
    /// The voice gave the first audio.
    FirstAudio,
    /// The first audio was sent to the client.
    FirstSent,
    /// The client played it, by the playout clock: at once, since nothing lay before it.
    FirstHeard,
    /// The first word had been heard; of a written answer, it was sent.
    FirstWord,
}

impl Mark {
    /// All of them, in order.
    pub const ALL: [Self; 11] = [
        Self::UserEnd,
        Self::SpeechStop,
        Self::TurnEnd,
        Self::Transcript,
        Self::ModelRequest,
        Self::FirstToken,
        Self::FirstText,
        Self::FirstAudio,
        Self::FirstSent,
        Self::FirstHeard,
        Self::FirstWord,
    ];

    /// Its name for programs.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::UserEnd => "userEnd",
            Self::SpeechStop => "speechStop",
            Self::TurnEnd => "turnEnd",
            Self::Transcript => "transcript",
            Self::ModelRequest => "modelRequest",
            Self::FirstToken => "firstToken",
            Self::FirstText => "firstText",
            Self::FirstAudio => "firstAudio",
            Self::FirstSent => "firstSent",
            Self::FirstHeard => "firstHeard",
            Self::FirstWord => "firstWord",
        }
    }

    /// Its name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserEnd => "last user sample",
            Self::SpeechStop => "speech stop noticed",
            Self::TurnEnd => "end of turn",
            Self::Transcript => "transcript",
            Self::ModelRequest => "model request",
            Self::FirstToken => "first token",
            Self::FirstText => "first speakable text",
            Self::FirstAudio => "first audio",
            Self::FirstSent => "first sample sent",
            Self::FirstHeard => "first sample heard",
            Self::FirstWord => "first word heard",
        }
    }
}

/// What a turn answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// Nothing: the agent opened the conversation.
    Greeting,
    /// What the user said.
    Speech(TurnId),
    /// What the user wrote.
    Text,
    /// The user's silence.
    Silence,
    /// A message that was put into the agent's mouth, or the end of the call.
    Told,
}

impl Opening {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Speech(_) => "speech",
            Self::Text => "text",
            Self::Silence => "silence",
            Self::Told => "told",
        }
    }
}

/// What decided that the user's turn was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedBy {
    /// The silence was as long as `turnEndpointDelay`.
    EndpointDelay,
    /// The silence was as long as a turn detector found it worth, by the probability that the turn was over.
    TurnDetector {
        /// In thousandths.
        probability: u16,
    },
    /// The words left a sentence open, and the longest delay was over.
    OpenSentence,
    /// A request or a tool ended the turn with the call.
    Request,
    /// The end of the call.
    CallEnd,
    /// Something else.
    Other,
}

impl EndedBy {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EndpointDelay => "endpoint delay",
            Self::TurnDetector { .. } => "turn detector",
            Self::OpenSentence => "longest delay",
            Self::Request => "request",
            Self::CallEnd => "end of call",
            Self::Other => "other",
        }
    }
}

/// How a turn came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered to the end.
    Answered,
    /// There was nothing to answer, or the call ended before.
    Unanswered,
    /// The user interrupted the answer.
    Interrupted {
        /// When.
        at: CallTime,
        /// What had been heard.
        heard: Arc<str>,
    },
    /// The user went on before anything of the answer was heard.
    Dropped {
        /// When.
        at: CallTime,
    },
}

impl Outcome {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Unanswered => "unanswered",
            Self::Interrupted { .. } => "interrupted",
            Self::Dropped { .. } => "dropped",
        }
    }
}

impl fmt::Display for EndedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::TurnDetector { probability } => {
                write!(f, ", which gave it {:.2} to be over", f64::from(*probability) / 1e3)
            }
            Self::OpenSentence => f.write_str(", as the words left a sentence open"),
            Self::EndpointDelay | Self::Request | Self::CallEnd | Self::Other => Ok(()),
        }
    }
}

/// Speech over the agent, and what it was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpeechOver {
    /// When it was clear.
    pub at: CallTime,
    /// What was clear.
    pub judgement: Judgement,
}

impl SpeechOver {
    /// Its verdict for programs.
    #[must_use]
    pub const fn verdict(&self) -> &'static str {
        match self.judgement.verdict {
            Verdict::Interruption => "interruption",
            Verdict::Nothing => "nothing",
        }
    }

    /// What showed it, for programs.
    #[must_use]
    pub const fn by(&self) -> &'static str {
        match self.judgement.by {
            JudgedBy::Threshold => "threshold",
            JudgedBy::Length => "length",
            JudgedBy::Words => "words",
        }
    }
}

impl fmt::Display for SpeechOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, judgement } = self;
        let verdict = match judgement.verdict {
            Verdict::Interruption => "an interruption",
            Verdict::Nothing => "no interruption",
        };
        write!(f, "{} ms of speech over the agent were {verdict}, ", judgement.spoken.as_millis())?;
        match judgement.by {
            JudgedBy::Threshold => write!(f, "as long as it takes to interrupt, at {at}"),
            JudgedBy::Length => write!(f, "judged by their length at {at}"),
            JudgedBy::Words => write!(f, "judged by their words at {at}"),
        }?;
        if judgement.paused.is_zero() {
            return Ok(());
        }
        write!(f, ", after the agent had stood for {} ms", judgement.paused.as_millis())
    }
}

/// Whoever found the words of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognition {
    /// The recognizer's name.
    pub by: Arc<str>,
    /// How long its answer took from when it was asked for; one that listened may know the words already.
    pub took: Duration,
}

/// A tool that ran in a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolRun {
    /// Which invocation.
    pub invocation: InvocationId,
    /// The tool's name.
    pub name: Arc<str>,
    /// When it was asked.
    pub started: CallTime,
    /// When it answered, failed, or was given up.
    pub ended: Option<CallTime>,
}

/// A backend that said nothing for long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stall {
    /// Which work, as `generation-3`.
    pub work: String,
    /// Since when.
    pub from: CallTime,
    /// For how long.
    pub length: Duration,
}

/// One turn and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waterfall {
    /// Counted from 1.
    pub number: u32,
    /// What is answered.
    pub opening: Opening,
    /// When each step was reached.
    marks: [Option<CallTime>; Mark::ALL.len()],
    /// What decided that the user's turn was over.
    pub ended_by: Option<EndedBy>,
    /// What the user said or wrote, as far as it is known.
    pub asked: Option<Arc<str>>,
    /// Who found the words of what was said.
    pub recognition: Option<Recognition>,
    /// What the agent said and the user heard.
    pub answer: String,
    /// How it ended.
    pub outcome: Outcome,
    /// When it was over.
    pub closed: CallTime,
    /// What the user said over the answer.
    pub speech_over: Vec<SpeechOver>,
    /// The tools that ran.
    pub tools: Vec<ToolRun>,
    /// How often the audio ran out in the middle of a sentence.
    pub underruns: u32,
    /// Backends that said nothing for long.
    pub stalls: Vec<Stall>,
}

impl Waterfall {
    /// When a step was reached.
    #[must_use]
    pub const fn at(&self, mark: Mark) -> Option<CallTime> {
        self.marks[mark as usize]
    }

    /// The steps that were reached, in the order of time.
    #[must_use]
    pub fn steps(&self) -> Vec<(Mark, CallTime)> {
        let mut steps: Vec<_> =
            Mark::ALL.into_iter().filter_map(|mark| self.at(mark).map(|at| (mark, at))).collect();
        steps.sort_by_key(|(mark, at)| (*at, *mark));
        steps
    }

    /// The first step.
    #[must_use]
    pub fn began(&self) -> Option<CallTime> {
        self.steps().first().map(|(_, at)| *at)
    }

    /// How long the user waited: from the end of their words to the first sample heard, or to the first word of a written answer.
    #[must_use]
    pub fn latency(&self) -> Option<Duration> {
        let answer = self.at(Mark::FirstHeard).or(self.at(Mark::FirstWord))?;
        self.at(Mark::UserEnd).map(|asked| answer.since(asked))
    }

    /// One line for people: where the time went.
    #[must_use]
    pub fn summary(&self) -> String {
        let Some(latency) = self.latency() else {
            return format!("turn {} ({}): {}", self.number, self.opening.name(), self.outcome.name());
        };
        let steps = self.steps();
        let spent: Vec<String> = steps
            .windows(2)
            .filter(|pair| pair[1].0 <= Mark::FirstHeard)
            .map(|pair| (pair[1].0.name(), pair[1].1.since(pair[0].1).as_millis()))
            .filter(|(_, ms)| *ms > 0)
            .map(|(name, ms)| format!("{name} +{ms}"))
            .collect();
        format!("turn {} was answered after {} ms: {}", self.number, latency.as_millis(), spent.join(", "))
    }

    /// Everything for programs: an object with times in milliseconds on the call's clock.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let marks: Map<String, Value> =
            self.steps().into_iter().map(|(mark, at)| (mark.key().to_owned(), millis(at))).collect();
        let tools: Vec<Value> = self
            .tools
            .iter()
            .map(|tool| json!({"name": *tool.name, "started": millis(tool.started), "ended": tool.ended.map(millis)}))
            .collect();
        let stalls: Vec<Value> = self
            .stalls
            .iter()
            .map(|stall| json!({"work": stall.work, "from": millis(stall.from), "ms": ms(stall.length)}))
            .collect();
        let speech_over: Vec<Value> = self
            .speech_over
            .iter()
            .map(|speech| {
                json!({
                    "at": millis(speech.at),
                    "verdict": speech.verdict(),
                    "by": speech.by(),
                    "spokenMs": ms(speech.judgement.spoken),
                    "pausedMs": ms(speech.judgement.paused),
                })
            })
            .collect();
        let probability = match self.ended_by {
            Some(EndedBy::TurnDetector { probability }) => Some(f64::from(probability) / 1e3),
            Some(
                EndedBy::EndpointDelay
                | EndedBy::OpenSentence
                | EndedBy::Request
                | EndedBy::CallEnd
                | EndedBy::Other,
            )
            | None => None,
        };
        let mut outcome = json!({"kind": self.outcome.name()});
        match &self.outcome {
            Outcome::Answered | Outcome::Unanswered => {}
            Outcome::Interrupted { at, heard } => {
                outcome["at"] = millis(*at);
                outcome["heard"] = json!(**heard);
            }
            Outcome::Dropped { at } => outcome["at"] = millis(*at),
        }
        json!({
            "turn": self.number,
            "opening": self.opening.name(),
            "endedBy": self.ended_by.map(EndedBy::name),
            "endOfTurnProbability": probability,
            "latencyMs": self.latency().map(ms),
            "marksMs": marks,
            "recognition": self.recognition.as_ref().map(|recognition| {
                json!({"by": *recognition.by, "tookMs": ms(recognition.took)})
            }),
            "outcome": outcome,
            "closed": millis(self.closed),
            "speechOver": speech_over,
            "tools": tools,
            "underruns": self.underruns,
            "stalls": stalls,
        })
    }
}

fn ms(duration: Duration) -> Value {
    json!((duration.as_secs_f64() * 1e6).round() / 1e3)
}

fn millis(at: CallTime) -> Value {
    ms(at.since_start())
}

/// The waterfalls of all turns in a journal.
#[must_use]
pub fn of_journal(journal: &Journal) -> Vec<Waterfall> {
    let mut observer = Observer::default();
    let mut turns = Vec::new();
    for entry in &journal.entries {
        observer.told(entry.at, entry.input.as_ref());
        for decision in &entry.decisions {
            observer.decided(decision);
        }
        observer.settled(entry.deadline);
        turns.extend(observer.take_finished());
    }
    turns.extend(observer.finish());
    turns
}
