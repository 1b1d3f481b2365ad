//! Echoes made from synthesized speech: delayed, attenuated, reverberated, with noise, and with somebody speaking over them.

use crate::text_to_speech::flite::Flite;
use crate::text_to_speech::{Request, SpeechEvent, TextToSpeech as _};
use crate::voice_activity::{Edge, SpeechEdges, VoiceActivityFactory as _, earshot::Earshot};
use futures::StreamExt as _;

use super::*;

/// What a client sends at once: 32 ms.
const STEP: usize = 512;

const AGENT: &str =
    "Once upon a time there was a baker. He had a very old oven, and every morning he lit it.";
const USER: &str = "Sorry, can I stop you there?";

fn spoken(text: &str) -> Vec<i16> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut samples = Vec::new();
        let mut events = Flite::new().speak(Request { text: text.into(), language: None, sample: None });
        while let Some(event) = events.next().await {
            match event {
                SpeechEvent::Audio(audio) => samples.extend(audio),
                SpeechEvent::Words(_) | SpeechEvent::FellBack(_) | SpeechEvent::Finished => {}
                SpeechEvent::Failed(why) => panic!("{why}"),
            }
        }
        samples
    })
}

/// The same words from another throat: a third higher and faster.
fn another_voice(text: &str) -> Vec<i16> {
    let (mut higher, mut out) =
        (Resampler::new(SampleRate::new(22_050).unwrap(), SampleRate::EAR), Vec::new());
    higher.process(&spoken(text), &mut out);
    out
}

struct Noise(u64);

impl Noise {
    /// From -1 to 1, the same every time.
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }
}

/// What a microphone picks up of a loudspeaker: later, softer, with 300 ms of reverberation 6 dB below the direct sound.
fn echoed(samples: &[i16], delay_ms: usize, gain: f32) -> Vec<f32> {
    let mut noise = Noise(88_172_645_463_325_252);
    let mut room: Vec<(usize, f32)> =
        (40..4_800).step_by(37).map(|n| (n, noise.next() * 10_f32.powf(-3.0 * n as f32 / 4_800.0))).collect();
    let energy: f32 = room.iter().map(|(_, c)| c * c).sum();
    for (_, c) in &mut room {
        *c *= 0.5 / energy.sqrt();
    }
    room.push((0, 1.0));
    let delay = delay_ms * 16;
    let mut out = vec![0.0; samples.len() + delay + 4_800];
    for (at, sample) in samples.iter().enumerate().filter(|(_, sample)| **sample != 0) {
        for (tap, c) in &room {
            out[at + delay + tap] += f32::from(*sample) * c * gain;
        }
    }
    out
}

/// What a call does with a loudspeaker that plays `far` from 1 s on, and a microphone that picks up `near`. Gives the edges that
/// are reported, in milliseconds, and how many echoes were recognised.
fn run(far: &[i16], near: &[i16]) -> (Vec<(char, u64)>, usize) {
    let mut gate = EchoGate::new(Echo::new(SampleRate::EAR));
    let mut edges = SpeechEdges::new(Earshot.detector(), 0.1);
    let mut found = Vec::new();
    let mut echoes = 0;
    let mut bytes = Vec::new();
    for (index, chunk) in near.chunks(STEP).enumerate() {
        let end = (index * STEP + chunk.len()) as u64;
        let now = Duration::from_micros(end * 1_000_000 / 16_000);
        let sent = (index * STEP).saturating_sub(16_000);
        if let Some(piece) = far.get(sent..(sent + STEP).min(far.len()))
            && index * STEP >= 16_000
        {
            bytes.clear();
            antiphon_audio::write_pcm(piece, &mut bytes);
            gate.sent(&bytes, now);
        }
        let mut report = |edge| {
            found.push(match edge {
                Edge::Started { at_sample } => ('>', at_sample / 16),
                Edge::Stopped { at_sample } => ('<', at_sample / 16),
            });
        };
        echoes += usize::from(gate.take(&mut edges, chunk, now, &mut report));
    }
    (found, echoes)
}

/// A microphone with a little noise that picks all of these up.
fn microphone(length: usize, noise_level: f32, sounds: &[(&[f32], usize)]) -> Vec<i16> {
    let mut noise = Noise(99);
    (0..length)
        .map(|at| {
            let sum: f32 = sounds
                .iter()
                .filter_map(|(sound, from)| at.checked_sub(*from).and_then(|index| sound.get(index)))
                .sum();
            (sum + noise.next() * noise_level) as i16
        })
        .collect()
}

