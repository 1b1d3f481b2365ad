//! A model in a file judges: the right one, and everything that is not.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use antiphon_backends::registry::Backends;
use antiphon_backends::registry::config::BackendsConfig;
use antiphon_backends::turn_detection::TurnDetector as _;
use antiphon_backends::turn_detection::log_mel::{FRAMES, LogMel, MELS};
use antiphon_backends::turn_detection::smart_turn::SmartTurn;

use crate::keeps_the_contract;
use crate::log_mel::sound;
use crate::onnx::chain;

const PICTURE: [u64; 3] = [1, MELS as u64, FRAMES as u64];
/// The mean of the features, squeezed between 0 and 1: what stands for the network here.
const MEAN: [&str; 3] = ["ReduceMean", "Flatten", "Sigmoid"];

/// A file that is gone after the test.
struct Written(PathBuf);

impl Written {
    fn new(name: &str, contents: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("antiphon-{}-{name}.onnx", std::process::id()));
        std::fs::write(&path, contents).expect("the temporary directory can be written to");
        Self(path)
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn mean(name: &str) -> Written {
    Written::new(name, &chain(&PICTURE, &MEAN, &[1, 1]))
}

/// What the model of [`MEAN`] must answer.
fn expected(samples: &[i16]) -> f32 {
    let features = LogMel::new().features(samples);
    let mean = features.iter().map(|value| f64::from(*value)).sum::<f64>() / features.len() as f64;
    (1.0 / (1.0 + (-mean).exp())) as f32
}

#[test]
fn a_model_judges_what_the_features_show_it() {
    let file = mean("judges");
    let judge = SmartTurn::load(&file.0).expect("a model of the right form");
    keeps_the_contract(&judge);
    for samples in [48_000, 144_000] {
        let audio = sound(samples);
        let (answer, expected) = (judge.end_of_turn(&audio), expected(&audio));
        assert!((answer - expected).abs() < 1e-4, "{answer}, not {expected}");
    }
    assert_ne!(judge.end_of_turn(&sound(48_000)), judge.end_of_turn(&sound(144_000)));
}

#[test]
fn judgements_at_the_same_time_do_not_mix() {
    let file = mean("together");
    let judge = Arc::new(SmartTurn::load(&file.0).expect("a model of the right form"));
    let lengths = [16_000, 48_000, 100_000, 144_000];
    let alone = lengths.map(|length| judge.end_of_turn(&sound(length)));
    let together = lengths.map(|length| {
        let judge = Arc::clone(&judge);
        thread::spawn(move || judge.end_of_turn(&sound(length)))
    });
    assert_eq!(together.map(|judgement| judgement.join().expect("no panic")), alone);
}

#[test]
fn a_file_that_is_no_such_model_is_refused_with_what_to_do() {
    let files = [
        (Written::new("text", b"version https://git-lfs.github.com/spec/v1\n"), "no model that can be run"),
        (Written::new("empty", b""), "no model that can be run"),
        (Written::new("operator", &chain(&PICTURE, &["Oracle"], &[1, 1])), "no model that can be run"),
        (Written::new("input", &chain(&[1, 128, 400], &MEAN, &[1, 1])), "no smart-turn v3 model"),
        (Written::new("picture", &chain(&PICTURE, &["Sigmoid"], &PICTURE)), "[1, 80, 800]"),
        (Written::new("logits", &chain(&PICTURE, &MEAN[..2], &[1, 1])), "no probability"),
    ];
    for (file, problem) in files {
        let path = file.0.display().to_string();
        let error = SmartTurn::load(&file.0).expect_err(&path).to_string();
        assert!(error.contains(&path) && error.contains(problem), "{error}");
        assert!(error.contains("smart-turn-v3.2-cpu.onnx") && error.contains("pip download"), "{error}");
    }
}

#[tokio::test]
async fn the_configuration_names_the_model() {
    let file = mean("configured");
    let build = |path: &str| {
        let text = format!("[turn_detection]\ntype = \"smart_turn\"\nmodel = '{path}'\nconcurrency = 1");
        Backends::build(&toml::from_str::<BackendsConfig>(&text).expect("a good configuration"))
    };
    let backends = build(&file.0.display().to_string()).expect("the model is there");
    let judge = backends.turn_detector.expect("a judge was configured");
    let audio: Arc<[i16]> = sound(48_000).into();
    let answer = judge.end_of_turn(Arc::clone(&audio).into()).await.expect("it has an opinion");
    assert!((answer - expected(&audio)).abs() < 1e-4);

    let Err(error) = build("/nowhere/model.onnx") else { panic!("there is no such file") };
    assert_eq!(error.field, "turn_detection.model");
    assert!(error.problem.contains("/nowhere/model.onnx cannot be read"), "{}", error.problem);
}
