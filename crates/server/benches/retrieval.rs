//! What looking something up in a corpus costs: the storage alone, and `queryCorpus` from the user's words to what the model is told, in
//! a call over a real socket.
//!
//! The time that goes by and, behind it, that of the processor, which depends less on what else the machine does.
//!
//! `cargo bench -p antiphon-server --bench retrieval -- [CHUNKS]`; 10,000 chunks unless said.

#![expect(clippy::print_stdout, reason = "it prints figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails fails")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use antiphon_api::rest::corpora::{CorpusDocumentMetadata, SourceSpec, UploadSpec};
use antiphon_api::{CorpusDocumentId, CorpusId, CorpusSourceId, Timestamp};
use antiphon_backends::language_model::{Capabilities, LanguageModel, Request, RunEvent};
use antiphon_backends::registry::Backends;
use antiphon_backends::text_to_speech::TextToSpeech;
use antiphon_backends::text_to_speech::scripted::Humming;
use antiphon_backends::voice_activity::earshot::Earshot;
use antiphon_engine::input::ModelToolCall;
use antiphon_engine::message::MessageBody;
use antiphon_server::app::App;
use antiphon_server::config::{Config, ConfiguredKey, Secret};
use antiphon_server::storage::{
    AccountId, Contents, CorpusStatistics, Passage, Storage, StoredCorpus, StoredDocument, StoredSource,
    Wanted,
};
use futures::SinkExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

const KEY: &str = "abcd1234.0123456789abcdef0123456789abcdef";
/// Passages of one document.
const A_DOCUMENT: usize = 50;
/// Words of a passage, and different words that there are.
const WORDS: usize = 230;
const VOCABULARY: u64 = 20_000;
const DIMENSIONS: usize = 1_536;
/// Queries of each kind.
const QUERIES: u64 = 200;

#[tokio::main]
async fn main() {
    let chunks = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(10_000);
    let directory = std::env::temp_dir().join(format!("antiphon-retrieval-{}", Uuid::new_v4()));
    std::fs::create_dir(&directory).unwrap();
    let path = directory.join("antiphon.db");
    let storage = Storage::open_sqlite(&path).await.unwrap();
    let account = storage.accounts.default_account(AccountId(Uuid::from_u128(1)), now()).await.unwrap();
    let began = Instant::now();
    fill(&storage, account, 1, chunks, false).await;
    println!("{chunks} chunks of {WORDS} words kept in {:.1} s", began.elapsed().as_secs_f64());
    let began = Instant::now();
    fill(&storage, account, 2, chunks, true).await;
    println!("and as many with vectors of {DIMENSIONS} dimensions in {:.1} s", began.elapsed().as_secs_f64());
    let bytes = std::fs::metadata(&path).unwrap().len();
    println!("the database has {} MB", bytes / 1_000_000);

    for (what, words) in [("8 words, half of them common", 8), ("24 words, half of them common", 24)] {
        measure(what, async |query| {
            let wanted = Wanted { words: query_words(query, words), meaning: None };
            storage.passages.search(corpus(1), &wanted, 5).await.unwrap().len()
        })
        .await;
    }
    measure("24 common words", async |query| {
        let words = (0..24).map(|at| format!("w{}", 1 + (query + at * 3) % 80)).collect();
        storage.passages.search(corpus(1), &Wanted { words, meaning: None }, 5).await.unwrap().len()
    })
    .await;
    measure("8 words and their meaning", async |query| {
        let meaning = Some(("small".to_owned(), vector(query)));
        let wanted = Wanted { words: query_words(query, 8), meaning };
        storage.passages.search(corpus(2), &wanted, 5).await.unwrap().len()
    })
    .await;
    storage.close().await;
    whole_calls(&directory).await;
    std::fs::remove_dir_all(&directory).unwrap();
}

/// Prints how long queries take, after some that warm up.
async fn measure(what: &str, mut ask: impl AsyncFnMut(u64) -> usize) {
    for query in 0..20 {
        ask(query).await;
    }
    let (mut times, mut processor) = (Vec::new(), Vec::new());
    for query in 0..QUERIES {
        let (began, before) = (Instant::now(), busy());
        assert!(ask(query).await > 0, "every query finds something");
        times.push(began.elapsed());
        processor.push(busy() - before);
    }
    print(what, times);
    print("  of the processor", processor);
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let ms = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1_000.0;
    println!("{what:<32} p50 {:>6.2} ms  p99 {:>6.2} ms  max {:>6.2} ms", ms(0.5), ms(0.99), ms(1.0));
}

/// The processor's time that this process has had.
fn busy() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

/// Numbers that look like chance and are the same in every run.
fn chance(seed: u64) -> u64 {
    let mut state = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 11
}

/// A word: few are common, as in any language.
fn word(seed: u64) -> String {
    let share = (chance(seed) % 1_000_000) as f64 / 1_000_000.0;
    let number = (VOCABULARY as f64).powf(share) as u64;
    format!("w{number}")
}

/// Words of a query, every other one of them common.
fn query_words(query: u64, count: u64) -> Vec<String> {
    let rare = |at: u64| format!("w{}", 200 + chance(query * 100 + at) % (VOCABULARY - 200));
    let common = |at: u64| format!("w{}", 1 + chance(query * 100 + at) % 50);
    (0..count).map(|at| if at % 2 == 0 { rare(at) } else { common(at) }).collect()
}

fn vector(seed: u64) -> Vec<f32> {
    (0..DIMENSIONS as u64).map(|at| (chance(seed * 10_000 + at) % 2_000) as f32 / 1_000.0 - 1.0).collect()
}

