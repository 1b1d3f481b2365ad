//! Drives one call: one task that owns the conversation and everything of it, from its creation to its end.
//!
//! One loop: wait for the client, a result, a command or a deadline; tell the engine; do what it asks for. Nothing in it waits
//! for anybody else: what waits for the client is bounded, work runs in tasks of its own, the record writes itself.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use antiphon_api::realtime::ServerMessage;
use antiphon_api::rest::calls::StartCallRequest;
use antiphon_api::{CallId, CallStageId, Timestamp};
use antiphon_audio::Clip;
use antiphon_backends::language_model;
use antiphon_backends::text_to_speech::{self, FailedWhen, FellBack};
use antiphon_backends::voice_activity::echo::{Echo, EchoGate};
use antiphon_engine::ids::UtteranceId;
use antiphon_engine::input::{ModelEvent, Request, VoiceEvent};
use antiphon_engine::message::AudioSpan;
use antiphon_engine::notices;
use antiphon_engine::output::{AgentState, Effect, EndReason, Event, Notice, Severity, Work};
use antiphon_engine::{CallTime, Conversation, Input, Output};
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::{debug, info};

use super::backlog::Received;
use super::clips::TurnClips;
use super::data_connection::DataConnection;
use super::dictation::{Dictation, Promise};
use super::ear::{Ear, Trouble, Workbench};
use super::handover::{Handover, Left, NODE_LOST};
use super::leg::{CallEnd, CarrierEnd, CloseCode, FromClient, LegEvent, ToClient, leg};
use super::mouth::Mouth;
use super::record::Recorder;
use super::recording::{Recording, Recordings};
use super::setup::{Remark, Setup};
use super::spans::end_reason;
use super::stages::{Means, Stages, Staging};
use super::wire::{Meaning, Wire};
use super::witness::{self, Witness};
use super::work::{WorkResult, Works};
use super::{severity, threads};
use crate::outbound::Outbound;
use crate::readiness::Readiness;
use crate::retrieval::Retrieval;
use crate::storage::{AccountId, NodeId, Storage};
use rejoin::Rejoining;
use wake::{Alarm, Source, Wake};

/// What the driver has to do with the data connection.
mod data_connection;
/// How the driver runs tools.
mod tools;

/// What the driver tells of models.
mod models;

/// The driver's side of its client's connection.
mod client;

/// How the driver waits for a client that was lost.
mod rejoin;

/// How the driver has words found.
mod transcription;

/// How the driver takes a call from stage to stage.
mod stages;

/// What the driver is woken by.
mod wake;

/// Audio goes out in pieces of this length while the client's buffer is small.
const SMALL_FRAME: Duration = Duration::from_millis(20);
/// And in pieces of this length where the client holds seconds: a fifth of the messages, and no client notices.
const LARGE_FRAME: Duration = Duration::from_millis(100);
/// A client buffer from which on pieces are large.
const LARGE_BUFFER: Duration = Duration::from_secs(1);

thread_local! {
    /// Where the frames of all calls are taken apart that run on this thread.
    static WORKBENCH: RefCell<Workbench> = const { RefCell::new(Workbench::new()) };
}

/// What others ask of a call, in a box: it is seldom, and a call has room for many that wait.
#[derive(Debug)]
pub(super) enum Command {
    /// Connect a client.
    Join(Join, oneshot::Sender<Result<CarrierEnd, CloseCode>>),
    /// Something for the engine.
    Request(Request),
    /// The same, once the stages are worked out that it asks for.
    Staging(Staging),
    /// Go, if nobody has joined: another node takes the call up. Whoever asks is answered by whoever drove the driver.
    LetGo(NodeId, oneshot::Sender<Handover>),
    /// End now; this node was judged lost and the call is not its own any more.
    Disown,
    /// End now; the process goes down.
    ShutDown,
}

