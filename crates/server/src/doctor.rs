//! What keeps a server from doing well: its disk, its object storage, its models, its voices, its recognizer, and how long a turn takes with them.
//!
//! Owns the examination and what it concludes. It starts no server and changes nothing but what is known of models. Whoever bills is
//! asked only when that is allowed.

pub mod models;
mod objects;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use antiphon_backends::language_model::Failure;
use antiphon_backends::language_model::measure::{Measurements, measure};
use antiphon_backends::language_model::probe::{Finding, Findings, Subject, probe};
use antiphon_backends::registry::Backends;
use antiphon_backends::registry::config::VoiceConfig;
use antiphon_backends::speech_to_text;
use antiphon_backends::text_to_speech::{self, SpeechEvent, TextToSpeech};
use antiphon_engine::input::Transcription;
use futures::StreamExt as _;
use tokio::time::{Instant, timeout};

use crate::config::Config;
use crate::probes::Book;

/// What the voice and the recognizer are tried out with.
const SENTENCE: &str = "What are your opening hours?";
/// How often the disk is written to, and how much each time.
const WRITES: usize = 20;
const WRITTEN: [u8; 4096] = [0; 4096];
/// A disk that takes longer makes calls wait for their record.
const SLOW_DISK: Duration = Duration::from_millis(50);
/// The longest that a voice or a recognizer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// A turn that takes longer is noticed as a pause.
const LONG_TURN: Duration = Duration::from_millis(1_500);
/// The published default of `vadSettings.turnEndpointDelay` (protocol.md 5.2).
const ENDPOINT: Duration = Duration::from_millis(384);

/// How good something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Good,
    /// Worth knowing.
    Note,
    /// It works, and could do better.
    Warning,
    /// It does not work.
    Failure,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How good it is.
    pub level: Level,
    /// What it is about, such as `model qwen`.
    pub about: String,
    /// What was found, and what to do about it.
    pub text: String,
}

/// Examines what a configuration leads to, and tells line by line. `paid` allows what may cost money.
pub async fn examine(config: &Config, backends: &Backends, paid: bool, tell: &mut dyn FnMut(Line)) {
    disk(&config.storage.path, tell);
    objects::examine(&config.objects, tell).await;
    let mut first_tokens = BTreeMap::new();
    let mut book = Book::beside(&config.storage.path);
    for subject in &backends.subjects {
        if let Some(first_token) = model(subject, &mut book, paid, tell).await {
            first_tokens.insert(subject.name.to_string(), first_token);
        }
    }
    let speech = spoken(backends).await;
    let words = transcription(config, backends, speech, paid, tell).await;
    let mut first_audio = None;
    for (name, voice) in &backends.voices {
        if config.voices.get(&**name).is_some_and(VoiceConfig::has_key) && !paid {
            tell(unasked(format!("voice {name}")));
            continue;
        }
        let time = voice_time(name, &**voice, tell).await;
        if *name == backends.default_voice {
            first_audio = time;
        }
    }
    budget(backends, &first_tokens, words, first_audio, tell);
}

fn line(level: Level, about: impl Into<String>, text: impl Into<String>) -> Line {
    Line { level, about: about.into(), text: text.into() }
}

fn unasked(about: String) -> Line {
    let text = "has a key, so asking it may cost money; examine it with --paid";
    line(Level::Note, about, text)
}

/// Whether the disk takes what calls write.
fn disk(database: &Path, tell: &mut dyn FnMut(Line)) {
    let directory = database.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let about = format!("disk {}", directory.display());
    let path = directory.join(".antiphon-doctor");
    let written = File::create(&path).and_then(|mut file| {
        let mut times = Vec::with_capacity(WRITES);
        for _ in 0..WRITES {
            let began = std::time::Instant::now();
            file.write_all(&WRITTEN)?;
            file.sync_data()?;
            times.push(began.elapsed());
        }
        Ok(times)
    });
    let _ = fs::remove_file(&path);
    match written {
        Err(error) => tell(line(
            Level::Failure,
            about,
            format!("cannot be written to: {error}; set storage.path to a place where the server may write"),
        )),
        Ok(mut times) => {
            times.sort_unstable();
            let (median, worst) = (times[WRITES / 2], times[WRITES - 1]);
            let text = format!("a synced write takes {} ms, at worst {} ms", ms(median), ms(worst));
            if median > SLOW_DISK {
                let text = format!("{text}; the record of calls will lag: use a local SSD");
                tell(line(Level::Warning, about, text));
            } else {
                tell(line(Level::Good, about, text));
            }
        }
    }
}

