//! A user whose voice is a WAV file, followed by silence for as long as the agent has something to say.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use antiphon_audio::{Resampler, SampleRate, Wav};

use super::listener::Patience;
use crate::conversation::{Deed, Scene, User};
use crate::exit::misuse;

/// Reads the file, or says why it cannot be said.
pub(crate) fn read(path: &Path) -> anyhow::Result<Wav> {
    let complain = |error: &dyn std::fmt::Display| misuse(format!("cannot use {}: {error}", path.display()));
    let file = File::open(path).map_err(|error| complain(&error))?;
    let wav = Wav::read(file).map_err(|error| complain(&error))?;
    if wav.samples.is_empty() {
        return Err(complain(&"there is no audio in it"));
    }
    Ok(wav)
}

/// The file being said.
#[derive(Debug)]
pub(super) struct Speech {
    samples: Vec<i16>,
    said: usize,
    patience: Patience,
    /// When the file ended, and how many answers there were before.
    asked: Option<(Duration, usize)>,
}

impl Speech {
    pub(super) fn new(wav: &Wav, rate: SampleRate, patience: Patience) -> Self {
        Self { samples: convert(&wav.mono(), wav.rate_hz, rate), said: 0, patience, asked: None }
    }
}

impl User for Speech {
    fn act(&mut self, frame: &mut [i16], scene: &Scene<'_>) -> Deed {
        let rest = &self.samples[self.said..];
        let count = rest.len().min(frame.len());
        frame[..count].copy_from_slice(&rest[..count]);
        self.said += count;
        if self.said < self.samples.len() {
            return Deed::Nothing;
        }
        let (asked, answers) = *self.asked.get_or_insert((scene.at, scene.answers()));
        if self.patience.is_over(scene, asked, answers) { Deed::HangUp } else { Deed::Nothing }
    }
}

/// The samples at another rate. A rate that lines do not have, such as 11025, is brought to one by straight lines between the
/// samples first, which serves speech.
pub(crate) fn convert(samples: &[i16], from_hz: u32, to: SampleRate) -> Vec<i16> {
    let Ok(from) = SampleRate::new(from_hz) else {
        let above = SampleRate::ALL.into_iter().find(|rate| rate.hz() > from_hz);
        let between = above.unwrap_or(SampleRate::WEBSOCKET_DEFAULT);
        return convert(&interpolate(samples, from_hz, between.hz()), between.hz(), to);
    };
    let mut resampler = Resampler::new(from, to);
    let mut converted = Vec::new();
    resampler.process(samples, &mut converted);
    resampler.flush(&mut converted);
    converted
}

fn interpolate(samples: &[i16], from_hz: u32, to_hz: u32) -> Vec<i16> {
    let (from, to) = (u64::from(from_hz), u64::from(to_hz));
    let sample = |at: u64| samples.get(at as usize).or(samples.last()).map_or(0, |sample| i64::from(*sample));
    (0..samples.len() as u64 * to / from)
        .map(|at| {
            let (whole, part) = (at * from / to, (at * from % to) as i64);
            ((sample(whole) * (to as i64 - part) + sample(whole + 1) * part) / to as i64) as i16
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use antiphon_audio::signal;

    use super::*;

    #[test]
    fn every_rate_becomes_the_lines() {
        let second = Duration::from_secs(1);
        for from_hz in [8_000, 11_025, 16_000, 22_050, 37_800, 96_000] {
            let tone: Vec<i16> = (0..from_hz)
                .map(|at| {
                    (f64::from(at) / f64::from(from_hz) * 440.0 * std::f64::consts::TAU).sin() * 10_000.0
                })
                .map(|sample| sample as i16)
                .collect();
            for to in SampleRate::ALL {
                let converted = convert(&tone, from_hz, to);
                let length = converted.len() as u64;
                assert!(length.abs_diff(to.samples_in(second)) <= 2, "{from_hz} to {to}: {length}");
                let wanted = signal::sine(to, 440.0, 10_000.0 / 32_767.0, second);
                let (level, meant) = (signal::level(&converted), signal::level(&wanted));
                assert!((level - meant).abs() < 0.3, "{from_hz} to {to}: {level} dB instead of {meant}");
            }
        }
    }
}
