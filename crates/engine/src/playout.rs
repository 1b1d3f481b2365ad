//! The playout clock: how much of a message's audio was sent, how much of it the client has played by now, and when more may
//! be sent.
//!
//! The client is modelled, not asked (protocol.md 4.3): it plays what it was sent without a pause from the moment it got it,
//! and stands still when it has played all. Counts samples of one message; knows nothing of text.

use std::time::Duration;

use crate::time::CallTime;

/// Audio is sent in pieces of this length, the last piece of an utterance aside.
const FRAME: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(crate) struct Playout {
    rate: u64,
    /// The most that may lie unplayed at the client, in samples; at least one frame.
    lead: u64,
    /// Whether the client gets just as much as it takes not to run dry.
    is_short: bool,
    /// Samples of one frame.
    frame: u64,
    /// Samples sent so far.
    sent: u64,
    /// Since when the client has been playing without a pause, and the position at which it began.
    playing_since: Option<(CallTime, u64)>,
}

impl Playout {
    pub(crate) fn new(rate: u32, client_buffer: Duration) -> Self {
        let frame = samples_in(FRAME, rate).max(1);
        Self {
            rate: u64::from(rate),
            lead: samples_in(client_buffer, rate).max(frame),
            is_short: false,
            frame,
            sent: 0,
            playing_since: None,
        }
    }

    /// Samples in one frame.
    pub(crate) fn frame(&self) -> u64 {
        self.frame
    }

    /// Keeps the client short, or no more: it gets just as much as it takes not to run dry. Returns whether that is a change.
    pub(crate) fn keep_short(&mut self, short: bool) -> bool {
        std::mem::replace(&mut self.is_short, short) != short
    }

    /// How many samples were sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether anything was sent.
    pub(crate) fn has_begun(&self) -> bool {
        self.playing_since.is_some()
    }

    /// How many samples the client has played.
    pub(crate) fn position(&self, now: CallTime) -> u64 {
        let Some((since, from)) = self.playing_since else { return 0 };
        let micros = now.as_micros().saturating_sub(since.as_micros());
        let played = micros.saturating_mul(self.rate) / 1_000_000;
        from.saturating_add(played).min(self.sent)
    }

    /// When the client will have played `position` samples, if nothing holds it up.
    pub(crate) fn time_of(&self, position: u64) -> Option<CallTime> {
        let (since, from) = self.playing_since?;
        let ahead = position.saturating_sub(from);
        let micros = ahead.saturating_mul(1_000_000).div_ceil(self.rate);
        Some(since + Duration::from_micros(micros))
    }

    /// When the client will have played everything that was sent.
    pub(crate) fn end(&self) -> Option<CallTime> {
        self.time_of(self.sent)
    }

    /// Whether the client has played everything that was sent.
    pub(crate) fn is_dry(&self, now: CallTime) -> bool {
        self.position(now) == self.sent
    }

    /// How many samples may be sent now.
    pub(crate) fn allowance(&self, now: CallTime) -> u64 {
        self.lead().saturating_sub(self.sent - self.position(now))
    }

    /// When `samples` more may be sent.
    pub(crate) fn time_for(&self, samples: u64) -> Option<CallTime> {
        self.time_of((self.sent + samples).saturating_sub(self.lead()))
    }

    /// A client that is kept short gets a frame 10 ms before it needs it: what networks are late by.
    fn lead(&self) -> u64 {
        if self.is_short { self.lead.min(self.frame + self.frame / 2) } else { self.lead }
    }

    /// Notes that samples were sent. A client that had run dry begins to play again now.
    pub(crate) fn note_sent(&mut self, now: CallTime, samples: u64) {
        if self.is_dry(now) {
            self.playing_since = Some((now, self.sent));
        }
        self.sent += samples;
    }
}

/// How many samples fill this time. Exact for years: the arithmetic is done for every frame, and 64 bits are enough for it.
pub(crate) fn samples_in(duration: Duration, rate: u32) -> u64 {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    micros.saturating_mul(u64::from(rate)) / 1_000_000
}
