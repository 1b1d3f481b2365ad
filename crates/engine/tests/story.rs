//! A world in virtual time around one conversation: a user, a model, a voice, a transcriber and a client, all of them as the
//! test wrote them. What the engine says is kept as lines that tests compare.
//!
//! The world answers by itself: a started model takes the next reply from the queue, a voice speaks 50 ms per character after
//! 20 ms, a transcriber takes the next words. Anything can be silenced and done by hand. A witness watches every story.

mod setting;
mod telling;
mod witness;

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::ids::{InvocationId, StageNumber, TurnId, UtteranceId};
use antiphon_engine::input::{
    LegClosed, ModelEvent, Request, ToolOutcome, Transcription, Urgency, VoiceEvent, WordEnd,
};
use antiphon_engine::message::{Message, Prompt};
use antiphon_engine::output::{AgentState, Effect, Event, Invocation, Work};
use antiphon_engine::{AudioTime, CallTime, Config, Conversation, Input, Output};

pub(crate) use setting::*;
pub(crate) use telling::message_line;

use telling::{effect_line, event_line};
use witness::Witness;

pub(crate) struct Story {
    conversation: Conversation,
    witness: Witness,
    now: CallTime,
    timeout: Option<CallTime>,
    /// What the world will do, in the order of time and then of planning.
    plan: BTreeMap<(CallTime, u64), Input>,
    planned: u64,
    joined: CallTime,
    lines: Vec<String>,
    replies: VecDeque<(Duration, Vec<ModelEvent>)>,
    thread_replies: VecDeque<(Duration, Vec<ModelEvent>)>,
    transcripts: VecDeque<(Duration, Transcription)>,
    judgements: VecDeque<(Duration, f32)>,
    pub(crate) world: World,
    pub(crate) seen: Seen,
}

/// What the world does by itself.
pub(crate) struct World {
    /// How far behind the audio the voice activity detector is.
    pub(crate) detector_delay: Duration,
    pub(crate) voice_delay: Duration,
    pub(crate) ms_per_character: u64,
    /// Whether the voice tells where its words end.
    pub(crate) word_times: bool,
    pub(crate) voice_answers: bool,
    /// The voice gives its audio in pieces of this many samples, one in each such time.
    pub(crate) voice_pieces: Option<(u32, Duration)>,
    /// The answer to every tool, and how long it takes.
    pub(crate) tool_answers: Option<(Duration, ToolOutcome)>,
    /// How late the wake-up with this number comes.
    pub(crate) wakes_late: fn(u64) -> Duration,
}

/// What the engine asked for and told, for checks that lines are too coarse for.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) prompts: Vec<Prompt>,
    /// What the model was given in side threads.
    pub(crate) thread_prompts: Vec<Prompt>,
    pub(crate) events: Vec<(CallTime, Event)>,
    /// Every piece of audio: when, which utterance, how many samples, and how much lay unplayed at the client then.
    pub(crate) played: Vec<(CallTime, UtteranceId, u32, Duration)>,
    pub(crate) utterances: Vec<UtteranceId>,
    pub(crate) tools: Vec<InvocationId>,
    pub(crate) invocations: Vec<Invocation>,
    pub(crate) turns: Vec<TurnId>,
    pub(crate) wakeups: u64,
}

impl Story {
    pub(crate) fn new(config: Config) -> Self {
        let mut story = Self {
            witness: Witness::new(&config),
            conversation: Conversation::new(config, CallTime::ZERO),
            now: CallTime::ZERO,
            timeout: None,
            plan: BTreeMap::new(),
            planned: 0,
            joined: CallTime::ZERO,
            lines: Vec::new(),
            replies: VecDeque::new(),
            thread_replies: VecDeque::new(),
            transcripts: VecDeque::new(),
            judgements: VecDeque::new(),
            world: World {
                detector_delay: Duration::ZERO,
                voice_delay: Duration::from_millis(20),
                ms_per_character: 50,
                word_times: false,
                voice_answers: true,
                voice_pieces: None,
                tool_answers: None,
                wakes_late: |_| Duration::ZERO,
            },
            seen: Seen::default(),
        };
        story.drain();
        story
    }

