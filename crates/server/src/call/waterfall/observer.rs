//! Watches a conversation and tells its turns: which step was reached when, by which work.

use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::ids::{GenerationId, TurnId, UtteranceId};
use antiphon_engine::input::{ModelEvent, Request, Transcription, VoiceEvent};
use antiphon_engine::message::Speaker;
use antiphon_engine::output::{AgentState, Work};
use antiphon_engine::timers::Timer;
use antiphon_engine::{CallTime, Input, notices};

use super::super::journal::{Author, Deadline, Decision, Step, Words};
use super::{EndedBy, Mark, Opening, Outcome, Recognition, SpeechOver, Stall, ToolRun, Waterfall};

/// A backend that says nothing for longer than this stalls.
const STALL: Duration = Duration::from_secs(2);

/// What caused the decisions that are being watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Cause {
    #[default]
    Other,
    Joined,
    Timer(Timer),
    Speech,
    /// Words of the user's were found out.
    Transcribed,
    Written,
    Request,
    CallEnd,
}

/// The user's last speech.
#[derive(Debug, Clone, Copy)]
struct Silence {
    /// When its last sample arrived.
    last_sample: CallTime,
    /// When the detector noticed.
    noticed: CallTime,
}

/// The turn that is being answered.
#[derive(Debug)]
struct Open {
    turn: Waterfall,
    generations: Vec<GenerationId>,
    utterances: Vec<UtteranceId>,
    /// Whether a message of the answer has been said to its end, and no tool has answered since.
    said: bool,
}

/// Watches a conversation. Feed it every input, every decision, and the deadline at the end of each drain.
#[derive(Debug, Default)]
pub struct Observer {
    now: CallTime,
    cause: Cause,
    deadline: Deadline,
    silence: Option<Silence>,
    turn_end: Option<(CallTime, EndedBy)>,
    /// What the silence is waited for that may end the turn, if it is not the endpoint delay.
    held_by: Option<EndedBy>,
    /// When the user wrote something that is not answered yet, and what.
    written: Option<(CallTime, Arc<str>)>,
    open: Option<Open>,
    /// An answer that was begun in a pause of the user's, for a turn that may not be over.
    tentative: Option<Open>,
    /// The user is in the middle of a turn.
    mid_turn: bool,
    /// The words that were asked for last, of which turn, and when.
    wanted: Option<(TurnId, CallTime)>,
    /// The words that were found out last, of which turn, when, and by whom.
    words: Option<(TurnId, CallTime, Transcription, Option<Recognition>)>,
    /// The open turn ends with this drain.
    closing: bool,
    /// Backends at work, and when they last said something.
    works: Vec<(Work, CallTime)>,
    finished: Vec<Waterfall>,
    turns: u32,
}

impl Observer {
    /// Something happened.
    pub fn told(&mut self, at: CallTime, input: Option<&Input>) {
        self.now = at;
        self.cause = match input {
            None | Some(Input::ConnectionLost | Input::Rejoined { .. }) => Cause::Other,
            Some(Input::Joined) => Cause::Joined,
            Some(Input::LegClosed(_) | Input::ShutDown) => Cause::CallEnd,
            Some(Input::Timeout) => self.deadline.map_or(Cause::Other, |(_, timer)| Cause::Timer(timer)),
            Some(Input::SpeechStarted { .. }) => {
                self.silence = None;
                self.held_by = None;
                Cause::Speech
            }
            Some(Input::SpeechStopped { at: last, received }) => {
                self.silence = Some(Silence { last_sample: at - received.since(*last), noticed: at });
                Cause::Speech
            }
            Some(Input::Request(Request::UserText { text, .. })) if !text.trim().is_empty() => {
                self.written = Some((at, Arc::clone(text)));
                Cause::Written
            }
            Some(Input::Request(_)) => Cause::Request,
            Some(Input::Model(id, event)) => {
                self.model_said(*id, event);
                Cause::Other
            }
            Some(Input::Voice(id, event)) => {
                self.voice_said(*id, event);
                Cause::Other
            }
            Some(Input::Tool(id, _)) => {
                let open = self.open.as_mut();
                if let Some(tool) =
                    open.and_then(|open| open.turn.tools.iter_mut().find(|tool| tool.invocation == *id))
                {
                    tool.ended.get_or_insert(at);
                }
                Cause::Other
            }
            Some(Input::TurnJudged(_, probability)) => {
                let probability = (probability.clamp(0.0, 1.0) * 1e3).round() as u16;
                self.held_by = Some(EndedBy::TurnDetector { probability });
                Cause::Other
            }
            Some(Input::Transcribed { turn, words, by }) => {
                let asked = self.wanted.filter(|(wanted, _)| wanted == turn).map(|(_, asked)| asked);
                let recognition = by
                    .as_ref()
                    .zip(asked)
                    .map(|(by, asked)| Recognition { by: Arc::clone(by), took: at.since(asked) });
                self.words = Some((*turn, at, words.clone(), recognition));
                self.mark_words();
                Cause::Transcribed
            }
            // It may end a pause of the agent's, as more speech does.
            Some(Input::Overheard(_)) => Cause::Speech,
        };
    }

