//! What a call costs: the way of the user's audio through the driver, and the memory of calls that nobody speaks in.
//!
//! Prints, never asserts. Audio is sent as fast as a call takes it, and no further ahead of the clock than a call allows, so
//! the figures are time for the work alone: no sockets, no waiting. `cargo bench -p antiphon-server`.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints, and may panic")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use antiphon_api::json::from_request;
use antiphon_audio::{Resampler, SampleRate, write_pcm};
use antiphon_backends::language_model::LanguageModel;
use antiphon_backends::language_model::scripted::Scripted;
use antiphon_backends::registry::Backends;
use antiphon_backends::speech_to_text::scripted::Prepared;
use antiphon_backends::text_to_speech::flite::Flite;
use antiphon_backends::text_to_speech::scripted::Humming;
use antiphon_backends::text_to_speech::{Request, SpeechEvent, TextToSpeech};
use antiphon_backends::voice_activity::earshot::Earshot;
use antiphon_engine::input::{LegClosed, Transcription};
use antiphon_server::call::leg::{CarrierEnd, FromClient};
use antiphon_server::call::{Calls, CreateOptions, Join};
use antiphon_server::config;
use antiphon_server::storage::{AccountId, Storage};
use bytes::Bytes;
use futures::StreamExt as _;
use serde_json::json;
use uuid::Uuid;

const FRAME: Duration = Duration::from_millis(20);
/// Frames of one measurement: nine seconds, since a call drops audio that is ten seconds ahead of the clock.
const FRAMES: usize = 450;
/// Measurements, of which the fastest counts.
const RUNS: usize = 20;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let calls = Calls::new(
        config::Calls { maximum_live: 10_000, ..config::Calls::default() },
        Arc::new(backends()),
        Storage::in_memory(),
    );
    let speech = spoken().await;
    println!("the user's audio through the driver, per 20 ms frame (fastest of {RUNS} runs of {FRAMES})");
    println!("{:>8}  {:>10}  {:>10}", "rate", "silence", "speech");
    for hz in [8_000, 16_000, 24_000, 48_000] {
        let rate = SampleRate::new(hz).unwrap();
        let silent = ingress(&calls, rate, &[0; 16_000]).await;
        let loud = ingress(&calls, rate, &speech).await;
        println!("{hz:>8}  {:>8.1} us  {:>8.1} us", micros(silent), micros(loud));
    }
    memory(&calls).await;
}

/// Streams `samples` (16 kHz, over and over) into new calls; the least time per frame.
async fn ingress(calls: &Calls, rate: SampleRate, samples: &[i16]) -> Duration {
    let frames = frames(rate, samples);
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        let leg = join(calls, rate.hz()).await;
        settle().await;
        let begun = Instant::now();
        for index in 0..FRAMES {
            leg.from_client.send(FromClient::Audio(frames[index % frames.len()].clone())).await.unwrap();
        }
        while leg.from_client.capacity() < leg.from_client.max_capacity() {
            tokio::task::yield_now().await;
        }
        best = best.min(begun.elapsed() / u32::try_from(FRAMES).unwrap());
        drop(leg.from_client);
        let _ = leg.closed.send(LegClosed::ByPeer);
        settle().await;
    }
    best
}

/// Resident memory of calls that wait for a client, and of calls that have one.
async fn memory(calls: &Calls) {
    const CALLS: usize = 1_000;
    let before = resident();
    let mut ids = Vec::new();
    for _ in 0..CALLS {
        ids.push(create(calls, 16_000).await);
    }
    settle().await;
    let created = resident();
    let mut legs = Vec::new();
    for id in ids {
        legs.push(calls.join(id, Join::default()).await.unwrap());
    }
    // Some audio each, so that every buffer that a quiet call needs is there.
    let silence = Bytes::from(vec![0; 640]);
    for _ in 0..100 {
        for leg in &legs {
            leg.from_client.send(FromClient::Audio(silence.clone())).await.unwrap();
        }
    }
    settle().await;
    let joined = resident();
    println!("\nresident memory of {CALLS} calls at 16 kHz, without their sockets");
    println!("{:>8}  {:>8.1} KiB a call", "created", kib(before, created, CALLS));
    println!("{:>8}  {:>8.1} KiB a call, after two seconds of silence", "joined", kib(before, joined, CALLS));
}

async fn join(calls: &Calls, hz: u32) -> CarrierEnd {
    let id = create(calls, hz).await;
    calls.join(id, Join::default()).await.unwrap()
}

async fn create(calls: &Calls, hz: u32) -> antiphon_api::CallId {
    let request = json!({
        "medium": {"serverWebSocket": {"inputSampleRate": hz}},
        "firstSpeakerSettings": {"user": {}},
        "joinTimeout": "3600s",
    });
    let request = from_request(request.to_string().as_bytes()).unwrap().value;
    calls.create(AccountId(Uuid::nil()), request, CreateOptions::default()).await.unwrap().id
}

/// Lets every task do what it has to do.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

fn frames(rate: SampleRate, samples: &[i16]) -> Vec<Bytes> {
    let mut resampler = Resampler::new(SampleRate::EAR, rate);
    let mut converted = Vec::new();
    resampler.process(samples, &mut converted);
    resampler.flush(&mut converted);
    let mut bytes = Vec::new();
    write_pcm(&converted, &mut bytes);
    let frame = usize::try_from(rate.samples_in(FRAME)).unwrap() * 2;
    bytes.chunks_exact(frame).map(Bytes::copy_from_slice).collect()
}

async fn spoken() -> Vec<i16> {
    let text =
        "Good morning. I would like to know when you open, and whether there is any bread left for tomorrow.";
    let mut events = Flite::new().speak(Request { text: Arc::from(text), language: None });
    let mut samples = Vec::new();
    while let Some(event) = events.next().await {
        if let SpeechEvent::Audio(audio) = event {
            samples.extend(audio);
        }
    }
    samples
}

fn backends() -> Backends {
    let model: Arc<dyn LanguageModel> = Arc::new(Scripted::demo());
    let voice: Arc<dyn TextToSpeech> = Arc::new(Humming::default());
    let nothing = (0..10_000).map(|_| Transcription::Words(Arc::from("")));
    Backends {
        models: BTreeMap::from([(Arc::from("script"), model)]),
        default_model: Arc::from("script"),
        voices: BTreeMap::from([(Arc::from("hum"), voice)]),
        default_voice: Arc::from("hum"),
        speech_to_text: Some(Arc::new(Prepared::in_order(nothing))),
        voice_activity: Arc::new(Earshot),
    }
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

fn kib(before: usize, after: usize, calls: usize) -> f64 {
    after.saturating_sub(before) as f64 / calls as f64 / 1024.0
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
