//! A world in virtual time around one conversation: a user, a model, a voice, a transcriber and a client, all of them as the
//! test wrote them. What the engine says is kept as lines that tests compare.
//!
//! The world answers by itself: a started model takes the next reply from the queue, a voice speaks 50 ms per character after
//! 20 ms, a transcriber takes the next words. Anything can be silenced and done by hand.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::config::{FirstSpeaker, Greeting, Hearing, Limits, Tool, ToolRuns, TurnTaking};
use antiphon_engine::ids::{GenerationId, InvocationId, TurnId, UtteranceId};
use antiphon_engine::input::{
    ForcedMessage, ForcedUrgency, LegClosed, ModelEvent, ModelToolCall, Reaction, Request, ToolAction,
    ToolAnswer, ToolOutcome, Transcription, Urgency, VoiceEvent, WordEnd,
};
use antiphon_engine::message::{Medium, Message, MessageBody, Prompt, Speaker, ToolForModel};
use antiphon_engine::output::{Effect, Event, TranscriptWords, Work};
use antiphon_engine::{AudioTime, CallTime, Config, Conversation, Input, Output};

pub const RATE: u32 = 16_000;
/// What the world's voice takes for a character.
pub const MS_PER_CHARACTER: u64 = 50;

/// A conversation with everything at its default, in which the user speaks first.
pub fn config() -> Config {
    Config {
        system_prompt: Some(Arc::from("Be brief.")),
        temperature: 0.0,
        model: Arc::from("scripted"),
        hearing: Hearing::Audio,
        language: None,
        initial_messages: Vec::new(),
        tools: Vec::new(),
        initial_state: Arc::new(serde_json::json!({})),
        first_speaker: FirstSpeaker::User { fallback: None },
        output_medium: Medium::Voice,
        turn_taking: TurnTaking::default(),
        inactivity: Vec::new(),
        join_timeout: Duration::from_secs(30),
        max_duration: Duration::from_secs(3600),
        time_exceeded_message: None,
        output_rate: RATE,
        client_buffer: Duration::from_millis(60),
        limits: Limits::default(),
    }
}

pub fn agent_greets(text: &str) -> FirstSpeaker {
    FirstSpeaker::Agent {
        greeting: Greeting::Text(Arc::from(text)),
        delay: Duration::ZERO,
        uninterruptible: false,
    }
}

pub fn tool(name: &str) -> Tool {
    Tool {
        face: ToolForModel {
            name: Arc::from(name),
            description: Arc::from("A tool."),
            parameters: Arc::new(serde_json::json!({"type": "object"})),
        },
        timeout: Duration::from_millis(2_500),
        reaction: Reaction::Speaks,
        runs: ToolRuns::Outside,
        wants_history: false,
    }
}

pub fn call(name: &str, arguments: &str) -> ModelEvent {
    ModelEvent::ToolCall(ModelToolCall {
        name: Arc::from(name),
        arguments: Arc::from(arguments),
        given_id: None,
    })
}

pub fn say(text: &str) -> ModelEvent {
    ModelEvent::Text(Arc::from(text))
}

pub fn answer(text: &str) -> ToolOutcome {
    react(text, None)
}

pub fn react(text: &str, reaction: Option<Reaction>) -> ToolOutcome {
    ToolOutcome::Answered(ToolAnswer {
        action: ToolAction::Respond(Arc::from(text)),
        reaction,
        state_update: None,
    })
}

pub fn forced(content: &str, urgency: ForcedUrgency) -> ForcedMessage {
    ForcedMessage {
        content: Arc::from(content),
        tool_calls: Vec::new(),
        known_results: Vec::new(),
        uninterruptible: false,
        urgency,
    }
}

/// What the world will do at a later time.
type Plan = BTreeMap<(CallTime, u64), Input>;

pub struct Story {
    conversation: Conversation,
    now: CallTime,
    timeout: Option<CallTime>,
    plan: Plan,
    planned: u64,
    /// Where the client's audio stands still for the VAD: speech inputs are stamped with it.
    joined: CallTime,
    lines: Vec<String>,
    replies: VecDeque<(Duration, Vec<ModelEvent>)>,
    transcripts: VecDeque<(Duration, Transcription)>,
    pub world: World,
    pub seen: Seen,
}

/// What the world does by itself.
pub struct World {
    pub voice_delay: Duration,
    pub ms_per_character: u64,
    pub word_times: bool,
    pub voice_answers: bool,
    pub tool_answers: Option<(Duration, ToolOutcome)>,
}

