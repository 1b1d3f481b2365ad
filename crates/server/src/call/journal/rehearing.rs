//! Listens to a call's recording again: which speech a detector finds in it, at other settings or with another detector, in the
//! place of what the call's ear reported then.
//!
//! The recording stands on the wall clock, the ear's audio clock runs with the samples that came; the journal's own edges say how
//! the two lay together. What is left between the call and this: the client's frames are taken to be 20 ms, and what was recorded
//! at another rate was resampled twice.

use std::time::Duration;

use antiphon_audio::{Resampler, SampleRate, Wav, write_pcm};
pub use antiphon_backends::registry::Listeners;
use antiphon_backends::voice_activity::echo::{Echo, EchoGate};
use antiphon_backends::voice_activity::edges::{Edge, SpeechEdges};
use antiphon_engine::message::AudioSpan;
use antiphon_engine::{AudioTime, CallTime, Input};

use super::{EarSettings, Journal};

/// The frames in which clients send audio; edges are noticed at the end of one.
const FRAME: Duration = Duration::from_millis(20);
/// How late, or early, audio stands in a recording that has no gaps: the recorder's allowance and a frame of a client's.
const MOST_LAG: Duration = Duration::from_millis(150);
/// Edges of the same kind, and ends of turns, that lie no further apart are the same.
pub(super) const SAME: Duration = Duration::from_millis(250);

/// What is heard in a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Rehearing {
    /// The edges of speech as the engine would have been told of them, with their times.
    pub inputs: Vec<(CallTime, Input)>,
    /// The edges of the call beside those of the recording, in the order of time.
    pub edges: Vec<EdgePair>,
    /// The user's audio at 16 kHz on the clock of `inputs`.
    audio: Vec<i16>,
}

/// An edge of speech, in the call and in its recording. At least one of the two is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EdgePair {
    /// Whether speech begins or ends.
    pub border: Border,
    /// When it did as the call heard it.
    pub before: Option<CallTime>,
    /// When it did as it is heard now.
    pub after: Option<CallTime>,
}

/// A border between silence and speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Border {
    /// Speech begins.
    Start,
    /// Speech ends.
    Stop,
}

/// A recording that cannot be listened to. The caller names another, or does without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RehearingError {
    /// The call was over before anybody spoke in it.
    #[error("nobody joined the call, so there is nothing to hear")]
    NotJoined,
    /// It is a file of another kind.
    #[error(
        "the recording has {0} channels and not two, the user and the agent; name the call's own recording"
    )]
    NotStereo(u16),
    /// The rate is none that recordings have.
    #[error("the recording has {0} samples a second, which no recording has; name the call's own recording")]
    Rate(u32),
}

/// Listens to the recording of a journal's call, with these settings.
///
/// # Errors
/// See [`RehearingError`].
pub fn rehear(
    journal: &Journal,
    recording: &Wav,
    listeners: &Listeners,
    settings: EarSettings,
) -> Result<Rehearing, RehearingError> {
    let joined = journal.entries.iter().find(|entry| entry.input == Some(Input::Joined));
    let joined = joined.ok_or(RehearingError::NotJoined)?.at;
    if recording.channels != 2 {
        return Err(RehearingError::NotStereo(recording.channels));
    }
    let (user, agent) = (at_ear(recording, 0)?, at_ear(recording, 1)?);
    let segments = segments(journal, joined, user.len());
    let listen = |settings: EarSettings, lag| {
        let mut ear = Ear::new(listeners, settings, Clock { joined, lag }, &agent);
        segments.iter().for_each(|segment| ear.hear(&user, *segment));
        ear
    };
    let before: Vec<_> =
        journal.entries.iter().filter_map(|entry| edge(entry.at, entry.input.as_ref()?)).collect();
    let compared = |ear: &Ear<'_>| {
        let after: Vec<_> = ear.inputs.iter().filter_map(|(at, input)| edge(*at, input)).collect();
        pair(&before, &after)
    };
    // As the call heard it, all edges are late by as much as the recording is.
    let lag = lag(&compared(&listen(journal.header.ear, Lag::default())));
    let ear = listen(settings, lag);
    Ok(Rehearing { edges: compared(&ear), inputs: ear.inputs, audio: ear.audio })
}

/// How late the user's audio stands in a recording: the middle of what its edges are off by. A recording keeps up to
/// [`MOST_LAG`] of lateness, which nothing else tells.
fn lag(edges: &[EdgePair]) -> Lag {
    let micros = |at: CallTime| i64::try_from(at.as_micros()).unwrap_or(i64::MAX);
    let off = |pair: &EdgePair| Some(micros(pair.after?) - micros(pair.before?));
    let mut off: Vec<i64> = edges.iter().filter_map(off).collect();
    off.sort_unstable();
    let middle = off.get(off.len() / 2).copied().unwrap_or(0);
    let length = Duration::from_micros(middle.unsigned_abs()).min(MOST_LAG);
    if middle < 0 { Lag::Early(length) } else { Lag::Late(length) }
}

