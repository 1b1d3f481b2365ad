//! The world around one simulated call: time, the user, the model, the voice, the transcriber and the tools.
//!
//! Owns what will happen and when; drives the conversation as the call's own driver does: one input, then drain. Has no clock:
//! whoever runs it moves time on, from one moment at which something is due to the next.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use antiphon_api::CallId;
use antiphon_api::json::JsonObject;
use antiphon_api::realtime::{ClientMessage, ToolErrorType, ToolResult};
use antiphon_api::rest::calls::{EnabledDataMessages, StartCallRequest};
use antiphon_engine::config::Tool;
use antiphon_engine::ids::{GenerationId, StageNumber, UtteranceId};
use antiphon_engine::input::{
    LegClosed, ModelEvent, Request, Tones, Transcription, Urgency, VoiceEvent, WordEnd,
};
use antiphon_engine::message::{Message, Prompt, Speaker};
use antiphon_engine::output::{
    Effect, Event, Invocation, Judgement, Transcript, TranscriptWords, Verdict, Work,
};
use antiphon_engine::{CallTime, Conversation, Input, NewStage, Output};
use serde_json::{Value, json};

use super::agent::{Keys, make_fit};
use super::jitter::Jitter;
use super::model::{Answer, Progress};
use super::scenario::Scenario;
use super::scenario::kind;
use super::speech::Sounds;
use super::story::{Happening, State, Story};
use super::user::{Act, User, View};
use super::verdict::Failure;
use crate::call::messages;
use crate::call::stages::{Asked, Present, Stages, Staging, prepare};
use crate::call::wire::{Meaning, Wire};
use crate::tools::{self, CallTool, KnownValues, Task};

/// Things that may happen in one call; more is a conversation that does not end.
const MOST_MOMENTS: u64 = 20_000_000;

pub(super) struct World<'s> {
    scenario: &'s Scenario,
    conversation: Conversation,
    stages: Stages,
    request: Arc<StartCallRequest>,
    tools: Vec<Tool>,
    call_tools: Vec<CallTool>,
    wire: Wire,
    now: CallTime,
    /// When the conversation wants to be woken.
    wake: Option<CallTime>,
    /// What will happen, in the order of time and then of planning.
    plan: BTreeMap<(CallTime, u64), Due>,
    planned: u64,
    moments: u64,
    user: User<'s>,
    view: View,
    /// Whether the user is in the middle of a turn.
    mid_turn: bool,
    sounds: Sounds,
    progress: Progress,
    jitter: Jitter,
    /// How often each tool was called.
    calls: HashMap<Arc<str>, usize>,
    story: Story,
    failures: Vec<Failure>,
    /// What a real model is to do.
    orders: Vec<Order>,
}

/// Something for a real model.
pub(super) enum Order {
    Start(GenerationId, Box<Prompt>),
    Stop(GenerationId),
}

/// Something that will happen.
enum Due {
    Input(Input),
    ToolAnswer(Box<ToolResult>),
}

impl<'s> World<'s> {
    /// A call that the user joins at its beginning.
    pub(super) fn new(scenario: &'s Scenario, jitter: Jitter) -> Self {
        let mut world = Self {
            scenario,
            conversation: Conversation::new(scenario.config.clone(), CallTime::ZERO),
            stages: Stages::new(call_id()),
            request: Arc::clone(&scenario.request),
            tools: scenario.config.tools.clone(),
            call_tools: scenario.call_tools.clone(),
            wire: Wire::new(call_id(), EnabledDataMessages::default()),
            now: CallTime::ZERO,
            wake: None,
            plan: BTreeMap::new(),
            planned: 0,
            moments: 0,
            user: User::new(scenario, jitter.clone()),
            view: View::default(),
            mid_turn: false,
            sounds: Sounds::default(),
            progress: Progress::default(),
            jitter,
            calls: HashMap::new(),
            story: Story::default(),
            failures: Vec::new(),
            orders: Vec::new(),
        };
        world.drain();
        world.input(Input::Joined);
        world.user_acts();
        world
    }