/// What the engine asked for and told, for checks that lines are too coarse for.
#[derive(Default)]
pub struct Seen {
    pub models: BTreeSet<GenerationId>,
    pub voices: BTreeSet<UtteranceId>,
    pub tools: BTreeSet<InvocationId>,
    pub transcriptions: BTreeSet<TurnId>,
    pub prompts: Vec<Prompt>,
    pub committed: Vec<Message>,
    pub events: Vec<(CallTime, Event)>,
    /// Every piece of audio: when, which utterance, how many samples.
    pub played: Vec<(CallTime, UtteranceId, u32)>,
    pub cleared: Vec<CallTime>,
    pub closed: bool,
    pub last_tool: Option<InvocationId>,
    pub wakeups: u64,
}

impl Story {
    pub fn new(config: Config) -> Self {
        let mut story = Self {
            conversation: Conversation::new(config, CallTime::ZERO),
            now: CallTime::ZERO,
            timeout: None,
            plan: Plan::new(),
            planned: 0,
            joined: CallTime::ZERO,
            lines: Vec::new(),
            replies: VecDeque::new(),
            transcripts: VecDeque::new(),
            world: World {
                voice_delay: Duration::from_millis(20),
                ms_per_character: MS_PER_CHARACTER,
                word_times: false,
                voice_answers: true,
                tool_answers: None,
            },
            seen: Seen::default(),
        };
        story.drain();
        story
    }

    /// A conversation that somebody has joined at its beginning.
    pub fn joined(config: Config) -> Self {
        let mut story = Self::new(config);
        story.join();
        story
    }

    pub fn join(&mut self) {
        self.joined = self.now;
        self.input(Input::Joined);
    }

    // What the world will do.

    /// The model's next reply: all of it at once after 100 ms.
    pub fn model_says(&mut self, text: &str) {
        self.model_does(vec![say(text)]);
    }

    pub fn model_does(&mut self, events: Vec<ModelEvent>) {
        self.model_does_after(100, events);
    }

    pub fn model_does_after(&mut self, ms: u64, mut events: Vec<ModelEvent>) {
        events.push(ModelEvent::Finished);
        self.replies.push_back((Duration::from_millis(ms), events));
    }

    /// The model's next run fails.
    pub fn model_fails(&mut self) {
        self.replies
            .push_back((Duration::from_millis(100), vec![ModelEvent::Failed(Arc::from("overloaded"))]));
    }

    /// The words of the next turn, known after `ms`.
    pub fn transcript_after(&mut self, ms: u64, words: &str) {
        self.transcripts.push_back((Duration::from_millis(ms), Transcription::Words(Arc::from(words))));
    }

    pub fn transcript_fails_after(&mut self, ms: u64) {
        self.transcripts
            .push_back((Duration::from_millis(ms), Transcription::Failed(Arc::from("no service"))));
    }

    // What happens now.

    /// The user speaks for `ms`; the detector is exact. Time goes on to the end of the speech.
    pub fn user_speaks(&mut self, ms: u64) {
        self.speech_starts();
        self.run_ms(ms);
        self.speech_stops();
    }

    pub fn speech_starts(&mut self) {
        let at = self.audio_time();
        self.input(Input::SpeechStarted { at, received: at });
    }

    pub fn speech_stops(&mut self) {
        let at = self.audio_time();
        self.input(Input::SpeechStopped { at, received: at });
    }

    pub fn user_writes(&mut self, text: &str, urgency: Urgency) {
        self.request(Request::UserText { text: Arc::from(text), urgency });
    }

    pub fn request(&mut self, request: Request) {
        self.input(Input::Request(request));
    }

    pub fn tool_answers(&mut self, id: InvocationId, outcome: ToolOutcome) {
        self.input(Input::Tool(id, outcome));
    }

    pub fn hangs_up(&mut self) {
        self.input(Input::LegClosed(LegClosed::ByPeer));
    }

    pub fn input(&mut self, input: Input) {
        self.conversation.handle(self.now, input);
        self.drain();
    }

    // Time.

    pub fn now(&self) -> CallTime {
        self.now
    }

    pub fn is_over(&self) -> bool {
        self.conversation.is_over()
    }

    pub fn run_ms(&mut self, ms: u64) {
        self.run_until(self.now + Duration::from_millis(ms));
    }

    pub fn run_secs(&mut self, secs: u64) {
        self.run_ms(secs * 1_000);
    }