    /// A conversation that somebody has joined at its beginning.
    pub(crate) fn joined(config: Config) -> Self {
        let mut story = Self::new(config);
        story.join();
        story
    }

    pub(crate) fn join(&mut self) {
        self.joined = self.now;
        self.input(Input::Joined);
    }

    // What the world will do.

    /// The model's next reply: all of it at once after 100 ms.
    pub(crate) fn model_says(&mut self, text: &str) {
        self.model_does(vec![say(text)]);
    }

    pub(crate) fn model_does(&mut self, events: Vec<ModelEvent>) {
        self.model_does_after(100, events);
    }

    pub(crate) fn model_does_after(&mut self, ms: u64, mut events: Vec<ModelEvent>) {
        events.push(ModelEvent::Finished);
        self.model_streams_after(ms, events);
    }

    /// The model's next reply, whose end the story tells by hand.
    pub(crate) fn model_streams_after(&mut self, ms: u64, events: Vec<ModelEvent>) {
        self.replies.push_back((Duration::from_millis(ms), events));
    }

    /// The model's next reply in a side thread: all of it at once after 100 ms.
    pub(crate) fn thread_does(&mut self, mut events: Vec<ModelEvent>) {
        events.push(ModelEvent::Finished);
        self.thread_replies.push_back((Duration::from_millis(100), events));
    }

    pub(crate) fn model_fails(&mut self) {
        self.model_streams_after(100, vec![ModelEvent::Failed(Arc::from("overloaded"))]);
    }

    /// The words of the next turn, known after `ms`.
    pub(crate) fn transcript_after(&mut self, ms: u64, words: &str) {
        self.transcripts.push_back((Duration::from_millis(ms), Transcription::Words(Arc::from(words))));
    }

    pub(crate) fn transcript_fails_after(&mut self, ms: u64) {
        let failed = Transcription::Failed(Arc::from("no service"));
        self.transcripts.push_back((Duration::from_millis(ms), failed));
    }

    /// What the turn detector makes of the next pause, known after `ms`.
    pub(crate) fn judges_after(&mut self, ms: u64, probability: f32) {
        self.judgements.push_back((Duration::from_millis(ms), probability));
    }

    // What happens now.

    /// The user speaks for `ms`. Time goes on to the end of the speech; the detector may be behind that.
    pub(crate) fn user_speaks(&mut self, ms: u64) {
        self.speech_starts();
        self.run_ms(ms);
        self.speech_stops();
    }

    /// The user begins to speak now, and the detector says so after its delay.
    pub(crate) fn speech_starts(&mut self) {
        let (at, received) = self.detection();
        let delay = self.world.detector_delay;
        self.plan(self.now + delay, Input::SpeechStarted { at, received });
        self.run_ms(0);
    }

    /// The user falls silent now, and the detector says so after its delay.
    pub(crate) fn speech_stops(&mut self) {
        let (at, received) = self.detection();
        let delay = self.world.detector_delay;
        self.plan(self.now + delay, Input::SpeechStopped { at, received });
        self.run_ms(0);
    }

    pub(crate) fn user_writes(&mut self, text: &str, urgency: Urgency) {
        self.request(Request::UserText { text: Arc::from(text), urgency });
    }

    pub(crate) fn request(&mut self, request: Request) {
        self.input(Input::Request(request));
    }

    pub(crate) fn tool_answers(&mut self, id: InvocationId, outcome: ToolOutcome) {
        self.input(Input::Tool(id, outcome));
    }

    pub(crate) fn hangs_up(&mut self) {
        self.input(Input::LegClosed(LegClosed::ByPeer));
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.witness.sees_input(&input);
        self.conversation.handle(self.now, input);
        self.drain();
    }

