//! Both sides of a call on one clock, the wall clock from the join on: what comes from the user and goes to the client becomes
//! entries for a mixer. Knows neither who mixes nor what becomes of it.

use std::time::Duration;

use antiphon_audio::{SampleRate, write_pcm};
use antiphon_engine::CallTime;
use bytes::Bytes;

use super::mixer::Side;
use super::tracks::{AgentTrack, UserTrack};

/// The most of the agent's audio that waits until it is played: as much as clients are known to buffer, twice.
const MOST_AHEAD: Duration = Duration::from_secs(60);

/// Something that happened on the call's clock.
#[derive(Debug)]
pub(in crate::call) struct Entry {
    /// When it was handed over, from the join on.
    pub(in crate::call) now: Duration,
    pub(in crate::call) what: What,
}

/// What happened.
#[derive(Debug)]
pub(in crate::call) enum What {
    /// Audio stands at this sample of its side.
    Audio { side: Side, at: u64, audio: Bytes },
    /// Nothing of the agent is heard from this sample on.
    Cut { at: u64 },
    /// The sound ends.
    End,
}

impl Entry {
    /// How many samples of audio it holds.
    pub(in crate::call) fn samples(&self) -> u64 {
        match &self.what {
            What::Audio { audio, .. } => (audio.len() / 2) as u64,
            What::Cut { .. } | What::End => 0,
        }
    }
}

/// So much audio would have to wait too long for its moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::call) struct TooFarAhead(pub(in crate::call) Duration);

/// Where the audio of a call stands.
#[derive(Debug)]
pub(in crate::call) struct Places {
    pub(in crate::call) joined: CallTime,
    pub(in crate::call) user: UserTrack<Bytes>,
    pub(in crate::call) agent: AgentTrack,
}

impl Places {
    /// Of a call that was joined then, with the rates of its two sides.
    pub(in crate::call) fn new(joined: CallTime, user: SampleRate, agent: SampleRate) -> Self {
        Self { joined, user: UserTrack::new(user), agent: AgentTrack::new(agent) }
    }

    /// Takes what came from the user now, in samples at the user's rate, and puts everything that has its place.
    pub(in crate::call) fn hear(&mut self, now: CallTime, samples: &[i16], mut put: impl FnMut(Entry)) {
        if samples.is_empty() {
            return;
        }
        let now = self.since_join(now);
        let mut audio = Vec::with_capacity(samples.len() * 2);
        write_pcm(samples, &mut audio);
        self.user.take(now, samples.len() as u64, audio.into(), |at, audio| {
            put(Entry { now, what: What::Audio { side: Side::User, at, audio } });
        });
    }

    /// Places what is sent to the client now, in the format of the agent's side: where the client plays it.
    pub(in crate::call) fn play(&mut self, now: CallTime, audio: &Bytes) -> Result<Entry, TooFarAhead> {
        let now = self.since_join(now);
        let too_far = self.agent.ahead(now) > MOST_AHEAD;
        let samples = (audio.len() / 2) as u64;
        let at = self.agent.send(now, samples);
        if too_far {
            return Err(TooFarAhead(self.agent.rate().duration_of(samples)));
        }
        Ok(Entry { now, what: What::Audio { side: Side::Agent, at, audio: audio.clone() } })
    }

    /// The client drops what it has not played by now.
    pub(in crate::call) fn clear(&mut self, now: CallTime) -> Entry {
        let now = self.since_join(now);
        Entry { now, what: What::Cut { at: self.agent.clear(now) } }
    }

    /// Settles what was held back to see whether more comes.
    pub(in crate::call) fn settle(&mut self, now: CallTime, mut put: impl FnMut(Entry)) {
        let now = self.since_join(now);
        self.user.settle(|at, audio| {
            put(Entry { now, what: What::Audio { side: Side::User, at, audio } });
        });
    }

    pub(in crate::call) fn since_join(&self, now: CallTime) -> Duration {
        now.since(self.joined)
    }
}