    pub fn run_until(&mut self, end: CallTime) {
        loop {
            let planned = self.plan.first_key_value().map(|((at, _), _)| *at);
            let next = match (planned, self.timeout) {
                (Some(planned), Some(timeout)) => planned.min(timeout),
                (Some(at), None) | (None, Some(at)) => at,
                (None, None) => break,
            };
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            if planned == Some(next) {
                let (_, input) = self.plan.pop_first().expect("just looked at");
                self.input(input);
            } else {
                self.seen.wakeups += 1;
                self.input(Input::Timeout);
                assert!(
                    self.timeout.is_none_or(|at| at > self.now),
                    "a deadline that has passed stays set at {}: {:#?}",
                    self.now,
                    self.lines
                );
            }
        }
        self.now = end;
    }

    // What was seen.

    /// Compares everything told since the last look with `expected`, line by line; blank lines and indentation do not count.
    #[track_caller]
    pub fn expect(&mut self, expected: &str) {
        let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let told = std::mem::take(&mut self.lines);
        if told != expected {
            let mut message = String::from("the story went differently; it was:\n");
            for line in &told {
                writeln!(message, "    {line}").unwrap();
            }
            let first = told.iter().zip(&expected).position(|(a, b)| a != b);
            let first = first.unwrap_or(told.len().min(expected.len()));
            writeln!(
                message,
                "first difference in line {}:\n  was      {}\n  expected {}",
                first + 1,
                told.get(first).map_or("(nothing)", String::as_str),
                expected.get(first).copied().unwrap_or("(nothing)"),
            )
            .unwrap();
            panic!("{message}");
        }
    }

    /// Forgets what was told so far.
    pub fn skip(&mut self) {
        self.lines.clear();
    }

    /// The record as lines: who, then the text; what was generated and not heard stands in brackets.
    pub fn record(&self) -> Vec<String> {
        self.seen.committed.iter().map(record_line).collect()
    }

    /// The last prompt as lines, without the system prompt.
    pub fn last_prompt(&self) -> Vec<String> {
        let prompt = self.seen.prompts.last().expect("the model was started");
        let instruction = prompt.instruction.iter().map(|text| format!("instruction: {text}"));
        prompt.messages.iter().map(record_line).chain(instruction).collect()
    }

    fn audio_time(&self) -> AudioTime {
        AudioTime::from_micros(self.now.since(self.joined).as_micros() as u64)
    }

    fn plan(&mut self, at: CallTime, input: Input) {
        self.planned += 1;
        self.plan.insert((at, self.planned), input);
    }

