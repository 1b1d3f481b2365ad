//! The user's audio on its way in: bytes to samples, to 16 kHz, to the edges of speech, and the turns' audio for whoever needs
//! to hear them.
//!
//! Owns the user's audio clock. Synchronous and cheap: it runs for every frame of every call. Does not know what speech leads
//! to. Bounds what a client can make it do: audio that runs ahead of the clock on the wall is dropped.

use std::time::Duration;

use antiphon_audio::{Clip, PcmReader, Resampler, SampleRate, Tape};
use antiphon_backends::voice_activity::VoiceActivity;
use antiphon_backends::voice_activity::echo::EchoGate;
use antiphon_backends::voice_activity::edges::{Edge, SpeechEdges};
use antiphon_engine::message::AudioSpan;
use antiphon_engine::{AudioTime, Input};
use tokio::time::Instant;

/// How far the user's audio may run ahead of the wall clock before it is dropped. Clients that stall and catch up stay below.
const MOST_AHEAD: Duration = Duration::from_secs(10);
/// How long the audio may pause in the middle of speech before the pause counts as silence.
const STALL: Duration = Duration::from_millis(600);
/// How long nothing may arrive, once something did, before the developer is told.
const UNDERFLOW: Duration = Duration::from_secs(2);
/// The longest turn whose audio is kept whole; of a longer one the end is kept.
const LONGEST_TURN: Duration = Duration::from_secs(120);
/// Audio kept while nobody speaks, for the pre-roll of the next turn.
const IDLE: Duration = Duration::from_millis(700);
/// Samples in the largest frame after which nothing is given back: 1.3 s at 48 kHz.
const USUAL_FRAME: usize = 64 << 10;

/// Something to tell about the audio itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// More audio than time: this much was dropped.
    Overflow(Duration),
    /// Nothing arrived for this long.
    Underflow(Duration),
}

/// A moment at which the ear wants to be looked at, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EarDeadline {
    /// Audio stopped in the middle of speech.
    Stall(Instant),
    /// Audio stopped.
    Underflow(Instant),
}

impl EarDeadline {
    pub(super) fn at(self) -> Instant {
        match self {
            Self::Stall(at) | Self::Underflow(at) => at,
        }
    }
}

pub(super) struct Ear {
    pcm: PcmReader,
    resampler: Resampler,
    edges: SpeechEdges,
    gate: Option<EchoGate>,
    rate: SampleRate,
    /// Samples received and not dropped.
    received: u64,
    /// What was heard last, at 16 kHz.
    tape: Tape,
    joined: Instant,
    last_audio: Option<Instant>,
    dropped: Duration,
    underflow_told: bool,
    /// Audio stopped in the middle of speech, and that was reported as silence.
    stalled: bool,
    /// The last audio showed that the agent's own voice comes back.
    echoed: bool,
    /// The audio of the user's turn may still be asked for.
    hold: bool,
}

/// Where a frame is taken apart. One is enough for all calls of a thread, so that it is always near, and no call has memory for it.
#[derive(Debug)]
pub(super) struct Workbench {
    /// Samples in the client's format.
    raw: Vec<i16>,
    /// What they become, where that is something else.
    heard: Vec<i16>,
}

impl Workbench {
    pub(super) const fn new() -> Self {
        Self { raw: Vec::new(), heard: Vec::new() }
    }

    /// What the last frame held, as the client sent it; nothing if it was dropped.
    pub(super) fn taken(&self) -> &[i16] {
        &self.raw
    }

    /// Room for the next frame.
    fn clear(&mut self) -> &mut Vec<i16> {
        for samples in [&mut self.raw, &mut self.heard] {
            samples.clear();
            samples.shrink_to(USUAL_FRAME);
        }
        &mut self.raw
    }

    /// The frame as it is heard.
    fn convert(&mut self, resampler: &mut Resampler) -> &[i16] {
        if resampler.from() == resampler.to() {
            return &self.raw;
        }
        resampler.process(&self.raw, &mut self.heard);
        &self.heard
    }
}