    /// The engine decided something.
    pub fn decided(&mut self, decision: &Decision) {
        let now = self.now;
        match decision {
            Decision::UserStoppedSpeaking => {
                let by = match self.cause {
                    Cause::Timer(Timer::EndOfTurn) | Cause::Speech => {
                        self.held_by.take().unwrap_or(EndedBy::EndpointDelay)
                    }
                    Cause::Request | Cause::Written => EndedBy::Request,
                    Cause::CallEnd => EndedBy::CallEnd,
                    Cause::Timer(_) | Cause::Joined | Cause::Transcribed | Cause::Other => EndedBy::Other,
                };
                self.turn_end = Some((now, by));
                self.mid_turn = false;
            }
            Decision::UserStartedSpeaking => self.mid_turn = true,
            Decision::TurnTaken(turn) => self.open_spoken(*turn),
            Decision::StartModel { generation, thread: None, .. } => {
                self.works.push((Work::Model(*generation), now));
                let begun_in_pause =
                    self.mid_turn && matches!(self.cause, Cause::Timer(Timer::Lull) | Cause::Transcribed);
                let open = if begun_in_pause {
                    self.tentative.insert(Open::new(Opening::Told, now))
                } else {
                    self.answering()
                };
                open.said = false;
                open.generations.push(*generation);
                open.mark(Mark::ModelRequest, now);
            }
            Decision::StartSpeech { utterance, .. } => {
                self.works.push((Work::Speech(*utterance), now));
                let open = match &mut self.tentative {
                    Some(tentative) => tentative,
                    None => self.answering(),
                };
                open.utterances.push(*utterance);
                open.mark(Mark::FirstText, now);
            }
            Decision::Play { utterance, .. } => {
                if let Some(open) = &mut self.open
                    && open.utterances.contains(utterance)
                {
                    open.mark(Mark::FirstSent, now);
                    open.mark(Mark::FirstHeard, now);
                }
            }
            Decision::Words(words) => self.words(words),
            // What side threads do is nobody's wait.
            Decision::InvokeTool { thread: Some(_), .. }
            | Decision::StartModel { thread: Some(_), .. }
            | Decision::Thread { .. } => {}
            Decision::InvokeTool { invocation, tool, thread: None } => {
                let run =
                    ToolRun { invocation: *invocation, name: Arc::clone(tool), started: now, ended: None };
                // What was said before a tool belongs to the same answer.
                if let Some(open) = &mut self.open {
                    open.said = false;
                }
                self.answering().turn.tools.push(run);
            }
            Decision::Committed { author: Author::Result(id), .. } => {
                if let Some(open) = &mut self.open {
                    open.said = false;
                    open.turn.tools.iter_mut().filter(|tool| tool.invocation == *id).for_each(|tool| {
                        tool.ended.get_or_insert(now);
                    });
                }
            }
            Decision::SpeechJudged(judgement) => {
                self.speech_over(SpeechOver { at: now, judgement: *judgement })
            }
            Decision::Notice { kind, .. } => self.notice(kind),
            Decision::State(AgentState::Listening) | Decision::Ended(_) => self.closing = true,
            Decision::Cancel(work) => {
                self.works.retain(|(other, _)| other != work);
                if let Work::Model(id) = work {
                    self.tentative.take_if(|tentative| tentative.generations.contains(id));
                }
            }
            Decision::State(AgentState::Speaking | AgentState::Thinking)
            | Decision::ClearPlayback
            | Decision::CloseLeg(_)
            | Decision::Started
            | Decision::JudgeTurn(_)
            | Decision::Committed { .. }
            | Decision::StageChanged(_) => {}
            Decision::Transcribe(span) => self.wanted = Some((span.turn, now)),
        }
    }

