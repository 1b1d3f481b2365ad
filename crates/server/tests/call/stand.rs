//! A server of a test's own with scripted backends, and a plain HTTP client for it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use antiphon_backends::language_model::LanguageModel;
use antiphon_backends::language_model::scripted::Scripted;
use antiphon_backends::registry::Backends;
use antiphon_backends::speech_to_text::SpeechToText;
use antiphon_backends::speech_to_text::scripted::Prepared;
use antiphon_backends::text_to_speech::TextToSpeech;
use antiphon_backends::text_to_speech::scripted::Humming;
use antiphon_backends::voice_activity::earshot::Earshot;
use antiphon_engine::input::Transcription;
use antiphon_server::app::{App, Running};
use antiphon_server::config::{Config, ConfiguredKey, Secret};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::caller::Caller;
use crate::journals;

const KEY: &str = "abcd1234.0123456789abcdef0123456789abcdef";

/// A script that answers a few words.
pub(crate) const SCRIPT: &str = r#"
pace: 0
greeting:
  say: Hello, who is there?
rules:
  - when: [story]
    say: Once upon a time there was a baker. He had a very old oven. Every morning he lit it before the sun was up.
  - when: [order]
    say: One moment.
    call:
      tool: lookup
      arguments: { request: "{user}" }
  - after_tool: lookup
    say: "Found: {tool_result}."
  - when: [bye]
    say: Goodbye then.
    hang_up: true
default:
  say: Pardon?
"#;

pub(crate) struct Stand {
    running: Option<Running>,
    address: SocketAddr,
    pub(crate) directory: PathBuf,
    client: reqwest::Client,
}

impl Stand {
    /// A server whose transcriber knows these words, in this order.
    pub(crate) async fn hearing(words: &[&str]) -> Self {
        Self::start(
            backends(words),
            std::env::temp_dir().join(format!("antiphon-call-{}", uuid::Uuid::new_v4())),
        )
        .await
    }

    pub(crate) async fn start(backends: Backends, directory: PathBuf) -> Self {
        Self::start_with(backends, directory, |_| {}).await
    }

    /// A server with some settings of its own.
    pub(crate) async fn start_with(
        backends: Backends,
        directory: PathBuf,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = config(&directory);
        change(&mut config);
        Self::of(config, backends, directory).await
    }

    /// A server that is configured so.
    pub(crate) async fn of(config: Config, backends: Backends, directory: PathBuf) -> Self {
        let running = App::start_with(config, backends).await.unwrap();
        Self { address: running.local_addr(), running: Some(running), directory, client: client() }
    }

    /// Has the server take up another configuration; says what was new in it.
    pub(crate) async fn reload(&mut self, config: Config) -> Vec<String> {
        self.running.as_mut().unwrap().reload(config).await.unwrap().taken_up
    }

    /// Stops the server; what it has stored stays. Every journal that it leaves is replayed.
    pub(crate) async fn stop(mut self) -> PathBuf {
        self.begin_to_stop().await.unwrap();
        let files = std::fs::read_dir(self.directory.join("journals"));
        for file in files.into_iter().flatten() {
            journals::assert_replays(&antiphon_server::call::journal::read(&file.unwrap().path()).unwrap());
        }
        self.directory
    }

