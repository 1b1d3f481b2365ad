//! Lets the edges of the user's speech pass and keeps those of the agent's own voice back.
//!
//! At the beginning of a call, and ever after an echo, speech that begins while something is played waits for a tenth or two of a
//! second, until it is clear whether it is one. What is an echo passes only once somebody speaks over it. A call in which the
//! agent was played for two seconds and nothing came back has no echo: speech passes at once there, and is looked at all the
//! same, in case the user has changed to a loudspeaker.

use std::time::Duration;

use antiphon_audio::SampleRate;

use super::Echo;
use crate::voice_activity::edges::{Edge, SpeechEdges};

/// Samples at 16 kHz between two looks: 32 ms.
const STEP: usize = 512;
/// How long speech must have been heard before the first look counts: 96 ms.
const FIRST_LOOK: u64 = 3 * STEP as u64;
/// And before the last: 192 ms, all of the window.
const LAST_LOOK: u64 = 6 * STEP as u64;
/// How long something must have been played without an echo for speech to pass at once, in samples: 2 s.
const TRUST: u64 = 32_000;
/// As much likeness as this is an echo where none was before.
const SURPRISING: f32 = 0.55;
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
pub struct EchoGate {
    echo: Echo,
    state: State,
    /// How long something has been played, in samples at 16 kHz.
    played: u64,
    /// An echo has been heard in this call.
    echoes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// What comes is reported: silence, or the user's speech.
    Open,
    /// What comes is reported, and is looked at once more.
    Trusting {
        /// Its first sample.
        began: u64,
    },
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
    /// A gate that nothing has gone through.
    #[must_use]
    pub fn new(echo: Echo) -> Self {
        Self { echo, state: State::Open, played: 0, echoes: false }
    }

    /// Audio was sent to the client, which plays it at once, or after what it has not played yet. `now` counts from the join, here
    /// and everywhere.
    pub fn sent(&mut self, audio: &[u8], now: Duration) {
        self.echo.sent(audio, now);
    }

    /// The client drops what it has not played.
    pub fn cleared(&mut self, now: Duration) {
        self.echo.cleared(now);
    }

    /// Whether what the detector says of speech is what was reported.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match self.state {
            State::Open | State::Trusting { .. } => true,
            State::Waiting { .. } | State::Closed { .. } => false,
        }
    }

    /// Takes what the microphone picked up, at 16 kHz, through the detector `edges`, and reports the edges of the user's speech.
    /// `now` is when the last of it came. Returns whether an echo was recognised just now. Allocates nothing.
    pub fn take(
        &mut self,
        edges: &mut SpeechEdges,
        samples: &[i16],
        now: Duration,
        mut report: impl FnMut(Edge),
    ) -> bool {
        let mut left = samples.len() as u64;
        let mut recognised = false;
        for step in samples.chunks(STEP) {
            left -= step.len() as u64;
            // What comes in one large piece was spoken one after the other.
            let now = now.saturating_sub(SampleRate::EAR.duration_of(left));
            edges.push(step, |edge| self.edge(edge, now, &mut report));
            recognised |= self.look(step, edges.received(), now, &mut report);
        }
        recognised
    }

    /// The detector found an edge in the samples that come next.
    fn edge(&mut self, edge: Edge, now: Duration, mut report: impl FnMut(Edge)) {
        match (edge, self.state) {
            (Edge::Started { at_sample }, State::Open) if self.echo.is_possible(now) => {
                if self.played >= TRUST && !self.echoes {
                    self.state = State::Trusting { began: at_sample };
                    report(edge);
                } else {
                    self.state = State::Waiting { began: at_sample };
                }
            }
            (Edge::Started { .. } | Edge::Stopped { .. }, State::Open | State::Trusting { .. }) => {
                self.state = State::Open;
                report(edge);
            }
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

    /// Takes at most [`STEP`] samples, the last of which stands before `end`.
    fn look(&mut self, samples: &[i16], end: u64, now: Duration, mut report: impl FnMut(Edge)) -> bool {
        self.echo.heard(samples);
        match self.state {
            State::Open => {
                if self.played < TRUST && self.echo.is_possible(now) {
                    self.played += samples.len() as u64;
                }
                false
            }
            State::Trusting { began } => {
                if end.saturating_sub(began) < LAST_LOOK {
                    return false;
                }
                self.state = State::Open;
                self.echoes = self.echo.compare(now).correlation >= SURPRISING;
                self.echoes
            }
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
                    self.echoes = true;
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