    // Time.

    pub(crate) fn now(&self) -> CallTime {
        self.now
    }

    pub(crate) fn run_ms(&mut self, ms: u64) {
        self.run_until(self.now + Duration::from_millis(ms));
    }

    pub(crate) fn run_secs(&mut self, secs: u64) {
        self.run_ms(secs * 1_000);
    }

    pub(crate) fn run_until(&mut self, end: CallTime) {
        loop {
            let planned = self.plan.first_key_value().map(|((at, _), _)| *at);
            let late = (self.world.wakes_late)(self.seen.wakeups);
            self.witness.late = self.witness.late.max(late);
            let wake = self.timeout.map(|at| (at + late).max(self.now));
            let next = match (planned, wake) {
                (Some(planned), Some(wake)) => planned.min(wake),
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
    pub(crate) fn expect(&mut self, expected: &str) {
        let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let told = std::mem::take(&mut self.lines);
        if told == expected {
            return;
        }
        let mut message = String::from("the story went differently; it was:\n");
        for line in &told {
            writeln!(message, "    {line}").expect("a string takes everything");
        }
        let first = told.iter().zip(&expected).position(|(a, b)| a != b);
        let first = first.unwrap_or(told.len().min(expected.len()));
        panic!(
            "{message}first difference in line {}:\n  was      {}\n  expected {}",
            first + 1,
            told.get(first).map_or("(nothing)", String::as_str),
            expected.get(first).copied().unwrap_or("(nothing)"),
        );
    }

    /// Forgets what was told so far.
    pub(crate) fn skip(&mut self) {
        self.lines.clear();
    }

    /// Everything told since the last look.
    pub(crate) fn told(&self) -> &[String] {
        &self.lines
    }

    /// The record as lines.
    pub(crate) fn record(&self) -> Vec<String> {
        self.witness.committed().iter().map(message_line).collect()
    }

    /// The stages of the messages in the record.
    pub(crate) fn stages(&self) -> Vec<u32> {
        self.witness.stages().iter().map(|stage| stage.0).collect()
    }

    /// The stage that is under way.
    pub(crate) fn stage(&self) -> StageNumber {
        self.witness.stage()
    }

    /// The record itself.
    pub(crate) fn committed(&self) -> &[Message] {
        self.witness.committed()
    }

    /// The last prompt as lines, without the system prompt.
    pub(crate) fn last_prompt(&self) -> Vec<String> {
        let prompt = self.seen.prompts.last().expect("the model was started");
        let instruction = prompt.instruction.iter().map(|text| format!("instruction: {text}"));
        prompt.messages.iter().map(message_line).chain(instruction).collect()
    }

    pub(crate) fn state(&self) -> Option<AgentState> {
        self.witness.state()
    }

    /// How much audio lies unplayed at the client now.
    pub(crate) fn lead(&self) -> Duration {
        self.witness.lead(self.now)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.conversation.is_over()
    }

    /// Where the user's audio stands, and where it will when the detector has noticed.
    fn detection(&self) -> (AudioTime, AudioTime) {
        let at = self.now.since(self.joined);
        let audio = |time: Duration| AudioTime::from_micros(time.as_micros() as u64);
        (audio(at), audio(at + self.world.detector_delay))
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
                Output::Effect(effect) => {
                    self.witness.sees_effect(self.now, &effect);
                    self.tell(effect_line(&effect));
                    self.effect(effect);
                }
                Output::Event(event) => {
                    self.witness.sees_event(self.now, &event);
                    self.tell(event_line(&event));
                    self.seen.events.push((self.now, event));
                }
            }
        }
    }

    fn tell(&mut self, line: Option<String>) {
        self.lines.extend(line.map(|line| format!("{} {line}", self.now)));
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Cancel(work) => self.plan.retain(|_, input| !answers(input, work)),
            Effect::ClearPlayback | Effect::CloseLeg(_) => {}
            Effect::InvokeTool(invocation) => {
                self.seen.tools.push(invocation.id);
                if let Some((delay, outcome)) = self.world.tool_answers.clone() {
                    self.plan(self.now + delay, Input::Tool(invocation.id, outcome));
                }
                self.seen.invocations.push(*invocation);
            }
            Effect::JudgeTurn(span) => {
                if let Some((delay, probability)) = self.judgements.pop_front() {
                    self.plan(self.now + delay, Input::TurnJudged(span.turn, probability));
                }
            }
            Effect::Play { utterance, samples } => {
                self.seen.played.push((self.now, utterance, samples, self.lead()));
            }
            Effect::StartModel { generation, thread, prompt } => {
                let (prompts, replies) = match thread {
                    None => (&mut self.seen.prompts, &mut self.replies),
                    Some(_) => (&mut self.seen.thread_prompts, &mut self.thread_replies),
                };
                prompts.push(*prompt);
                if let Some((delay, events)) = replies.pop_front() {
                    for event in events {
                        self.plan(self.now + delay, Input::Model(generation, event));
                    }
                }
            }
            Effect::StartSpeech { utterance, text } => {
                self.seen.utterances.push(utterance);
                if self.world.voice_answers {
                    self.speak(utterance, &text);
                }
            }
            Effect::StartTones { utterance, tones } => {
                let keys = tones.keys.chars().count() as u32;
                let length = tones.tone * keys + tones.space * keys.saturating_sub(1);
                let samples = (length.as_millis() as u64 * u64::from(RATE) / 1_000) as u32;
                self.plan(self.now, Input::Voice(utterance, VoiceEvent::Audio { samples }));
                self.plan(self.now, Input::Voice(utterance, VoiceEvent::Finished));
            }
            Effect::Transcribe(span) => {
                self.seen.turns.push(span.turn);
                if let Some((delay, words)) = self.transcripts.pop_front() {
                    self.plan(self.now + delay, Input::Transcribed { turn: span.turn, words, by: None });
                }
            }
        }
    }

