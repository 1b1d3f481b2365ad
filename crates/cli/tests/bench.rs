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
    for line in [
        "2 calls, 8 s",
        "8000 Hz both ways",
        "bare sockets",
        "voice activity, speech",
        "sockets and these parts",
        "No limit was reached.",
    ] {
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
    let parts = step["alone"]["parts"].as_array().unwrap();
    let names: Vec<&str> = parts.iter().map(|part| part["part"].as_str().unwrap()).collect();
    let expected = [
        "unmasking",
        "resamplingIn",
        "hearingSpeech",
        "hearingSilence",
        "echoGuardOverAgent",
        "echoGuardInSilence",
        "resamplingOut",
        "mixing",
    ];
    assert_eq!(names, expected);
    assert!(parts.iter().all(|part| part["microsPerFrame"].as_f64().unwrap() > 0.0), "{step}");
    let counted = parts.iter().filter(|part| part["counts"] == true);
    let counted: f64 = counted.map(|part| part["percentPerCall"].as_f64().unwrap()).sum();
    let sockets = step["floorPercentPerCall"].as_f64().unwrap();
    let together = step["alone"]["floorPercentPerCall"].as_f64().unwrap();
    assert!((sockets + counted - together).abs() < 1e-9, "{step}");
    assert!(step["framesSpoken"].as_u64().unwrap() < step["framesSent"].as_u64().unwrap(), "{step}");
    assert!(step["framesSent"].as_u64().unwrap() > step["framesReceived"].as_u64().unwrap());
    assert!(std::fs::read_to_string(svg).unwrap().starts_with("<svg "));
}

#[test]
fn calls_under_attack_are_measured_told_and_written() {
    let json = scratch("sieges.json");
    let output = bench(&[
        "--calls",
        "2",
        "--seconds",
        "2",
        "--hostile",
        "strangers,giants",
        "--json",
        json.to_str().unwrap(),
    ]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}\n{}", text(&output.stderr));
    let row =
        |name: &str| shown.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{shown}"));
    assert!(row("attack ").ends_with("connected     ended"), "{shown}");
    assert!(row("none ").contains(" ms "), "{shown}");
    assert!(row("joins of unknown calls ").contains(" 50 "), "{shown}");
    assert!(row("giant frames ").contains(" 20 "), "{shown}");
    assert!(!shown.contains("idle connections"), "only what was asked for: {shown}");

    let report: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let sieges = report["sieges"].as_array().unwrap();
    let names: Vec<&str> = sieges.iter().map(|siege| siege["attack"].as_str().unwrap()).collect();
    assert_eq!(names, ["none", "joins of unknown calls", "giant frames"]);
    assert_eq!((&sieges[0]["outcome"], sieges[0]["attackers"].as_u64()), (&Value::Null, Some(0)));
    for siege in sieges {
        assert_eq!(siege["step"]["calls"], 2);
        assert_eq!(siege["step"]["problems"], serde_json::json!({}), "ordinary calls go on: {siege}");
        for field in ["memoryKib", "descriptors", "cpuPercent"] {
            assert!(siege[field].as_f64().unwrap() > 0.0, "{field}: {siege}");
        }
    }
    for siege in &sieges[1..] {
        let (connected, ended) = (&siege["outcome"]["connected"], &siege["outcome"]["ended"]);
        assert!(connected.as_u64().unwrap() >= siege["attackers"].as_u64().unwrap(), "{siege}");
        // Strangers are refused and giants are closed, each at once, however often they come.
        assert!(ended.as_u64().unwrap() > 0, "{siege}");
    }
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
