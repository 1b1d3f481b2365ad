//! The features against numbers of a reference: the numpy code that pipecat-ai 1.14.0 runs smart-turn with
//! (`pipecat/audio/turn/smart_turn/_whisper_features.py`), given the same sound.

use antiphon_backends::turn_detection::log_mel::{FRAMES, LogMel, MELS, SAMPLES};

/// Rising tones of four loudnesses with noise, made of integers so that they are the same everywhere.
pub(crate) fn sound(samples: usize) -> Vec<i16> {
    let (mut phase, mut seed) = (0_i64, 1_i64);
    let sample = |at: usize| {
        phase = (phase + 400 + at as i64 / 8) % 65_536;
        seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
        let wave = (phase - 32_768).abs() - 16_384;
        let noise = seed / 65_536 - 16_384;
        let divisor = [2, 5, 40, 2_000][at / 2_000 % 4];
        (wave * 3 + noise).div_euclid(4).div_euclid(divisor) as i16
    };
    (0..samples).map(sample).collect()
}

const ROWS: [usize; 8] = [0, 1, 7, 20, 33, 47, 62, 79];
const COLUMNS: [usize; 6] = [0, 499, 500, 503, 650, 799];

fn compare(samples: usize, mean: f64, reference: [[f32; 6]; 8]) {
    let features = LogMel::new().features(&sound(samples));
    assert_eq!(features.len(), MELS * FRAMES);
    for (row, line) in ROWS.into_iter().zip(reference) {
        for (column, expected) in COLUMNS.into_iter().zip(line) {
            let value = features[row * FRAMES + column];
            assert!((value - expected).abs() < 1e-5, "band {row}, step {column}: {value}, not {expected}");
        }
    }
    let found = features.iter().map(|value| f64::from(*value)).sum::<f64>() / features.len() as f64;
    assert!((found - mean).abs() < 1e-6, "{found}, not {mean}");
}

#[test]
fn three_seconds_behind_five_of_silence_look_as_in_the_reference() {
    compare(
        48_000,
        0.191_001_743_7,
        [
            [0.270488, 0.94625, 1.573916, 1.297242, 1.177923, 0.312277],
            [-0.003641, 0.934625, 1.722992, 1.789799, 1.008712, 0.039123],
            [-0.100577, 0.867946, 1.365144, 1.340827, 1.313087, -0.100577],
            [-0.100577, 0.682845, 1.180124, 0.945616, 1.689746, -0.100577],
            [-0.100577, 0.629906, 1.154163, 1.267372, 1.074537, -0.100577],
            [-0.100577, 0.370952, 1.010927, 1.153902, 1.162682, -0.100577],
            [-0.100577, 0.382953, 1.068701, 1.036415, 0.971933, -0.100577],
            [-0.100577, 0.473493, 1.067342, 1.119542, 1.038536, -0.100577],
        ],
    );
}

#[test]
fn of_nine_seconds_the_last_eight_look_as_in_the_reference() {
    compare(
        144_000,
        0.543_024_446_2,
        [
            [1.337449, 0.320785, 0.670924, 0.832762, 1.049732, 0.234486],
            [1.328949, 0.127706, 0.787395, 0.805945, 1.025476, -0.035736],
            [1.298869, 0.200565, 0.983486, 0.973861, 0.751165, -0.207247],
            [1.383426, 0.249941, 0.798809, 1.125739, 0.712436, -0.207247],
            [0.927439, 0.351978, 0.945529, 0.795239, 1.013095, -0.207247],
            [0.896302, 0.483487, 1.085657, 1.006578, 0.9741, -0.207247],
            [0.989453, 0.237872, 1.058706, 1.005846, 1.242234, -0.207247],
            [1.118237, 0.121023, 0.885493, 1.007641, 0.96291, -0.207247],
        ],
    );
}

#[test]
fn silence_looks_like_nothing_and_not_like_an_error() {
    for samples in [0, 1, SAMPLES, SAMPLES + 1] {
        let features = LogMel::new().features(&vec![0; samples]);
        let nothing = (1e-10_f32.log10() + 4.0) / 4.0;
        assert!(features.iter().all(|value| (value - nothing).abs() < 1e-6), "{samples}");
    }
}

#[test]
fn what_was_said_more_than_eight_seconds_ago_is_not_heard() {
    let recent = sound(SAMPLES);
    let mut old = vec![30_000; 16_000];
    old.extend(&recent);
    let log_mel = LogMel::new();
    assert_eq!(log_mel.features(&old), log_mel.features(&recent));
}