async fn fill(storage: &Storage, account: AccountId, number: u128, chunks: usize, meaning: bool) {
    let stored = StoredCorpus {
        id: corpus(number),
        account,
        name: String::new(),
        description: String::new(),
        created: now(),
        statistics: CorpusStatistics::default(),
    };
    assert!(storage.corpora.insert_corpus(&stored, 10).await.unwrap());
    let source = StoredSource {
        id: CorpusSourceId::new(Uuid::from_u128(number)),
        corpus: stored.id,
        name: String::new(),
        description: String::new(),
        created: now(),
        spec: SourceSpec::Upload(UploadSpec { document_ids: Vec::new() }),
        revision: 0,
        loading: true,
        updated: None,
        documents: 0,
    };
    assert!(storage.corpora.insert_source(&source, 10).await.unwrap());
    let mut keep = Vec::new();
    for first in (0..chunks).step_by(A_DOCUMENT) {
        let passages: Vec<Passage> = (first..chunks.min(first + A_DOCUMENT))
            .map(|chunk| {
                let words: Vec<String> = (0..WORDS).map(|at| word((chunk * WORDS + at) as u64)).collect();
                let vectors = if meaning { vec![vector(chunk as u64)] } else { Vec::new() };
                Passage { text: words.join(" "), words, vectors }
            })
            .collect();
        let document = StoredDocument {
            id: CorpusDocumentId::new(Uuid::from_u128(number * 1_000_000 + first as u128)),
            corpus: stored.id,
            source: source.id,
            created: now(),
            mime_type: "text/plain".to_owned(),
            size: 0,
            metadata: CorpusDocumentMetadata::default(),
        };
        let contents = Contents { passages: &passages, model: "small" };
        assert!(storage.passages.put_document(&document, 0, contents).await.unwrap());
        keep.push(document.id);
    }
    assert!(storage.passages.finish_source(source.id, 0, &keep, now()).await.unwrap());
}

fn corpus(number: u128) -> CorpusId {
    CorpusId::new(Uuid::from_u128(number))
}

fn now() -> Timestamp {
    jiff::Timestamp::now().into()
}

/// A model that looks up what the user writes, and notes when it asked and when it was told.
struct Curious(Arc<Mutex<Vec<Instant>>>);

impl LanguageModel for Curious {
    fn capabilities(&self) -> Capabilities {
        Capabilities::TEXT
    }

    fn warm_up(&self, _: Request) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    fn generate(&self, request: Request) -> BoxStream<'static, RunEvent> {
        let event = match request.prompt.messages.last().map(|message| &message.body) {
            Some(MessageBody::User { text, .. }) => RunEvent::ToolCall(ModelToolCall {
                name: "queryCorpus".into(),
                arguments: json!({ "query": **text }).to_string().into(),
                given_id: None,
            }),
            Some(MessageBody::ToolResult { text, .. }) => {
                assert!(text.contains("content"), "something is found: {text}");
                RunEvent::Text(Arc::from("Done."))
            }
            _ => RunEvent::Text(Arc::from("Hello.")),
        };
        self.0.lock().unwrap().push(Instant::now());
        stream::iter([event, RunEvent::Finished]).boxed()
    }
}

/// From the model's call of the tool to the model being asked with its result.
async fn whole_calls(directory: &std::path::Path) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let model: Arc<dyn LanguageModel> = Arc::new(Curious(Arc::clone(&asked)));
    let voice: Arc<dyn TextToSpeech> = Arc::new(Humming::default());
    let backends = Backends {
        models: BTreeMap::from([(Arc::from("curious"), model)]),
        default_model: Arc::from("curious"),
        voices: BTreeMap::from([(Arc::from("hum"), voice)]),
        default_voice: Arc::from("hum"),
        voice_definitions: BTreeMap::new(),
        voice_providers: Arc::default(),
        subjects: Vec::new(),
        speech_to_text: None,
        voice_activity: Arc::new(Earshot),
        turn_detector: None,
    };
    let mut config = Config::default();
    config.server.listen.set_port(0);
    config.storage.path = directory.join("antiphon.db");
    config.auth.api_keys = vec![ConfiguredKey {
        name: "bench".to_owned(),
        key: Some(Secret::new(KEY)),
        key_file: None,
        sha256: None,
        account: None,
    }];
    let running = App::start_with(config, backends).await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let tool = json!({"toolName": "queryCorpus", "parameterOverrides": {"corpus_id": corpus(1).to_string()}});
    let request = json!({
        "medium": {"serverWebSocket": {"inputSampleRate": 16_000}}, "initialOutputMedium": "MESSAGE_MEDIUM_TEXT",
        "firstSpeakerSettings": {"user": {}}, "selectedTools": [tool],
    });
    let url = format!("http://{}/api/calls", running.local_addr());
    let created: Value =
        client.post(url).header("X-API-Key", KEY).json(&request).send().await.unwrap().json().await.unwrap();
    let (mut socket, _) = connect_async(created["joinUrl"].as_str().unwrap()).await.unwrap();
    for query in 0..20 + QUERIES {
        let text = query_words(query, 8).join(" ");
        socket
            .send(Message::text(json!({"type": "user_text_message", "text": text}).to_string()))
            .await
            .unwrap();
        while let Some(Ok(message)) = socket.next().await {
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["type"] == "transcript" && message["role"] == "agent" && message["final"] == true {
                break;
            }
        }
    }
    let asked = asked.lock().unwrap().clone();
    let times = asked.chunks(2).skip(20).map(|pair| pair[1] - pair[0]).collect();
    print("queryCorpus in a call", times);
    socket.close(None).await.unwrap();
    running.stop().await;
}
