//! A server on a real socket, with a database and journals of its own in a temporary folder.

#![allow(dead_code, reason = "each benchmark that uses it needs another part of it")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Once;

use antiphon_backends::registry::Backends;
use antiphon_server::app::{App, Running};
use antiphon_server::config::{Config, ConfiguredKey, Secret};
use serde_json::Value;
use uuid::Uuid;

const KEY: &str = "abcd1234.0123456789abcdef0123456789abcdef";

/// A server of a measurement's own.
pub(crate) struct Server {
    running: Running,
    directory: PathBuf,
    client: reqwest::Client,
}

impl Server {
    pub(crate) async fn start(backends: Backends) -> Self {
        let directory = std::env::temp_dir().join(format!("antiphon-bench-{}", Uuid::new_v4()));
        std::fs::create_dir_all(&directory).unwrap();
        let mut config = Config::default();
        config.server.listen.set_port(0);
        // What is measured are calls, and many are created at once.
        config.limits.requests_per_second = 0;
        config.limits.requests_per_second_per_key = 0;
        config.storage.path = directory.join("antiphon.db");
        config.auth.api_keys = vec![ConfiguredKey {
            name: "bench".to_owned(),
            account: None,
            key: Some(Secret::new(KEY)),
            key_file: None,
            sha256: None,
        }];
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { running: App::start_with(config, backends).await.unwrap(), directory, client }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.running.local_addr()
    }

    /// Creates a call and gives its id and join URL.
    pub(crate) async fn create(&self, request: &Value) -> (String, String) {
        let url = format!("http://{}/api/calls", self.address());
        let response = self.client.post(url).header("X-API-Key", KEY).json(request).send().await.unwrap();
        let call: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        let text = |field: &str| call[field].as_str().unwrap().to_owned();
        (text("callId"), text("joinUrl"))
    }

    /// Where a call's journal is.
    pub(crate) fn journal(&self, call: &str) -> PathBuf {
        self.directory.join("journals").join(format!("{call}.journal"))
    }

    /// Stops, and says what is left of it: the folder, for whoever has removed it then.
    pub(crate) async fn halt(self) -> PathBuf {
        self.running.stop().await;
        self.directory
    }

    pub(crate) async fn stop(self) {
        let _ = std::fs::remove_dir_all(self.halt().await);
    }
}