    fn speak(&mut self, utterance: UtteranceId, text: &str) {
        let per_character = (self.world.ms_per_character * u64::from(RATE) / 1_000) as u32;
        let samples = text.chars().count() as u32 * per_character;
        let mut at = self.now + self.world.voice_delay;
        if self.world.word_times {
            let ends = text.char_indices().filter(|(_, c)| *c == ' ').map(|(index, _)| index);
            let words: Vec<WordEnd> = ends
                .chain([text.len()])
                .map(|end| WordEnd {
                    text: end as u32,
                    samples: text[..end].chars().count() as u32 * per_character,
                })
                .collect();
            self.plan(at, Input::Voice(utterance, VoiceEvent::Words(words.into())));
        }
        let (piece, every) = self.world.voice_pieces.unwrap_or((samples, Duration::ZERO));
        let mut left = samples;
        while left > 0 {
            let samples = left.min(piece);
            self.plan(at, Input::Voice(utterance, VoiceEvent::Audio { samples }));
            left -= samples;
            at = at + every;
        }
        self.plan(at, Input::Voice(utterance, VoiceEvent::Finished));
    }
}

fn answers(input: &Input, work: Work) -> bool {
    match input {
        Input::Model(id, _) => Work::Model(*id) == work,
        Input::Voice(id, _) => Work::Speech(*id) == work,
        Input::Tool(id, _) => Work::Tool(*id) == work,
        Input::Transcribed { turn, .. } => Work::Transcription(*turn) == work,
        Input::ConnectionLost | Input::Rejoined { .. } => false,
        Input::Joined | Input::LegClosed(_) | Input::Request(_) | Input::ShutDown | Input::Timeout => false,
        Input::SpeechStarted { .. } | Input::SpeechStopped { .. } | Input::TurnJudged(..) => false,
        Input::Overheard(_) => false,
    }
}