#[test]
fn the_agents_own_voice_passes_through_no_room() {
    let agent = spoken(AGENT);
    for (delay, gain, noise) in [(40, 0.5, 10.0), (250, 0.2, 60.0), (700, 0.15, 20.0)] {
        let echo = echoed(&agent, delay, gain);
        let near = microphone(agent.len() + 24_000, noise, &[(&echo, 16_000)]);
        let (edges, echoes) = run(&agent, &near);
        let speech: u64 = edges.chunks(2).map(|pair| pair.last().unwrap().1 - pair[0].1).sum();
        assert!(echoes > 0, "nothing was recognised with {delay} ms, {gain}");
        assert!(speech < 90, "{delay} ms, {gain}: {edges:?}");
    }
}

#[test]
fn a_user_who_speaks_while_the_agent_does_and_is_not_echoed_passes_at_once() {
    let agent = spoken(AGENT);
    let user: Vec<f32> = another_voice(USER).into_iter().map(f32::from).collect();
    let near = microphone(agent.len() + 24_000, 20.0, &[(&user, 32_000)]);
    let (guarded, echoes) = run(&agent, &near);
    let (open, _) = run(&[], &near);
    assert_eq!(echoes, 0);
    assert_eq!(guarded, open, "the same speech with and without the guard");
}

#[test]
fn a_user_who_speaks_over_the_echo_is_heard() {
    let agent = spoken(AGENT);
    let echo = echoed(&agent, 120, 0.2);
    let voice: Vec<f32> = another_voice(USER).into_iter().map(f32::from).collect();
    let (from, level) = (32_000, loudness(&echo) / loudness(&voice));
    // As loud as the echo, and 6 and 12 dB louder.
    for (times, latest) in [(1.0, 1_000), (2.0, 600), (4.0, 400)] {
        let user: Vec<f32> = voice.iter().map(|x| x * level * times).collect();
        let near = microphone(agent.len() + 24_000, 20.0, &[(&echo, 16_000), (&user, from)]);
        let (edges, echoes) = run(&agent, &near);
        assert!(echoes > 0);
        let heard = edges.iter().find(|(edge, at)| *edge == '>' && *at >= 1_800);
        let at = heard.unwrap_or_else(|| panic!("{times} times as loud is not heard: {edges:?}")).1;
        assert!(at <= 2_000 + latest, "{times} times as loud is heard at {at}: {edges:?}");
    }
}

#[test]
fn an_echo_that_comes_up_in_the_middle_of_a_call_gets_through_once() {
    let agent: Vec<i16> = spoken(AGENT).into_iter().chain(vec![0; 8_000]).collect();
    let twice = [agent.clone(), agent.clone(), agent.clone()].concat();
    let echo = echoed(&twice, 100, 0.3);
    let near = microphone(twice.len() + 24_000, 20.0, &[(&echo[agent.len()..], 16_000 + agent.len())]);
    let (edges, echoes) = run(&twice, &near);
    assert!(echoes > 0);
    let third = (16_000 + 2 * agent.len()) as u64 / 16;
    let late = edges.iter().filter(|(edge, at)| *edge == '>' && *at > third + 200);
    assert_eq!(late.count(), 0, "{edges:?}, the third time begins at {third}");
}

#[test]
fn an_echo_of_what_was_cleared_is_none() {
    let mut echo = Echo::new(SampleRate::EAR);
    let mut bytes = Vec::new();
    antiphon_audio::write_pcm(&spoken(USER), &mut bytes);
    echo.sent(&bytes, Duration::from_secs(1));
    assert!(echo.is_possible(Duration::from_millis(2_500)), "the client plays for seconds");
    echo.cleared(Duration::from_millis(1_010));
    assert!(!echo.is_possible(Duration::from_millis(2_500)));
}

#[test]
fn what_is_kept_is_bounded() {
    let mut echo = Echo::new(SampleRate::EAR);
    let second = vec![1; 32_000];
    for _ in 0..200 {
        echo.sent(&second, Duration::from_secs(1));
    }
    let ahead = echo.far.len() as u64;
    assert!(ahead <= KEPT_AHEAD + 2 * RATE, "{ahead}");
    echo.sent(&second, Duration::from_secs(90));
    echo.sent(&second, Duration::from_secs(1_000));
    let behind = echo.far.len() as u64;
    assert!(behind <= KEPT_BEHIND + 2 * RATE, "{behind}");
}
