//! The real server in a test's own process, with everything offline.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use antiphon_server::api_key::ApiKey;
use antiphon_server::app::{App, Running};
use antiphon_server::config::{Config, ConfiguredKey, Secret};

/// A server with a new database of this name; its URL, and a key for it.
pub(crate) async fn start(name: &str, change: impl FnOnce(&mut Config)) -> (Running, String, String) {
    let database = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.db"));
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", database.display()));
    }
    let key = ApiKey::generate().unwrap();
    let mut config = Config::default();
    config.server.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.storage.path = database;
    config.auth.api_keys = vec![ConfiguredKey {
        name: "test".into(),
        account: None,
        key: Some(Secret::new(key.expose())),
        key_file: None,
        sha256: None,
    }];
    change(&mut config);
    let running = App::start(config).await.unwrap();
    let url = format!("http://{}", running.local_addr());
    (running, url, key.expose().to_owned())
}
