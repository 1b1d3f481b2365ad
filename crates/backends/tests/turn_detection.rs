//! What every judge of the end of turns promises.

#[path = "turn_detection/judge.rs"]
mod judge;
#[cfg(feature = "smart-turn")]
#[path = "turn_detection/log_mel.rs"]
mod log_mel;
#[cfg(feature = "smart-turn")]
#[path = "turn_detection/onnx.rs"]
mod onnx;
#[cfg(feature = "smart-turn")]
#[path = "turn_detection/smart_turn.rs"]
mod smart_turn;

use std::time::Duration;

use antiphon_backends::turn_detection::TurnDetector;
use antiphon_backends::turn_detection::scripted::Patient;

fn keeps_the_contract(judge: &dyn TurnDetector) {
    for samples in [0, 1, 16_000, 9 * 16_000] {
        let audio = vec![100; samples];
        let probability = judge.end_of_turn(&audio);
        assert!((0.0..=1.0).contains(&probability));
        assert_eq!(judge.end_of_turn(&audio), probability, "it is asked about each turn anew");
    }
}

#[test]
fn the_scripted_judge_keeps_the_contract_and_waits_as_told() {
    let judge = Patient { until: Duration::from_secs(1) };
    keeps_the_contract(&judge);
    assert_eq!(judge.end_of_turn(&[0; 15_999]), 0.0);
    assert_eq!(judge.end_of_turn(&[0; 16_000]), 1.0);
}