    /// The next moment at which something happens; nothing once the call is over.
    pub(super) fn next_due(&self) -> Option<CallTime> {
        if self.conversation.is_over() || self.moments > MOST_MOMENTS {
            return None;
        }
        let planned = self.plan.first_key_value().map(|((at, _), _)| *at);
        let due = [planned, self.wake, self.user.deadline(&self.view)].into_iter().flatten().min()?;
        Some(due.max(self.now))
    }

    /// Moves time on to `now`, which is not later than what is due next, and lets one thing happen.
    pub(super) fn advance(&mut self, now: CallTime) {
        self.now = self.now.max(now);
        self.moments += 1;
        if self.plan.first_key_value().is_some_and(|((at, _), _)| *at <= self.now) {
            let (_, due) = self.plan.pop_first().expect("it was just looked at");
            match due {
                Due::Input(input) => self.input(input),
                Due::ToolAnswer(result) => self.tool_answer(*result),
            }
        } else if self.wake.is_some_and(|at| at <= self.now) {
            self.input(Input::Timeout);
        }
        self.user_acts();
    }

    /// A real model said something.
    pub(super) fn model_says(&mut self, now: CallTime, id: GenerationId, event: ModelEvent) {
        self.now = self.now.max(now);
        self.input(Input::Model(id, event));
        self.user_acts();
    }