/// Reaches a model, finds out what it can do, and measures it. Gives the time to the first token of a usual turn.
async fn model(
    subject: &Subject,
    book: &mut Book,
    paid: bool,
    tell: &mut dyn FnMut(Line),
) -> Option<Duration> {
    let about = || format!("model {}", subject.name);
    if subject.paid && !paid && !subject.allowed {
        tell(unasked(about()));
        return None;
    }
    let model = subject.model.unheeding();
    let findings = match probe(&**model).await {
        Ok(findings) => findings,
        Err(failure) => {
            tell(line(Level::Failure, about(), unreached(subject, &failure)));
            return None;
        }
    };
    found(subject, &findings, tell);
    if let Err(error) = book.keep(subject, findings.clone()) {
        let text = format!("what was found out cannot be kept beside the database: {error}");
        tell(line(Level::Warning, about(), text));
    }
    subject.model.heed(&findings);
    match measure(&subject.model).await {
        Ok(times) => measured(subject, &times, tell),
        Err(failure) => {
            tell(line(Level::Failure, about(), failure.reason.to_string()));
            None
        }
    }
}

fn unreached(subject: &Subject, failure: &Failure) -> String {
    format!(
        "{} (at {}); see that it runs and that base_url and model are right: `antiphon models local` shows how to start one",
        failure.reason, subject.place
    )
}

fn found(subject: &Subject, findings: &Findings, tell: &mut dyn FnMut(Line)) {
    let about = || format!("model {}", subject.name);
    let hears = subject.model.unheeding().capabilities().audio;
    tell(line(
        Level::Good,
        about(),
        format!("answers; the first token comes after {} ms", findings.first_token_ms),
    ));
    for (name, finding) in findings.by_name() {
        let concerns_audio = !matches!(name, "counts tokens" | "stops when told");
        if concerns_audio && !hears {
            continue;
        }
        match finding {
            Finding::Yes => tell(line(Level::Good, about(), format!("{name}: yes"))),
            Finding::No(why) => {
                let text = format!("{name}: no ({why}); {}", remedy(name));
                tell(line(Level::Warning, about(), text));
            }
            Finding::Unclear(why) => tell(line(Level::Note, about(), format!("{name}: unclear ({why})"))),
        }
    }
    if findings.thinks {
        let text = "thinks before it speaks, and the user waits for that; turn it off, for example with \
                    extra = { chat_template_kwargs = { enable_thinking = false } }";
        tell(line(Level::Warning, about(), text));
    }
}

fn remedy(name: &str) -> &'static str {
    match name {
        "takes audio" => {
            "it is given transcripts; for audio, choose a model that hears, or set audio = false"
        }
        "takes two recordings" => {
            "set audio_history = \"last_only\", or let vLLM take more with --limit-mm-per-prompt '{\"audio\":32}'"
        }
        "keeps their order" => "set audio_history = \"last_only\"",
        "hears with tools" => "on vLLM try --chat-template-content-format string",
        "counts tokens" => "its usage will be missing from the calls' events",
        _ => {
            "interrupted answers go on and take the place of others: run it with more slots (-np on llama.cpp)"
        }
    }
}

fn measured(subject: &Subject, times: &Measurements, tell: &mut dyn FnMut(Line)) -> Option<Duration> {
    let about = || format!("model {}", subject.name);
    let list = |pairs: Vec<(String, Duration)>| {
        pairs.iter().map(|(name, time)| format!("{name} {} ms", ms(*time))).collect::<Vec<_>>().join(", ")
    };
    if !times.audio.is_empty() {
        let pairs = times
            .audio
            .iter()
            .map(|(seconds, measured)| (format!("{seconds} s:"), measured.first_token))
            .collect();
        tell(line(Level::Good, about(), format!("first token by length of audio: {}", list(pairs))));
    }
    let pairs = times
        .history
        .iter()
        .map(|(exchanges, measured)| (format!("{exchanges} exchanges:"), measured.first_token))
        .chain([("the last once more:".to_owned(), times.again.first_token)])
        .collect();
    tell(line(Level::Good, about(), format!("first token by length of history: {}", list(pairs))));
    if times.caches_prefixes() == Some(false) {
        let text = "reads the whole conversation again for every answer; turn its prefix cache on (vLLM: \
                    --enable-prefix-caching; llama.cpp: one slot a call, -np)";
        tell(line(Level::Warning, about(), text));
    }
    times.usual().map(|measured| measured.first_token)
}