/// How a client joins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Join {
    /// The `clientVersion` of its URL.
    pub client_version: Option<String>,
    /// Whether it asked for `debug` messages.
    pub debug: bool,
    /// How far it has come in the call, if it would come back after the connection was lost.
    pub rejoin: Option<Received>,
}

/// What a call is, for its driver.
pub(super) struct Subject {
    pub(super) id: CallId,
    pub(super) stage: CallStageId,
    pub(super) created: Timestamp,
    pub(super) request: Arc<StartCallRequest>,
    /// Where the call is recorded, if it is.
    pub(super) recordings: Option<Recordings>,
    /// The way to tools that are neither here nor at the client.
    pub(super) outbound: Outbound,
    pub(super) account: AccountId,
    /// Where a new stage's lasting tools are.
    pub(super) storage: Storage,
    /// The way to what is in corpora.
    pub(super) retrieval: Retrieval,
    /// Where work runs that may outlast the call by a moment.
    pub(super) tasks: TaskTracker,
}

/// What every frame of the user's touches comes first, and stands together: with hundreds of calls on a core it is in no cache, and is
/// fetched line by line.
#[repr(C)]
pub(super) struct Driver {
    readiness: Readiness<Source>,
    /// Rings for whatever is due next.
    alarm: Alarm,
    /// When the engine wants to be told the time.
    deadline: Option<CallTime>,
    /// The instant of the engine's time zero: the call's creation.
    zero: Instant,
    /// When audio last came, for `mediaIdleTimeout`.
    media: Instant,
    leg: Option<CallEnd>,
    /// What there is for a client that may come back.
    rejoining: Option<Box<Rejoining>>,
    /// The further participant that the call dials.
    data: Option<Box<DataConnection>>,
    /// What follows the user's speech, where there is a recognizer that can.
    dictation: Option<Box<Dictation>>,
    /// Inputs that arose while another one was being followed up.
    inputs: VecDeque<Input>,
    ended: Option<EndReason>,
    /// Set when the call goes on elsewhere.
    let_go: Option<Left>,
    state: Option<AgentState>,
    user_mid_turn: bool,
    /// An echo of the agent's present message was told.
    echo_told: bool,
    /// The call is done with its client.
    closed: bool,
    shutting_down: bool,
    recording: Recording,
    ear: Option<Ear>,

    /// When the engine was last told something: the moment that its effects belong to.
    told: CallTime,
    conversation: Conversation,
    witness: Witness,
    mouth: Mouth,
    wire: Wire,
    works: Works,
    commands: mpsc::Receiver<Box<Command>>,
    joined: Option<CallTime>,
    recorder: Recorder,
    clips: TurnClips,
    /// How long the prompt was that the model of this stage last read in advance, in messages.
    read: Option<usize>,
    /// The last voice that was told to speak instead of the call's.
    stand_in: Option<Arc<str>>,
    subject: Subject,
    setup: Setup,
    means: Arc<Means>,
    /// The stages that have begun, and those that may.
    stages: Stages,
    /// One permit for each answer that asks for stages and may be worked out now.
    staging: Arc<Semaphore>,
}

impl Driver {
    /// A call that was created `age` ago.
    pub(super) fn new(
        subject: Subject,
        setup: Setup,
        means: Arc<Means>,
        recorder: Recorder,
        witness: Witness,
        commands: mpsc::Receiver<Box<Command>>,
        age: Duration,
    ) -> Self {
        let now = Instant::now();
        let zero = now.checked_sub(age).unwrap_or(now);
        Self {
            wire: Wire::new(subject.id, setup.messages.clone()),
            conversation: Conversation::new(setup.engine.clone(), CallTime::ZERO),
            stages: Stages::new(subject.id),
            staging: Arc::new(Semaphore::new(stages::AT_ONCE)),
            subject,
            setup,
            means,
            zero,
            deadline: None,
            alarm: Alarm::new(),
            readiness: Readiness::new(),
            told: CallTime::ZERO,
            commands,
            leg: None,
            closed: false,
            rejoining: None,
            data: None,
            ear: None,
            mouth: Mouth::default(),
            works: Works::new(),
            dictation: None,
            read: None,
            clips: TurnClips::default(),
            recorder,
            recording: Recording::off(),
            witness,
            joined: None,
            media: now,
            state: None,
            user_mid_turn: false,
            echo_told: false,
            stand_in: None,
            shutting_down: false,
            inputs: VecDeque::new(),
            ended: None,
            let_go: None,
        }
    }

