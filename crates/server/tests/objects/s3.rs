//! A whole server whose recordings and journals go to what speaks S3.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::SystemTime;

use antiphon_api::{CallId, Timestamp};
use antiphon_audio::{Channels, SampleRate, WavWriter};
use antiphon_backends::registry::config::TranscriptionConfig;
use antiphon_engine::output::EndReason;
use antiphon_server::app::{App, Running};
use antiphon_server::config::{self, Config, ConfiguredKey, Secret};
use antiphon_server::objects::{Kind, Objects, StoreError};
use antiphon_server::storage::{AccountId, Storage, StoredCall};
use antiphon_server::telemetry::metrics::Metrics;
use futures::TryStreamExt as _;
use reqwest::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use crate::bucket::{Bucket, KEY_ID, REGION, SECRET};
use crate::stand::at;

const KEY: &str = "abcd1234.0123456789abcdef0123456789abcdef";

fn settings(address: SocketAddr, bucket: &str) -> config::Objects {
    config::Objects {
        url: Some(format!("s3://{bucket}/a/b")),
        endpoint: Some(format!("http://{address}")),
        region: Some(REGION.to_owned()),
        access_key_id: Some(KEY_ID.to_owned()),
        secret_access_key: Some(Secret::new(SECRET)),
        ..config::Objects::default()
    }
}

/// A server, and what it left in its directory before.
struct Node {
    directory: PathBuf,
    running: Running,
    client: reqwest::Client,
}

