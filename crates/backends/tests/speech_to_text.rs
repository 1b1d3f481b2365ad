//! What every recognizer promises, and what each of them adds.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "speech_to_text/deepgram.rs"]
mod deepgram;
#[path = "speech_to_text/fallback.rs"]
mod fallback;
#[path = "support/line.rs"]
mod line;
#[path = "speech_to_text/live.rs"]
mod live;
#[path = "speech_to_text/openai.rs"]
mod openai;
#[path = "speech_to_text/remote.rs"]
mod remote;
#[cfg(feature = "whisper-local")]
#[path = "speech_to_text/whisper.rs"]
mod whisper;
#[cfg(feature = "whisper-local")]
#[path = "speech_to_text/whisper_model.rs"]
mod whisper_model;
#[path = "support/wire.rs"]
mod wire;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use antiphon_audio::{Resampler, SampleRate};
use antiphon_backends::speech_to_text::pocketsphinx::{PocketSphinx, Settings};
use antiphon_backends::speech_to_text::scripted::Prepared;
use antiphon_backends::speech_to_text::{Request, SpeechToText};
use antiphon_backends::text_to_speech::flite::Flite;
use antiphon_backends::text_to_speech::{self, SpeechEvent, TextToSpeech};
use antiphon_engine::input::Transcription;
use futures::StreamExt;

/// The key that must never come back.
const KEY: &str = "dg-canary-0123456789";

fn request(samples: Vec<i16>) -> Request {
    Request { samples: samples.into(), language: Some("en-US".into()) }
}

fn words(words: &str) -> Transcription {
    Transcription::Words(words.into())
}

async fn spoken(text: &str) -> Vec<i16> {
    let mut samples = Vec::new();
    let mut stream =
        Flite::new().speak(text_to_speech::Request { text: text.into(), language: None, sample: None });
    while let Some(event) = stream.next().await {
        if let SpeechEvent::Audio(audio) = event {
            samples.extend(audio);
        }
    }
    samples
}

