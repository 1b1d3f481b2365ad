//! What a call does with every frame, part by part and each alone, for a benchmark to time: there is no server that does these and
//! costs less than their sum with its sockets.
//!
//! Runs the very parts that calls run. Knows no time but that of the audio.

use std::time::Duration;

use antiphon_audio::{PcmReader, Resampler, SampleRate, write_pcm};
use antiphon_backends::voice_activity::earshot::Earshot;
use antiphon_backends::voice_activity::echo::{Echo, EchoGate};
use antiphon_backends::voice_activity::{SpeechEdges, VoiceActivity, VoiceActivityFactory as _};
use bytes::Bytes;

use super::recording::Side;
use super::recording::mixer::Mixer;

/// The length of a frame.
const FRAME: Duration = Duration::from_millis(20);
/// From which probability on a frame is speech (protocol.md 5.2); it makes no difference to the cost.
const THRESHOLD: f32 = 0.1;

/// One thing that is done with frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The user's audio becomes 16 kHz.
    ResamplingIn,
    /// The detector hears the user speak.
    HearingSpeech,
    /// The detector hears digital silence.
    HearingSilence,
    /// The echo guard, while the agent is played and the user is silent.
    GuardOverAgent,
    /// The echo guard, while nothing is played.
    GuardInSilence,
    /// A voice's audio, at 16 kHz, becomes the client's.
    ResamplingOut,
    /// Both sides, mixed for a recording of 16 kHz.
    Mixing,
}

impl Kind {
    /// Every part there is.
    pub const ALL: [Self; 7] = [
        Self::ResamplingIn,
        Self::HearingSpeech,
        Self::HearingSilence,
        Self::GuardOverAgent,
        Self::GuardInSilence,
        Self::ResamplingOut,
        Self::Mixing,
    ];
}

/// One part of a call, and frames of 20 ms for it.
pub struct Part {
    frames: Vec<Frame>,
    take: Take,
    /// How much audio has gone through it.
    now: Duration,
}

/// What a part does with a frame, and when that comes on the audio's clock.
type Take = Box<dyn FnMut(&Frame, Duration)>;

/// The same sound as it is on the wire and within the call.
struct Frame {
    /// At the client's rate.
    wire: Bytes,
    /// At 16 kHz.
    heard: Vec<i16>,
}

impl Part {
    /// A part of a call whose client uses `rate` both ways, and `speech` of that rate for it.
    #[must_use]
    pub fn new(kind: Kind, rate: SampleRate, speech: &[i16]) -> Self {
        let frames = frames(rate, speech);
        let silence = vec![0; SampleRate::EAR.samples_in(FRAME) as usize];
        let mut output = Vec::new();
        let take: Take = match kind {
            Kind::ResamplingIn => {
                let (mut pcm, mut raw) = (PcmReader::default(), Vec::new());
                let mut resampler = Resampler::new(rate, SampleRate::EAR);
                Box::new(move |frame, _| {
                    raw.clear();
                    output.clear();
                    pcm.read(&frame.wire, &mut raw);
                    resampler.process(&raw, &mut output);
                })
            }
            Kind::HearingSpeech => {
                let mut edges = SpeechEdges::new(Earshot.detector(), THRESHOLD);
                Box::new(move |frame, _| edges.push(&frame.heard, |_| {}))
            }
            Kind::HearingSilence => {
                let mut edges = SpeechEdges::new(Earshot.detector(), THRESHOLD);
                Box::new(move |_, _| edges.push(&silence, |_| {}))
            }
            Kind::GuardOverAgent => {
                let mut gate = EchoGate::new(Echo::new(rate));
                let mut edges = SpeechEdges::new(Box::new(Deaf), THRESHOLD);
                Box::new(move |frame, now| {
                    gate.sent(&frame.wire, now);
                    gate.take(&mut edges, &silence, now + FRAME, |_| {});
                })
            }
            Kind::GuardInSilence => {
                let mut gate = EchoGate::new(Echo::new(rate));
                let mut edges = SpeechEdges::new(Box::new(Deaf), THRESHOLD);
                Box::new(move |frame, now| {
                    gate.take(&mut edges, &frame.heard, now + FRAME, |_| {});
                })
            }
            Kind::ResamplingOut => {
                let mut resampler = Resampler::new(SampleRate::EAR, rate);
                let mut bytes = Vec::new();
                Box::new(move |frame, _| {
                    output.clear();
                    bytes.clear();
                    resampler.process(&frame.heard, &mut output);
                    write_pcm(&output, &mut bytes);
                })
            }
            Kind::Mixing => {
                let mut mixer = Mixer::new(rate, rate, SampleRate::EAR);
                Box::new(move |frame, now| {
                    output.clear();
                    let at = rate.samples_in(now);
                    mixer.place(Side::User, at, frame.wire.clone());
                    mixer.place(Side::Agent, at, frame.wire.clone());
                    mixer.mix(now + FRAME, &mut output);
                })
            }
        };
        Self { frames, take, now: Duration::ZERO }
    }

    /// How many frames one [`Self::run`] takes.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.frames.len()
    }

    /// Takes all frames once, as the next ones of the same stream.
    pub fn run(&mut self) {
        for frame in &self.frames {
            (self.take)(frame, self.now);
            self.now += FRAME;
        }
    }
}

/// Whole frames only: what is left over is none.
fn frames(rate: SampleRate, samples: &[i16]) -> Vec<Frame> {
    let mut resampler = Resampler::new(rate, SampleRate::EAR);
    let whole = samples.chunks_exact(rate.samples_in(FRAME) as usize);
    whole
        .map(|samples| {
            let (mut wire, mut heard) = (Vec::new(), Vec::new());
            write_pcm(samples, &mut wire);
            resampler.process(samples, &mut heard);
            Frame { wire: wire.into(), heard }
        })
        .collect()
}

/// A detector that hears nothing and takes no time, so that what stands around it is timed alone.
struct Deaf;

impl VoiceActivity for Deaf {
    fn frame_samples(&self) -> usize {
        SampleRate::EAR.samples_in(Duration::from_millis(16)) as usize
    }

    fn speech_probability(&mut self, _frame: &[i16]) -> f32 {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use antiphon_audio::signal;

    use super::*;

    #[test]
    fn every_part_takes_every_frame_at_every_rate() {
        for rate in SampleRate::ALL {
            let speech = signal::noise(rate, 0.5, Duration::from_millis(210), 1);
            for kind in Kind::ALL {
                let mut part = Part::new(kind, rate, &speech);
                assert_eq!(part.frames(), 10, "{kind:?} at {rate:?}");
                part.run();
                part.run();
                assert_eq!(part.now, FRAME * 20, "{kind:?} at {rate:?}");
            }
        }
    }

    /// What is timed is the work of calls: the detector hears the speech that it is given.
    #[test]
    fn the_frames_within_the_call_hold_the_sound_of_the_wire() {
        let rate = SampleRate::new(48_000).unwrap();
        let frames = frames(rate, &signal::noise(rate, 0.5, Duration::from_millis(200), 1));
        let heard: usize = frames.iter().map(|frame| frame.heard.len()).sum();
        assert!((2_800..=3_200).contains(&heard), "{heard}");
        assert!(frames.iter().skip(1).all(|frame| frame.heard.iter().any(|sample| sample.abs() > 1_000)));
    }
}
