//! The server that is soaked: everything as usual, with backends that take no time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use antiphon_backends::language_model::LanguageModel;
use antiphon_backends::language_model::scripted::Scripted;
use antiphon_backends::registry::Backends;
use antiphon_backends::text_to_speech::TextToSpeech;
use antiphon_backends::text_to_speech::scripted::Humming;
use antiphon_backends::voice_activity::earshot::Earshot;
use antiphon_server::app::{App, Running};
use antiphon_server::config::{Config, ConfiguredKey, Secret};
use reqwest::{Method, StatusCode};
use serde_json::Value;

const KEY: &str = "abcd1234.0123456789abcdef0123456789abcdef";
/// How often a request is sent: on a machine that has other things to do, the database may be slow for a while.
const ATTEMPTS: usize = 10;
const SCRIPT: &str = r#"
pace: 0
rules:
  - when: [bye]
    say: Bye.
    hang_up: true
default:
  say: Pardon?
"#;

pub(crate) struct Server {
    running: Running,
    address: SocketAddr,
    metrics: SocketAddr,
    directory: PathBuf,
    client: reqwest::Client,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let directory = std::env::temp_dir().join(format!("antiphon-soak-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&directory).unwrap();
        let mut config = Config::default();
        config.server.listen.set_port(0);
        config.server.drain_deadline = Duration::ZERO;
        config.telemetry.metrics_listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        config.limits.requests_per_second = 0;
        config.limits.requests_per_second_per_key = 0;
        config.calls.maximum_lateness = Duration::ZERO;
        config.storage.path = directory.join("antiphon.db");
        config.auth.api_keys = vec![ConfiguredKey {
            name: "soak".to_owned(),
            account: None,
            key: Some(Secret::new(KEY)),
            key_file: None,
            sha256: None,
        }];
        let running = App::start_with(config, backends()).await.unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            address: running.local_addr(),
            metrics: running.metrics_addr().unwrap(),
            running,
            directory,
            client,
        }
    }

    /// The answer to a request, which has to be a success.
    pub(crate) async fn request(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        for _ in 0..ATTEMPTS {
            let request = self.client.request(method.clone(), format!("http://{}{path}", self.address));
            let request = request.header("X-API-Key", KEY);
            let request = match &body {
                Some(body) => request.json(body),
                None => request,
            };
            let response = request.send().await.unwrap();
            let status = response.status();
            let text = response.text().await.unwrap();
            if status == StatusCode::SERVICE_UNAVAILABLE {
                continue;
            }
            assert!(status.is_success(), "{path}: {status} {text}");
            return match status {
                StatusCode::NO_CONTENT => Value::Null,
                _ => serde_json::from_str(&text).unwrap(),
            };
        }
        panic!("{path}: the server is not available");
    }

    /// Calls that wait for a join or are in progress.
    pub(crate) async fn live_calls(&self) -> u64 {
        let url = format!("http://{}/metrics", self.metrics);
        let text = self.client.get(url).send().await.unwrap().text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("antiphon_calls_live "));
        line.and_then(|count| count.parse().ok()).expect("the figure is there")
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await;
        std::fs::remove_dir_all(self.directory).unwrap();
    }
}

fn backends() -> Backends {
    let model: Arc<dyn LanguageModel> = Arc::new(Scripted::from_yaml(SCRIPT).unwrap());
    let voice: Arc<dyn TextToSpeech> = Arc::new(Humming { ms_per_character: 20, ..Humming::default() });
    Backends {
        models: BTreeMap::from([(Arc::from("script"), model)]),
        subjects: Vec::new(),
        default_model: Arc::from("script"),
        voices: BTreeMap::from([(Arc::from("hum"), voice)]),
        default_voice: Arc::from("hum"),
        voice_definitions: BTreeMap::new(),
        voice_providers: Arc::default(),
        speech_to_text: None,
        voice_activity: Arc::new(Earshot),
        turn_detector: None,
    }
}
