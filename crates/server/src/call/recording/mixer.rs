//! Two tracks of placed audio to one stereo stream at the recording's rate. Pure: no clock, no file.
//!
//! Each side is one unbroken stream from the join to the end, with zeros where nothing is: it goes through one resampler, so
//! that a place in the file is a place on the clock however long the call lasts. Holds what is not settled yet, and nothing
//! else.

use std::collections::VecDeque;
use std::time::Duration;

use antiphon_audio::{PcmReader, Resampler, SampleRate};
use bytes::Bytes;

use super::tracks::HORIZON;

/// Bytes per sample.
const SAMPLE: usize = 2;
/// The most that is mixed in one go: memory stays small however long nothing was mixed.
const STEP: Duration = Duration::from_secs(1);
/// Silence is resampled in pieces of this many samples.
const SILENCE: usize = 480;

/// Whose audio it is (protocol.md A-53).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The right channel: what was played out to the user.
    Agent,
    /// The left channel: what the user sent.
    User,
}

#[derive(Debug)]
pub(in crate::call) struct Mixer {
    user: Lane,
    agent: Lane,
    /// How far the recording is mixed.
    mixed: Duration,
}

impl Mixer {
    pub(in crate::call) fn new(user: SampleRate, agent: SampleRate, recording: SampleRate) -> Self {
        Self { user: Lane::new(user, recording), agent: Lane::new(agent, recording), mixed: Duration::ZERO }
    }

    /// Puts audio at its place, in samples of its side's rate. Places only rise.
    pub(in crate::call) fn place(&mut self, side: Side, at: u64, audio: Bytes) {
        match side {
            Side::Agent => self.agent.place(at, audio),
            Side::User => self.user.place(at, audio),
        }
    }

    /// Takes away what the agent would have been heard to say from this sample on.
    pub(in crate::call) fn cut(&mut self, at: u64) {
        self.agent.cut(at);
    }

    /// How far everything is settled: audio that is placed from now on lies behind this.
    pub(in crate::call) fn settled(&self, now: Duration) -> Duration {
        self.user.end().max(now.saturating_sub(HORIZON)).min(now)
    }

    /// Where the user's audio ends.
    pub(in crate::call) fn user_end(&self) -> Duration {
        self.user.end()
    }

    /// Mixes up to `limit`, at most a second of it, and appends what is ready, left and right in turns. Returns whether there
    /// is more.
    pub(in crate::call) fn mix(&mut self, limit: Duration, output: &mut Vec<i16>) -> bool {
        if limit > self.mixed {
            self.mixed = limit.min(self.mixed + STEP);
            self.user.feed(self.mixed);
            self.agent.feed(self.mixed);
        }
        self.interleave(output);
        limit > self.mixed
    }

    /// Ends both sides at what is mixed, and appends what was still on its way.
    pub(in crate::call) fn finish(&mut self, output: &mut Vec<i16>) {
        self.user.resampler.flush(&mut self.user.ready);
        self.agent.resampler.flush(&mut self.agent.ready);
        let longer = self.user.ready.len().max(self.agent.ready.len());
        self.user.ready.resize(longer, 0);
        self.agent.ready.resize(longer, 0);
        self.interleave(output);
    }

    fn interleave(&mut self, output: &mut Vec<i16>) {
        let count = self.user.ready.len().min(self.agent.ready.len());
        let pairs = self.user.ready.drain(..count).zip(self.agent.ready.drain(..count));
        output.extend(pairs.flat_map(|(left, right)| [left, right]));
    }
}

/// One side.
#[derive(Debug)]
struct Lane {
    rate: SampleRate,
    resampler: Resampler,
    /// Samples that went through the resampler, zeros included.
    fed: u64,
    /// Audio that is not due yet, with its place.
    waiting: VecDeque<(u64, Bytes)>,
    /// Where the audio ends that was placed.
    end: u64,
    /// Resampled, and waiting for the other side.
    ready: Vec<i16>,
    /// Kept for its capacity.
    samples: Vec<i16>,
}

impl Lane {
    fn new(rate: SampleRate, recording: SampleRate) -> Self {
        Self {
            rate,
            resampler: Resampler::new(rate, recording),
            fed: 0,
            waiting: VecDeque::new(),
            end: 0,
            ready: Vec::new(),
            samples: Vec::new(),
        }
    }

    fn end(&self) -> Duration {
        self.rate.duration_of(self.end)
    }

    fn place(&mut self, at: u64, audio: Bytes) {
        self.end = self.end.max(at + samples(&audio));
        self.waiting.push_back((at, audio));
    }

    fn cut(&mut self, at: u64) {
        self.end = self.end.min(at);
        self.waiting.retain_mut(|(start, audio)| {
            audio.truncate(
                usize::try_from(at.saturating_sub(*start)).unwrap_or(usize::MAX).saturating_mul(SAMPLE),
            );
            !audio.is_empty()
        });
    }

    /// Everything up to this moment goes through the resampler.
    fn feed(&mut self, to: Duration) {
        let to = self.rate.samples_in(to);
        while self.fed < to {
            let next = self.waiting.front().map_or(to, |(start, _)| *start).min(to);
            if next > self.fed {
                self.feed_silence(next - self.fed);
            } else {
                self.feed_audio(to);
            }
        }
    }

    fn feed_silence(&mut self, count: u64) {
        let piece = usize::try_from(count).unwrap_or(usize::MAX).min(SILENCE);
        self.resampler.process(&[0; SILENCE][..piece], &mut self.ready);
        self.fed += piece as u64;
    }

    /// Feeds of the audio that is next what belongs before `to`. What comes too late for its place is left out.
    fn feed_audio(&mut self, to: u64) {
        let Some((start, audio)) = self.waiting.front_mut() else { return };
        let late = usize::try_from(self.fed - *start).unwrap_or(usize::MAX).saturating_mul(SAMPLE);
        let _ = audio.split_to(late.min(audio.len()));
        let due = usize::try_from(to - self.fed).unwrap_or(usize::MAX).saturating_mul(SAMPLE);
        let now = audio.split_to(due.min(audio.len()));
        *start = self.fed + samples(&now);
        if audio.is_empty() {
            self.waiting.pop_front();
        }
        self.samples.clear();
        PcmReader::default().read(&now, &mut self.samples);
        self.resampler.process(&self.samples, &mut self.ready);
        self.fed += self.samples.len() as u64;
    }
}

fn samples(audio: &Bytes) -> u64 {
    (audio.len() / SAMPLE) as u64
}