    /// Runs the call to its end, or until it goes on elsewhere.
    pub(super) async fn run(mut self: Box<Self>) -> Left {
        for Remark { kind, text } in std::mem::take(&mut self.setup.remarks) {
            self.event(Severity::Warning, kind, text);
        }
        self.witness.told(CallTime::ZERO, None);
        self.drain();
        self.warm_up();
        loop {
            if let Some(reason) = self.ended {
                self.report_dropped();
                // What the client is owed goes on its way; nothing that it says matters any more.
                self.leg = None;
                self.close_data_connection(reason);
                let at = self.timestamp(self.now());
                self.complete_recording().await;
                self.recorder.ended(at, reason);
                let lasted = self.joined.map(|joined| self.now().since(joined));
                self.means.metrics.ended(end_reason(reason), lasted);
                info!(?reason, "call ended");
                return Left::Ended;
            }
            if let Some(left) = self.let_go {
                return left;
            }
            match self.wake().await {
                Wake::Command(command) => self.command(command),
                Wake::Leg(event) => self.leg_event(event),
                Wake::Data(news) => self.data_news(news),
                Wake::Work(result) => self.work_result(result),
                Wake::Due(due) => self.due(due),
            }
            self.data_trouble();
        }
    }

    fn command(&mut self, command: Option<Box<Command>>) {
        match command.map(|command| *command) {
            Some(Command::Join(join, answer)) => {
                let joined = self.join(join);
                let _ = answer.send(joined);
                self.follow_up();
            }
            Some(Command::Request(request)) => self.tell(Input::Request(request)),
            Some(Command::Staging(staging)) => {
                self.stage(staging);
                self.follow_up();
            }
            Some(Command::LetGo(_, answer)) if self.joined.is_some() => {
                // Whoever asks may have gone. A client that was lost comes back to this node.
                let in_use = self.is_connected() || self.is_away();
                let _ = answer.send(if in_use { Handover::InUse } else { Handover::Ended });
            }
            Some(Command::LetGo(to, answer)) => self.let_go = Some(Left::LetGo(Some((to, answer)))),
            Some(Command::Disown) if self.joined.is_none() => self.let_go = Some(Left::LetGo(None)),
            Some(Command::Disown) => {
                self.shut_down(
                    Severity::Error,
                    NODE_LOST,
                    "other nodes took this one for lost and ended the call",
                );
            }
            // Whoever could still reach the call has let go of it: the process goes down.
            Some(Command::ShutDown) | None => {
                self.shut_down(Severity::Info, "call.server_shutdown", "the server is shutting down");
            }
        }
    }

    fn shut_down(&mut self, level: Severity, kind: &'static str, why: &str) {
        self.shutting_down = true;
        self.event(level, kind, why.to_owned());
        self.tell(Input::ShutDown);
    }