impl Node {
    async fn start(directory: PathBuf, objects: config::Objects) -> Self {
        let mut config = Config { objects, transcription: TranscriptionConfig::None, ..Config::default() };
        config.server.listen.set_port(0);
        config.storage.path = directory.join("antiphon.db");
        config.limits.requests_per_second = 0;
        config.limits.requests_per_second_per_key = 0;
        config.auth.api_keys = vec![ConfiguredKey {
            name: "test".to_owned(),
            account: None,
            key: Some(Secret::new(KEY)),
            key_file: None,
            sha256: None,
        }];
        let running = App::start(config).await.unwrap();
        Self { directory, running, client: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    async fn ask(&self, method: Method, path: &str, range: Option<&str>) -> reqwest::Response {
        let url = format!("http://{}/api/calls/{path}", self.running.local_addr());
        let request = self.client.request(method, url).header("X-API-Key", KEY);
        let request = range.into_iter().fold(request, |request, range| request.header("Range", range));
        request.send().await.unwrap()
    }
}

/// A directory in which a call was recorded that has ended, and its recording.
async fn left_behind(seconds: u32) -> (PathBuf, CallId, Vec<u8>) {
    let directory = std::env::temp_dir().join(format!("antiphon-s3-{}", Uuid::new_v4()));
    std::fs::create_dir_all(directory.join("recordings")).unwrap();
    std::fs::create_dir_all(directory.join("journals")).unwrap();
    let storage = Storage::open_sqlite(&directory.join("antiphon.db")).await.unwrap();
    let account = storage.accounts.default_account(AccountId(Uuid::new_v4()), at(0)).await.unwrap();
    let call = StoredCall {
        id: CallId::new(Uuid::new_v4()),
        account,
        created: at(0),
        joined: Some(at(0)),
        ended: None,
        client_version: None,
        greeting_prompt: false,
        agent: None,
        summary: None,
        request: serde_json::from_value(json!({"recordingEnabled": true})).unwrap(),
    };
    storage.calls.insert(&call).await.unwrap();
    storage.calls.mark_ended(call.id, at(1), EndReason::HangUp).await.unwrap();
    storage.close().await;
    let recording = directory.join(format!("recordings/{}.wav", call.id));
    let mut wav =
        WavWriter::new(File::create(&recording).unwrap(), SampleRate::EAR, Channels::Stereo).unwrap();
    for second in 0..seconds {
        let samples: Vec<i16> = (0..32_000).map(|sample| (sample * second) as i16).collect();
        wav.write(&samples).unwrap();
    }
    wav.finish().unwrap();
    std::fs::write(directory.join(format!("journals/{}.journal", call.id)), "what happened").unwrap();
    (directory, call.id, std::fs::read(recording).unwrap())
}

#[tokio::test]
async fn a_recording_goes_to_a_bucket_in_parts_is_read_from_there_by_any_node_and_deleted_there() {
    let (bucket, address) = Bucket::open("box").await;
    // Three minutes are 11.5 MB: two parts.
    let (directory, call, recording) = left_behind(180).await;
    let node = Node::start(directory, settings(address, "box")).await;
    let names = [format!("a/b/journals/{call}.journal"), format!("a/b/recordings/{call}.wav")];
    while bucket.names() != names {
        tokio::task::yield_now().await;
    }
    assert_eq!((bucket.asked("part"), bucket.asked("put"), bucket.uploads()), (2, 1, 0));
    let here = node.directory.join(format!("recordings/{call}.wav"));
    while here.exists() {
        tokio::task::yield_now().await;
    }

    let path = format!("{call}/recording");
    let whole = node.ask(Method::GET, &path, None).await;
    assert_eq!(whole.status(), StatusCode::OK);
    assert_eq!(whole.headers()["content-length"], recording.len().to_string().as_str());
    assert!(whole.bytes().await.unwrap() == recording);
    let part = node.ask(Method::GET, &path, Some("bytes=1000000-1000099")).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert!(part.bytes().await.unwrap() == recording[1_000_000..1_000_100]);

    bucket.is_down(true);
    for method in [Method::GET, Method::DELETE] {
        let path = if method == Method::GET { path.clone() } else { call.to_string() };
        let answer = node.ask(method, &path, None).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()["retry-after"], "5");
        assert!(answer.text().await.unwrap().contains("try again"));
    }
    bucket.is_down(false);
    assert_eq!(node.ask(Method::GET, &call.to_string(), None).await.status(), StatusCode::OK);

    assert_eq!(node.ask(Method::DELETE, &call.to_string(), None).await.status(), StatusCode::NO_CONTENT);
    assert!(bucket.names().is_empty());
    assert_eq!(node.ask(Method::GET, &path, None).await.status(), StatusCode::NOT_FOUND);
    node.running.stop().await;
    std::fs::remove_dir_all(node.directory).unwrap();
}

#[tokio::test]
async fn a_server_that_stops_hands_over_what_is_left_first() {
    let (bucket, address) = Bucket::open("box").await;
    bucket.is_down(true);
    let (directory, call, recording) = left_behind(1).await;
    let node = Node::start(directory, settings(address, "box")).await;
    // Until then it is read from here.
    let answer = node.ask(Method::GET, &format!("{call}/recording"), None).await;
    assert!(answer.bytes().await.unwrap() == recording);
    bucket.is_down(false);
    node.running.stop().await;
    assert_eq!(bucket.names().len(), 2);
    std::fs::remove_dir_all(node.directory).unwrap();
}

#[tokio::test]
async fn lists_are_read_to_their_last_page() {
    let (bucket, address) = Bucket::open("box").await;
    let objects = Objects::open(&settings(address, "box"), Metrics::default()).unwrap().unwrap();
    let calls: Vec<CallId> = (1..=5).map(|id| CallId::new(Uuid::from_u128(id))).collect();
    for (call, bytes) in calls.iter().zip(1..) {
        let name = antiphon_server::objects::Name::recording(*call);
        objects.put(name, vec![0; bytes].into()).await.unwrap();
    }
    let listed: Vec<_> = objects.list(Kind::Recording).try_collect().await.unwrap();
    let found: Vec<_> = listed.iter().map(|listed| (CallId::new(listed.name.id), listed.bytes)).collect();
    assert_eq!(found, calls.iter().copied().zip(1..).collect::<Vec<_>>());
    let written: SystemTime = "2026-01-02T03:04:05Z".parse::<Timestamp>().map(from).unwrap();
    assert!(listed.iter().all(|listed| listed.written == written));
    assert_eq!(bucket.asked("list"), 3);
}

fn from(timestamp: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + std::time::Duration::from_micros(timestamp.unix_micros() as u64)
}

#[tokio::test]
async fn what_is_tried_out_says_what_is_wrong_and_no_secret() {
    let (bucket, address) = Bucket::open("box").await;
    let open = |settings: &config::Objects| Objects::open(settings, Metrics::default()).unwrap().unwrap();
    let right = settings(address, "box");
    open(&right).try_out().await.unwrap();
    assert!(bucket.names().is_empty(), "nothing stays");

    let stranger = config::Objects { access_key_id: Some("AKIDOTHER".to_owned()), ..right.clone() };
    let (operation, refused) = open(&stranger).try_out().await.unwrap_err();
    assert!(operation == "put" && matches!(refused, StoreError::Refused { .. }), "{refused}");
    assert!(refused.to_string().contains("InvalidAccessKeyId"), "{refused}");

    let (_, missing) = open(&settings(address, "other")).try_out().await.unwrap_err();
    assert!(matches!(missing, StoreError::NoBucket { .. }), "{missing}");

    let nobody = deserted().await;
    let (_, away) = open(&settings(nobody, "box")).try_out().await.unwrap_err();
    assert!(matches!(away, StoreError::Away { .. }) && away.to_string().contains("refused"), "{away}");
    for error in [refused, missing, away] {
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
    }
}

/// An address at which nobody listens any more.
async fn deserted() -> SocketAddr {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}
