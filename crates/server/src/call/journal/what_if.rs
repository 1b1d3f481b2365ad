//! What the same call would have been with other settings, as far as a journal can know.
//!
//! Both courses are run in virtual time: what the user and the outside did happens when it happened, deadlines are met exactly, and
//! every result of a backend comes as long after its work was asked for as in the call, to work with the same id. What was never run
//! in the call has no result: its answer is unknown. So a what-if knows when turns would have ended and who would have been
//! interrupted, and not what anybody would have said to it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use antiphon_backends::turn_detection::TurnDetector;
use antiphon_engine::ids::{InvocationId, TurnId};
use antiphon_engine::message::AudioSpan;
use antiphon_engine::output::Work;
use antiphon_engine::{CallTime, Config, Input};

use super::rehearing::{Listeners, Rehearing, SAME, apart};
use super::replay::Run;
use super::{Decision, Journal};
use crate::call::waterfall::{Mark, Observer, Opening, Outcome, Waterfall};

/// How a call would have been otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct WhatIf {
    /// The turns as they were.
    pub before: Vec<Waterfall>,
    /// The turns as they would have been.
    pub after: Vec<Waterfall>,
    /// What changed, in the order of time.
    pub changes: Vec<Change>,
    /// Work that the call never ran, so that nobody knows what would have come of it.
    pub unknown: Vec<String>,
}

/// A decision that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When: on the call's clock, in the course that has it, or has it first.
    pub at: CallTime,
    /// What.
    pub kind: ChangeKind,
    /// As it was, for people.
    pub before: String,
    /// As it would have been.
    pub after: String,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// The user's turn ended earlier.
    TurnEarlier(Duration),
    /// The user's turn ended later.
    TurnLater(Duration),
    /// The user's turn ended where it had gone on.
    TurnAdded,
    /// The user's turn went on where it had ended, or did not count.
    TurnRemoved,
    /// The agent was interrupted where it had not been.
    InterruptionAdded,
    /// The agent was not interrupted where it had been.
    InterruptionAvoided,
    /// The agent answered earlier.
    AnswerEarlier(Duration),
    /// The agent answered later.
    AnswerLater(Duration),
}

impl ChangeKind {
    /// Its name for programs.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::TurnEarlier(_) => "turnEarlier",
            Self::TurnLater(_) => "turnLater",
            Self::TurnAdded => "turnAdded",
            Self::TurnRemoved => "turnRemoved",
            Self::InterruptionAdded => "interruptionAdded",
            Self::InterruptionAvoided => "interruptionAvoided",
            Self::AnswerEarlier(_) => "answerEarlier",
            Self::AnswerLater(_) => "answerLater",
        }
    }

    /// By how much, where that is known.
    #[must_use]
    pub const fn by(self) -> Option<Duration> {
        match self {
            Self::TurnEarlier(by) | Self::TurnLater(by) | Self::AnswerEarlier(by) | Self::AnswerLater(by) => {
                Some(by)
            }
            Self::TurnAdded | Self::TurnRemoved | Self::InterruptionAdded | Self::InterruptionAvoided => None,
        }
    }
}

/// Runs the call as it was and with `config`, and compares.
#[must_use]
pub fn what_if(journal: &Journal, config: Config) -> WhatIf {
    let tape = Tape::of(journal);
    let before = tape.run(journal, journal.header.config.clone());
    let after = tape.run(journal, config);
    differences(before, after, EXACT)
}

/// Runs the call as it was, and with `config` on what is heard in its recording, and compares. A turn detector judges
/// turns from the recording; without one, what was judged in the call at about the same time counts.
#[must_use]
pub fn what_if_heard(
    journal: &Journal,
    mut config: Config,
    rehearing: &Rehearing,
    listeners: &Listeners,
) -> WhatIf {
    let mut tape = Tape::of(journal);
    let before = tape.run(journal, journal.header.config.clone());
    tape.outside
        .retain(|(_, input)| !matches!(input, Input::SpeechStarted { .. } | Input::SpeechStopped { .. }));
    tape.outside.extend(rehearing.inputs.iter().cloned());
    tape.outside.sort_by_key(|(at, _)| *at);
    let detector = listeners.turn_detector.as_deref();
    config.turn_taking.pauses.detector |= detector.is_some();
    tape.heard = Some(Heard { rehearing, detector, lull: config.turn_taking.pauses.lull });
    let after = tape.run(journal, config);
    differences(before, after, HEARD)
}

