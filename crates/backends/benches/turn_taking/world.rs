//! One call in virtual time: a microphone, the real detector, the real guard against echo, the real engine, a loudspeaker.

use std::sync::Arc;
use std::time::Duration;

use antiphon_audio::{SampleRate, write_pcm};
use antiphon_backends::turn_detection::TurnDetector;
use antiphon_backends::voice_activity::earshot::Earshot;
use antiphon_backends::voice_activity::echo::{Echo, EchoGate};
use antiphon_backends::voice_activity::{Edge, SpeechEdges, VoiceActivityFactory as _};
use antiphon_engine::config::{Config, FirstSpeaker, Greeting, Hearing, Limits, TurnTaking};
use antiphon_engine::ids::UtteranceId;
use antiphon_engine::input::{ModelEvent, Transcription, VoiceEvent};
use antiphon_engine::message::{AudioSpan, Medium, Speaker};
use antiphon_engine::output::{Effect, Event, TranscriptWords};
use antiphon_engine::{AudioTime, CallTime, Conversation, Input, Output};

use crate::sounds::{Chance, PER_MS, Sound};

/// What the microphone gives at once: 20 ms.
const STEP: usize = 320;
/// The model's first words, and the voice's first audio, take this long.
const MODEL: Duration = Duration::from_millis(400);
const VOICE: Duration = Duration::from_millis(100);
/// A turn detector takes this long.
const DETECTOR: Duration = Duration::from_millis(60);

/// How a call is run.
#[derive(Clone)]
pub(crate) struct Policy {
    pub(crate) name: &'static str,
    pub(crate) turn_taking: TurnTaking,
    pub(crate) echo_guard: bool,
    /// How long a transcriber that understands everything takes; none: there is none.
    pub(crate) transcriber: Option<Duration>,
    /// What judges pauses, where they are judged; none: somebody who is never wrong.
    pub(crate) detector: Option<Arc<dyn TurnDetector>>,
}

/// What the user's microphone picks up, and when.
#[derive(Clone, Default)]
pub(crate) struct Microphone {
    pub(crate) sounds: Vec<(usize, Sound)>,
    /// What goes on all the time.
    pub(crate) noise: Vec<f32>,
    /// Delay in milliseconds and gain of the way from the loudspeaker back.
    pub(crate) echo: Option<(usize, f32)>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The agent's first message was cut off.
    pub(crate) cut: bool,
    /// When the last of the agent's audio before the cut was played, in milliseconds.
    pub(crate) silent_at: Option<u64>,
    /// When playout was cleared.
    pub(crate) cleared_at: Option<u64>,
    /// When turns ended.
    pub(crate) turns: Vec<u64>,
    /// When each answer's first audio was played.
    pub(crate) answers: Vec<u64>,
    /// How long the playout stood without being cut, altogether.
    pub(crate) paused_ms: u64,
}

struct World<'a> {
    policy: &'a Policy,
    microphone: &'a Microphone,
    /// What it has picked up so far.
    heard: Vec<i16>,
    conversation: Conversation,
    agent: &'a [i16],
    now: CallTime,
    deadline: Option<CallTime>,
    plan: Vec<(CallTime, Input)>,
    gate: Option<EchoGate>,
    speaker: Vec<f32>,
    silent_from: usize,
    sent: Vec<(UtteranceId, usize)>,
    outcome: Outcome,
}

/// Runs a call of `ms` in which the agent says `greeting`, whose audio is `agent`, or waits for the user if there is none.
pub(crate) fn run(
    policy: &Policy,
    microphone: &Microphone,
    greeting: &str,
    agent: &[i16],
    ms: usize,
) -> Outcome {
    let first_speaker = if greeting.is_empty() {
        FirstSpeaker::User { fallback: None }
    } else {
        FirstSpeaker::Agent {
            greeting: Greeting::Text(Arc::from(greeting)),
            delay: Duration::ZERO,
            uninterruptible: false,
        }
    };
    let config = Config {
        system_prompt: None,
        temperature: 0.0,
        model: Arc::from("fixed"),
        hearing: Hearing::Audio,
        language: None,
        initial_messages: Vec::new(),
        tools: Vec::new(),
        initial_state: Arc::new(serde_json::json!({})),
        first_speaker,
        output_medium: Medium::Voice,
        turn_taking: policy.turn_taking,
        inactivity: Vec::new(),
        join_timeout: Duration::from_secs(30),
        max_duration: Duration::from_secs(3_600),
        time_exceeded_message: None,
        apology: None,
        output_rate: 16_000,
        client_buffer: Duration::from_millis(60),
        limits: Limits::default(),
    };
    let mut world = World {
        policy,
        microphone,
        heard: Vec::new(),
        conversation: Conversation::new(config, CallTime::ZERO),
        agent,
        now: CallTime::ZERO,
        deadline: None,
        plan: Vec::new(),
        gate: policy.echo_guard.then(|| EchoGate::new(Echo::new(SampleRate::EAR))),
        speaker: vec![0.0; (ms + 2_000) * PER_MS],
        silent_from: 0,
        sent: Vec::new(),
        outcome: Outcome::default(),
    };
    world.tell(Input::Joined);
    world.listen(ms);
    world.outcome
}

