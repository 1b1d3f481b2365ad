//! A whole call in virtual time, without a socket, with a journal or without: a minute in which the user's microphone runs and the
//! agent speaks.

use std::sync::Arc;
use std::time::Duration;

use antiphon_api::json::from_request;
use antiphon_backends::text_to_speech::TextToSpeech;
use antiphon_backends::text_to_speech::flite::Flite;
use antiphon_server::call::journal::Journals;
use antiphon_server::call::leg::{FromClient, ToClient};
use antiphon_server::call::live::Files;
use antiphon_server::call::{Calls, CreateOptions, Join};
use antiphon_server::config;
use antiphon_server::retrieval::Retrieval;
use antiphon_server::storage::{AccountId, Storage};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::stage::{SENTENCE, backends, sent_at, speech};

const FRAME: Duration = Duration::from_millis(20);
/// What the client sends and gets, in samples per second.
const RATE: u32 = 24_000;

/// What speaks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Voice {
    /// Nothing: a tape that costs next to nothing, so that the journal's share is the worst there is.
    Tape,
    /// The built-in voice.
    BuiltIn,
}

/// What the process computes for the call.
pub(crate) fn minute(voice: Voice, journals: Option<&Journals>) -> Duration {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (sound, frame) = (sent_at(RATE, &speech()), RATE as usize / 50 * 2);
    let mut backends = backends();
    if let Voice::BuiltIn = voice {
        let flite: Arc<dyn TextToSpeech> = Arc::new(Flite::new());
        backends.voices.values_mut().for_each(|voice| *voice = Arc::clone(&flite));
    }
    let began = cpu();
    runtime.block_on(async {
        let files = Files { journals: journals.cloned(), ..Files::default() };
        let (settings, turns) = (config::Calls::default(), config::TurnTaking::default());
        let outbound = antiphon_server::outbound::Outbound::new(&Default::default());
        let storage = Storage::in_memory();
        let retrieval = Retrieval::new(storage.clone(), None);
        let calls = Calls::with_files(settings, turns, files, outbound, Arc::new(backends), storage, retrieval);
        let request = json!({
            "firstSpeakerSettings": {"agent": {"uninterruptible": true, "text": SENTENCE.repeat(60_000 / 60 / SENTENCE.len())}},
            "medium": {"serverWebSocket": {"inputSampleRate": RATE}},
        });
        let request = from_request(request.to_string().as_bytes()).unwrap().value;
        let call = calls.create(AccountId(Uuid::nil()), request, CreateOptions::default()).await.unwrap().id;
        let mut end = calls.join(call, Join::default()).await.unwrap();
        let pieces = (0..sound.len() / frame).cycle();
        let sender = end.from_client;
        let speaking = tokio::spawn(async move {
            for nth in pieces {
                let piece = sound.slice(nth * frame..(nth + 1) * frame);
                if sender.send(FromClient::Audio(piece)).await.is_err() {
                    return;
                }
                tokio::time::sleep(FRAME).await;
            }
        });
        while let Some(next) = end.to_client.next().await {
            if let ToClient::Message(message) = next {
                let message = serde_json::from_str::<Value>(&message.to_text()).unwrap();
                if message["role"] == "agent" && message["final"] == true {
                    break;
                }
            }
        }
        speaking.abort();
        calls.shut_down(Duration::from_secs(5)).await;
    });
    drop(runtime);
    cpu() - began
}

/// How long this process has been computing, the threads that write files included.
fn cpu() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}
