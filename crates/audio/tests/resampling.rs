//! The resampler as a stream: frame borders do not show, nothing is lost, and it can be used again.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::time::Duration;

use antiphon_audio::{Resampler, SampleRate, signal};
use proptest::prelude::*;

fn pairs() -> impl Iterator<Item = (SampleRate, SampleRate)> {
    SampleRate::ALL.into_iter().flat_map(|from| SampleRate::ALL.map(|to| (from, to)))
}

fn rate(hz: u32) -> SampleRate {
    SampleRate::new(hz).unwrap()
}

fn resample<'a>(resampler: &mut Resampler, frames: impl IntoIterator<Item = &'a [i16]>) -> Vec<i16> {
    let mut output = Vec::new();
    for frame in frames {
        resampler.process(frame, &mut output);
    }
    resampler.flush(&mut output);
    output
}

#[test]
fn frames_of_any_size_give_the_same_output_bit_for_bit() {
    for (from, to) in pairs() {
        let input = signal::noise(from, 0.9, Duration::from_millis(300), 1);
        let mut resampler = Resampler::new(from, to);
        let whole = resample(&mut resampler, [&input[..]]);
        for size in [1, 2, 3, 7, 79, 160, 441, 1001, input.len() - 1] {
            let framed = resample(&mut resampler, input.chunks(size));
            assert!(framed == whole, "{from} to {to} in frames of {size} differs");
        }
        let with_empty_frames =
            resample(&mut resampler, input.chunks(333).flat_map(|frame| [&[][..], frame]));
        assert!(with_empty_frames == whole, "{from} to {to} with empty frames differs");
    }
}

#[test]
fn a_flushed_stream_has_exactly_the_length_of_its_input() {
    for (from, to) in pairs() {
        let mut resampler = Resampler::new(from, to);
        for length in [0, 1, 2, 80, 219, 220, 221, 441, 480, 1000, 4411] {
            let output = resample(&mut resampler, [&vec![1000; length][..]]);
            let exact = (length as u64 * u64::from(to.hz())).div_ceil(from.hz().into());
            assert_eq!(output.len() as u64, exact, "{length} samples, {from} to {to}");
        }
    }
}

#[test]
fn how_much_comes_out_is_known_before() {
    for (from, to) in pairs() {
        let mut resampler = Resampler::new(from, to);
        for size in [1, 7, 160, 333] {
            let (mut taken, mut output) = (0, Vec::new());
            for _ in 0..60 {
                resampler.process(&vec![1_000; size], &mut output);
                taken += size as u64;
                assert_eq!(output.len() as u64, resampler.ready(taken), "{taken} samples, {from} to {to}");
            }
            resampler.flush(&mut output);
            assert_eq!(output.len() as u64, resampler.whole(taken), "{taken} samples, {from} to {to}");
        }
    }
}

#[test]
fn the_last_sound_before_the_end_is_not_lost() {
    for (from, to) in pairs() {
        let mut input = signal::silence(from, Duration::from_millis(495));
        let burst = signal::sine(from, 700.0, 0.8, Duration::from_millis(5));
        input.extend(&burst);
        let output = resample(&mut Resampler::new(from, to), [&input[..]]);
        let tail = &output[output.len() - to.samples_in(Duration::from_millis(5)) as usize..];
        let loss = signal::level(&burst) - signal::level(tail);
        assert!(loss.abs() < 0.5, "{from} to {to}: {loss:.2} dB of the last 5 ms are missing");
    }
}

#[test]
fn a_stream_ends_as_if_silence_followed() {
    for (from, to) in pairs() {
        let input = signal::noise(from, 0.9, Duration::from_millis(95), 5);
        let ended = resample(&mut Resampler::new(from, to), [&input[..]]);
        let silence = signal::silence(from, Duration::from_millis(60));
        let mut followed = Vec::new();
        Resampler::new(from, to).process(&[input, silence].concat(), &mut followed);
        assert!(followed.starts_with(&ended), "{from} to {to}");
    }
}

#[test]
fn output_trails_whole_20_ms_frames_by_the_stated_delay_and_never_grows() {
    for (from, to) in pairs() {
        let mut resampler = Resampler::new(from, to);
        let frame = signal::noise(from, 0.5, Duration::from_millis(20), 2);
        let (mut taken, mut given) = (0, 0);
        let mut output = Vec::new();
        for _ in 0..50 {
            output.clear();
            resampler.process(&frame, &mut output);
            taken += frame.len() as u64;
            given += output.len() as u64;
            let trailing = taken * u64::from(to.hz()) / u64::from(from.hz()) - given;
            assert_eq!(trailing, resampler.delay_samples() as u64, "{from} to {to}");
        }
        let expected = match (from.hz(), to.hz()) {
            (a, b) if a == b => Duration::ZERO,
            (22_050, 44_100) | (44_100, 22_050) => from.min(to).duration_of(24),
            (22_050, _) | (_, 22_050) => Duration::from_millis(10),
            (44_100, _) | (_, 44_100) => Duration::from_millis(5),
            _ => from.min(to).duration_of(24),
        };
        let off = resampler.delay().abs_diff(expected);
        assert!(off < Duration::from_micros(63), "{from} to {to}: {:?}", resampler.delay());
    }
}

#[test]
fn equal_rates_pass_through_at_once() {
    let mut resampler = Resampler::new(rate(24_000), rate(24_000));
    let mut output = Vec::new();
    resampler.process(&[1, -2, i16::MIN], &mut output);
    assert_eq!(output, [1, -2, i16::MIN]);
    resampler.flush(&mut output);
    assert_eq!(output, [1, -2, i16::MIN]);
}

#[test]
fn reset_leaves_no_trace_of_the_stream_before() {
    for (from, to) in pairs() {
        let input = signal::noise(from, 0.9, Duration::from_millis(100), 4);
        let mut used = Resampler::new(from, to);
        used.process(&input[..input.len() / 3], &mut Vec::new());
        used.reset();
        let fresh = resample(&mut Resampler::new(from, to), [&input[..]]);
        assert!(resample(&mut used, [&input[..]]) == fresh, "{from} to {to}");
    }
}

#[test]
fn full_scale_saturates_and_does_not_wrap() {
    // A square wave overshoots when it is filtered: a wrapped sample would be a jump of the whole range.
    let square: Vec<i16> = (0..4_800).map(|at| if at / 240 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
    let output = resample(&mut Resampler::new(rate(48_000), rate(16_000)), [&square[..]]);
    assert!(output.contains(&i16::MAX) && output.contains(&i16::MIN));
    for (at, sample) in output.iter().enumerate() {
        // Away from the edges the sign is that of the square.
        if (20..60).contains(&(at % 80)) {
            assert_eq!(*sample > 0, at / 80 % 2 == 0, "sample {at} is {sample}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn any_cutting_of_any_stream_gives_the_same_output(
        from in prop::sample::select(&SampleRate::ALL[..]),
        to in prop::sample::select(&SampleRate::ALL[..]),
        input in prop::collection::vec(any::<i16>(), 0..3_000),
        sizes in prop::collection::vec(0usize..700, 0..12),
    ) {
        let mut rest = &input[..];
        let mut frames = Vec::new();
        for size in sizes {
            let (frame, after) = rest.split_at(size.min(rest.len()));
            frames.push(frame);
            rest = after;
        }
        frames.push(rest);
        let mut resampler = Resampler::new(from, to);
        let framed = resample(&mut resampler, frames);
        prop_assert_eq!(framed, resample(&mut resampler, [&input[..]]));
    }
}