    /// The engine wants nothing more for now.
    pub fn settled(&mut self, deadline: Deadline) {
        self.deadline = deadline;
        if self.closing {
            self.close();
        }
    }

    /// The turns that are over.
    pub fn take_finished(&mut self) -> impl Iterator<Item = Waterfall> {
        self.finished.drain(..)
    }

    /// What is left when nothing more comes.
    #[must_use]
    pub fn finish(mut self) -> Vec<Waterfall> {
        self.close();
        self.finished
    }

    fn words(&mut self, words: &Words) {
        let now = self.now;
        match (words.speaker, words.step) {
            (Speaker::Agent, Step::First) => {
                let open = self.answering();
                open.mark(Mark::FirstWord, now);
            }
            (Speaker::Agent, Step::More) => {}
            (Speaker::Agent, Step::Final) => {
                if let Some(open) = &mut self.open {
                    if !open.turn.answer.is_empty() {
                        open.turn.answer.push(' ');
                    }
                    open.turn.answer.push_str(&words.text);
                    open.said = true;
                }
            }
            (Speaker::User, _) => {
                if let Some(open) = &mut self.open {
                    open.turn.asked.get_or_insert_with(|| Arc::clone(&words.text));
                }
            }
        }
    }

    fn speech_over(&mut self, speech: SpeechOver) {
        if let Some(open) = &mut self.open {
            open.turn.speech_over.push(speech);
        }
    }

    fn notice(&mut self, kind: &str) {
        if kind == notices::TURN_HELD {
            self.held_by.get_or_insert(EndedBy::OpenSentence);
        }
        let now = self.now;
        let Some(open) = &mut self.open else { return };
        if kind == notices::PLAYOUT_UNDERRUN {
            open.turn.underruns += 1;
        } else if kind == notices::INTERRUPTED {
            let heard = Arc::from(open.turn.answer.as_str());
            open.turn.outcome = Outcome::Interrupted { at: now, heard };
            self.closing = true;
        } else if kind == notices::ANSWER_DROPPED {
            open.turn.outcome = Outcome::Dropped { at: now };
            self.closing = true;
        }
    }

    /// The turn that is being answered, or a new one that the agent begins.
    fn answering(&mut self) -> &mut Open {
        // Nothing of the last answer is left to say, and no tool has asked for more: this is another one.
        let over = self
            .open
            .as_ref()
            .is_some_and(|open| open.said && open.turn.tools.iter().all(|tool| tool.ended.is_some()));
        if self.closing || over {
            self.close();
        }
        if self.open.is_none() {
            let (opening, asked) = match (self.cause, self.written.take()) {
                (_, Some((at, text))) => (Opening::Text, Some((at, text))),
                (Cause::Joined | Cause::Timer(Timer::FirstWords), None) => (Opening::Greeting, None),
                (Cause::Timer(Timer::Inactivity), None) => (Opening::Silence, None),
                (
                    Cause::Timer(_)
                    | Cause::Other
                    | Cause::Speech
                    | Cause::Transcribed
                    | Cause::Written
                    | Cause::Request
                    | Cause::CallEnd,
                    None,
                ) => (Opening::Told, None),
            };
            let open = self.begin(opening);
            if let Some((at, text)) = asked {
                open.mark(Mark::UserEnd, at);
                open.turn.asked = Some(text);
            }
        }
        self.open.as_mut().expect("just opened")
    }

    fn open_spoken(&mut self, turn: TurnId) {
        self.close();
        self.written = None;
        let (silence, end) = (self.silence, self.turn_end.take());
        let begun = self.tentative.take();
        let open = self.begin(Opening::Speech(turn));
        if let Some(Open { turn, generations, utterances, .. }) = begun {
            open.turn.marks = turn.marks;
            (open.generations, open.utterances) = (generations, utterances);
        }
        if let Some(Silence { last_sample, noticed }) = silence {
            open.mark(Mark::UserEnd, last_sample);
            open.mark(Mark::SpeechStop, noticed);
        }
        if let Some((at, by)) = end {
            open.mark(Mark::TurnEnd, at);
            open.turn.ended_by = Some(by);
        }
        self.mark_words();
    }