    fn join(&mut self, join: Join) -> Result<CarrierEnd, CloseCode> {
        if self.joined.is_some() {
            return self.rejoin(join.rejoin);
        }
        let now = self.now();
        let (call_end, carrier_end) = leg(self.setup.engine.client_buffer);
        self.joined = Some(now);
        self.connect(call_end);
        self.media = Instant::now();
        self.wire.joined(now, join.debug);
        if join.rejoin.is_some() {
            self.allow_rejoining();
        }
        let detector = self.means.backends.voice_activity.detector();
        let gate = self.setup.echo_guard.then(|| EchoGate::new(Echo::new(self.setup.output_rate)));
        self.ear = Some(Ear::new(self.setup.input_rate, detector, self.setup.threshold, gate, self.media));
        if let Some(recordings) = &self.subject.recordings {
            let (user, agent) = (self.setup.input_rate, self.setup.output_rate);
            self.recording = Recording::start(recordings, self.subject.id, now, user, agent);
        }
        self.dial_data_connection(now, self.media);
        self.take_dictation();
        self.recorder.joined(self.timestamp(now), join.client_version);
        self.means.metrics.joined();
        info!("client joined");
        self.inputs.push_back(Input::Joined);
        Ok(carrier_end)
    }

    fn leg_event(&mut self, event: LegEvent) {
        match event {
            LegEvent::From(FromClient::Audio(audio)) => self.hear(&audio),
            LegEvent::From(FromClient::Message(message)) => {
                let meaning = self.wire.read(*message);
                self.heed(meaning);
            }
            LegEvent::From(FromClient::Malformed(why)) => {
                self.event(Severity::Warning, "message.malformed", format!("a message was ignored: {why}"));
            }
            LegEvent::Closed(how) => self.depart(how),
        }
    }

    fn heed(&mut self, meaning: Meaning) {
        match meaning {
            Meaning::Request(request) => self.tell(Input::Request(request)),
            Meaning::Tool(id, outcome) => self.tell(Input::Tool(id, outcome)),
            Meaning::Staging(staging) => {
                self.stage(staging);
                self.follow_up();
            }
            Meaning::Answer(message) => {
                self.send(ToClient::Message(Box::new(message)));
                self.follow_up();
            }
            Meaning::Ignored(kind, text) => self.event(Severity::Warning, kind, text),
        }
    }

    fn hear(&mut self, audio: &[u8]) {
        let now = Instant::now();
        if !audio.is_empty() {
            self.media = now;
        }
        let stood = self.stood();
        let Some(ear) = &mut self.ear else { return };
        let inputs = &mut self.inputs;
        let trouble = WORKBENCH.with_borrow_mut(|bench| {
            let trouble = ear.take(audio, now, bench, |input| inputs.push_back(input));
            self.recording.hear(call_time(self.zero, now), bench.taken());
            if let Some(data) = &mut self.data {
                data.hear(call_time(self.zero, now) + stood, bench.taken());
            }
            trouble
        });
        if ear.echoed() && !std::mem::replace(&mut self.echo_told, true) {
            let text = "the agent's own voice comes back from the user's side; it is not taken for speech";
            self.event(Severity::Info, "audio.echo", text.to_owned());
        }
        self.audio_trouble(trouble);
        self.recording_trouble();
        if !self.inputs.is_empty() {
            self.follow_up();
        }
        self.dictate();
    }

    fn ear_deadline(&mut self) {
        let Some(ear) = &mut self.ear else { return };
        let inputs = &mut self.inputs;
        let now = Instant::now();
        let trouble = ear.handle_deadline(now, |input| inputs.push_back(input));
        self.recording.settle(call_time(self.zero, now));
        self.audio_trouble(trouble);
        self.follow_up();
    }

    fn audio_trouble(&mut self, trouble: Option<Trouble>) {
        match trouble {
            None => {}
            Some(Trouble::Overflow(ahead)) => {
                let text = format!(
                    "audio comes faster than real time; what is more than {ahead:.1?} ahead is dropped"
                );
                self.event(Severity::Warning, "audio.overflow", text);
            }
            Some(Trouble::Underflow(silent)) => {
                let text = format!("no audio came for {silent:.1?}; send silence as well");
                self.event(Severity::Warning, "audio.underflow", text);
            }
        }
    }

    fn report_dropped(&mut self) {
        let dropped = self.ear.as_ref().map_or(Duration::ZERO, Ear::dropped);
        if !dropped.is_zero() {
            let text = format!("{dropped:.1?} of the user's audio were dropped because they came too early");
            self.event(Severity::Warning, "audio.overflow", text);
        }
    }

