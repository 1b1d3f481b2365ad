//! What people get who mistype: the whole message, and the exit code.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::path::PathBuf;
use std::process::{Command, Output};

/// Runs `antiphon` without anything in the environment that could decide for it.
fn antiphon(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_antiphon"))
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .current_dir(scratch("empty"))
        .output()
        .unwrap()
}

/// An empty directory of this name.
fn scratch(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// The command line is refused with exactly this first line, and as misuse.
fn refused(args: &[&str], message: &str) {
    let output = antiphon(args);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(complaint.lines().next(), Some(format!("error: {message}").as_str()), "{args:?}");
    assert_eq!(output.status.code(), Some(2), "{args:?}: {complaint}");
    assert!(output.stdout.is_empty(), "{args:?}");
}

#[test]
fn wrong_values_say_what_would_be_right() {
    refused(
        &["talk", "--rate", "11025", "--input", "x.wav"],
        "invalid value '11025' for '--rate <HZ>': 11025 is not a supported sample rate; choose one of 8000, 12000, 16000, 22050, 24000, 32000, 44100, 48000",
    );
    refused(
        &["talk", "--temperature", "1.5"],
        "invalid value '1.5' for '--temperature <0..1>': it must be a number from 0 to 1",
    );
    refused(
        &["talk", "--max-duration", "5m"],
        "invalid value '5m' for '--max-duration <SECONDS>': it must be seconds, such as 300s",
    );
    refused(
        &["talk", "--client-buffer-ms", "0"],
        "invalid value '0' for '--client-buffer-ms <MS>': 0 is not in 1..=600000",
    );
    refused(
        &["talk", "--prior-call", "7"],
        "invalid value '7' for '--prior-call <CALL_ID>': \"7\" is not an id; write a UUID, for example \"11111111-2222-4333-8444-555555555555\"",
    );
}

#[test]
fn tools_need_a_name_and_a_command() {
    refused(
        &["talk", "--tool", "weather"],
        "invalid value 'weather' for '--tool <NAME=COMMAND>': it must be written NAME=..., with an equals sign",
    );
    refused(
        &["talk", "--tool", "my tool=date"],
        "invalid value 'my tool=date' for '--tool <NAME=COMMAND>': \"my tool\" is no tool name; use 1 to 64 letters, digits, _ and -",
    );
    refused(
        &["talk", "--text", "--tool-schema", "time=x.json"],
        "there is a schema for the tool time but no command; add --tool time=COMMAND",
    );
    refused(
        &["talk", "--text", "--tool", "time=date", "--tool", "time=cal"],
        "there are two commands for the tool time; keep one --tool time=...",
    );
}

#[test]
fn what_excludes_each_other_is_named() {
    refused(
        &["talk", "--join", "ws://h/calls/1", "--voice", "kal"],
        "the argument '--join <JOIN_URL>' cannot be used with '--voice <NAME>'",
    );
    refused(
        &["talk", "--text", "--input", "x.wav"],
        "the argument '--text' cannot be used with '--input <FILE>'",
    );
}

#[test]
fn files_that_cannot_be_used_are_refused_before_anything_is_created() {
    refused(
        &["talk", "--input", "nowhere.wav"],
        "cannot use nowhere.wav: No such file or directory (os error 2)",
    );
    let text = scratch("files").join("text.wav");
    std::fs::write(&text, "hello").unwrap();
    refused(
        &["talk", "--input", text.to_str().unwrap()],
        &format!(
            "cannot use {}: not a WAV file, it does not start with a RIFF header; convert the audio to a WAV file with 16-bit PCM",
            text.display()
        ),
    );
    refused(
        &["talk", "--text", "--key-file", "nowhere"],
        "cannot read the key file nowhere: No such file or directory (os error 2)",
    );
}

#[test]
fn a_missing_key_is_misuse_and_a_server_that_is_away_is_not() {
    refused(
        &["talk", "--text"],
        "there is no API key for 127.0.0.1:8080; set ANTIPHON_API_KEY to the one that the server showed on its first start",
    );
    refused(
        &["talk", "--text", "--url", "https://api.ultravox.ai"],
        "there is no API key for the hosted service; set ULTRAVOX_API_KEY",
    );
    let output = antiphon(&["talk", "--text", "--join", "ws://127.0.0.1:1/calls/1"]);
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        complaint,
        "error: the call cannot be joined: IO error: Connection refused (os error 111); is the server running, and is this the call's join URL?\n"
    );
}

#[cfg(not(feature = "audio-devices"))]
#[test]
fn a_build_without_sound_says_how_to_get_it() {
    refused(
        &["talk"],
        "this build has no microphone and speaker; use --text or --input FILE, or build with them: apt-get install libasound2-dev pkg-config, then cargo install --path crates/cli --features audio-devices",
    );
}

#[test]
fn a_configuration_is_begun_checked_and_shown() {
    let file = scratch("configuration").join("antiphon.toml");
    let _ = std::fs::remove_file(&file);
    let file = file.to_str().unwrap();
    assert!(antiphon(&["config", "init", file]).status.success());
    refused(&["config", "init", file], &format!("{file} exists already; move it away, or name another file"));

    let checked = antiphon(&["config", "check", "--config", file]);
    assert_eq!(String::from_utf8(checked.stdout).unwrap(), "the configuration is in order\n");
    let shown = antiphon(&["config", "show", "--config", file]);
    assert!(String::from_utf8(shown.stdout).unwrap().contains("server.listen = \"127.0.0.1:8080\"  # "));

    std::fs::write(file, "[calls]\ndefault_model = \"mine\"\n").unwrap();
    refused(
        &["config", "check", "--config", file],
        "calls.default_model: there is no \"mine\"; choose one of demo, or add [models.mine]",
    );
    std::fs::write(file, "[server]\nlisten = 7\nlissen = 8\n").unwrap();
    for command in ["check", "show"] {
        let output = antiphon(&["config", command, "--config", file]);
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{complaint}");
        assert!(complaint.contains("server.listen") && complaint.contains("lissen"), "{complaint}");
    }
}

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = antiphon(&["completions", shell]);
        assert!(String::from_utf8(output.stdout).unwrap().contains("talk"), "{shell}");
    }
}