    /// Notes when the words of the open turn were known, be it before it was over.
    fn mark_words(&mut self) {
        if let (Some(open), Some((turn, at, words, recognition))) = (&mut self.open, &self.words)
            && open.turn.opening == Opening::Speech(*turn)
        {
            open.mark(Mark::Transcript, *at);
            open.turn.recognition.clone_from(recognition);
            if let Transcription::Words(words) = words {
                open.turn.asked = Some(Arc::clone(words));
            }
        }
    }

    /// The answer that this work belongs to.
    fn of_work(&mut self, belongs: impl Fn(&Open) -> bool) -> Option<&mut Open> {
        self.tentative.iter_mut().chain(&mut self.open).find(|open| belongs(open))
    }

    fn begin(&mut self, opening: Opening) -> &mut Open {
        self.turns += 1;
        let mut open = Open::new(opening, self.now);
        open.turn.number = self.turns;
        self.open.insert(open)
    }

    fn close(&mut self) {
        self.closing = false;
        let Some(Open { mut turn, .. }) = self.open.take() else { return };
        turn.closed = self.now;
        if turn.outcome == Outcome::Unanswered && !turn.answer.is_empty() {
            turn.outcome = Outcome::Answered;
        }
        for (work, since) in std::mem::take(&mut self.works) {
            turn.stalls.extend(stall(work, since, self.now));
        }
        self.finished.push(turn);
    }

    fn model_said(&mut self, id: GenerationId, event: &ModelEvent) {
        let ends = match event {
            ModelEvent::Text(_) | ModelEvent::ToolCall(_) => false,
            ModelEvent::Finished | ModelEvent::Failed(_) => true,
        };
        self.progress(Work::Model(id), ends);
        let now = self.now;
        if !ends && let Some(open) = self.of_work(|open| open.generations.contains(&id)) {
            open.mark(Mark::FirstToken, now);
        }
    }

    fn voice_said(&mut self, id: UtteranceId, event: &VoiceEvent) {
        let ends = match event {
            VoiceEvent::Audio { .. } | VoiceEvent::Words(_) => false,
            VoiceEvent::Finished | VoiceEvent::Failed(_) => true,
        };
        self.progress(Work::Speech(id), ends);
        let now = self.now;
        if matches!(event, VoiceEvent::Audio { .. })
            && let Some(open) = self.of_work(|open| open.utterances.contains(&id))
        {
            open.mark(Mark::FirstAudio, now);
        }
    }

    fn progress(&mut self, work: Work, ends: bool) {
        let Some(index) = self.works.iter().position(|(other, _)| *other == work) else { return };
        let since = self.works[index].1;
        if let Some(open) = &mut self.open {
            open.turn.stalls.extend(stall(work, since, self.now));
        }
        if ends {
            self.works.remove(index);
        } else {
            self.works[index].1 = self.now;
        }
    }
}

impl Open {
    fn new(opening: Opening, now: CallTime) -> Self {
        let turn = Waterfall {
            number: 0,
            opening,
            marks: [None; Mark::ALL.len()],
            ended_by: None,
            asked: None,
            recognition: None,
            answer: String::new(),
            outcome: Outcome::Unanswered,
            closed: now,
            speech_over: Vec::new(),
            tools: Vec::new(),
            underruns: 0,
            stalls: Vec::new(),
        };
        Self { turn, generations: Vec::new(), utterances: Vec::new(), said: false }
    }

    /// Notes the first time that a step is reached.
    fn mark(&mut self, mark: Mark, at: CallTime) {
        self.turn.marks[mark as usize].get_or_insert(at);
    }
}

fn stall(work: Work, from: CallTime, to: CallTime) -> Option<Stall> {
    let work = match work {
        Work::Model(id) => id.to_string(),
        Work::Speech(id) => id.to_string(),
        Work::Tool(_) | Work::Transcription(_) => return None,
    };
    let length = to.since(from);
    (length > STALL).then_some(Stall { work, from, length })
}
