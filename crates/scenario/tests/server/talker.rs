//! People whose voices are tones, so that each can tell whom they hear.

use std::f64::consts::TAU;

use antiphon_audio::SampleRate;
use antiphon_scenario::{Deed, Party, Scene};

/// What the server's humming voice sounds like, in Hz.
pub(crate) const AGENT: f64 = 220.0;

/// Somebody with a tone for a voice.
pub(crate) struct Talker {
    /// Said first, as it is.
    pub(crate) opening: Vec<i16>,
    /// The tone, in Hz.
    pub(crate) voice: f64,
    /// Whom they wait for before they speak with their tone; nobody if none.
    pub(crate) after: Option<f64>,
    /// Whom they want to hear before they hang up.
    pub(crate) until: f64,
    heard_first: bool,
    heard: u32,
    at: u64,
}

/// Frames of a voice that count as having heard it: a quarter of a second.
const ENOUGH: u32 = 12;

impl Talker {
    pub(crate) fn new(opening: Vec<i16>, voice: f64, after: Option<f64>, until: f64) -> Self {
        Self { opening, voice, after, until, heard_first: after.is_none(), heard: 0, at: 0 }
    }
}

impl Party for Talker {
    fn rate(&self) -> SampleRate {
        SampleRate::EAR
    }

    fn frame(&mut self, says: &mut [i16], hears: &[i16], scene: &Scene) -> Deed {
        if self.after.is_some_and(|voice| is(voice, hears)) {
            self.heard_first = true;
        }
        self.heard += u32::from(is(self.until, hears));
        if scene.listened_to && !self.opening.is_empty() {
            let rest = self.opening.split_off(self.opening.len().min(says.len()));
            says[..self.opening.len()].copy_from_slice(&self.opening);
            self.opening = rest;
        } else if self.heard_first {
            for sample in says {
                let phase = self.at as f64 * self.voice / f64::from(SampleRate::EAR.hz());
                *sample = (8_000.0 * (phase * TAU).sin()) as i16;
                self.at += 1;
            }
        }
        if self.heard >= ENOUGH { Deed::HangUp } else { Deed::Stay }
    }
}

/// Whether a frame of 20 ms holds this tone, by how often it rises through zero.
fn is(voice: f64, frame: &[i16]) -> bool {
    let rises = frame.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
    let loud = frame.iter().any(|sample| sample.unsigned_abs() > 1_000);
    loud && (rises as f64 - voice * 0.02).abs() <= 1.5
}