/// A recording of Debian's `pocketsphinx-testdata`: 16 kHz mono, bare or as WAV.
fn recording(name: &str) -> Vec<i16> {
    let path = Path::new("/usr/share/pocketsphinx/test/data").join(name);
    let bytes = fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; apt install pocketsphinx-testdata", path.display()));
    let audio = if bytes.starts_with(b"RIFF") { &bytes[44..] } else { &bytes };
    audio.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn pocketsphinx() -> PocketSphinx {
    PocketSphinx::new(Settings { timeout: Duration::from_secs(120), ..Settings::default() })
        .unwrap_or_else(|error| panic!("this test needs the recognizer: {error}"))
}

/// The promises of the trait, for a recognizer that works: an answer for speech, for silence and for nothing at all, and for
/// several clips at a time; a dropped future disturbs nobody.
async fn keeps_the_contract(recognizer: &dyn SpeechToText, speech: &[i16], expected: &str) {
    let silence = recognizer.transcribe(request(vec![0; 16_000]));
    let nothing = recognizer.transcribe(request(Vec::new()));
    drop(recognizer.transcribe(request(speech.to_vec())));
    let first = recognizer.transcribe(request(speech.to_vec()));
    let second = recognizer.transcribe(request(speech.to_vec()));
    let (silence, nothing, first, second) = tokio::join!(silence, nothing, first, second);
    assert_eq!(first.transcription, words(expected));
    assert_eq!(second.transcription, words(expected));
    assert!(!first.by.is_empty() && first.instead.is_none());
    for answer in [silence, nothing] {
        assert_eq!(answer.transcription, words(""));
    }
}

#[tokio::test]
async fn pocketsphinx_keeps_the_contract() {
    let speech = spoken("What are your opening hours?").await;
    keeps_the_contract(&pocketsphinx(), &speech, "what are your opening hours").await;
}

#[tokio::test]
async fn the_scripted_recognizer_keeps_the_contract() {
    let prepared = Prepared::by_length([
        (Duration::from_secs(1), ""),
        (Duration::from_secs(3), "what are your opening hours"),
    ]);
    keeps_the_contract(&prepared, &[0; 32_000], "what are your opening hours").await;
    let ordered = Prepared::in_order([words("one"), Transcription::Failed("deaf".into())]);
    assert_eq!(ordered.transcribe(request(vec![])).await.transcription, words("one"));
    assert_eq!(ordered.transcribe(request(vec![])).await.transcription, Transcription::Failed("deaf".into()));
    assert_eq!(ordered.transcribe(request(vec![])).await.transcription, words(""));
}

#[tokio::test]
async fn pocketsphinx_understands_a_person() {
    let heard = pocketsphinx().transcribe(request(recording("goforward.raw"))).await.transcription;
    assert_eq!(heard, words("go forward ten meters"));
}

/// What is left of speech after a telephone line of 8 kHz.
fn over_the_phone(speech: &[i16]) -> Vec<i16> {
    let line = SampleRate::new(8_000).unwrap();
    let convert = |from, to, samples: &[i16]| {
        let (mut resampler, mut converted) = (Resampler::new(from, to), Vec::new());
        resampler.process(samples, &mut converted);
        resampler.flush(&mut converted);
        converted
    };
    convert(line, SampleRate::EAR, &convert(SampleRate::EAR, line, speech))
}

#[tokio::test]
async fn pocketsphinx_understands_speech_off_the_phone() {
    let speech = over_the_phone(&spoken("What are your opening hours?").await);
    let Transcription::Words(heard) = pocketsphinx().transcribe(request(speech)).await.transcription else {
        panic!("it failed")
    };
    assert!(heard.contains("hours"), "{heard}");
}

/// A program with the name of a real one, written for a test.
fn program(name: &str, script: &str) -> (PathBuf, Folder) {
    let folder = Folder(std::env::temp_dir().join(format!("antiphon-{}-{}", std::process::id(), next())));
    fs::create_dir(&folder.0).unwrap();
    let path = folder.0.join(name);
    let draft = folder.0.join("draft");
    fs::write(&draft, format!("#!/bin/sh\ncd '{}'\n{script}\n", folder.0.display())).unwrap();
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).unwrap();
    // A file that this process had open for writing might still be so in a child that another test forks meanwhile, and
    // could not be run.
    assert!(std::process::Command::new("cp").arg(&draft).arg(&path).status().unwrap().success());
    (path, folder)
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in the temporary folder harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn next() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[tokio::test]
async fn the_newer_pocketsphinx_is_given_its_arguments_and_read() {
    let (program, _folder) = program(
        "pocketsphinx",
        r#"test "$1" = single || exit 3; echo "{\"b\":0.0,\"t\":\"$(wc -c) bytes\"}""#,
    );
    let recognizer = PocketSphinx::new(Settings { program: Some(program), ..Settings::default() }).unwrap();
    assert_eq!(recognizer.transcribe(request(vec![7; 100])).await.transcription, words("200 bytes"));
}

#[tokio::test]
async fn a_process_that_died_while_waiting_is_replaced() {
    // The first run dies at once, the second one, started for the clip, answers.
    let (program, _folder) = program(
        "pocketsphinx_continuous",
        "test -e died || { touch died; exit 1; }; cat > /dev/null; echo alive",
    );
    let settings = Settings { program: Some(program), warm: 1, ..Settings::default() };
    assert_eq!(
        PocketSphinx::new(settings).unwrap().transcribe(request(vec![0; 100])).await.transcription,
        words("alive")
    );
}

#[tokio::test]
async fn a_program_that_fails_is_told() {
    let (program, _folder) = program("pocketsphinx_continuous", "cat > /dev/null; exit 7");
    let recognizer = PocketSphinx::new(Settings { program: Some(program), ..Settings::default() }).unwrap();
    let Transcription::Failed(reason) = recognizer.transcribe(request(vec![0; 100])).await.transcription
    else {
        panic!("a failure")
    };
    assert!(reason.contains("exit status: 7") && reason.contains("pocketsphinx-en-us"), "{reason}");
}

#[tokio::test]
async fn a_recognizer_that_hangs_is_given_up_and_ended() {
    let (program, folder) =
        program("pocketsphinx_continuous", "mkfifo life; echo $$ > life; exec sleep 1000");
    let settings = Settings {
        program: Some(program),
        warm: 0,
        timeout: Duration::from_millis(300),
        ..Settings::default()
    };
    let recognizer = PocketSphinx::new(settings).unwrap();
    let hanging = tokio::spawn(recognizer.transcribe(request(vec![0; 100])));
    let pid = pid_of(folder.0.join("life")).await;
    let Transcription::Failed(reason) = hanging.await.unwrap().transcription else { panic!("a failure") };
    assert!(reason.contains("took longer"), "{reason}");
    ends(pid).await;
}

#[tokio::test]
async fn dropping_a_transcription_ends_its_process() {
    let (program, folder) =
        program("pocketsphinx_continuous", "mkfifo life; echo $$ > life; exec sleep 1000");
    let settings = Settings { program: Some(program), warm: 0, ..Settings::default() };
    let recognizer = PocketSphinx::new(settings).unwrap();
    let hanging = tokio::spawn(recognizer.transcribe(request(vec![0; 100])));
    let pid = pid_of(folder.0.join("life")).await;
    hanging.abort();
    ends(pid).await;
}

#[test]
fn shutting_down_ends_a_transcription_under_way() {
    let (program, folder) =
        program("pocketsphinx_continuous", "mkfifo life; echo $$ > life; exec sleep 1000");
    let settings = Settings { program: Some(program), warm: 1, ..Settings::default() };
    // Made outside the runtime, so the next process is started when the first is done with: at the shutdown.
    let recognizer = PocketSphinx::new(settings).unwrap();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime();
    server.spawn(recognizer.transcribe(request(vec![0; 100])));
    let pid = server.block_on(pid_of(folder.0.join("life")));
    drop(server);
    runtime().block_on(ends(pid));
}

/// What a program wrote into its pipe: its process id.
async fn pid_of(pipe: PathBuf) -> u32 {
    loop {
        if let Ok(text) = tokio::fs::read_to_string(&pipe).await
            && let Ok(pid) = text.trim().parse()
        {
            return pid;
        }
        tokio::task::yield_now().await;
    }
}

/// Waits until a process is gone or only its name is left.
async fn ends(pid: u32) {
    let stat = format!("/proc/{pid}/stat");
    while let Ok(text) = tokio::fs::read_to_string(&stat).await
        && !text.contains(") Z")
    {
        tokio::task::yield_now().await;
    }
}
