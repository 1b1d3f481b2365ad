//! What a conversation costs: a frame of a speaking one, the silence of an idle one, its memory, and whole calls per second.
//!
//! Prints and asserts nothing. The allocator counts, which makes every figure a little worse than in a server.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a benchmark measures time and memory"
)]

use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use antiphon_engine::config::{FirstSpeaker, Greeting, Hearing, Limits, TurnTaking};
use antiphon_engine::input::{ModelEvent, Transcription, VoiceEvent};
use antiphon_engine::message::Medium;
use antiphon_engine::output::Effect;
use antiphon_engine::{AudioTime, CallTime, Config, Conversation, Input, Output};

const RATE: u32 = 24_000;
const IDLE_CALLS: usize = 10_000;

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() {
    let Frames { frames, elapsed, allocations } = speak_for_ten_minutes();
    println!(
        "speaking: {:.0} ns per 20 ms frame ({frames} frames, {:.2} allocations each), {:.0} such calls to a core",
        elapsed.as_nanos() as f64 / frames as f64,
        allocations as f64 / frames as f64,
        20e6 * frames as f64 / elapsed.as_nanos() as f64,
    );
    let (wakeups, noise) = stay_idle();
    println!("idle: {wakeups} wake-ups an hour; {:.0} ns for a noise that is no turn", noise.as_nanos());
    let memory = hold_idle_calls();
    println!(
        "memory of an idle call: {} bytes of heap in {} blocks, {} bytes inline; {} bytes resident ({IDLE_CALLS} calls)",
        memory.heap,
        memory.blocks,
        size_of::<Conversation>(),
        memory.resident,
    );
    let began = Instant::now();
    let mut calls = 0_u32;
    let mut answers = 0_u32;
    while began.elapsed() < Duration::from_secs(2) {
        answers += hold_a_call(Duration::from_secs(60));
        calls += 1;
    }
    let rate = f64::from(calls) / began.elapsed().as_secs_f64();
    println!("whole calls: {rate:.0} of one minute a second ({} answers each)", answers / calls);
}

fn config(greeting: &str) -> Config {
    Config {
        system_prompt: Some(Arc::from("You are a friendly receptionist. Be brief.")),
        temperature: 0.0,
        model: Arc::from("scripted"),
        hearing: Hearing::Audio,
        language: None,
        initial_messages: Vec::new(),
        tools: Vec::new(),
        initial_state: Arc::new(serde_json::json!({})),
        first_speaker: FirstSpeaker::Agent {
            greeting: Greeting::Text(Arc::from(greeting)),
            delay: Duration::ZERO,
            uninterruptible: false,
        },
        output_medium: Medium::Voice,
        turn_taking: TurnTaking::default(),
        inactivity: Vec::new(),
        join_timeout: Duration::from_secs(30),
        max_duration: Duration::from_secs(3600),
        time_exceeded_message: None,
        apology: None,
        output_rate: RATE,
        client_buffer: Duration::from_millis(60),
        limits: Limits::default(),
    }
}

struct Frames {
    frames: u64,
    elapsed: Duration,
    allocations: u64,
}

/// One message of ten minutes, sent frame by frame; its sentences and words are part of the cost.
fn speak_for_ten_minutes() -> Frames {
    let mut world = World::new(config(&"A sentence of some ten words takes a few seconds. ".repeat(180)));
    world.input(Input::Joined);
    let mut elapsed = Duration::ZERO;
    let counted = allocation_counter::measure(|| {
        let began = Instant::now();
        world.run_until(CallTime::from_millis(600_000));
        elapsed = began.elapsed();
    });
    Frames { frames: world.frames, elapsed, allocations: counted.count_total }
}

/// An hour in which nothing happens, and what a short noise costs.
fn stay_idle() -> (u64, Duration) {
    let mut config = config("Hi.");
    config.turn_taking.minimum_turn = Duration::from_millis(90);
    let mut world = World::new(config);
    world.input(Input::Joined);
    world.run_until(CallTime::from_millis(5_000));
    let before = world.wakeups;
    world.run_until(CallTime::from_millis(3_500_000));
    let wakeups = world.wakeups - before;
    let began = Instant::now();
    for noise in 0..10_000_u64 {
        let at = AudioTime::from_millis(3_500_000 + noise);
        world.input(Input::SpeechStarted { at, received: at });
        world.input(Input::SpeechStopped { at, received: at });
    }
    (wakeups, began.elapsed() / 10_000)
}