impl Ear {
    pub(super) fn new(
        rate: SampleRate,
        detector: Box<dyn VoiceActivity>,
        threshold: f32,
        gate: Option<EchoGate>,
        now: Instant,
    ) -> Self {
        Self {
            pcm: PcmReader::default(),
            resampler: Resampler::new(rate, SampleRate::EAR),
            edges: SpeechEdges::new(detector, threshold),
            gate,
            rate,
            received: 0,
            tape: Tape::default(),
            joined: now,
            last_audio: None,
            dropped: Duration::ZERO,
            underflow_told: false,
            stalled: false,
            echoed: false,
            hold: false,
        }
    }

    /// Takes audio for speech from another probability on.
    pub(super) fn set_threshold(&mut self, threshold: f32) {
        self.edges.set_threshold(threshold);
    }

    /// The user's audio clock.
    pub(super) fn clock(&self) -> AudioTime {
        let micros = self.rate.duration_of(self.received).as_micros();
        AudioTime::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// Takes a frame and reports the edges of speech in it. What it held is left on the bench.
    pub(super) fn take(
        &mut self,
        frame: &[u8],
        now: Instant,
        bench: &mut Workbench,
        mut report: impl FnMut(Input),
    ) -> Option<Trouble> {
        self.echoed = false;
        let raw = bench.clear();
        self.pcm.read(frame, raw);
        if raw.is_empty() {
            return None;
        }
        self.last_audio = Some(now);
        self.underflow_told = false;
        let length = self.rate.duration_of(raw.len() as u64);
        let ahead = self.rate.duration_of(self.received).saturating_sub(now.duration_since(self.joined));
        if ahead + length > MOST_AHEAD {
            let first = self.dropped.is_zero();
            self.dropped += length;
            raw.clear();
            return first.then_some(Trouble::Overflow(ahead));
        }
        self.received += raw.len() as u64;
        let heard = bench.convert(&mut self.resampler);
        self.tape.push(heard);
        let received = self.clock();
        if std::mem::take(&mut self.stalled) {
            // The stall was reported as silence, but the detector was never told: the user speaks on.
            report(Input::SpeechStarted { at: received - length, received });
        }
        let since = now.duration_since(self.joined);
        self.find_edges(heard, since, |edge| report(input(edge, received)));
        let kept = if self.hold || self.speaking() { LONGEST_TURN } else { IDLE };
        self.tape.keep_last(SampleRate::EAR.samples_in(kept) as usize);
        None
    }

    /// When to look again, if no audio comes before.
    pub(super) fn deadline(&self) -> Option<EarDeadline> {
        let last = self.last_audio?;
        if self.speaking() && !self.stalled {
            Some(EarDeadline::Stall(last + STALL))
        } else if !self.underflow_told {
            Some(EarDeadline::Underflow(last + UNDERFLOW))
        } else {
            None
        }
    }

    /// Audio has not come for a while: in the middle of speech that is silence, later it is worth telling.
    pub(super) fn handle_deadline(&mut self, now: Instant, mut report: impl FnMut(Input)) -> Option<Trouble> {
        match self.deadline()? {
            EarDeadline::Stall(at) if at <= now => {
                self.stalled = true;
                let received = self.clock();
                report(Input::SpeechStopped { at: received, received });
                None
            }
            EarDeadline::Underflow(at) if at <= now => {
                self.underflow_told = true;
                Some(Trouble::Underflow(now.duration_since(self.last_audio?)))
            }
            EarDeadline::Stall(_) | EarDeadline::Underflow(_) => None,
        }
    }

    /// How much was dropped because it came faster than real time.
    pub(super) fn dropped(&self) -> Duration {
        self.dropped
    }

    /// A turn's audio, as far as it is still kept.
    pub(super) fn clip(&self, span: AudioSpan) -> Clip {
        let sample = |at: AudioTime| SampleRate::EAR.samples_in(Duration::from_micros(at.as_micros()));
        self.tape.clip(sample(span.from)..sample(span.to))
    }

    /// All that is kept from this sample at 16 kHz on, and where it begins: later, where that is not kept any more.
    pub(super) fn heard_from(&self, sample: u64) -> (u64, Vec<i16>) {
        let at = sample.max(self.tape.start());
        (at, self.tape.copy(at..self.tape.end()))
    }

    /// A turn's audio and the pause behind it, up to what was heard last, as far as they are still kept.
    pub(super) fn clip_with_pause(&self, span: AudioSpan) -> Clip {
        self.clip(AudioSpan { to: self.clock().max(span.to), ..span })
    }

    /// The call's clock stood for a while, in which nothing was to be heard.
    pub(super) fn stood(&mut self, length: Duration) {
        self.joined += length;
        self.last_audio = self.last_audio.map(|at| at + length);
    }

    /// Says whether the audio of the user's turn may still be asked for. If not, only the next pre-roll is kept.
    pub(super) fn hold(&mut self, hold: bool) {
        self.hold = hold;
    }

    /// Audio was sent to the client, which will play it.
    pub(super) fn sent(&mut self, audio: &[u8], now: Instant) {
        if let Some(gate) = &mut self.gate {
            gate.sent(audio, now.duration_since(self.joined));
        }
    }

    /// The client drops what it has not played.
    pub(super) fn cleared(&mut self, now: Instant) {
        if let Some(gate) = &mut self.gate {
            gate.cleared(now.duration_since(self.joined));
        }
    }

    /// Whether the last audio showed that the agent's own voice comes back.
    pub(super) fn echoed(&self) -> bool {
        self.echoed
    }

    /// Finds the edges of speech in audio that came just now, and lets those of the user pass.
    fn find_edges(&mut self, heard: &[i16], now: Duration, report: impl FnMut(Edge)) {
        let Some(gate) = &mut self.gate else {
            self.edges.push(heard, report);
            return;
        };
        self.echoed = gate.take(&mut self.edges, heard, now, report);
    }

    /// Whether the user speaks, as far as was reported.
    fn speaking(&self) -> bool {
        self.edges.speaking() && self.gate.as_ref().is_none_or(EchoGate::is_open)
    }
}

fn input(edge: Edge, received: AudioTime) -> Input {
    let at = |sample: u64| {
        let micros = SampleRate::EAR.duration_of(sample).as_micros();
        AudioTime::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)).min(received)
    };
    match edge {
        Edge::Started { at_sample } => Input::SpeechStarted { at: at(at_sample), received },
        Edge::Stopped { at_sample } => Input::SpeechStopped { at: at(at_sample), received },
    }
}

