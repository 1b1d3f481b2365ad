//! Lets the edges of the user's speech pass and keeps those of the agent's own voice back.
//!
//! Speech that begins while something is played waits for a tenth of a second, in which it nearly always shows that it is
//! nobody's echo; an interruption takes as long anyway. What is an echo passes only once somebody speaks over it.

use std::time::Duration;

use antiphon_backends::voice_activity::Edge;

use super::Echo;

/// Samples at 16 kHz between two looks: 32 ms.
pub(in crate::call) const STEP: usize = 512;
/// How long speech must have been heard before the first look counts: 96 ms.
const FIRST_LOOK: u64 = 3 * STEP as u64;
/// And before the last: 192 ms, all of the window.
const LAST_LOOK: u64 = 6 * STEP as u64;
/// Less likeness than this is nobody's echo.
const UNLIKE: f32 = 0.4;
/// As much likeness as this is an echo.
const LIKE: f32 = 0.45;
/// Somebody who is that much louder than the echo was speaks over it.
const LOUDER: f32 = 1.8;
/// An echo that has become that much softer is its reverberation, which is like nothing.
const SOFTER: f32 = 0.5;
/// Looks in a row that must find somebody speaking over the echo: 96 ms.
const LOOKS: u32 = 3;

/// Stands between the detector and the call.
#[derive(Debug)]
pub(in crate::call) struct EchoGate {
    echo: Echo,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// What comes is reported: silence, or the user's speech.
    Open,
    /// Speech began and may be an echo.
    Waiting {
        /// Its first sample.
        began: u64,
    },
    /// An echo.
    Closed {
        /// How loud the microphone is against the loudspeaker.
        gain: f32,
        /// Where it was found.
        place: usize,
        /// How loud the microphone has been.
        loudness: f32,
        /// Looks in a row in which somebody seemed to speak over it.
        looks: u32,
    },
}

impl EchoGate {
    pub(in crate::call) fn new(echo: Echo) -> Self {
        Self { echo, state: State::Open }
    }

    /// See [`Echo::sent`].
    pub(in crate::call) fn sent(&mut self, audio: &[u8], now: Duration) {
        self.echo.sent(audio, now);
    }

    /// See [`Echo::cleared`].
    pub(in crate::call) fn cleared(&mut self, now: Duration) {
        self.echo.cleared(now);
    }

    /// Whether what the detector says of speech is what was reported.
    pub(in crate::call) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// The detector found an edge in the samples that come next.
    pub(in crate::call) fn edge(&mut self, edge: Edge, now: Duration, mut report: impl FnMut(Edge)) {
        match (edge, self.state) {
            (Edge::Started { at_sample }, State::Open) if self.echo.is_possible(now) => {
                self.state = State::Waiting { began: at_sample };
            }
            (Edge::Started { .. } | Edge::Stopped { .. }, State::Open) => report(edge),
            (Edge::Started { .. }, State::Waiting { .. } | State::Closed { .. }) => {}
            (Edge::Stopped { .. }, State::Waiting { began }) => {
                // Too short to be sure: what is not like an echo counts.
                if self.echo.compare(now).correlation < LIKE {
                    report(Edge::Started { at_sample: began });
                    report(edge);
                }
                self.state = State::Open;
            }
            (Edge::Stopped { .. }, State::Closed { .. }) => self.state = State::Open,
        }
    }

    /// Takes at most [`STEP`] samples at 16 kHz, the last of which stands before `end` and came at `now`. Returns whether an echo
    /// was recognised just now.
    pub(in crate::call) fn heard(
        &mut self,
        samples: &[i16],
        end: u64,
        now: Duration,
        mut report: impl FnMut(Edge),
    ) -> bool {
        self.echo.heard(samples);
        match self.state {
            State::Open => false,
            State::Waiting { began } => {
                let length = end.saturating_sub(began);
                if length < FIRST_LOOK {
                    return false;
                }
                let found = self.echo.compare(now);
                let sure = length >= LAST_LOOK;
                if found.correlation < UNLIKE || (sure && found.correlation < LIKE) {
                    report(Edge::Started { at_sample: began });
                    self.state = State::Open;
                } else if sure {
                    let loudness = self.echo.near_loudness();
                    self.state = State::Closed { gain: found.gain, place: found.place, loudness, looks: 0 };
                    return true;
                }
                false
            }
            State::Closed { gain, place, loudness, looks } => {
                let near = self.echo.near_loudness();
                let mut found = self.echo.compare_near(now, place);
                if found.correlation < LIKE {
                    found = self.echo.compare(now);
                }
                let like = found.correlation >= LIKE;
                let louder = near > loudness * LOUDER && found.gain > gain * LOUDER;
                let somebody = louder || (!like && near > loudness * SOFTER);
                let looks = if somebody { looks + 1 } else { 0 };
                if looks >= LOOKS {
                    let before = u64::from(LOOKS) * STEP as u64;
                    report(Edge::Started { at_sample: end.saturating_sub(before) });
                    self.state = State::Open;
                    return false;
                }
                // An echo is as loud as it ever was; what is louder may be somebody.
                let settled = |old: f32, new: f32| if somebody { old } else { 0.8 * old + 0.2 * new };
                self.state = State::Closed {
                    gain: settled(gain, found.gain),
                    place: if like { found.place } else { place },
                    loudness: settled(loudness, near),
                    looks,
                };
                false
            }
        }
    }
}