/// A sentence in the default voice, as the user's; in the built-in one if that fails.
async fn spoken(backends: &Backends) -> Vec<i16> {
    let Some(voice) = backends.voices.get("kal") else { return Vec::new() };
    let mut samples = Vec::new();
    let mut events = voice.speak(request());
    while let Some(event) = events.next().await {
        if let SpeechEvent::Audio(audio) = event {
            samples.extend(audio);
        }
    }
    let mut resampler =
        antiphon_audio::Resampler::new(voice.capabilities().sample_rate, antiphon_audio::SampleRate::EAR);
    let mut heard = Vec::new();
    resampler.process(&samples, &mut heard);
    resampler.flush(&mut heard);
    heard
}

fn request() -> text_to_speech::Request {
    text_to_speech::Request { text: SENTENCE.into(), language: Some("en".into()), sample: None }
}

async fn transcription(
    config: &Config,
    backends: &Backends,
    samples: Vec<i16>,
    paid: bool,
    tell: &mut dyn FnMut(Line),
) -> Option<Duration> {
    let Some(recognizer) = &backends.speech_to_text else {
        let text = "nothing makes transcripts: models that do not hear understand nobody, and calls have none; \
                    configure [transcription], or apt install pocketsphinx pocketsphinx-en-us";
        tell(line(Level::Warning, "transcription", text));
        return None;
    };
    if config.transcription.has_key() && !paid {
        tell(unasked("transcription".to_owned()));
        return None;
    }
    let ask = || {
        let request =
            speech_to_text::Request { samples: samples.as_slice().into(), language: Some("en".into()) };
        timeout(PATIENCE, recognizer.transcribe(request))
    };
    // The first one may have to load a model.
    let _ = ask().await;
    let began = Instant::now();
    match ask().await {
        Err(_) => {
            tell(line(Level::Failure, "transcription", format!("took longer than {} s", PATIENCE.as_secs())));
            None
        }
        Ok(heard) => {
            let took = began.elapsed();
            match heard.transcription {
                Transcription::Words(words) => {
                    let text = format!("{} took {} ms to hear {words:?} of {SENTENCE:?}", heard.by, ms(took));
                    tell(line(Level::Good, "transcription", text));
                    Some(took)
                }
                Transcription::Failed(why) => {
                    tell(line(Level::Failure, "transcription", why.to_string()));
                    None
                }
            }
        }
    }
}

async fn voice_time(name: &str, voice: &dyn TextToSpeech, tell: &mut dyn FnMut(Line)) -> Option<Duration> {
    let about = format!("voice {name}");
    let began = Instant::now();
    let mut events = voice.speak(request());
    loop {
        let failure = match timeout(PATIENCE, events.next()).await {
            Ok(Some(SpeechEvent::Audio(_))) => {
                let took = began.elapsed();
                tell(line(Level::Good, about, format!("the first audio comes after {} ms", ms(took))));
                return Some(took);
            }
            Ok(Some(SpeechEvent::Words(_))) => continue,
            Ok(Some(SpeechEvent::FellBack(fell_back))) => {
                format!("{}; {} speaks in its place", fell_back.why, fell_back.to)
            }
            Ok(Some(SpeechEvent::Failed(why))) => why.to_string(),
            Ok(Some(SpeechEvent::Finished) | None) => "gave no audio".to_owned(),
            Err(_) => format!("gave no audio within {} s", PATIENCE.as_secs()),
        };
        tell(line(Level::Failure, about, failure));
        return None;
    }
}

/// How long a turn takes, from the user's last sample to the first of the agent's, with the default model and voice.
fn budget(
    backends: &Backends,
    first_tokens: &BTreeMap<String, Duration>,
    words: Option<Duration>,
    first_audio: Option<Duration>,
    tell: &mut dyn FnMut(Line),
) {
    let Some(model) = backends.models.get(&backends.default_model) else { return };
    let first_token = first_tokens.get(&*backends.default_model).copied();
    let reads = !model.capabilities().audio;
    let mut parts = vec![("end of turn (turnEndpointDelay)", Some(ENDPOINT))];
    if reads {
        parts.push(("transcript", words));
    }
    parts.push(("first token", first_token));
    parts.push(("first audio", first_audio));
    let known: Duration = parts.iter().filter_map(|(_, time)| *time).sum();
    let told: Vec<String> = parts
        .iter()
        .map(|(name, time)| match time {
            Some(time) => format!("{name} {} ms", ms(*time)),
            None => format!("{name} unknown"),
        })
        .collect();
    let whole = parts.iter().all(|(_, time)| time.is_some());
    let text = format!(
        "{} + 20 ms of framing = {}{} ms",
        told.join(" + "),
        if whole { "" } else { "at least " },
        ms(known) + 20
    );
    let level = if known > LONG_TURN { Level::Warning } else { Level::Good };
    tell(line(level, format!("a turn with {} and {}", backends.default_model, backends.default_voice), text));
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
