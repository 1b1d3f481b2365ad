//! What `antiphon simulate` says and how it exits.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

const SCENARIO: &str = r#"
name: <short> call
call: { firstSpeakerSettings: { agent: { text: "Hello you." } } }
model: { replies: [Fine.] }
steps:
  - say: How are you?
expect:
  - agent: WORDS
  - end: hangup
"#;

/// A directory of this name with this scenario, in which the agent is expected to say some words.
fn scratch(name: &str, words: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("simulate").join(name);
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(path.join("call.yaml"), SCENARIO.replace("WORDS", words)).unwrap();
    path
}

fn simulate(directory: &PathBuf, args: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_antiphon");
    Command::new(program).arg("simulate").args(args).env_clear().current_dir(directory).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_call_that_goes_well_is_shown_and_passes() {
    let output = simulate(&scratch("well", "Fine"), &["."]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(shown.starts_with("PASS <short> call  ./call.yaml, "), "{shown}");
    for line in [
        "agent  Hello you.",
        "user  How are you?",
        "agent  Fine.",
        "the call ended: hangup",
        "1 passed, 0 failed",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert!(!shown.contains('\u{1b}'), "no colours where there is no terminal: {shown}");
}

#[test]
fn a_call_that_does_not_is_explained_and_reported() {
    let directory = scratch("badly", "Terrible");
    let output = simulate(&directory, &["call.yaml", "--quiet", "--junit", "report.xml", "--repeat", "2"]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    for line in [
        "FAIL <short> call",
        "FAIL <short> call #1",
        "expected the agent says \"Terrible\" (line 8)",
        "0 passed, 2 failed",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert_eq!(text(&output.stderr), "error: 2 calls did not go as expected\n");
    let report = std::fs::read_to_string(directory.join("report.xml")).unwrap();
    assert!(
        report.contains("tests=\"2\" failures=\"2\"") && report.contains("&lt;short&gt; call #1"),
        "{report}"
    );
}

#[test]
fn json_holds_all_that_happened() {
    let output = simulate(&scratch("json", "Fine"), &["call.yaml", "--json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&document["passed"], &document["failed"]), (&1.into(), &0.into()));
    let moments = document["runs"][0]["moments"].as_array().unwrap();
    let said = moments.iter().filter(|moment| moment["what"] == "agent").map(|moment| &moment["heard"]);
    assert_eq!(said.collect::<Vec<_>>(), ["Hello you.", "Fine."]);
    assert!(moments.iter().all(|moment| moment["at"].is_f64()), "{moments:?}");
}

#[test]
fn what_is_wrong_is_told_before_anything_runs() {
    let directory = scratch("wrong", "{ is: a, contains: b }");
    let refused = |args: &[&str], message: &str| {
        let output = simulate(&directory, args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).starts_with(&format!("error: {message}")), "{}", text(&output.stderr));
        assert!(output.stdout.is_empty(), "{args:?}");
    };
    refused(&["."], "./call.yaml:8: a text is compared in one way");
    refused(&["nowhere.yaml"], "cannot read nowhere.yaml: ");
    let directory = scratch("filter", "Fine");
    let output = simulate(&directory, &[".", "--filter", "long"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stderr), "error: none of 1 scenarios has \"long\" in its name\n");
}