impl World<'_> {
    fn listen(&mut self, ms: usize) {
        let mut edges = SpeechEdges::new(Earshot.detector(), 0.1);
        let mut chance = Chance(77);
        let mut frame = Vec::with_capacity(STEP);
        for step in 0..ms * PER_MS / STEP {
            let from = step * STEP;
            let end = from + STEP;
            self.run_until(time(end));
            frame.clear();
            frame.extend((from..end).map(|at| (self.picked_up(at) + chance.next() * 8.0) as i16));
            self.heard.extend(&frame);
            let now = self.now.since_start();
            let mut found: Vec<Edge> = Vec::new();
            match &mut self.gate {
                Some(gate) => {
                    gate.take(&mut edges, &frame, now, |edge| found.push(edge));
                }
                None => edges.push(&frame, |edge| found.push(edge)),
            }
            let received = audio(end as u64);
            for edge in found {
                self.tell(match edge {
                    Edge::Started { at_sample } => Input::SpeechStarted { at: audio(at_sample), received },
                    Edge::Stopped { at_sample } => Input::SpeechStopped { at: audio(at_sample), received },
                });
            }
        }
    }

    fn picked_up(&self, at: usize) -> f32 {
        let sounds = self
            .microphone
            .sounds
            .iter()
            .filter_map(|(from, sound)| sound.samples.get(at.checked_sub(from * PER_MS)?));
        let noise = &self.microphone.noise;
        let steady = if noise.is_empty() { 0.0 } else { noise[at % noise.len()] };
        let echo = self.microphone.echo.map_or(0.0, |(delay, gain)| {
            // The direct sound and a dozen reflections over 200 ms.
            let tap = |after: usize, gain: f32| {
                at.checked_sub(delay * PER_MS + after).map_or(0.0, |at| self.speaker[at] * gain)
            };
            let reflections = (1..=12).map(|n| {
                let sign = if n % 3 == 0 { -1.0 } else { 1.0 };
                tap(n * 257 + n * n * 5, sign * 0.35 * (-(n as f32) / 5.0).exp())
            });
            gain * (tap(0, 1.0) + reflections.sum::<f32>())
        });
        sounds.sum::<f32>() + steady + echo
    }

    fn run_until(&mut self, end: CallTime) {
        loop {
            let planned = self.plan.iter().map(|(at, _)| *at).min();
            let next = [planned, self.deadline].into_iter().flatten().min().filter(|at| *at <= end);
            let Some(next) = next else { break };
            self.now = self.now.max(next);
            if planned == Some(next) {
                let index = self.plan.iter().position(|(at, _)| *at == next).expect("just found");
                let (_, input) = self.plan.remove(index);
                self.tell(input);
            } else {
                self.tell(Input::Timeout);
            }
        }
        self.now = end;
    }

    fn tell(&mut self, input: Input) {
        self.conversation.handle(self.now, input);
        loop {
            match self.conversation.poll() {
                Output::Timeout(deadline) => {
                    self.deadline = deadline.map(|(at, _)| at);
                    return;
                }
                Output::Effect(effect) => self.effect(&effect),
                Output::Event(event) => self.event(&event),
            }
        }
    }

    fn effect(&mut self, effect: &Effect) {
        let now = sample(self.now);
        match effect {
            Effect::ClearPlayback => {
                self.speaker[now..].fill(0.0);
                if let Some(gate) = &mut self.gate {
                    gate.cleared(self.now.since_start());
                }
                self.outcome.silent_at.get_or_insert((self.silent_from.min(now) / PER_MS) as u64);
                self.outcome.cleared_at.get_or_insert((now / PER_MS) as u64);
                self.silent_from = now;
            }
            Effect::Play { utterance, samples } => self.play(*utterance, *samples as usize, now),
            Effect::StartModel { generation, .. } => {
                let text = ModelEvent::Text(Arc::from("Certainly, that can be done."));
                self.plan.push((self.now + MODEL, Input::Model(*generation, text)));
                self.plan.push((self.now + MODEL, Input::Model(*generation, ModelEvent::Finished)));
            }
            Effect::StartSpeech { utterance, .. } => {
                let at = self.now + VOICE;
                let first = *utterance == UtteranceId(0);
                let samples = if first && !self.agent.is_empty() { self.agent.len() } else { 24_000 };
                let samples = u32::try_from(samples).expect("seconds of audio");
                self.plan.push((at, Input::Voice(*utterance, VoiceEvent::Audio { samples })));
                self.plan.push((at, Input::Voice(*utterance, VoiceEvent::Finished)));
            }
            Effect::Transcribe(span) => {
                let words = match self.policy.transcriber {
                    None => Transcription::Words(Arc::from("")),
                    Some(_) => Transcription::Words(Arc::from(self.words_in(span.from, span.to))),
                };
                let delay = self.policy.transcriber.unwrap_or_default();
                self.plan.push((self.now + delay, Input::Transcribed { turn: span.turn, words, by: None }));
            }
            Effect::JudgeTurn(span) => {
                let probability = match &self.policy.detector {
                    Some(detector) => detector.end_of_turn(self.clip(span)),
                    None if self.goes_on_after(span.to) => 0.0,
                    None => 1.0,
                };
                self.plan.push((self.now + DETECTOR, Input::TurnJudged(span.turn, probability)));
            }
            Effect::Cancel(_) | Effect::CloseLeg(_) | Effect::InvokeTool(_) => {}
            Effect::StartTones { .. } => {}
        }
    }

    fn play(&mut self, utterance: UtteranceId, samples: usize, now: usize) {
        let sent = match self.sent.iter_mut().find(|(id, _)| *id == utterance) {
            Some((_, sent)) => sent,
            None => {
                if utterance != UtteranceId(0) || self.agent.is_empty() {
                    self.outcome.answers.push((now / PER_MS) as u64);
                }
                self.sent.push((utterance, 0));
                &mut self.sent.last_mut().expect("just added").1
            }
        };
        if *sent > 0 && now > self.silent_from {
            self.outcome.paused_ms += ((now - self.silent_from) / PER_MS) as u64;
        }
        let from = self.silent_from.max(now);
        let mut piece = Vec::with_capacity(samples);
        for offset in 0..samples {
            let value =
                self.agent.get(*sent + offset).copied().filter(|_| utterance == UtteranceId(0)).unwrap_or(0);
            piece.push(value);
            if let Some(place) = self.speaker.get_mut(from + offset) {
                *place = f32::from(value);
            }
        }
        *sent += samples;
        self.silent_from = from + samples;
        if let Some(gate) = &mut self.gate {
            let mut bytes = Vec::new();
            write_pcm(&piece, &mut bytes);
            gate.sent(&bytes, self.now.since_start());
        }
    }

    /// A turn and the pause behind it, up to now.
    fn clip(&self, span: &AudioSpan) -> &[i16] {
        let from = (span.from.as_micros() * PER_MS as u64 / 1_000) as usize;
        &self.heard[from.min(self.heard.len())..]
    }

    fn goes_on_after(&self, end: AudioTime) -> bool {
        let end = (end.as_micros() / 1_000) as usize;
        self.microphone.sounds.iter().any(|(from, sound)| from + sound.ms() > end + 100)
    }

    /// The words of all sounds of which at least a half lies in this stretch of the user's audio.
    fn words_in(&self, from: AudioTime, to: AudioTime) -> String {
        let (from, to) = (from.as_micros() / 1_000, to.as_micros() / 1_000);
        let inside = self.microphone.sounds.iter().filter(|(start, sound)| {
            let middle = (start + sound.ms() / 2) as u64;
            from <= middle && middle <= to
        });
        inside.map(|(_, sound)| sound.words).collect::<Vec<_>>().join(" ")
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Transcript(transcript) if transcript.speaker == Speaker::Agent => {
                if let TranscriptWords::Final(words) = &transcript.words
                    && !self.agent.is_empty()
                    && transcript.ordinal.0 == 0
                {
                    self.outcome.cut = !words.ends_with("end.");
                }
            }
            Event::UserStoppedSpeaking => {
                self.outcome
                    .turns
                    .push(u64::try_from(self.now.since_start().as_millis()).unwrap_or(u64::MAX));
            }
            Event::Ended(_)
            | Event::MessageCommitted { .. }
            | Event::TurnTaken(_)
            | Event::StageChanged { .. }
            | Event::Thread(_)
            | Event::SpeechJudged(_)
            | Event::Notice(_)
            | Event::Started
            | Event::StateChanged(_)
            | Event::Transcript(_)
            | Event::UserStartedSpeaking => {}
        }
    }
}

fn time(samples: usize) -> CallTime {
    CallTime::from_micros(samples as u64 * 1_000 / PER_MS as u64)
}

fn sample(at: CallTime) -> usize {
    (at.as_micros() * PER_MS as u64 / 1_000) as usize
}

fn audio(samples: u64) -> AudioTime {
    AudioTime::from_micros(samples * 1_000 / PER_MS as u64)
}