/// How much two courses may differ without a change.
#[derive(Debug, Clone, Copy)]
struct Leeway {
    /// Last samples that lie no further apart are of the same turn.
    same: Duration,
    /// What is later or earlier by no more is not.
    slight: Duration,
}

/// Both courses are made of the same inputs.
const EXACT: Leeway = Leeway { same: Duration::ZERO, slight: Duration::ZERO };
/// One was heard again: a detector's frame and a client's frame may lie otherwise.
const HEARD: Leeway = Leeway { same: SAME, slight: Duration::from_millis(52) };

fn differences(before: Course, after: Course, leeway: Leeway) -> WhatIf {
    let changes = compare(&before.turns, &after.turns, leeway);
    let unknown = after.unknown.into_iter().filter(|work| !before.unknown.contains(work)).collect();
    WhatIf { before: before.turns, after: after.turns, changes, unknown }
}

/// What happened in a call, apart from its engine.
struct Tape<'a> {
    /// What came from outside, with its time.
    outside: Vec<(CallTime, Input)>,
    /// What came of each piece of work, with how long after its beginning.
    results: BTreeMap<WorkKey, Vec<(Duration, Input)>>,
    /// Of work on a turn's audio: when the last sample of it came.
    speech: BTreeMap<WorkKey, CallTime>,
    /// When the last thing happened.
    end: CallTime,
    /// What is heard now, if that is not what was heard in the call.
    heard: Option<Heard<'a>>,
}

/// What is heard in a recording.
struct Heard<'a> {
    rehearing: &'a Rehearing,
    detector: Option<&'a dyn TurnDetector>,
    /// How long a pause is when it is judged; the detector hears it too.
    lull: Duration,
}

/// How long a turn detector is taken to judge: tens of milliseconds, as they do.
const JUDGING: Duration = Duration::from_millis(50);

/// Work, by kind and number: the engine's own type has no order.
type WorkKey = (u8, u32);

struct Course {
    turns: Vec<Waterfall>,
    unknown: Vec<String>,
}

impl Tape<'_> {
    fn of(journal: &Journal) -> Self {
        let mut started = BTreeMap::new();
        let mut last_sample = None;
        let mut tape = Self {
            outside: Vec::new(),
            results: BTreeMap::new(),
            speech: BTreeMap::new(),
            end: CallTime::ZERO,
            heard: None,
        };
        for entry in &journal.entries {
            tape.end = entry.at;
            note_last_sample(&mut last_sample, entry.at, entry.input.as_ref());
            let answers = match &entry.input {
                None | Some(Input::Timeout) => None,
                Some(input) => Some((input, answers(input))),
            };
            match answers {
                None => {}
                Some((input, None)) => tape.outside.push((entry.at, input.clone())),
                Some((input, Some(work))) => {
                    if let Some(start) = started.get(&work) {
                        let after = entry.at.since(*start);
                        tape.results.entry(work).or_default().push((after, input.clone()));
                    }
                }
            }
            for work in entry.decisions.iter().filter_map(starts) {
                started.insert(work, entry.at);
                tape.speech.extend(last_sample.map(|last_sample| (work, last_sample)));
                tape.results.entry(work).or_default();
            }
        }
        tape
    }

    /// Runs the call in virtual time.
    fn run(&self, journal: &Journal, config: Config) -> Course {
        let mut run = Run::new(config, journal.header.user_text);
        let mut observer = Observer::default();
        let mut course = Course { turns: Vec::new(), unknown: Vec::new() };
        // What will happen: by time, then in the order in which it was put here.
        let mut inputs: Vec<Input> = self.outside.iter().map(|(_, input)| input.clone()).collect();
        let mut agenda: BinaryHeap<Reverse<(CallTime, usize)>> =
            self.outside.iter().enumerate().map(|(index, (at, _))| Reverse((*at, index))).collect();
        let mut next = Some((CallTime::ZERO, None));
        let mut last_sample = None;
        while let Some((at, input)) = next {
            note_last_sample(&mut last_sample, at, input.as_ref());
            observer.told(at, input.as_ref());
            let said = run.step(at, input);
            for decision in &said.decisions {
                observer.decided(decision);
                let Some(work) = starts(decision) else { continue };
                match self.results_of(decision, work, last_sample) {
                    None => course.unknown.push(decision.to_string()),
                    Some(results) => {
                        for (after, input) in results {
                            agenda.push(Reverse((at + after, inputs.len())));
                            inputs.push(input);
                        }
                    }
                }
            }
            observer.settled(said.deadline);
            course.turns.extend(observer.take_finished());
            let planned = agenda.peek().map(|Reverse((at, _))| *at);
            let deadline = said.deadline.map(|(deadline, _)| deadline.max(at));
            next = match (planned, deadline) {
                (None, Some(deadline)) if deadline <= self.end => Some((deadline, Some(Input::Timeout))),
                (Some(planned), Some(deadline)) if deadline < planned => {
                    Some((deadline, Some(Input::Timeout)))
                }
                (None, _) => None,
                (Some(_), _) => agenda
                    .pop()
                    .map(|Reverse((planned, index))| (planned.max(at), Some(inputs[index].clone()))),
            };
        }
        course.turns.extend(observer.finish());
        course
    }
}

