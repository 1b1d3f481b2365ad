//! The cost of frames and of idle calls, in virtual time, without a socket.

use std::sync::Arc;
use std::time::Duration;

use antiphon_api::CallId;
use antiphon_api::json::from_request;
use antiphon_server::call::leg::{CarrierEnd, FromClient, ToClient};
use antiphon_server::call::{Calls, CreateOptions, Join};
use antiphon_server::config;
use antiphon_server::storage::{AccountId, Storage};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::stage::{self, SENTENCE, resident_bytes, sent_at, thread_cpu};

const FRAME: Duration = Duration::from_millis(20);
/// Frames of one run, and runs of which the fastest counts.
const FRAMES: usize = 3_000;
const RUNS: usize = 5;

/// What frames cost.
pub(crate) struct Cost {
    cpu: Duration,
    allocations: u64,
    frames: f64,
}

impl Cost {
    pub(crate) fn print(&self, name: &str) {
        let micros = self.cpu.as_secs_f64() * 1e6 / self.frames;
        let allocations = self.allocations as f64 / self.frames;
        let calls = 20_000.0 / micros;
        println!("  {name:<32} {micros:>7.2} us {allocations:>13.2} {calls:>16.0}");
    }

    /// The run that took the least time.
    fn least(runs: impl IntoIterator<Item = Self>) -> Self {
        runs.into_iter().min_by_key(|cost| cost.cpu).unwrap()
    }
}

/// Measures what `run` makes of so many frames on this thread.
fn measure(runtime: &Runtime, run: impl Future<Output = f64>) -> Cost {
    let mut frames = 0.0;
    let began = thread_cpu();
    let counted = allocation_counter::measure(|| frames = runtime.block_on(run));
    Cost { cpu: thread_cpu() - began, allocations: counted.count_total, frames }
}

/// The user's audio on its way from the leg to the ear, in a turn that does not end.
pub(crate) fn ingress(rate: u32, sound: &[i16]) -> Cost {
    let runtime = virtual_time();
    let sound = sent_at(rate, sound);
    let frame = rate as usize / 50 * 2;
    let end = runtime.block_on(async {
        let request = json!({
            "firstSpeakerSettings": {"user": {}}, "vadSettings": {"turnEndpointDelay": "60s"},
            "medium": {"serverWebSocket": {"inputSampleRate": rate}},
        });
        joined(&calls(), request).await
    });
    let pieces = sound.len() / frame;
    let mut next = 0;
    let mut run = || {
        let first = next;
        next += FRAMES;
        measure(&runtime, async {
            for nth in first..first + FRAMES {
                let from = nth % pieces * frame;
                end.from_client.send(FromClient::Audio(sound.slice(from..from + frame))).await.unwrap();
                tokio::time::sleep(FRAME).await;
            }
            FRAMES as f64
        })
    };
    // The first run warms up.
    run();
    Cost::least((0..RUNS).map(|_| run()))
}

/// What the bench itself costs: a frame every 20 ms through a queue to a task that drops it.
pub(crate) fn harness() -> Cost {
    let runtime = virtual_time();
    let (sender, mut receiver) = mpsc::channel::<()>(32);
    runtime.spawn(async move { while receiver.recv().await.is_some() {} });
    let run = || {
        measure(&runtime, async {
            for _ in 0..FRAMES {
                sender.send(()).await.unwrap();
                tokio::time::sleep(FRAME).await;
            }
            FRAMES as f64
        })
    };
    Cost::least((0..RUNS).map(|_| run()))
}

/// The agent's audio on its way from a voice of 24 kHz to the leg: a message of a minute with its sentences and words.
pub(crate) fn egress(rate: u32, client_buffer: Duration) -> Cost {
    let text = SENTENCE.repeat(60_000 / 60 / SENTENCE.len());
    let run = || {
        let runtime = virtual_time();
        let request = json!({
            "firstSpeakerSettings": {"agent": {"text": text}},
            "medium": {"serverWebSocket": {
                "inputSampleRate": 16_000, "outputSampleRate": rate, "clientBufferSizeMs": client_buffer.as_millis() as u64}},
        });
        let mut end = runtime.block_on(async { joined(&calls(), request).await });
        measure(&runtime, async move {
            let mut bytes = 0;
            loop {
                match end.to_client.next().await {
                    Some(ToClient::Audio(audio)) => bytes += audio.len(),
                    Some(ToClient::Message(message)) => {
                        let message = serde_json::from_str::<Value>(&message.to_text()).unwrap();
                        if message["final"] == true {
                            return bytes as f64 / f64::from(rate / 50 * 2);
                        }
                    }
                    Some(ToClient::Again(_) | ToClient::Close(_)) | None => panic!("the call ended"),
                }
            }
        })
    };
    Cost::least((0..RUNS).map(|_| run()))
}

/// Resident bytes of a call that waits for a client, and of one that has one.
pub(crate) fn memory(count: usize) -> (f64, f64) {
    let runtime = virtual_time();
    runtime.block_on(async {
        let calls = calls();
        let request = || json!({"firstSpeakerSettings": {"user": {}}, "medium": {"serverWebSocket": {"inputSampleRate": 16_000}}});
        // What is made once and then there is not a call's.
        for _ in 0..count / 10 {
            drop(joined(&calls, request()).await);
        }
        let mut ids = Vec::with_capacity(count);
        let mut ends = Vec::with_capacity(count);
        let before = resident_bytes();
        for _ in 0..count {
            ids.push(created(&calls, request()).await);
        }
        settle().await;
        let created = resident_bytes();
        for id in ids {
            ends.push(calls.join(id, Join::default()).await.unwrap());
        }
        settle().await;
        let joined = resident_bytes();
        ((created - before) / count as f64, (joined - before) / count as f64)
    })
}

fn virtual_time() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

fn calls() -> Calls {
    let settings = config::Calls { maximum_live: 100_000, ..config::Calls::default() };
    Calls::new(settings, config::TurnTaking::default(), Arc::new(stage::backends()), Storage::in_memory())
}

async fn created(calls: &Calls, request: Value) -> CallId {
    let request = from_request(request.to_string().as_bytes()).unwrap().value;
    calls.create(AccountId(Uuid::nil()), request, CreateOptions::default()).await.unwrap().id
}

async fn joined(calls: &Calls, request: Value) -> CarrierEnd {
    let id = created(calls, request).await;
    calls.join(id, Join::default()).await.unwrap()
}

async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