struct Memory {
    heap: u64,
    blocks: u64,
    resident: u64,
}

/// Calls that have said their greeting and wait for the user.
fn hold_idle_calls() -> Memory {
    let idle = || {
        let mut world = World::new(config("Hello, how can I help you?"));
        world.input(Input::Joined);
        world.run_until(CallTime::from_millis(5_000));
        world.conversation
    };
    let mut calls = Vec::with_capacity(IDLE_CALLS);
    let resident = resident_bytes();
    let counted = allocation_counter::measure(|| calls.extend((0..IDLE_CALLS).map(|_| idle())));
    let resident = resident_bytes().saturating_sub(resident);
    black_box(&calls);
    let each = |total: i64| u64::try_from(total).unwrap_or(0) / IDLE_CALLS as u64;
    Memory {
        heap: each(counted.bytes_current),
        blocks: each(counted.count_current),
        resident: resident / IDLE_CALLS as u64,
    }
}

/// The second figure of `/proc/self/statm`, in pages of 4 KiB; zero where there is no such file.
fn resident_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4_096
}

/// A user who speaks for two seconds whenever the agent has finished. Returns how often the agent answered.
fn hold_a_call(length: Duration) -> u32 {
    let mut world = World::new(config("Hello, how can I help you?"));
    world.input(Input::Joined);
    let mut at = 2_000;
    while Duration::from_millis(at) < length {
        world.run_until(CallTime::from_millis(at));
        let audio = AudioTime::from_millis(at);
        world.input(Input::SpeechStarted { at: audio, received: audio });
        world.run_until(CallTime::from_millis(at + 2_000));
        let audio = AudioTime::from_millis(at + 2_000);
        world.input(Input::SpeechStopped { at: audio, received: audio });
        at += 6_000;
    }
    world.run_until(CallTime::ZERO + length);
    world.answers
}

/// The least that a conversation needs around it: everything is answered at once.
struct World {
    conversation: Conversation,
    now: CallTime,
    timeout: Option<CallTime>,
    frames: u64,
    wakeups: u64,
    answers: u32,
}

impl World {
    fn new(config: Config) -> Self {
        let conversation = Conversation::new(config, CallTime::ZERO);
        Self { conversation, now: CallTime::ZERO, timeout: None, frames: 0, wakeups: 0, answers: 0 }
    }

    fn run_until(&mut self, end: CallTime) {
        while let Some(at) = self.timeout.filter(|at| *at <= end) {
            self.now = at;
            self.wakeups += 1;
            self.input(Input::Timeout);
        }
        self.now = end;
    }

    fn input(&mut self, input: Input) {
        self.conversation.handle(self.now, input);
        loop {
            match self.conversation.poll() {
                Output::Timeout(deadline) => {
                    self.timeout = deadline.map(|(at, _)| at);
                    return;
                }
                Output::Effect(effect) => self.effect(effect),
                Output::Event(event) => drop(black_box(event)),
            }
        }
    }

    fn effect(&mut self, effect: Effect) {
        let now = self.now;
        let mut answer = |input| self.conversation.handle(now, input);
        match effect {
            Effect::Play { samples, .. } => self.frames += u64::from(samples.div_ceil(RATE / 50)),
            Effect::StartModel { generation, .. } => {
                let text = Arc::from("Certainly. I have put you down for two o'clock on Friday.");
                answer(Input::Model(generation, ModelEvent::Text(text)));
                answer(Input::Model(generation, ModelEvent::Finished));
                self.answers += 1;
            }
            Effect::StartSpeech { utterance, text } => {
                let samples = text.len() as u32 * (RATE / 15);
                answer(Input::Voice(utterance, VoiceEvent::Audio { samples }));
                answer(Input::Voice(utterance, VoiceEvent::Finished));
            }
            Effect::Transcribe(span) => {
                let words = Transcription::Words(Arc::from("I would like a table for two on Friday"));
                answer(Input::Transcribed { turn: span.turn, words, by: None });
            }
            Effect::Cancel(_) | Effect::ClearPlayback | Effect::CloseLeg(_) | Effect::InvokeTool(_) => {}
            Effect::JudgeTurn(_) | Effect::StartTones { .. } => {}
        }
    }
}
