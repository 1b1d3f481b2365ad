//! Whisper in this process, with a tiny model that is made here: whisper.cpp loads and runs it as it does the real ones.

use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use antiphon_backends::registry::Backends;
use antiphon_backends::registry::config::BackendsConfig;
use antiphon_backends::speech_to_text::whisper::{Settings, Whisper};
use antiphon_backends::speech_to_text::{Request, SpeechToText};
use antiphon_engine::input::Transcription;

use crate::whisper_model::{Made, SAYS};
use crate::{keeps_the_contract, request, spoken, words};

/// A file that is there as long as this is.
struct Written(PathBuf);

impl Written {
    fn new(bytes: &[u8]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("ggml-{}-{}.bin", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn settings() -> Settings {
    Settings {
        language: None,
        threads: NonZeroUsize::MIN,
        concurrency: NonZeroUsize::MIN,
        clip_only: false,
        timeout: Duration::from_secs(300),
    }
}

fn whisper(made: Made, settings: Settings) -> Whisper {
    Whisper::load(&Written::new(&made.file()).0, settings).unwrap()
}

/// A tone of 400 Hz.
fn tone(seconds: u32) -> Vec<i16> {
    (0..seconds * 16_000).map(|n| if n / 20 % 2 == 0 { 8_000 } else { -8_000 }).collect()
}

async fn heard(whisper: &Whisper, samples: Vec<i16>, language: Option<&str>) -> Transcription {
    let request = Request { samples: samples.into(), language: language.map(Into::into) };
    whisper.transcribe(request).await.transcription
}

#[tokio::test]
async fn whisper_keeps_the_contract() {
    let speech = spoken("What are your opening hours?").await;
    for (concurrency, multilingual) in [(1, false), (2, true)] {
        let concurrency = NonZeroUsize::new(concurrency).unwrap();
        let made = Made { multilingual, ..Made::default() };
        let whisper = whisper(made, Settings { concurrency, ..settings() });
        keeps_the_contract(&whisper, &speech, SAYS).await;
        let name = whisper.transcribe(request(speech.clone())).await.by;
        assert!(name.starts_with("ggml-"), "{name} says which model it was");
    }
}

#[tokio::test]
async fn whisper_hears_long_turns_and_hardly_anything() {
    let whisper = whisper(Made::default(), settings());
    assert_eq!(heard(&whisper, tone(70), None).await, words(&[SAYS; 3].join(" ")), "30 s at a time");
    assert_eq!(heard(&whisper, tone(1)[..160].to_vec(), None).await, words(SAYS));
    assert_eq!(heard(&whisper, vec![0], None).await, words(""));
}

#[tokio::test]
async fn whisper_takes_the_language_of_the_conversation() {
    let many = Made { multilingual: true, ..Made::default() };
    let guesses = whisper(many, settings());
    let german = whisper(many, Settings { language: Some("de".into()), ..settings() });
    for language in [Some("fr-CA"), None, Some("xx"), Some("e\0n")] {
        assert_eq!(heard(&guesses, tone(1), language).await, words(SAYS), "{language:?}");
        assert_eq!(heard(&german, tone(1), language).await, words(SAYS), "{language:?}");
    }
    let english = whisper(Made::default(), settings());
    assert_eq!(heard(&english, tone(1), Some("de")).await, words(SAYS));
}

#[tokio::test]
async fn whisper_may_hear_the_clip_alone() {
    let whisper = whisper(Made::default(), Settings { clip_only: true, ..settings() });
    assert_eq!(heard(&whisper, tone(2), None).await, words(SAYS));
    assert_eq!(heard(&whisper, vec![0; 32_000], None).await, words(""));
}

#[tokio::test]
async fn a_model_that_has_lost_its_way_is_brought_to_an_end() {
    let whisper = whisper(Made { looping: true, ..Made::default() }, settings());
    assert_eq!(heard(&whisper, tone(5), None).await, words("amber"));
}

#[tokio::test]
async fn a_transcription_that_nobody_waits_for_is_broken_off() {
    // Minutes of work for the long clip.
    let slow = Made { layers: 24, ..Made::default() };
    let (left, stays) = (whisper(slow, settings()), whisper(slow, settings()));
    let long = tone(240);
    let mut goes_on = stays.transcribe(request(long.clone()));
    let mut dropped = left.transcribe(request(long));
    // Both have begun, and the long ones are far from their end.
    tokio::select! {
        biased;
        early = &mut goes_on => panic!("{early:?}"),
        early = &mut dropped => panic!("{early:?}"),
        () = tokio::task::yield_now() => {}
    }
    drop(dropped);
    // There is room for one at a time.
    tokio::select! {
        biased;
        late = goes_on => panic!("the short one waited for the long one: {late:?}"),
        heard = left.transcribe(request(tone(1))) => assert_eq!(heard.transcription, words(SAYS)),
    }
}

#[tokio::test]
async fn a_transcription_that_takes_too_long_fails_and_says_what_helps() {
    let slow = Made { layers: 24, ..Made::default() };
    let whisper = whisper(slow, Settings { timeout: Duration::from_millis(20), ..settings() });
    let Transcription::Failed(why) = heard(&whisper, tone(60), None).await else { panic!("too quick") };
    assert!(why.contains("longer than 20 ms; give it more threads or a smaller model"), "{why}");
}

#[test]
fn a_file_that_is_no_model_is_refused_by_name() {
    let good = Made::default().file();
    let cut = |length: usize| good[..length].to_vec();
    let with = |at: usize, value: i32| {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        bytes
    };
    let header = 4 + 11 * 4;
    let filters = header + 8 + 80 * 201 * 4;
    for (bytes, wanted) in [
        (Vec::new(), "is no ggml model"),
        (b"PK\x03\x04 and so on".to_vec(), "is no ggml model"),
        (b"GGUF and so on".to_vec(), "is a GGUF file"),
        (cut(20), "is cut off: it ends within its header"),
        (cut(header + 1_000), "is cut off: it ends within its filters"),
        (cut(filters + 1_000), "is cut off: it ends within its vocabulary"),
        (
            cut(good.len() - 1),
            "is cut off: it ends within decoder.blocks.0.cross_attn.out.bias; get it again",
        ),
        (cut(good.len() - 10_000), "is cut off: it ends within decoder.blocks.0.cross_attn."),
        (with(4, 50_257), "is no Whisper model, or damaged: its vocabulary is 50257"),
        (with(4 + 4 * 4, -1), "its audio layers is -1"),
        (with(4 + 10 * 4, 99), "its kind of numbers is 99"),
        (with(filters, 1_000_000), "it lists 1000000 words of 51864"),
    ] {
        let file = Written::new(&bytes);
        let error = Whisper::load(&file.0, settings()).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
        assert!(
            error.starts_with(&file.0.display().to_string()) && error.contains("ggml-base.en.bin"),
            "{error}"
        );
    }
    // A whole tensor is missing: whisper.cpp counts them.
    let mut short = good.clone();
    short.truncate(good.len() - (12 + 4 + "decoder.blocks.0.cross_attn.out.bias".len() + 64 * 4));
    let error = Whisper::load(&Written::new(&short).0, settings()).unwrap_err().to_string();
    assert!(error.contains("cannot be loaded"), "{error}");
    let missing = Whisper::load("/nowhere/ggml.bin".as_ref(), settings()).unwrap_err().to_string();
    assert!(missing.starts_with("/nowhere/ggml.bin cannot be read: "), "{missing}");
}

#[tokio::test]
async fn whisper_is_configured() {
    let file = Written::new(&Made::default().file());
    let path = file.0.display();
    let build = |more: &str| {
        let text = format!("[transcription]\ntype = \"whisper\"\nmodel = '{path}'\n{more}");
        let config: BackendsConfig = toml::from_str(&text).unwrap();
        Backends::build(&config)
    };
    let backends =
        build("threads = 2\nconcurrency = 1\nlanguage = \"en\"\n[transcription.fallback]\ntype = \"none\"");
    let recognizer = backends.unwrap().speech_to_text.expect("a recognizer");
    assert_eq!(recognizer.transcribe(request(tone(1))).await.transcription, words(SAYS));
    let refused = |more| build(more).err().expect("it is refused").to_string();
    let unknown = refused("language = \"klingon\"");
    assert!(unknown.contains("transcription.language") && unknown.contains("such as \"en\""), "{unknown}");
    let other = refused("language = \"de\"");
    assert!(other.contains("transcription.language") && other.contains("English only"), "{other}");
}
