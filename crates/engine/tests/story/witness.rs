//! The witness of every story: it sees all inputs and outputs of a conversation and insists on what must hold in any of them.
//!
//! It keeps its own books, made from the published rules and not from the engine's: the client's playout, the work under way,
//! the transcripts as a client would collect them, the record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::config::Limits;
use antiphon_engine::ids::{Ordinal, StageNumber, TurnId, UtteranceId};
use antiphon_engine::input::{ModelEvent, VoiceEvent};
use antiphon_engine::message::{Medium, Message, MessageBody, Prompt, Speaker};
use antiphon_engine::output::{
    AgentState, Effect, Event, Judgement, ThreadEvent, Transcript, TranscriptWords, Verdict, Work,
};
use antiphon_engine::{CallTime, Config, Input, NewStage};

/// Audio is sent in whole frames, so a lead may be exceeded by one.
const FRAME: Duration = Duration::from_millis(20);
/// Samples do not divide microseconds evenly.
const ROUNDING: Duration = Duration::from_micros(100);

#[derive(Debug)]
pub(crate) struct Witness {
    rate: u32,
    client_buffer: Duration,
    limits: Limits,
    longest_pause: Duration,
    /// How late the latest wake-up came.
    pub(crate) late: Duration,
    /// The settings of the present stage.
    config: Config,
    stage: StageNumber,
    /// How the history must begin that the model sees, where a stage said so.
    beginning: Vec<Message>,
    /// Tools that run on with nobody waiting.
    beside: Vec<Work>,
    /// Work that was started, and neither cancelled nor answered. Speech is in here until it was cancelled or all of it sent.
    under_way: Vec<Work>,
    ever_started: Vec<Work>,
    sounds: BTreeMap<UtteranceId, Sound>,
    /// When a client that plays without a pause has played all it was sent.
    silent_from: CallTime,
    state: Option<AgentState>,
    /// The side threads that have not ended.
    threads: BTreeSet<Arc<str>>,
    /// The user's turns that counted.
    taken: BTreeSet<TurnId>,
    /// What a client has collected of each message.
    collected: BTreeMap<Ordinal, Collected>,
    committed: Vec<Message>,
    /// The stage of each committed message.
    stages: Vec<StageNumber>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Sound {
    made: u64,
    sent: u64,
    complete: bool,
    cancelled: bool,
}

#[derive(Debug)]
struct Collected {
    speaker: Speaker,
    text: String,
    complete: bool,
}

impl Witness {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            rate: config.output_rate,
            client_buffer: config.client_buffer,
            limits: config.limits,
            beside: Vec::new(),
            longest_pause: config.turn_taking.interruption.longest_pause,
            late: Duration::ZERO,
            config: config.clone(),
            stage: StageNumber(0),
            beginning: seen_by_model(&config.initial_messages),
            under_way: Vec::new(),
            ever_started: Vec::new(),
            sounds: BTreeMap::new(),
            silent_from: CallTime::ZERO,
            state: None,
            threads: BTreeSet::new(),
            taken: BTreeSet::new(),
            collected: BTreeMap::new(),
            committed: Vec::new(),
            stages: Vec::new(),
            ended: false,
        }
    }

    /// The most audio that may lie unplayed at the client.
    pub(crate) fn most_ahead(&self) -> Duration {
        self.client_buffer.max(FRAME) + FRAME + ROUNDING
    }

    /// The state that a client believes the agent to be in.
    pub(crate) fn state(&self) -> Option<AgentState> {
        self.state
    }

    /// How much audio lies unplayed at the client.
    pub(crate) fn lead(&self, now: CallTime) -> Duration {
        self.silent_from.since(now)
    }

    /// Notes what an input does to work under way: most of it ends with an answer.
    pub(crate) fn sees_input(&mut self, input: &Input) {
        match input {
            Input::Model(id, ModelEvent::Finished | ModelEvent::Failed(_)) => {
                self.ends(Work::Model(*id));
            }
            Input::Tool(id, _) => {
                self.ends(Work::Tool(*id));
            }
            Input::Transcribed { turn, .. } => {
                self.ends(Work::Transcription(*turn));
            }
            Input::Voice(id, event) => {
                let Some(sound) = self.sounds.get_mut(id).filter(|sound| !sound.complete) else { return };
                match event {
                    VoiceEvent::Audio { samples } => sound.made += u64::from(*samples),
                    VoiceEvent::Words(_) => {}
                    VoiceEvent::Finished | VoiceEvent::Failed(_) => sound.complete = true,
                }
                self.note_sound(*id);
            }
            Input::Joined
            | Input::LegClosed(_)
            | Input::Model(..)
            | Input::Overheard(_)
            | Input::ConnectionLost
            | Input::Rejoined { .. }
            | Input::ShutDown => {}
            Input::SpeechStarted { .. } | Input::SpeechStopped { .. } => {}
            Input::Request(_) | Input::Timeout | Input::TurnJudged(..) => {}
        }
    }

    pub(crate) fn sees_effect(&mut self, now: CallTime, effect: &Effect) {
        assert!(!self.ended, "after the end of the call: {effect:?}");
        match effect {
            Effect::Cancel(work) => self.sees_cancel(*work),
            Effect::ClearPlayback => self.silent_from = now,
            Effect::CloseLeg(_) => {
                assert!(self.lead(now) < ROUNDING, "the leg is closed while audio plays");
                let only_words = self.under_way.iter().all(|work| matches!(work, Work::Transcription(_)));
                assert!(only_words, "the leg is closed with work under way: {:?}", self.under_way);
            }
            Effect::InvokeTool(invocation) => {
                self.starts(Work::Tool(invocation.id));
                let tool = &self.config.tools[invocation.tool];
                assert_eq!(tool.face.name, invocation.name, "a tool of the stage");
                let unattended = tool.static_response.is_some();
                let early = tool.precomputable;
                let in_thread = invocation.thread.as_ref().inspect(|thread| self.insist_on(thread)).is_some();
                if !early && !in_thread {
                    self.insist_agent_is_silent(now, "a tool runs");
                }
                if unattended || in_thread {
                    self.beside.push(Work::Tool(invocation.id));
                }
                assert!(invocation.arguments.is_object(), "a tool gets an object");
            }
            Effect::JudgeTurn(span) => assert!(span.from <= span.to, "{span:?} runs backwards"),
            Effect::Play { utterance, samples } => self.sees_audio(now, *utterance, *samples),
            Effect::StartModel { generation, thread: Some(thread), .. } => {
                self.insist_on(thread);
                self.starts(Work::Model(*generation));
                self.beside.push(Work::Model(*generation));
                let is_side = |work: &&Work| matches!(work, Work::Model(_)) && self.beside.contains(work);
                let running = self.under_way.iter().filter(is_side).count();
                assert!(running <= self.limits.side_generations, "{running} side threads run the model");
            }
            Effect::StartModel { generation, thread: None, prompt } => {
                self.insist_on_stage(prompt);
                self.insist_agent_is_silent(now, "the model starts");
                let is_in_the_way =
                    |work: &Work| !matches!(work, Work::Transcription(_)) && !self.beside.contains(work);
                let busy = self.under_way.iter().any(is_in_the_way);
                assert!(!busy, "the model starts beside other work: {:?}", self.under_way);
                self.starts(Work::Model(*generation));
            }
            Effect::StartSpeech { utterance, text } => {
                assert!(text.contains(char::is_alphanumeric), "nothing to speak in {text:?}");
                self.starts(Work::Speech(*utterance));
                self.sounds.insert(*utterance, Sound::default());
            }
            Effect::StartTones { utterance, .. } => {
                self.starts(Work::Speech(*utterance));
                self.sounds.insert(*utterance, Sound::default());
            }
            Effect::Transcribe(span) => {
                assert!(span.from <= span.to, "{span:?} runs backwards");
                self.starts(Work::Transcription(span.turn));
            }
        }
    }

    pub(crate) fn sees_event(&mut self, now: CallTime, event: &Event) {
        assert!(!self.ended, "after the end of the call: {event:?}");
        match event {
            Event::StateChanged(state) => {
                assert_ne!(self.state, Some(*state), "a state that is no news");
                if *state == AgentState::Listening {
                    self.insist_agent_is_silent(now, "the agent listens");
                }
                self.state = Some(*state);
            }
            Event::Transcript(transcript) => self.sees_transcript(transcript),
            Event::MessageCommitted { index, stage, message } => {
                assert_eq!(*index, self.committed.len(), "the record has a gap");
                assert!(*stage <= self.stage, "a message of a stage that has not begun");
                assert!(self.stages.last().is_none_or(|last| last <= stage), "the stages are mixed up");
                self.committed.push((**message).clone());
                self.stages.push(*stage);
                if message.span.is_some() {
                    self.compare_with_transcript(message);
                }
            }
            Event::StageChanged { number, stage } => {
                assert_eq!(number.0, self.stage.0 + 1, "stages are counted");
                assert_eq!(stage.after, self.stage, "a stage begins in another than it was meant for");
                self.insist_agent_is_silent(now, "a stage begins");
                self.stage = *number;
                self.enter(stage);
            }
            Event::Ended(_) => {
                self.ended = true;
                assert!(self.under_way.is_empty(), "work outlives the call: {:?}", self.under_way);
                assert!(self.threads.is_empty(), "threads outlive the call: {:?}", self.threads);
                let open = self.collected.iter().find(|(_, message)| !message.complete);
                assert!(open.is_none(), "a transcript without an end: {open:?}");
            }
            Event::Started | Event::UserStartedSpeaking | Event::UserStoppedSpeaking => {}
            Event::TurnTaken(turn) => assert!(self.taken.insert(*turn), "{turn} is taken twice"),
            Event::SpeechJudged(Judgement { verdict, paused, .. }) => {
                assert!(*paused <= self.longest_pause + self.late, "the agent stood for {paused:?}");
                let after = match verdict {
                    Verdict::Interruption => AgentState::Listening,
                    Verdict::Nothing => AgentState::Speaking,
                };
                assert_eq!(self.state, Some(after), "after {event:?}");
            }
            Event::Thread(event) => self.sees_thread(event),
            Event::Notice(notice) => {
                assert!(notice.kind.len() <= 50 && !notice.text.is_empty(), "{notice:?}");
            }
        }
    }

    /// Works with what a stage changes from now on.
    fn enter(&mut self, stage: &NewStage) {
        let config = &mut self.config;
        if let Some(prompt) = &stage.system_prompt {
            config.system_prompt = Some(prompt.clone());
        }
        if let Some(tools) = &stage.tools {
            config.tools.clone_from(tools);
        }
        if let Some(turn_taking) = stage.turn_taking {
            self.longest_pause = turn_taking.interruption.longest_pause;
        }
        if let Some(messages) = &stage.messages {
            self.beginning = seen_by_model(messages);
        }
    }

    /// The model works with the settings of the stage, and its history begins as the stage said.
    fn insist_on_stage(&self, prompt: &Prompt) {
        assert_eq!(prompt.system, self.config.system_prompt, "the system prompt is that of {}", self.stage);
        let tools: Vec<_> = self.config.tools.iter().map(|tool| &tool.face).collect();
        assert!(prompt.tools.iter().eq(tools), "the tools are those of {}", self.stage);
        assert!(prompt.messages.starts_with(&self.beginning), "the history is that of {}", self.stage);
    }

    /// The stage that is under way.
    pub(crate) fn stage(&self) -> StageNumber {
        self.stage
    }

    /// The stage of each message of the record so far.
    pub(crate) fn stages(&self) -> &[StageNumber] {
        &self.stages
    }

    fn sees_thread(&mut self, event: &ThreadEvent) {
        match event {
            ThreadEvent::Spawned { thread } => {
                assert!(self.threads.insert(Arc::clone(thread)), "{thread} begins twice");
                assert!(self.threads.len() <= self.limits.threads, "{} threads", self.threads.len());
            }
            ThreadEvent::Rejected { reason, .. } => assert!(!reason.is_empty(), "{event:?}"),
            ThreadEvent::Terminated { thread, .. } => {
                assert!(self.threads.remove(thread), "{thread} ends and is not there");
            }
            ThreadEvent::Delta { thread, text } => {
                self.insist_on(thread);
                assert!(!text.is_empty(), "{event:?}");
            }
            ThreadEvent::Completed { thread, .. }
            | ThreadEvent::GenerationFailed { thread, .. }
            | ThreadEvent::GenerationCanceled { thread, .. } => self.insist_on(thread),
        }
    }

    fn insist_on(&self, thread: &Arc<str>) {
        assert!(self.threads.contains(thread), "{thread} does something and is not there");
    }

    /// The record so far.
    pub(crate) fn committed(&self) -> &[Message] {
        &self.committed
    }

    fn starts(&mut self, work: Work) {
        assert!(!self.ever_started.contains(&work), "{work:?} is started twice");
        self.ever_started.push(work);
        self.under_way.push(work);
    }

    /// Takes work off the books. Returns whether it was under way.
    fn ends(&mut self, work: Work) -> bool {
        let before = self.under_way.len();
        self.under_way.retain(|other| *other != work);
        self.under_way.len() < before
    }

    fn sees_cancel(&mut self, work: Work) {
        match work {
            // Speech may be cancelled after the last of its audio was sent: the client has not played it.
            Work::Speech(id) => {
                let sound = self.sounds.get_mut(&id).expect("only what was started is cancelled");
                assert!(!sound.cancelled, "{work:?} is cancelled twice");
                sound.cancelled = true;
                self.ends(work);
            }
            Work::Model(_) | Work::Tool(_) | Work::Transcription(_) => {
                assert!(self.ends(work), "{work:?} is cancelled and is not under way");
            }
        }
    }

    fn sees_audio(&mut self, now: CallTime, utterance: UtteranceId, samples: u32) {
        let sound = self.sounds.get_mut(&utterance).expect("only what was started is played");
        assert!(!sound.cancelled, "audio of a cancelled utterance is played");
        assert!(samples > 0, "an empty piece of audio");
        assert_eq!(self.state, Some(AgentState::Speaking), "audio while the agent does not speak");
        sound.sent += u64::from(samples);
        assert!(sound.sent <= sound.made, "audio is sent that was never made");
        self.note_sound(utterance);
        let length = Duration::from_nanos(u64::from(samples) * 1_000_000_000 / u64::from(self.rate));
        self.silent_from = self.silent_from.max(now) + length;
        let lead = self.lead(now);
        assert!(lead <= self.most_ahead(), "the client holds {lead:?} of unplayed audio at {now}");
    }

    /// Speech comes to its end when all of it is made and sent.
    fn note_sound(&mut self, id: UtteranceId) {
        if self.sounds.get(&id).is_some_and(|sound| sound.complete && sound.sent == sound.made) {
            self.ends(Work::Speech(id));
        }
    }

    fn insist_agent_is_silent(&self, now: CallTime, when: &str) {
        let lead = self.lead(now);
        assert!(lead < ROUNDING, "{when} while {lead:?} of audio is still to be played");
        let open = self.collected.iter().find(|(_, message)| !message.complete);
        assert!(open.is_none(), "{when} before the last message's final transcript: {open:?}");
    }

    fn sees_transcript(&mut self, transcript: &Transcript) {
        let Transcript { speaker, ordinal, words, .. } = transcript;
        match words {
            TranscriptWords::First(words) => {
                assert_eq!(*speaker, Speaker::Agent, "the user's words come whole");
                assert!(!words.is_empty(), "empty first words");
                assert!(
                    self.collected.values().all(|message| message.complete),
                    "two agent messages at once"
                );
                self.insist_ordinal_is_new(*ordinal, *speaker);
                let message = Collected { speaker: *speaker, text: words.to_string(), complete: false };
                self.collected.insert(*ordinal, message);
            }
            TranscriptWords::More(words) => {
                assert!(!words.is_empty(), "empty additional words");
                let message = self.collected.get_mut(ordinal).expect("more follows first words");
                assert!(!message.complete, "words after the final transcript");
                message.text.push_str(words);
            }
            TranscriptWords::Final(words) => {
                assert!(!words.trim().is_empty(), "an empty final transcript");
                match speaker {
                    Speaker::Agent => {
                        let message = self.collected.get_mut(ordinal).expect("final follows first words");
                        assert!(!message.complete, "two final transcripts");
                        assert_eq!(message.text.trim_end(), words.trim_end(), "the parts are the whole");
                        message.complete = true;
                        message.text = words.to_string();
                    }
                    Speaker::User => {
                        self.insist_ordinal_is_new(*ordinal, *speaker);
                        let message =
                            Collected { speaker: *speaker, text: words.to_string(), complete: true };
                        self.collected.insert(*ordinal, message);
                    }
                }
            }
        }
    }

    /// Nobody's ordinal is used twice, and those of the agent rise. A user's may be late: it was reserved when the turn ended.
    fn insist_ordinal_is_new(&self, ordinal: Ordinal, speaker: Speaker) {
        assert!(!self.collected.contains_key(&ordinal), "{ordinal} is used twice");
        let last = self.collected.iter().rev().find(|(_, message)| message.speaker == Speaker::Agent);
        if speaker == Speaker::Agent {
            assert!(last.is_none_or(|(last, _)| *last < ordinal), "the agent's ordinals fall");
        }
    }

    fn compare_with_transcript(&self, message: &Message) {
        match &message.body {
            MessageBody::Agent { heard, generated } => {
                assert!(generated.starts_with(&**heard), "{heard:?} was not heard of {generated:?}");
                let ordinal = message.ordinal.expect("an agent's message has its place");
                let shown = &self.collected[&ordinal];
                assert!(shown.complete, "a message is in the record before its transcript is final");
                assert_eq!(shown.text, **heard, "the record holds what was heard");
                assert!(generated.len() <= self.limits.message_bytes, "a message beyond its limit");
            }
            MessageBody::User { text, audio } => {
                let shown = message.ordinal.and_then(|ordinal| self.collected.get(&ordinal));
                assert_eq!(shown.map_or("", |shown| &shown.text), &**text, "the user's words as shown");
                assert_eq!(audio.is_some(), message.medium == Medium::Voice, "a voice has audio");
            }
            MessageBody::ToolCall { invocation, .. } => {
                let calls = self.committed.iter().filter(|earlier| earlier.span.is_some()).filter(|earlier| {
                    matches!(&earlier.body, MessageBody::ToolCall { invocation: id, .. } if id == invocation)
                });
                assert_eq!(calls.count(), 1, "a call is in the record once");
            }
            MessageBody::ToolResult { invocation, .. } => {
                let mut calls = BTreeSet::new();
                for earlier in self.committed.iter().filter(|earlier| earlier.span.is_some()) {
                    match &earlier.body {
                        MessageBody::ToolCall { invocation, .. } => {
                            calls.insert(*invocation);
                        }
                        MessageBody::ToolResult { invocation, .. } => {
                            assert!(calls.remove(invocation), "a result without its call, or two of them");
                        }
                        MessageBody::Agent { .. } | MessageBody::User { .. } => {}
                    }
                }
                assert!(!calls.contains(invocation), "answered calls are answered");
            }
        }
    }
}

/// What a model sees of the messages that a stage begins with.
fn seen_by_model(messages: &[Message]) -> Vec<Message> {
    let is_unsaid = |message: &&Message| matches!(&message.body, MessageBody::Agent { heard, .. } if heard.trim().is_empty());
    messages.iter().filter(|message| !is_unsaid(message)).cloned().collect()
}