impl Tape<'_> {
    /// What comes of a piece of work: what came of it in the call. Where another ear listens, turns have other numbers, and what
    /// was made of a turn's audio is known by when that ended.
    fn results_of(
        &self,
        decision: &Decision,
        work: WorkKey,
        last_sample: Option<CallTime>,
    ) -> Option<Vec<(Duration, Input)>> {
        let exactly = || self.results.get(&work).cloned();
        let (Decision::Transcribe(span) | Decision::JudgeTurn(span)) = decision else { return exactly() };
        let Some(heard) = &self.heard else { return exactly() };
        if let (Decision::JudgeTurn(_), Some(detector)) = (decision, heard.detector) {
            let heard_by_then = AudioSpan { to: span.to + heard.lull, ..*span };
            let probability = detector.end_of_turn(heard.rehearing.clip(heard_by_then));
            return Some(vec![(JUDGING, Input::TurnJudged(span.turn, probability))]);
        }
        let last_sample = last_sample?;
        let alike =
            self.speech.iter().filter(|((kind, _), at)| *kind == work.0 && apart(**at, last_sample) <= SAME);
        let (known, _) =
            alike.min_by_key(|(known, at)| (apart(**at, last_sample), known.1.abs_diff(work.1)))?;
        let renamed = |input: &Input| {
            if let Input::Transcribed { words, by, .. } = input {
                Input::Transcribed { turn: span.turn, words: words.clone(), by: by.clone() }
            } else if let Input::TurnJudged(_, probability) = input {
                Input::TurnJudged(span.turn, *probability)
            } else {
                input.clone()
            }
        };
        Some(self.results.get(known)?.iter().map(|(after, input)| (*after, renamed(input))).collect())
    }
}

/// Keeps when the last sample of the user's last speech came.
fn note_last_sample(last_sample: &mut Option<CallTime>, now: CallTime, input: Option<&Input>) {
    if let Some(Input::SpeechStopped { at, received }) = input {
        *last_sample = Some(now - received.since(*at));
    }
}

/// The work that an input is a result of.
fn answers(input: &Input) -> Option<WorkKey> {
    match input {
        Input::Model(id, _) => Some(key(Work::Model(*id))),
        Input::Voice(id, _) => Some(key(Work::Speech(*id))),
        Input::Tool(id, _) => Some(key(Work::Tool(*id))),
        Input::Transcribed { turn, .. } => Some(key(Work::Transcription(*turn))),
        Input::TurnJudged(id, _) => Some(judgement(*id)),
        Input::Joined
        | Input::LegClosed(_)
        | Input::Overheard(_)
        | Input::ConnectionLost
        | Input::Rejoined { .. }
        | Input::ShutDown
        | Input::SpeechStarted { .. }
        | Input::SpeechStopped { .. }
        | Input::Request(_)
        | Input::Timeout => None,
    }
}

/// The work that a decision starts.
fn starts(decision: &Decision) -> Option<WorkKey> {
    match decision {
        Decision::StartModel { generation, .. } => Some(key(Work::Model(*generation))),
        Decision::StartSpeech { utterance, .. } => Some(key(Work::Speech(*utterance))),
        Decision::InvokeTool { invocation: InvocationId(id), .. } => Some(key(Work::Tool(InvocationId(*id)))),
        Decision::Transcribe(span) => Some(key(Work::Transcription(span.turn))),
        Decision::JudgeTurn(span) => Some(judgement(span.turn)),
        Decision::Cancel(_)
        | Decision::ClearPlayback
        | Decision::CloseLeg(_)
        | Decision::Play { .. }
        | Decision::Started
        | Decision::State(_)
        | Decision::Words(_)
        | Decision::Committed { .. }
        | Decision::UserStartedSpeaking
        | Decision::UserStoppedSpeaking
        | Decision::TurnTaken(_)
        | Decision::Thread { .. }
        | Decision::SpeechJudged(_)
        | Decision::Notice { .. }
        | Decision::StageChanged(_)
        | Decision::Ended(_) => None,
    }
}