#[cfg(test)]
mod tests {
    use antiphon_backends::voice_activity::VoiceActivityFactory as _;
    use antiphon_backends::voice_activity::scripted::Loudness;
    use antiphon_engine::ids::TurnId;

    use super::*;

    /// Samples that tell where they stand, in a 16 kHz stream.
    fn numbered(from: u64, count: u64) -> Vec<i16> {
        (from..from + count).map(|at| (at % 30_000) as i16).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_clip_is_what_was_said_then_wherever_it_lies() {
        let start = Instant::now();
        let mut ear = Ear::new(SampleRate::EAR, Loudness::default().detector(), 0.1, None, start);
        let mut bench = Workbench::new();
        ear.hold(true);
        // More than is kept, in frames that do not divide what is: the end of the room lies behind its beginning.
        let (frame, longest) = (7_000, SampleRate::EAR.samples_in(LONGEST_TURN));
        let mut said = 0;
        while said < 2 * longest {
            let bytes: Vec<u8> = numbered(said, frame).into_iter().flat_map(i16::to_le_bytes).collect();
            said += frame;
            ear.take(&bytes, start + SampleRate::EAR.duration_of(said), &mut bench, |_| {});
        }
        let at = |sample: u64| AudioTime::from_micros(SampleRate::EAR.duration_of(sample).as_micros() as u64);
        let mut pieces = 0;
        for from in (said - longest..said).step_by(48_000) {
            let span = AudioSpan { turn: TurnId(0), from: at(from), to: at((from + 80_000).min(said)) };
            assert_eq!(ear.clip(span).to_vec(), numbered(from, 80_000.min(said - from)), "from {from}");
            pieces += 1;
        }
        assert_eq!(pieces, 40);
    }
}