impl Rehearing {
    /// The audio of a turn that was made of `inputs`.
    pub(super) fn clip(&self, span: AudioSpan) -> &[i16] {
        let (from, to) = (sample(span.from), sample(span.to).min(self.audio.len()));
        &self.audio[from.min(to)..to]
    }
}

/// One side at the rate of the ear.
fn at_ear(recording: &Wav, side: u16) -> Result<Vec<i16>, RehearingError> {
    let rate = SampleRate::new(recording.rate_hz).map_err(|_| RehearingError::Rate(recording.rate_hz))?;
    let mut resampler = Resampler::new(rate, SampleRate::EAR);
    let mut heard = Vec::new();
    resampler.process(&recording.channel(side), &mut heard);
    resampler.flush(&mut heard);
    Ok(heard)
}

/// A stretch of the recording in which audio came without a pause that the ear took for silence, in samples at 16 kHz.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    from: usize,
    to: usize,
    /// When the ear took the pause behind it for silence, if there was one and somebody was speaking.
    stalled: Option<CallTime>,
}

/// Where in the recording the audio is that came. Between the edges of the call's journal it came steadily, except where an ear
/// that had heard speech got no more: it then reports the end of speech at the last sample that came, and a beginning as soon as
/// more comes.
fn segments(journal: &Journal, joined: CallTime, length: usize) -> Vec<Segment> {
    // How far the recording was ahead of the audio clock.
    let mut shift = None;
    let mut segments = Vec::new();
    let mut from = None;
    for entry in &journal.entries {
        let Some((at, received, border)) = entry.input.as_ref().and_then(reported) else { continue };
        let begun = *shift.get_or_insert_with(|| position(joined, entry.at).saturating_sub(sample(received)));
        if from.is_none() {
            // After a stall, what has come is exactly what follows the last sample before it.
            let resumed = position(joined, entry.at).saturating_sub(sample(received));
            let start = if segments.is_empty() { begun } else { resumed + sample(at) };
            shift = Some(if segments.is_empty() { begun } else { resumed });
            from = Some(start.min(length));
        }
        if border == Border::Stop && at == received {
            let start = from.take().unwrap_or(0);
            let end = (shift.unwrap_or(0) + sample(received)).clamp(start, length);
            segments.push(Segment { from: start, to: end, stalled: Some(entry.at) });
        }
    }
    let rest = match (from, segments.is_empty()) {
        (Some(from), _) => Some(from),
        // Nothing was heard at all: all of it may be heard now.
        (None, true) => Some(0),
        // Nothing came any more.
        (None, false) => None,
    };
    segments.extend(rest.map(|from| Segment { from, to: length, stalled: None }));
    segments
}

/// How late audio stands in the recording.
#[derive(Debug, Clone, Copy)]
enum Lag {
    Early(Duration),
    Late(Duration),
}

impl Default for Lag {
    fn default() -> Self {
        Self::Late(Duration::ZERO)
    }
}

/// From the recording's clock to the call's.
#[derive(Debug, Clone, Copy)]
struct Clock {
    joined: CallTime,
    lag: Lag,
}

impl Clock {
    fn at(self, position: Duration) -> CallTime {
        match self.lag {
            Lag::Early(early) => self.joined + position + early,
            Lag::Late(late) => (self.joined + position - late).max(self.joined),
        }
    }
}

/// What the call's ear does, on a recording.
struct Ear<'a> {
    edges: SpeechEdges,
    gate: Option<EchoGate>,
    clock: Clock,
    /// What was played to the user, and how much of it so far.
    agent: &'a [i16],
    played: usize,
    /// What came.
    audio: Vec<i16>,
    stalled: bool,
    inputs: Vec<(CallTime, Input)>,
}

impl<'a> Ear<'a> {
    fn new(listeners: &Listeners, settings: EarSettings, clock: Clock, agent: &'a [i16]) -> Self {
        Self {
            edges: SpeechEdges::new(listeners.voice_activity.detector(), settings.threshold),
            gate: settings.echo_guard.then(|| EchoGate::new(Echo::new(SampleRate::EAR))),
            clock,
            agent,
            played: 0,
            audio: Vec::new(),
            stalled: false,
            inputs: Vec::new(),
        }
    }