fn key(work: Work) -> WorkKey {
    match work {
        Work::Model(id) => (0, id.0),
        Work::Speech(id) => (1, id.0),
        Work::Tool(id) => (2, id.0),
        Work::Transcription(id) => (3, id.0),
    }
}

/// A turn detector's judgement is not cancelled, so that the engine has no word for it.
fn judgement(turn: TurnId) -> WorkKey {
    (4, turn.0)
}

/// A spoken turn is known by its last sample.
fn spoken(turns: &[Waterfall]) -> Vec<(CallTime, &Waterfall)> {
    let is_spoken = |turn: &&Waterfall| matches!(turn.opening, Opening::Speech(_));
    turns.iter().filter(is_spoken).filter_map(|turn| Some((turn.at(Mark::UserEnd)?, turn))).collect()
}

fn compare(before: &[Waterfall], after: &[Waterfall], leeway: Leeway) -> Vec<Change> {
    let (old, mut new) = (spoken(before), spoken(after));
    let mut changes = Vec::new();
    let mut change =
        |at, kind, before: String, after: String| changes.push(Change { at, kind, before, after });
    for (last_sample, was) in &old {
        let nearest = (0..new.len()).min_by_key(|index| apart(new[*index].0, *last_sample));
        let same = nearest.filter(|index| apart(new[*index].0, *last_sample) <= leeway.same);
        let Some((_, is)) = same.map(|index| new.remove(index)) else {
            let ended = was.at(Mark::TurnEnd).unwrap_or(*last_sample);
            change(
                ended,
                ChangeKind::TurnRemoved,
                format!("the turn ends at {ended}"),
                "it goes on, or does not count".to_owned(),
            );
            continue;
        };
        if let (Some(was), Some(is)) = (was.at(Mark::TurnEnd), is.at(Mark::TurnEnd))
            && apart(was, is) > leeway.slight
        {
            let kind = if is < was {
                ChangeKind::TurnEarlier(was.since(is))
            } else {
                ChangeKind::TurnLater(is.since(was))
            };
            change(was.min(is), kind, format!("the turn ends at {was}"), format!("it ends at {is}"));
        }
        if let (Some(was), Some(is)) = (was.at(Mark::FirstHeard), is.at(Mark::FirstHeard))
            && apart(was, is) > leeway.slight
        {
            let kind = if is < was {
                ChangeKind::AnswerEarlier(was.since(is))
            } else {
                ChangeKind::AnswerLater(is.since(was))
            };
            change(was.min(is), kind, format!("the answer begins at {was}"), format!("it begins at {is}"));
        }
    }
    for (last_sample, is) in &new {
        let ended = is.at(Mark::TurnEnd).unwrap_or(*last_sample);
        change(
            ended,
            ChangeKind::TurnAdded,
            "the turn goes on, or does not count".to_owned(),
            format!("it ends at {ended}"),
        );
    }
    let (was, is) = (interruptions(before), interruptions(after));
    for (at, heard) in &was {
        if !is.iter().any(|(other, _)| near(*at, *other)) {
            let before = format!("the agent is interrupted after {heard:?}");
            change(*at, ChangeKind::InterruptionAvoided, before, "it is not".to_owned());
        }
    }
    for (at, heard) in &is {
        if !was.iter().any(|(other, _)| near(*at, *other)) {
            let after = format!("it is interrupted after {heard:?}");
            change(*at, ChangeKind::InterruptionAdded, "the agent is not interrupted".to_owned(), after);
        }
    }
    changes.sort_by_key(|change| change.at);
    changes
}

/// When the agent was interrupted, and the last words that were heard.
fn interruptions(turns: &[Waterfall]) -> Vec<(CallTime, &str)> {
    let last_words = |text: &'_ str| text.char_indices().rev().nth(40).map_or(0, |(begin, _)| begin);
    let of = |turn: &'_ Waterfall| match &turn.outcome {
        Outcome::Interrupted { at, .. } => Some(*at),
        Outcome::Answered | Outcome::Unanswered | Outcome::Dropped { .. } => None,
    };
    turns.iter().filter_map(|turn| Some((of(turn)?, &turn.answer[last_words(&turn.answer)..]))).collect()
}

/// The same speech interrupts within this of itself, whatever the settings.
fn near(one: CallTime, other: CallTime) -> bool {
    apart(one, other) < Duration::from_secs(1)
}
