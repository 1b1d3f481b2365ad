//! What `antiphon bench` says of a server of its own. How fast that is depends on the machine; that it measures does not.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

fn bench(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_antiphon")).arg("bench").args(args).env_clear().output().unwrap()
}

fn scratch(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench");
    std::fs::create_dir_all(&directory).unwrap();
    directory.join(name)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn calls_are_held_measured_told_written_and_drawn() {
    let (json, svg) = (scratch("load.json"), scratch("load.svg"));
    let output = bench(&[
        "--calls",
        "2",
        "--seconds",
        "8",
        "--tool-every",
        "2",
        "--rate",
        "8000",
        "--max-lateness-ms",
        "100000",
        "--max-reply-ms",
        "100000",
        "--json",
        json.to_str().unwrap(),
        "--svg",
        svg.to_str().unwrap(),
    ]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}\n{}", text(&output.stderr));
    for line in ["2 calls, 8 s", "8000 Hz both ways", "bare sockets", "No limit was reached."] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert!(!shown.contains('\u{1b}'), "no colours where there is no terminal: {shown}");

    let report: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let step = &report["steps"][0];
    assert_eq!(step["calls"], 2);
    assert_eq!(step["problems"], serde_json::json!({}));
    for field in ["cpuPercentPerCall", "floorPercentPerCall", "memoryKibPerCall"] {
        assert!(step[field].as_f64().unwrap() >= 0.0, "{field}: {step}");
    }
    for field in ["writtenReplyMs", "toolMs", "frameLatenessMs", "ownLatenessMs"] {
        let (p50, most) = (step[field]["p50"].as_f64(), step[field]["max"].as_f64());
        assert!(p50.is_some() && p50 <= most, "{field}: {step}");
    }
    assert!(step["framesSent"].as_u64().unwrap() > step["framesReceived"].as_u64().unwrap());
    assert!(std::fs::read_to_string(svg).unwrap().starts_with("<svg "));
}

#[test]
fn a_server_that_is_not_there_and_speech_that_is_none_are_said() {
    let output = bench(&["--url", "http://127.0.0.1:9", "--seconds", "2", "--calls", "1"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(text(&output.stderr).contains("ANTIPHON_API_KEY"), "{output:?}");

    let output = bench(&["--speech", "/nowhere.wav"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(text(&output.stderr).contains("/nowhere.wav"), "{output:?}");
}
