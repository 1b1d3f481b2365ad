//! What every recording promises, on random calls in virtual time: tracks and mixer together, without a disk.

use std::time::Duration;

use antiphon_audio::{SampleRate, signal, write_pcm};
use bytes::Bytes;
use proptest::prelude::*;

use super::mixer::{Mixer, Side};
use super::tracks::{AgentTrack, UserTrack};

const FRAME: Duration = Duration::from_millis(20);
const RECORDING: SampleRate = SampleRate::EAR;
/// Far above what a filter leaves around a sound, and far below the sound.
const AUDIBLE: u16 = 2_000;

/// A call that is recorded, without queue and disk.
struct Tape {
    user: UserTrack<Bytes>,
    agent: AgentTrack,
    mixer: Mixer,
    left: Vec<i16>,
    right: Vec<i16>,
}

impl Tape {
    fn new(user: SampleRate, agent: SampleRate) -> Self {
        Self {
            user: UserTrack::new(user),
            agent: AgentTrack::new(agent),
            mixer: Mixer::new(user, agent, RECORDING),
            left: Vec::new(),
            right: Vec::new(),
        }
    }

    fn hear(&mut self, now: Duration, samples: &[i16]) {
        let mixer = &mut self.mixer;
        self.user
            .take(now, samples.len() as u64, bytes(samples), |at, audio| mixer.place(Side::User, at, audio));
        self.advance(self.mixer.settled(now));
    }

    fn play(&mut self, now: Duration, samples: &[i16]) {
        let at = self.agent.send(now, samples.len() as u64);
        self.mixer.place(Side::Agent, at, bytes(samples));
        self.advance(self.mixer.settled(now));
    }

    fn clear(&mut self, now: Duration) {
        let at = self.agent.clear(now);
        self.mixer.cut(at);
        self.advance(self.mixer.settled(now));
    }

    fn end(&mut self, now: Duration) {
        let mixer = &mut self.mixer;
        self.user.settle(|at, audio| mixer.place(Side::User, at, audio));
        self.clear(now);
        self.advance(now.max(self.mixer.user_end()));
        let mut mixed = Vec::new();
        self.mixer.finish(&mut mixed);
        self.split(&mixed);
    }

    fn advance(&mut self, limit: Duration) {
        let mut mixed = Vec::new();
        while self.mixer.mix(limit, &mut mixed) {}
        self.split(&mixed);
    }

    fn split(&mut self, mixed: &[i16]) {
        for pair in mixed.as_chunks::<2>().0 {
            self.left.push(pair[0]);
            self.right.push(pair[1]);
        }
    }

    fn length(&self) -> Duration {
        assert_eq!(self.left.len(), self.right.len());
        RECORDING.duration_of(self.left.len() as u64)
    }
}

fn bytes(samples: &[i16]) -> Bytes {
    let mut bytes = Vec::new();
    write_pcm(samples, &mut bytes);
    bytes.into()
}

fn tone(rate: SampleRate, length: Duration) -> Vec<i16> {
    signal::sine(rate, 500.0, 0.5, length)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Where something is first heard from `from` on.
fn onset(side: &[i16], from: Duration) -> Option<Duration> {
    let from = RECORDING.samples_in(from);
    let heard = side.iter().skip(from as usize).position(|sample| sample.unsigned_abs() > AUDIBLE)?;
    Some(RECORDING.duration_of(from + heard as u64))
}

#[track_caller]
fn assert_near(found: Duration, expected: Duration, within: Duration) {
    assert!(found.abs_diff(expected) <= within, "{found:?} is not within {within:?} of {expected:?}");
}

/// What happens in a call, in steps of 20 ms.
#[derive(Debug, Clone)]
enum Step {
    /// The user's audio flows for so many frames.
    Talk(u32),
    /// The client sends nothing for so many frames.
    Mute(u32),
    /// The network stands still for so many frames, and then brings all of them at once.
    Stall(u32),
    /// The agent is sent so many milliseconds.
    Speak(u64),
    /// What the client has not played is dropped.
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u32..150).prop_map(Step::Talk),
        1 => (1u32..300).prop_map(Step::Mute),
        1 => (1u32..=100).prop_map(Step::Stall),
        3 => (1u64..3_000).prop_map(Step::Speak),
        1 => Just(Step::Clear),
    ]
}