    /// Tells the server to stop. It goes on serving until it has.
    pub(crate) fn begin_to_stop(&mut self) -> JoinHandle<()> {
        tokio::spawn(self.running.take().unwrap().stop())
    }

    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let url = format!("http://{}{path}", self.address);
        let mut request = self.client.request(method, url).header("X-API-Key", KEY);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// What is no JSON: status, headers and bytes. `range` is the header of that name.
    pub(crate) async fn fetch(&self, path: &str, range: Option<&str>) -> (StatusCode, HeaderMap, Vec<u8>) {
        let url = format!("http://{}{path}", self.address);
        let mut request = self.client.get(url).header("X-API-Key", KEY);
        if let Some(range) = range {
            request = request.header("Range", range);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        (status, headers, response.bytes().await.unwrap().to_vec())
    }

    /// What a request to create something is answered: status, headers and body.
    pub(crate) async fn refusal(&self, path: &str) -> (StatusCode, HeaderMap, Value) {
        let request = self.client.post(format!("http://{}{path}", self.address)).header("X-API-Key", KEY);
        let response = request.json(&json!({})).send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        (status, headers, response.json().await.unwrap())
    }

    /// Sends a file to the URL of an upload; gives the status.
    pub(crate) async fn put_file(&self, url: &str, mime_type: &str, content: &str) -> StatusCode {
        let request = self.client.put(url).header("Content-Type", mime_type).body(content.to_owned());
        request.send().await.unwrap().status()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.request(Method::GET, path, None).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.request(Method::POST, path, Some(body)).await
    }

    /// A new call on a 16 kHz WebSocket, with `fields` in its request.
    pub(crate) async fn create(&self, fields: Value) -> Value {
        let mut body = json!({"medium": {"serverWebSocket": {"inputSampleRate": 16000}}});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let (status, call) = self.post("/api/calls", body).await;
        assert_eq!(status, 201, "{call}");
        call
    }

    /// A call that a client has joined.
    pub(crate) async fn call(&self, fields: Value) -> (Value, Caller) {
        let call = self.create(fields).await;
        let caller = Caller::join(call["joinUrl"].as_str().unwrap()).await;
        (call, caller)
    }

    /// A call's record, once it has ended.
    pub(crate) async fn ended(&self, call: &Value) -> Value {
        let path = format!("/api/calls/{}", call["callId"].as_str().unwrap());
        loop {
            let call = self.get(&path).await;
            if !call["ended"].is_null() {
                journals::assert_replays(&journals::completed(&self.journal(&call)).await);
                return call;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Where a call's journal is.
    pub(crate) fn journal(&self, call: &Value) -> PathBuf {
        self.directory.join("journals").join(format!("{}.journal", call["callId"].as_str().unwrap()))
    }

    /// What was said in a call, as `role: text`.
    pub(crate) async fn messages(&self, call: &Value) -> Vec<String> {
        let path = format!("/api/calls/{}/messages", call["callId"].as_str().unwrap());
        let page = self.get(&path).await;
        let line = |message: &Value| {
            let role = message["role"].as_str().unwrap().trim_start_matches("MESSAGE_ROLE_").to_lowercase();
            format!("{role}: {}", message["text"].as_str().unwrap())
        };
        page["results"].as_array().unwrap().iter().map(line).collect()
    }
}

/// The configuration of a server that keeps everything in this directory.
pub(crate) fn config(directory: &Path) -> Config {
    std::fs::create_dir_all(directory).unwrap();
    let mut config = Config::default();
    config.server.listen.set_port(0);
    // Most tests leave calls behind that nobody waits for.
    config.server.drain_deadline = Duration::ZERO;
    // Tests ask again and again until something has happened.
    config.limits.requests_per_second = 0;
    config.limits.requests_per_second_per_key = 0;
    config.storage.path = directory.join("antiphon.db");
    config.auth.api_keys = vec![ConfiguredKey {
        name: "test".to_owned(),
        account: None,
        key: Some(Secret::new(KEY)),
        key_file: None,
        sha256: None,
    }];
    config
}

/// Scripted backends and a real detector.
pub(crate) fn backends(words: &[&str]) -> Backends {
    let heard = words.iter().map(|words| Transcription::Words(Arc::from(*words)));
    let model: Arc<dyn LanguageModel> = Arc::new(Scripted::from_yaml(SCRIPT).unwrap());
    let voice: Arc<dyn TextToSpeech> = Arc::new(Humming { ms_per_character: 30, ..Humming::default() });
    let transcriber: Arc<dyn SpeechToText> = Arc::new(Prepared::in_order(heard));
    Backends {
        models: BTreeMap::from([(Arc::from("script"), model)]),
        subjects: Vec::new(),
        default_model: Arc::from("script"),
        voices: BTreeMap::from([(Arc::from("hum"), voice)]),
        default_voice: Arc::from("hum"),
        voice_definitions: BTreeMap::new(),
        voice_providers: Arc::default(),
        speech_to_text: Some(transcriber),
        voice_activity: Arc::new(Earshot),
        turn_detector: None,
    }
}

fn client() -> reqwest::Client {
    // The client insists on a TLS provider even for plain HTTP. The server may have chosen one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}