    fn hear(&mut self, user: &[i16], segment: Segment) {
        let mut at = segment.from;
        for samples in user[segment.from..segment.to].chunks(samples_in(FRAME)) {
            at += samples.len();
            self.play(at);
            self.audio.extend_from_slice(samples);
            let (now, received) = (duration(at), audio_time(self.audio.len()));
            let (told, inputs) = (self.clock.at(now), &mut self.inputs);
            if std::mem::take(&mut self.stalled) {
                let begin = audio_time(self.audio.len() - samples.len());
                inputs.push((told, Input::SpeechStarted { at: begin, received }));
            }
            let report = |edge| {
                let at =
                    |sample: u64| audio_time(usize::try_from(sample).unwrap_or(usize::MAX)).min(received);
                let input = match edge {
                    Edge::Started { at_sample } => Input::SpeechStarted { at: at(at_sample), received },
                    Edge::Stopped { at_sample } => Input::SpeechStopped { at: at(at_sample), received },
                };
                inputs.push((told, input));
            };
            match &mut self.gate {
                Some(gate) => {
                    gate.take(&mut self.edges, samples, now, report);
                }
                None => self.edges.push(samples, report),
            }
        }
        let speaking = self.edges.speaking() && self.gate.as_ref().is_none_or(EchoGate::is_open);
        if let Some(stalled) = segment.stalled.filter(|_| speaking) {
            let received = audio_time(self.audio.len());
            self.stalled = true;
            self.inputs.push((stalled, Input::SpeechStopped { at: received, received }));
        }
    }

    /// Lets the agent be heard up to this sample of the recording.
    fn play(&mut self, to: usize) {
        let Some(gate) = &mut self.gate else { return };
        let to = to.min(self.agent.len());
        if to > self.played {
            let mut audio = Vec::with_capacity(2 * (to - self.played));
            write_pcm(&self.agent[self.played..to], &mut audio);
            gate.sent(&audio, duration(self.played));
            self.played = to;
        }
    }
}

/// When the edge that an input reports lay on the call's clock.
fn edge(now: CallTime, input: &Input) -> Option<(Border, CallTime)> {
    reported(input).map(|(at, received, border)| (border, now - received.since(at)))
}

/// Where on the audio clock the edge lies that an input reports, and how much had come by then.
fn reported(input: &Input) -> Option<(AudioTime, AudioTime, Border)> {
    match input {
        Input::SpeechStarted { at, received } => Some((*at, *received, Border::Start)),
        Input::SpeechStopped { at, received } => Some((*at, *received, Border::Stop)),
        Input::Joined
        | Input::LegClosed(_)
        | Input::Model(..)
        | Input::ConnectionLost
        | Input::Rejoined { .. }
        | Input::ShutDown
        | Input::Request(_)
        | Input::Timeout
        | Input::Tool(..)
        | Input::Overheard(_)
        | Input::Transcribed { .. }
        | Input::TurnJudged(..)
        | Input::Voice(..) => None,
    }
}

/// Puts edges side by side: each with the first one of its kind that is near and not taken.
fn pair(before: &[(Border, CallTime)], after: &[(Border, CallTime)]) -> Vec<EdgePair> {
    let mut left: Vec<Option<(Border, CallTime)>> = after.iter().copied().map(Some).collect();
    let mut pairs = Vec::new();
    for (border, at) in before {
        let near = |other: &&mut Option<(Border, CallTime)>| {
            other.is_some_and(|(kind, other)| kind == *border && apart(*at, other) <= SAME)
        };
        let nearest =
            left.iter_mut().filter(near).min_by_key(|other| other.map(|(_, other)| apart(*at, other)));
        let after = nearest.and_then(Option::take).map(|(_, at)| at);
        pairs.push(EdgePair { border: *border, before: Some(*at), after });
    }
    let added = left.into_iter().flatten();
    pairs.extend(added.map(|(border, at)| EdgePair { border, before: None, after: Some(at) }));
    pairs.sort_by_key(|pair| pair.before.or(pair.after));
    pairs
}

impl EdgePair {
    /// How far the two lie apart; none if one is missing.
    #[must_use]
    pub fn moved(&self) -> Option<Duration> {
        Some(apart(self.before?, self.after?))
    }
}

pub(super) fn apart(one: CallTime, other: CallTime) -> Duration {
    one.since(other).max(other.since(one))
}

fn position(joined: CallTime, at: CallTime) -> usize {
    samples_in(at.since(joined))
}

fn sample(at: AudioTime) -> usize {
    samples_in(at.since(AudioTime::ZERO))
}

fn samples_in(length: Duration) -> usize {
    usize::try_from(SampleRate::EAR.samples_in(length)).unwrap_or(usize::MAX)
}

fn duration(samples: usize) -> Duration {
    SampleRate::EAR.duration_of(samples as u64)
}

fn audio_time(samples: usize) -> AudioTime {
    AudioTime::from_micros(u64::try_from(duration(samples).as_micros()).unwrap_or(u64::MAX))
}
