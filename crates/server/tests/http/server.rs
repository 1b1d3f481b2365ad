//! A server of a test's own on a free port, and a plain HTTP client for it.

use std::path::PathBuf;
use std::sync::Once;
use std::time::Duration;

use antiphon_api::{CallId, Timestamp};
use antiphon_backends::registry::config::TranscriptionConfig;
use antiphon_server::app::{App, Running, open_storage};
use antiphon_server::config::{self, Config, ConfiguredKey, Secret};
use antiphon_server::storage::{AccountId, Storage, StoredCall};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use uuid::Uuid;

use crate::document;
use crate::postgres::Database;

pub(crate) const KEY: &str = "abcd1234.0123456789abcdef0123456789abcdef";

pub(crate) struct Server {
    pub(crate) running: Running,
    pub(crate) directory: Directory,
    storage: config::Storage,
    client: reqwest::Client,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_in(Directory::new(), change).await
    }

    /// A server with what another one has left in `directory`.
    pub(crate) async fn start_in(directory: Directory, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = directory.config();
        // What all of these tests say of SQLite can be said of Postgres as well.
        if std::env::var("ANTIPHON_TEST_STORAGE").is_ok_and(|storage| storage == "postgres") {
            directory.use_postgres(&mut config).await;
        }
        Self::start_as(directory, config, change).await
    }

    /// A server whose database is a Postgres database.
    pub(crate) async fn start_on_postgres(change: impl FnOnce(&mut Config)) -> Self {
        let directory = Directory::new();
        let mut config = directory.config();
        directory.use_postgres(&mut config).await;
        Self::start_as(directory, config, change).await
    }

    async fn start_as(directory: Directory, mut config: Config, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut config);
        let storage = config.storage.clone();
        let running = App::start(config).await.unwrap();
        Self { running, directory, storage, client: client() }
    }

    /// A request without a key.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.running.local_addr()))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path).header("X-API-Key", KEY)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        answer(self.request(Method::DELETE, path).header("X-API-Key", KEY)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        answer(self.request(Method::PUT, path).header("X-API-Key", KEY).json(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        answer(self.request(Method::PATCH, path).header("X-API-Key", KEY).json(&body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<String>) -> Answer {
        let request = self.request(Method::POST, path).header("X-API-Key", KEY);
        answer(request.header("Content-Type", "application/json").body(body.into())).await
    }

    /// A new call, as the server answers it.
    pub(crate) async fn create(&self, body: Value) -> Value {
        let created = self.post("/api/calls", body.to_string()).await;
        assert_eq!(created.status, 201, "{}", created.text);
        created.json()
    }

    /// The server's database, opened beside it.
    pub(crate) async fn storage(&self) -> (Storage, AccountId) {
        let storage = open_storage(&self.storage).await.unwrap();
        let now = jiff::Timestamp::now().into();
        let account = storage.accounts.default_account(AccountId(Uuid::new_v4()), now).await.unwrap();
        (storage, account)
    }

    /// A call that the database holds and the server does not run.
    pub(crate) async fn keep(&self, request: Value) -> CallId {
        let (storage, account) = self.storage().await;
        let call = StoredCall {
            id: CallId::new(Uuid::new_v4()),
            account,
            created: Timestamp::from_unix_micros(0).unwrap(),
            joined: None,
            ended: None,
            client_version: None,
            greeting_prompt: true,
            agent: None,
            summary: None,
            request: serde_json::from_value(request).unwrap(),
        };
        storage.calls.insert(&call).await.unwrap();
        storage.close().await;
        call.id
    }

    pub(crate) async fn stop(self) -> Directory {
        self.running.stop().await;
        self.directory
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/json", "{}", self.text);
        serde_json::from_str(&self.text).unwrap()
    }

    /// The `detail` of an error with this status.
    pub(crate) fn detail(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()["detail"].as_str().unwrap().to_owned()
    }
}

/// The answer, which is held to what the API's document says of it.
pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let (client, request) = request.build_split();
    let request = request.unwrap();
    let (method, path) = (request.method().clone(), request.url().path().to_owned());
    let response: Response = client.execute(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let answer = Answer { status, headers, text: response.text().await.unwrap() };
    document::hold(&method, &path, &answer);
    answer
}

fn client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    // The client insists on a TLS provider even for plain HTTP.
    PROVIDER.call_once(|| {
        // A backend may have set it up before, which is as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// A directory of a test's own, removed after it.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("antiphon-http-{}", Uuid::new_v4()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Has a configuration use a Postgres database, always the same in one directory, instead of a file.
    async fn use_postgres(&self, config: &mut Config) {
        let known = self.0.join("postgres");
        if !known.exists() {
            let database = Database::with_tables().await;
            std::fs::write(&known, database.url()).unwrap();
            // It goes with the throwaway server: another server may be started here.
            std::mem::forget(database);
        }
        config.storage = config::Storage {
            url: Some(Secret::new(std::fs::read_to_string(known).unwrap())),
            directory: Some(self.0.clone()),
            ..config::Storage::default()
        };
    }

    /// Any free port, a database here, and one key.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::default();
        config.server.listen.set_port(0);
        // Most tests leave calls behind that nobody waits for.
        config.server.drain_deadline = Duration::ZERO;
        // Tests ask again and again until something has happened.
        config.limits.requests_per_second = 0;
        config.limits.requests_per_second_per_key = 0;
        config.storage.path = self.0.join("antiphon.db");
        config.transcription = TranscriptionConfig::None;
        config.auth.api_keys = vec![ConfiguredKey {
            name: "test".to_owned(),
            account: None,
            key: Some(Secret::new(KEY)),
            key_file: None,
            sha256: None,
        }];
        config
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
