//! Rate conversion of a whole recording at once, from any rate that a file may have. For live streams there is [`Resampler`].

use crate::{Resampler, SampleRate};

/// The samples at another rate. A rate that lines do not have, such as 11025, is brought to one by straight lines between the
/// samples first, which serves speech.
#[must_use]
pub fn convert(samples: &[i16], from_hz: u32, to: SampleRate) -> Vec<i16> {
    if from_hz == 0 {
        // A file may claim anything.
        return Vec::new();
    }
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
    use std::time::Duration;

    use super::*;
    use crate::signal;

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