    fn work_result(&mut self, result: WorkResult) {
        match result {
            WorkResult::Model(id, mut event) => {
                if let ModelEvent::ToolCall(call) = &mut event {
                    self.mend(call);
                    let line = format!("tool call: {} {}", call.name, call.arguments);
                    self.debug_message(&line);
                }
                self.tell(Input::Model(id, event));
            }
            WorkResult::Noted(id, note) => self.model_noted(id, note),
            WorkResult::Tool(id, finished) => self.tool_finished(id, *finished),
            WorkResult::Staged(staged) => self.staged(staged.0, staged.1),
            WorkResult::Transcribed(turn, heard, took) => self.transcribed(turn, *heard, took, false),
            WorkResult::Overheard(session, overheard) => self.overheard(session, overheard),
            WorkResult::TurnJudged(turn, probability) => self.tell(Input::TurnJudged(turn, probability)),
            WorkResult::Audio(id, audio) => {
                if let Some(samples) = self.mouth.add(id, audio) {
                    self.voice_gave(id, samples);
                }
            }
            WorkResult::Voice(id, event) => {
                if let VoiceEvent::Finished | VoiceEvent::Failed(_) = &event {
                    let rest = self.mouth.complete(id, event == VoiceEvent::Finished);
                    self.voice_gave(id, rest);
                }
                self.tell(Input::Voice(id, event));
            }
            WorkResult::FellBack(event) => self.fell_back(&event),
        }
    }

    /// More audio may be sent, if it is more.
    fn voice_gave(&mut self, id: UtteranceId, samples: u32) {
        if samples > 0 {
            self.tell(Input::Voice(id, VoiceEvent::Audio { samples }));
        }
    }

    /// Another voice speaks than the call's. The engine hears nothing of it: audio is audio.
    fn fell_back(&mut self, event: &FellBack) {
        let FellBack { from, to, why, failed } = event;
        let text = match failed {
            // Told with every text, and worth telling once.
            FailedWhen::Before if self.stand_in.as_ref() == Some(to) => return,
            FailedWhen::Before | FailedWhen::AtOnce => format!("{to:?} speaks instead of {from:?}: {why}"),
            FailedWhen::InMidSentence => format!("{to:?} says the rest for {from:?}: {why}"),
        };
        self.stand_in = Some(Arc::clone(to));
        self.event(Severity::Warning, "voice.fallback", text);
    }

    /// Tells the engine one thing and follows up all that comes of it.
    fn tell(&mut self, input: Input) {
        self.inputs.push_back(input);
        self.follow_up();
    }

    /// One input, then everything that the engine wants, until nothing is left (the engine's contract).
    fn follow_up(&mut self) {
        while let Some(input) = self.inputs.pop_front() {
            self.told = self.now();
            self.witness.told(self.told, Some(&input));
            let speech_starts = matches!(input, Input::SpeechStarted { .. });
            self.follow_speech(&input);
            self.conversation.handle(self.told, input);
            self.drain();
            if speech_starts && self.state == Some(AgentState::Listening) {
                self.warm_up();
            }
        }
        let hold = self.user_mid_turn || self.state == Some(AgentState::Thinking);
        if let Some(ear) = &mut self.ear {
            ear.hold(hold);
        }
    }

    fn drain(&mut self) {
        loop {
            let output = self.conversation.poll();
            self.witness.said(&output);
            match output {
                Output::Timeout(deadline) => {
                    self.deadline = deadline.map(|(at, _)| at);
                    self.report_turns();
                    return;
                }
                Output::Effect(effect) => self.do_effect(effect),
                Output::Event(event) => self.do_event(event),
            }
        }
    }