    fn drain(&mut self) {
        loop {
            match self.conversation.poll() {
                Output::Timeout(deadline) => {
                    self.timeout = deadline.map(|(at, _)| at);
                    return;
                }
                Output::Effect(effect) => self.effect(effect),
                Output::Event(event) => self.event(event),
            }
        }
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        self.lines.push(format!("{} {text}", self.now));
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Cancel(work) => {
                self.line(format_args!("cancel {}", work_name(work)));
                self.plan.retain(|_, input| !answers(input, work));
                let was_open = match work {
                    Work::Model(id) => self.seen.models.remove(&id),
                    Work::Speech(id) => {
                        self.seen.voices.remove(&id) || self.seen.played.iter().any(|p| p.1 == id)
                    }
                    Work::Tool(id) => self.seen.tools.remove(&id),
                    Work::Transcription(id) => self.seen.transcriptions.remove(&id),
                };
                let known = was_open || matches!(work, Work::Speech(_));
                assert!(known, "{} is cancelled but was not under way", work_name(work));
            }
            Effect::ClearPlayback => {
                self.seen.cleared.push(self.now);
                self.line(format_args!("clear"));
            }
            Effect::CloseLeg(reason) => {
                self.seen.closed = true;
                self.line(format_args!("close {reason:?}"));
            }
            Effect::InvokeTool(invocation) => {
                self.line(format_args!("tool {} {}", invocation.name, invocation.arguments));
                self.seen.tools.insert(invocation.id);
                self.seen.last_tool = Some(invocation.id);
                if let Some((delay, outcome)) = self.world.tool_answers.clone() {
                    self.plan(self.now + delay, Input::Tool(invocation.id, outcome));
                }
            }
            Effect::Play { utterance, samples } => self.seen.played.push((self.now, utterance, samples)),
            Effect::StartModel { generation, prompt } => {
                self.line(format_args!("model"));
                self.seen.models.insert(generation);
                self.seen.prompts.push(*prompt);
                if let Some((delay, events)) = self.replies.pop_front() {
                    for event in events {
                        self.plan(self.now + delay, Input::Model(generation, event));
                    }
                }
            }
            Effect::StartSpeech { utterance, text } => {
                self.line(format_args!("voice {text:?}"));
                self.seen.voices.insert(utterance);
                if self.world.voice_answers {
                    self.speak(utterance, &text);
                }
            }
            Effect::Transcribe(span) => {
                let ms = |at: AudioTime| at.as_micros() / 1_000;
                self.line(format_args!("transcribe {}..{} ms", ms(span.from), ms(span.to)));
                self.seen.transcriptions.insert(span.turn);
                if let Some((delay, words)) = self.transcripts.pop_front() {
                    self.plan(self.now + delay, Input::Transcribed(span.turn, words));
                }
            }
        }
    }

    fn speak(&mut self, utterance: UtteranceId, text: &str) {
        let per_character = (self.world.ms_per_character * u64::from(RATE) / 1_000) as u32;
        let at = self.now + self.world.voice_delay;
        let samples = text.chars().count() as u32 * per_character;
        self.plan(at, Input::Voice(utterance, VoiceEvent::Audio { samples }));
        if self.world.word_times {
            let ends = text.char_indices().filter(|(_, c)| *c == ' ').map(|(index, _)| index);
            let words: Vec<WordEnd> = ends
                .chain([text.len()])
                .map(|end| WordEnd { text: end as u32, samples: end as u32 * per_character })
                .collect();
            self.plan(at, Input::Voice(utterance, VoiceEvent::Words(words.into())));
        }
        self.plan(at, Input::Voice(utterance, VoiceEvent::Finished));
    }

    fn event(&mut self, event: Event) {
        match &event {
            Event::Started => self.line(format_args!("started")),
            Event::StateChanged(state) => self.line(format_args!("state {state:?}")),
            Event::Transcript(transcript) => {
                let who = match transcript.speaker {
                    Speaker::Agent => "agent",
                    Speaker::User => "user",
                };
                let text = match transcript.medium {
                    Medium::Voice => "",
                    Medium::Text => " (text)",
                };
                let ordinal = transcript.ordinal.0;
                match &transcript.words {
                    TranscriptWords::First(words) => {
                        self.line(format_args!("{who}{text} #{ordinal} {words:?}"))
                    }
                    TranscriptWords::More(words) => {
                        self.line(format_args!("{who}{text} #{ordinal} +{words:?}"))
                    }
                    TranscriptWords::Final(words) => {
                        self.line(format_args!("{who}{text} #{ordinal} ={words:?}"))
                    }
                }
            }
            Event::MessageCommitted { message, .. } => self.seen.committed.push((**message).clone()),
            Event::UserStartedSpeaking | Event::UserStoppedSpeaking => {}
            Event::Notice(notice) => self.line(format_args!("notice {}", notice.kind)),
            Event::Ended(reason) => self.line(format_args!("ended {reason:?}")),
        }
        self.seen.events.push((self.now, event));
    }

    /// Notes that work came to its end by itself, so that a later cancel of it would be noticed.
    pub fn finished_work(&mut self, input: &Input) {
        match input {
            Input::Model(id, ModelEvent::Finished | ModelEvent::Failed(_)) => {
                self.seen.models.remove(id);
            }
            Input::Transcribed(id, _) => {
                self.seen.transcriptions.remove(id);
            }
            _ => {}
        }
    }
}

fn answers(input: &Input, work: Work) -> bool {
    match (input, work) {
        (Input::Model(id, _), Work::Model(cancelled)) => *id == cancelled,
        (Input::Voice(id, _), Work::Speech(cancelled)) => *id == cancelled,
        (Input::Tool(id, _), Work::Tool(cancelled)) => *id == cancelled,
        (Input::Transcribed(id, _), Work::Transcription(cancelled)) => *id == cancelled,
        _ => false,
    }
}

fn work_name(work: Work) -> &'static str {
    match work {
        Work::Model(_) => "model",
        Work::Speech(_) => "voice",
        Work::Tool(_) => "tool",
        Work::Transcription(_) => "transcription",
    }
}

fn record_line(message: &Message) -> String {
    match &message.body {
        MessageBody::Agent { heard, generated } => {
            let unheard = generated.strip_prefix(&**heard).expect("heard is a prefix of generated");
            if unheard.trim().is_empty() {
                format!("agent: {heard}")
            } else {
                format!("agent: {heard}[{unheard}]")
            }
        }
        MessageBody::ToolCall { tool, arguments, .. } => format!("call {tool}: {arguments}"),
        MessageBody::ToolResult { tool, text, error, .. } => match error {
            None => format!("result {tool}: {text}"),
            Some(error) => format!("result {tool}: {text} ({error})"),
        },
        MessageBody::User { text, audio } => {
            format!("user{}: {text}", if audio.is_some() { "" } else { " (text)" })
        }
    }
}
