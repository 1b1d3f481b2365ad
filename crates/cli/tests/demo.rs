//! The demo keeps its promises: it fails by itself if it does not, so this only has to look at what it leaves behind. In real time,
//! about half a minute.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use antiphon_audio::{Wav, signal};

#[test]
fn the_demo_shows_an_interruption_and_a_tool_call_and_leaves_both_voices() {
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("demo");
    let output = Command::new(env!("CARGO_BIN_EXE_antiphon"))
        .args(["demo", "--fast", "--out", out.to_str().unwrap()])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));

    let story = shown.lines().find(|line| line.contains("Our bread begins the evening before.")).unwrap();
    assert!(story.ends_with("-- [interrupted]"), "{shown}");
    assert!(shown.contains("tool  lookupOrder = Two loaves of sourdough are ready"), "{shown}");
    assert!(shown.contains("Scripted: "), "it says what is not real: {shown}");

    let wav = Wav::read(File::open(out.join("conversation.wav")).unwrap()).unwrap();
    assert_eq!((wav.rate_hz, wav.channels), (16_000, 2));
    for side in [0, 1] {
        let level = signal::level(&wav.channel(side));
        assert!(level > -45.0, "channel {side} has {level} dB");
    }
}