fn rate() -> impl Strategy<Value = SampleRate> {
    prop::sample::select(SampleRate::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn a_recording_is_as_long_as_its_call(
        user in rate(),
        agent in rate(),
        steps in prop::collection::vec(step(), 0..20),
        rest in 0u64..40,
    ) {
        let mut tape = Tape::new(user, agent);
        let (frame, mut now) = (tone(user, FRAME), Duration::ZERO);
        for step in steps {
            match step {
                Step::Talk(frames) => for _ in 0..frames {
                    now += FRAME;
                    tape.hear(now, &frame);
                },
                Step::Mute(frames) => now += FRAME * frames,
                Step::Stall(frames) => {
                    now += FRAME * frames;
                    for _ in 0..frames {
                        tape.hear(now, &frame);
                    }
                }
                Step::Speak(length) => tape.play(now, &tone(agent, ms(length))),
                Step::Clear => tape.clear(now),
            }
            prop_assert!(tape.length() <= now, "what is not settled is not written");
        }
        now += ms(rest);
        tape.end(now);
        prop_assert!(tape.length().abs_diff(now) <= FRAME, "{:?} for a call of {now:?}", tape.length());
    }

    #[test]
    fn a_sound_stands_where_it_was_made(
        user in rate(),
        agent in rate(),
        before in 0u32..400,
        pause in 0u32..400,
        spoken in 0u64..20_000,
    ) {
        let mut tape = Tape::new(user, agent);
        // Silence, a pause in which the client may send nothing, silence again, and then a sound.
        let (silence, mut now) = (signal::silence(user, FRAME), Duration::ZERO);
        for _ in 0..before {
            now += FRAME;
            tape.hear(now, &silence);
        }
        now += FRAME * pause;
        for _ in 0..20 {
            now += FRAME;
            tape.hear(now, &silence);
        }
        let said = now;
        for frame in tone(user, ms(200)).chunks(user.samples_in(FRAME) as usize) {
            now += user.duration_of(frame.len() as u64);
            tape.hear(now, frame);
        }
        let played = now + ms(spoken);
        tape.play(played, &tone(agent, ms(200)));
        tape.end(played + ms(500));
        // A pause that is no longer than networks jitter may be taken for that.
        let within = if pause <= 5 { FRAME * 5 } else { FRAME };
        assert_near(onset(&tape.left, Duration::ZERO).unwrap(), said, within);
        assert_near(onset(&tape.right, Duration::ZERO).unwrap(), played, ms(2));
    }

    #[test]
    fn interrupted_speech_is_recorded_as_far_as_it_was_heard(
        agent in rate(),
        start in 0u64..2_000,
        length in 300u64..8_000,
        heard in 50u64..4_000,
        pause in 20u64..1_000,
    ) {
        let mut tape = Tape::new(SampleRate::EAR, agent);
        let (began, cut) = (ms(start), ms(start + heard));
        // The client holds all of it, and is told to drop what it has not played.
        for piece in tone(agent, ms(length)).chunks(agent.samples_in(ms(100)) as usize) {
            tape.play(began, piece);
        }
        tape.clear(cut);
        let again = cut + ms(pause);
        tape.play(again, &tone(agent, ms(100)));
        tape.end(again + ms(200));

        let end = cut.min(ms(start + length));
        let audible = |from: Duration, to: Duration| {
            let at = |at: Duration| (RECORDING.samples_in(at) as usize).min(tape.right.len());
            tape.right[at(from)..at(to)].iter().filter(|sample| sample.unsigned_abs() > AUDIBLE).count()
        };
        prop_assert_eq!(audible(Duration::ZERO, began.saturating_sub(ms(2))), 0, "before it was played");
        prop_assert!(audible(end - ms(10), end) > 20, "up to the cut");
        prop_assert_eq!(audible(end + ms(2), again - ms(2)), 0, "behind the cut");
        assert_near(onset(&tape.right, end + ms(3)).unwrap(), again, ms(3));
    }
}

#[test]
fn a_voice_that_runs_dry_leaves_silence_in_the_recording() {
    let mut tape = Tape::new(SampleRate::EAR, SampleRate::EAR);
    tape.play(ms(100), &tone(SampleRate::EAR, ms(60)));
    tape.play(ms(400), &tone(SampleRate::EAR, ms(60)));
    tape.end(ms(500));
    let silent = &tape.right[RECORDING.samples_in(ms(160)) as usize..RECORDING.samples_in(ms(400)) as usize];
    assert!(silent.iter().all(|sample| *sample == 0));
    assert_near(onset(&tape.right, ms(160)).unwrap(), ms(400), ms(1));
}

#[test]
fn the_sides_do_not_drift_apart_in_an_hour() {
    // Rates with no common measure, and a sound on both sides in the middle of every minute.
    let (user, agent) = (SampleRate::new(8_000).unwrap(), SampleRate::new(22_050).unwrap());
    let mut tape = Tape::new(user, agent);
    let (silence, sound) = (signal::silence(user, FRAME), tone(user, FRAME));
    let (mut now, mut written) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..60 {
        for frame in 0..3_000 {
            let marked = frame == 1_500;
            if marked {
                tape.play(now, &tone(agent, FRAME));
            }
            now += FRAME;
            tape.hear(now, if marked { &sound } else { &silence });
        }
        let marked = now - FRAME * 1_500;
        for side in [&tape.left, &tape.right] {
            assert_near(written + onset(side, Duration::ZERO).unwrap(), marked, ms(2));
        }
        written += tape.length();
        assert!(now - written < ms(500), "what was said is written: {written:?} at {now:?}");
        tape.left.clear();
        tape.right.clear();
    }
    tape.end(now);
    assert_near(written + tape.length(), now, ms(1));
}