    fn do_effect(&mut self, effect: Effect) {
        match effect {
            Effect::Cancel(work) => {
                self.works.cancel(work);
                match work {
                    Work::Speech(utterance) => self.mouth.forget(utterance),
                    Work::Tool(id) => {
                        if let Some(data) = &mut self.data {
                            data.forget(id);
                        }
                    }
                    Work::Transcription(turn) => {
                        if let Some(dictation) = &mut self.dictation {
                            dictation.forget(turn);
                        }
                    }
                    Work::Model(_) => {}
                }
            }
            Effect::ClearPlayback => {
                let stood = self.stood();
                if let Some(rejoining) = &mut self.rejoining {
                    rejoining.backlog.clear();
                }
                self.recording.clear(self.told);
                if let Some(data) = &mut self.data {
                    data.clear(self.told + stood);
                }
                if let Some(leg) = &mut self.leg {
                    leg.clear();
                }
                if let Some(ear) = &mut self.ear {
                    ear.cleared(Instant::now());
                }
                self.announce(Wire::clear_buffer);
            }
            Effect::CloseLeg(reason) => self.close_leg(reason),
            Effect::InvokeTool(invocation) => self.invoke(&invocation),
            Effect::JudgeTurn(span) => self.judge_turn(span),
            Effect::Play { utterance, samples } => self.play(utterance, samples),
            Effect::StartModel { generation, prompt, thread: _ } => {
                let request = language_model::Request { prompt: *prompt, clips: self.clips.for_model() };
                self.works.start_model(generation, &self.setup.model, request);
            }
            Effect::StartSpeech { utterance, text } => {
                let goes = self.setup.output_rate;
                let comes = self.setup.voice.capabilities().sample_rate.min(goes);
                self.mouth.open(utterance, comes, goes);
                let language = self.setup.engine.language.clone();
                let request = text_to_speech::Request { text, language, sample: None };
                self.works.start_speech(utterance, &self.setup.voice, request, comes, goes);
            }
            Effect::StartTones { utterance, tones } => {
                self.mouth.open(utterance, self.setup.output_rate, self.setup.output_rate);
                self.works.start_tones(utterance, tones, self.setup.output_rate);
            }
            Effect::Transcribe(span) => self.transcribe(span),
        }
    }

    fn play(&mut self, utterance: UtteranceId, samples: u32) {
        let large = self.setup.engine.client_buffer >= LARGE_BUFFER;
        let length = if large { LARGE_FRAME } else { SMALL_FRAME };
        let frame = usize::try_from(self.setup.output_rate.samples_in(length)).unwrap_or(usize::MAX);
        if self.leg.is_none() && !self.is_away() {
            return;
        }
        let stood = self.stood();
        let (mut stuck, now) = (false, Instant::now());
        self.mouth.take(utterance, samples, frame, |audio| {
            self.recording.play(self.told, &audio);
            if let Some(data) = &mut self.data {
                data.play(self.told + stood, &audio);
            }
            if let Some(ear) = &mut self.ear {
                ear.sent(&audio, now);
            }
            if let Some(rejoining) = &mut self.rejoining {
                rejoining.backlog.audio(&audio);
            }
            stuck |= self.leg.as_mut().is_some_and(|leg| leg.send(ToClient::Audio(audio)).is_err());
        });
        if stuck {
            self.lose_client();
        }
    }

    fn judge_turn(&mut self, span: AudioSpan) {
        if let (Some(judge), Some(ear)) = (&self.means.backends.turn_detector, &self.ear) {
            // How long the voice has been silent is part of how finished it sounds.
            self.works.start_judgement(span.turn, judge, ear.clip_with_pause(span));
        }
    }

    fn clip(&self, span: AudioSpan) -> Clip {
        self.ear.as_ref().map_or_else(Clip::default, |ear| ear.clip(span))
    }