    /// What a real model is to do, once.
    pub(super) fn take_orders(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.orders)
    }

    /// What happened, and what went wrong on the way.
    pub(super) fn finish(mut self) -> (Story, Vec<Failure>) {
        if self.moments > MOST_MOMENTS {
            self.failures.push(Failure {
                line: 0,
                expected: "the call comes to an end".to_owned(),
                happened: vec![format!("{MOST_MOMENTS} things happened and it went on")],
            });
        }
        self.failures.extend(self.user.unfinished(&self.view));
        self.story.finish();
        (self.story, self.failures)
    }

    fn input(&mut self, mut input: Input) {
        if let Input::Model(_, ModelEvent::ToolCall(call)) = &mut input {
            tools::mend(&self.call_tools, &self.tools, call);
        }
        self.conversation.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.conversation.poll() {
                Output::Timeout(deadline) => {
                    self.wake = deadline.map(|(at, _)| at);
                    break;
                }
                Output::Effect(effect) => self.effect(effect),
                Output::Event(event) => self.event(&event),
            }
        }
        let at_rest = self.view.state == Some(State::Listening) && !self.mid_turn;
        match (at_rest, self.view.at_rest_since) {
            (true, None) => self.view.at_rest_since = Some(self.now),
            (false, Some(_)) => self.view.at_rest_since = None,
            (true, Some(_)) | (false, None) => {}
        }
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Cancel(work) => {
                self.plan.retain(|_, due| !is_of(due, work));
                if let Work::Model(id) = work {
                    self.orders.push(Order::Stop(id));
                }
            }
            // A scenario says when its user is finished; there is nothing to find out, and no detector to ask.
            Effect::JudgeTurn(_) => {}
            Effect::ClearPlayback => self.story.cleared(self.now),
            Effect::CloseLeg(_) => self.story.closing(),
            Effect::InvokeTool(invocation) => self.invoke(&invocation),
            // Nobody listens to the sound of it; what was heard of it, the engine counts.
            Effect::Play { .. } => {}
            Effect::StartModel { generation, thread, prompt } => {
                self.ask(generation, thread.is_some(), prompt)
            }
            Effect::StartSpeech { utterance, text } => self.speak(utterance, &text),
            Effect::StartTones { utterance, tones } => self.press(utterance, &tones),
            Effect::Transcribe(span) => {
                let words = Transcription::Words(self.sounds.transcript(span).into());
                let delay = self.jitter.vary(self.scenario.transcript_delay);
                self.plan(
                    self.now + delay,
                    Due::Input(Input::Transcribed { turn: span.turn, words, by: None }),
                );
            }
        }
    }

    fn event(&mut self, event: &Event) {
        self.story.event(self.now, event);
        match event {
            Event::StateChanged(state) => {
                let state = State::from(*state);
                self.view.state = Some(state);
                self.view.speaking_since = (state == State::Speaking).then_some(self.now);
            }
            Event::Transcript(words) if words.speaker == Speaker::Agent => self.hear(words),
            Event::UserStartedSpeaking => self.mid_turn = true,
            Event::UserStoppedSpeaking => self.mid_turn = false,
            Event::SpeechJudged(Judgement { verdict: Verdict::Interruption, paused, .. }) => {
                // The agent stood before it was cut off, and the client played what it held.
                self.story.was_silent_for(paused.saturating_sub(self.scenario.config.client_buffer));
            }
            Event::SpeechJudged(Judgement { verdict: Verdict::Nothing, .. }) => {}
            Event::StageChanged { number, stage } => self.begin_stage(*number, stage),
            Event::Ended(_) => self.view.is_over = true,
            Event::Started
            | Event::Transcript(_)
            | Event::MessageCommitted { .. }
            | Event::TurnTaken(_)
            | Event::Thread(_)
            | Event::Notice(_) => {}
        }
    }

    fn hear(&mut self, words: &Transcript) {
        let view = &mut self.view;
        match &words.words {
            TranscriptWords::First(text) => {
                view.heard.push(' ');
                view.message_from = view.heard.len();
                view.heard.push_str(text);
            }
            TranscriptWords::More(text) => view.heard.push_str(text),
            // The whole message, of which all or nothing was heard before.
            TranscriptWords::Final(text) if view.heard[view.message_from..].is_empty() => {
                view.heard.push_str(text);
                view.message_from = view.heard.len();
            }
            TranscriptWords::Final(_) => {
                view.heard.push(' ');
                view.message_from = view.heard.len();
            }
        }
    }

    fn user_acts(&mut self) {
        while let Some(act) = self.user.act(self.now, &self.view) {
            match act {
                Act::GiveUp(failure) => {
                    self.failures.push(failure);
                    self.hang_up();
                }
                Act::HangUp => self.hang_up(),
                Act::Noise(lasting) => {
                    self.story.user(self.now, Happening::UserNoise { lasting }, None);
                    self.sound(lasting, "");
                }
                Act::Press(digits) => {
                    let what = Happening::UserPressed { digits: digits.to_owned() };
                    self.story.user(self.now, what, None);
                    if let Keys::Text(template, urgency) = &self.scenario.keys {
                        self.text(template.replace("{digits}", digits).into(), *urgency);
                    }
                }
                Act::Send(message) => {
                    self.story.user(self.now, Happening::UserSent { kind: kind(message) }, None);
                    match self.wire.read(message.clone()) {
                        Meaning::Request(request) => self.input(Input::Request(request)),
                        Meaning::Tool(id, outcome) => self.input(Input::Tool(id, outcome)),
                        Meaning::Staging(staging) => self.stage(staging),
                        Meaning::Answer(_) | Meaning::Ignored(..) => {}
                    }
                }
                Act::Speak(speech, lasting) => {
                    let what = Happening::UserSpoke { text: speech.text.clone(), lasting };
                    self.story.user(self.now, what, Some(self.now + lasting));
                    self.sound(lasting, speech.heard_as.as_ref().unwrap_or(&speech.text));
                }
                Act::Write(text, urgency) => {
                    let what = Happening::UserWrote { text: text.to_owned() };
                    let answer_owed = (urgency != Urgency::Later).then_some(self.now);
                    self.story.user(self.now, what, answer_owed);
                    self.text(text.into(), urgency);
                }
            }
        }
    }

    fn sound(&mut self, lasting: Duration, words: &str) {
        for (at, input) in self.sounds.add(self.now, lasting, words).into_iter().flatten() {
            self.plan(at, Due::Input(input));
        }
    }

    fn text(&mut self, text: Arc<str>, urgency: Urgency) {
        self.input(Input::Request(Request::UserText { text, urgency }));
    }

    fn hang_up(&mut self) {
        if self.view.is_over {
            return;
        }
        self.story.closing();
        self.story.user(self.now, Happening::UserHungUp, None);
        self.input(Input::LegClosed(LegClosed::ByPeer));
    }

    fn ask(&mut self, generation: GenerationId, in_thread: bool, prompt: Box<Prompt>) {
        match self.scenario.model.answer(&prompt, in_thread, &mut self.progress) {
            Answer::Timetable(events) => {
                let mut at = self.now;
                for (wait, event) in events {
                    at = at + self.jitter.vary(wait);
                    self.plan(at, Due::Input(Input::Model(generation, event)));
                }
            }
            Answer::Asked => self.orders.push(Order::Start(generation, prompt)),
            Answer::UsedUp(count) => {
                self.failures.push(Failure {
                    line: 0,
                    expected: format!("the {count} replies of the model are enough"),
                    happened: vec![if in_thread {
                        "the model was asked once more in a thread; add a reply under model.thread_replies"
                            .to_owned()
                    } else {
                        "the model was asked once more; add a reply under model.replies".to_owned()
                    }],
                });
                let end = ModelEvent::Failed("all recorded replies are used up".into());
                self.plan(self.now, Due::Input(Input::Model(generation, end)));
            }
        }
    }

    /// All audio at once after the voice's delay: voices are faster than speech.
    fn speak(&mut self, utterance: UtteranceId, text: &str) {
        let voice = self.scenario.voice;
        let per_minute = f64::from(self.scenario.config.output_rate) * 60.0;
        let words = text.split_whitespace().count().max(1) as f64;
        let samples = words * per_minute / voice.words_per_minute;
        let per_byte = samples / text.len().max(1) as f64;
        let ends = text.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(index, _)| index);
        let ends: Arc<[WordEnd]> = ends
            .chain([text.len()])
            .map(|end| WordEnd { text: saturated(end as f64), samples: saturated(end as f64 * per_byte) })
            .collect();
        let at = self.now + self.jitter.vary(voice.delay);
        for event in
            [VoiceEvent::Words(ends), VoiceEvent::Audio { samples: saturated(samples) }, VoiceEvent::Finished]
        {
            self.plan(at, Due::Input(Input::Voice(utterance, event)));
        }
    }

    fn press(&mut self, utterance: UtteranceId, tones: &Tones) {
        let keys = tones.keys.chars().count();
        let length = tones.tone.as_secs_f64() * keys as f64
            + tones.space.as_secs_f64() * keys.saturating_sub(1) as f64;
        let samples = saturated(length * f64::from(self.scenario.config.output_rate));
        for event in [VoiceEvent::Audio { samples }, VoiceEvent::Finished] {
            self.plan(self.now, Due::Input(Input::Voice(utterance, event)));
        }
    }

    fn invoke(&mut self, invocation: &Invocation) {
        let history = invocation.history.as_deref().unwrap_or_default();
        let call = call_id();
        let known = KnownValues {
            call_id: call.to_string(),
            stage_id: self.stages.present_id().to_string(),
            metadata: Value::Object(self.scenario.metadata.clone()),
            output_rate: self.scenario.config.output_rate,
            state: &invocation.state,
            history: self.history(history),
            thread: invocation.thread.as_deref(),
            threads: &invocation.threads,
        };
        let tool = self.call_tools.get(invocation.tool).cloned().unwrap_or_default();
        let parameters = match tool.task(&invocation.arguments, &known) {
            Ok(Task::Client(parameters) | Task::DataConnection(parameters)) => parameters,
            // As it stands for a corpus.
            Ok(Task::Search(query)) => query.parameters(),
            Ok(Task::Known(outcome)) => {
                let arguments = Value::clone(&invocation.arguments);
                self.story.tool_called(self.now, invocation.id, &invocation.name, arguments);
                self.view.tools.push(invocation.name.to_string());
                self.story.tool_answered(self.now, invocation.id);
                self.plan(self.now, Due::Input(Input::Tool(invocation.id, outcome)));
                return;
            }
            // The scenario stands where an endpoint would: tools are the client's here.
            Ok(Task::Http(_)) => JsonObject::new(),
            Err(refusal) => {
                let arguments = Value::clone(&invocation.arguments);
                self.story.tool_called(self.now, invocation.id, &invocation.name, arguments);
                self.view.tools.push(invocation.name.to_string());
                self.plan(self.now, Due::Input(Input::Tool(invocation.id, refusal.outcome())));
                return;
            }
        };
        let arguments = Value::Object(parameters.clone());
        self.story.tool_called(self.now, invocation.id, &invocation.name, arguments);
        self.view.tools.push(invocation.name.to_string());
        // The message itself goes nowhere; the dictionary remembers the invocation.
        let _ = self.wire.invocation(invocation, parameters);
        let id = self.wire.invocation_id(invocation.id, invocation.given_id.as_ref());

        let count = self.calls.entry(Arc::clone(&invocation.name)).or_default();
        let nth = std::mem::replace(count, *count + 1);
        let (result, after) = match self.scenario.answers.get(&*invocation.name) {
            Some(answers) => {
                let answer = answers.get(nth).or(answers.last()).expect("a tool has at least one answer");
                let result = answer.result.clone().map(|result| ToolResult { invocation_id: id, ..result });
                (result, self.jitter.vary(answer.after))
            }
            None => {
                let name = &invocation.name;
                let problem = format!("the scenario has no answer for {name}; add it under tools");
                self.failures.push(Failure {
                    line: 0,
                    expected: format!("the agent calls only tools with answers, and not {name}"),
                    happened: vec![problem.clone()],
                });
                (Some(ToolResult::failed(id, ToolErrorType::Undefined, problem)), Duration::ZERO)
            }
        };
        if let Some(result) = result {
            self.plan(self.now + after, Due::ToolAnswer(Box::new(result)));
        }
    }

    fn tool_answer(&mut self, result: ToolResult) {
        match self.wire.read(ClientMessage::ClientToolResult(result)) {
            Meaning::Tool(id, outcome) => {
                self.story.tool_answered(self.now, id);
                self.input(Input::Tool(id, outcome));
            }
            Meaning::Staging(staging) => self.stage(staging),
            Meaning::Request(_) | Meaning::Answer(_) | Meaning::Ignored(..) => {}
        }
    }

    /// Works out stages at once: there are no lasting tools here.
    fn stage(&mut self, staging: Staging) {
        if let Some(id) = staging.tool() {
            self.story.tool_answered(self.now, id);
        }
        let present = Present { number: self.stages.present().0, request: Arc::clone(&self.request) };
        let results = staging.bodies().map(|body| {
            let mut asked = Asked::read(body)?;
            make_fit(&mut asked.request);
            prepare(asked, Vec::new(), &present, &self.scenario.means, None)
        });
        let results = results.collect();
        let (input, prepared) = staging.worked_out(results);
        self.stages.keep(prepared);
        self.input(input);
    }

    fn begin_stage(&mut self, number: StageNumber, stage: &Arc<NewStage>) {
        let (_, _, prepared) = self.stages.begin(call_id(), number, stage);
        let Some(prepared) = prepared else { return };
        self.request = Arc::new(prepared.request);
        self.tools = prepared.engine.tools;
        if let Some(tools) = prepared.tools {
            self.call_tools = tools;
        }
    }

    fn history(&self, history: &[Message]) -> Value {
        let stage = self.stages.present_id();
        let given = |id, given: &Option<Arc<str>>| self.wire.invocation_id(id, given.as_ref());
        let convert = |(index, message)| messages::to_api(message, stage, index, Some(CallTime::ZERO), given);
        serde_json::to_value(history.iter().enumerate().map(convert).collect::<Vec<_>>()).unwrap_or(json!([]))
    }

    fn plan(&mut self, at: CallTime, due: Due) {
        self.planned += 1;
        self.plan.insert((at, self.planned), due);
    }
}

/// The same in every run.
fn call_id() -> CallId {
    CallId::new(uuid::Uuid::nil())
}

fn saturated(number: f64) -> u32 {
    number as u32
}

/// Whether something planned is a result of this work.
fn is_of(due: &Due, work: Work) -> bool {
    match (due, work) {
        (Due::Input(Input::Model(id, _)), Work::Model(cancelled)) => *id == cancelled,
        (Due::Input(Input::Voice(id, _)), Work::Speech(cancelled)) => *id == cancelled,
        (Due::Input(Input::Transcribed { turn, .. }), Work::Transcription(cancelled)) => *turn == cancelled,
        _ => false,
    }
}