    fn do_event(&mut self, event: Event) {
        let now = self.now();
        self.announce(|wire| wire.event(now, &event));
        match event {
            Event::StateChanged(state) => {
                self.state = Some(state);
                self.echo_told &= state != AgentState::Speaking;
            }
            Event::UserStartedSpeaking => self.user_mid_turn = true,
            Event::UserStoppedSpeaking => self.user_mid_turn = false,
            Event::MessageCommitted { index, stage, message } => self.commit(index, stage, &message),
            Event::StageChanged { number, stage } => self.begin_stage(number, &stage),
            Event::Notice(notice) => {
                debug!(kind = notice.kind, "{}", notice.text);
                let at = self.timestamp(now);
                self.count_event(notice.kind, notice.severity);
                self.recorder.event(at, severity(notice.severity), notice.kind, notice.text.clone(), None);
                if notice.kind == notices::TOOL_FAILED || notice.kind == notices::TOOL_TIMED_OUT {
                    self.debug_message(&format!("tool result: {}", notice.text));
                }
            }
            Event::Ended(reason) => self.ended = Some(reason),
            Event::Thread(event) => {
                if let Some(told) = threads::told(&event) {
                    self.count_event(told.kind, told.severity);
                    let (at, severity) = (self.timestamp(now), severity(told.severity));
                    self.recorder.event(at, severity, told.kind, told.text, Some(told.extras));
                }
            }
            // What was judged is told by a notice.
            Event::Started | Event::Transcript(_) | Event::TurnTaken(_) | Event::SpeechJudged(_) => {}
        }
    }

    fn debug_message(&mut self, text: &str) {
        self.announce(|wire| wire.debug(text));
    }

    /// Where the time of the turns went that are over.
    fn report_turns(&mut self) {
        for turn in self.witness.finished() {
            witness::trace(&turn);
            witness::measure(&turn, &self.means.metrics);
            let text = turn.summary();
            self.debug_message(&text);
            self.event_with(Severity::Debug, witness::TURN_LATENCY, text, Some(turn.to_json()));
        }
    }

    /// Something that the driver itself has to tell.
    fn event(&mut self, level: Severity, kind: &'static str, text: String) {
        self.event_with(level, kind, text, None);
    }

    fn event_with(&mut self, level: Severity, kind: &'static str, text: String, extras: Option<Value>) {
        let at = self.timestamp(self.now());
        debug!(kind, "{text}");
        self.count_event(kind, level);
        let notice = Notice { severity: level, kind, text };
        let (now, news) = (self.now(), Event::Notice(notice.clone()));
        self.announce(|wire| {
            let mut message = wire.event(now, &news)?;
            if let (ServerMessage::CallEvent(event), Some(Value::Object(extras))) = (&mut message, &extras) {
                event.extras = Some(extras.clone());
            }
            Some(message)
        });
        self.recorder.event(at, severity(level), kind, notice.text, extras);
    }

    fn count_event(&self, kind: &'static str, level: Severity) {
        self.means.metrics.event(kind, severity(level).as_str());
    }

    /// The end of a call becomes known when its recording can be asked for.
    async fn complete_recording(&mut self) {
        self.end_sound();
        self.recording.completed().await;
        self.recording_trouble();
    }

    fn recording_trouble(&mut self) {
        while let Some(Notice { severity, kind, text }) = self.recording.trouble() {
            self.event(severity, kind, text);
        }
    }

    fn now(&self) -> CallTime {
        call_time(self.zero, self.stopped().unwrap_or_else(Instant::now))
    }

    fn timestamp(&self, at: CallTime) -> Timestamp {
        let stood = self.rejoining.as_ref().map(|rejoining| rejoining.stood_by(at, self.zero));
        let at = at + stood.unwrap_or_default();
        let micros = i64::try_from(at.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_unix_micros(self.subject.created.unix_micros().saturating_add(micros))
            .unwrap_or(self.subject.created)
    }
}

fn call_time(zero: Instant, now: Instant) -> CallTime {
    CallTime::ZERO + now.saturating_duration_since(zero)
}
