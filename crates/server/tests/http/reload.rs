//! A configuration that a running server takes up: what changes at once, what waits for a restart, and what is wrong and changes
//! nothing.

use antiphon_server::app::{Running, StartError};
use antiphon_server::config::{Config, ConfiguredAccount, ConfiguredKey, OwnLimits, Secret, Source};
use reqwest::Method;
use serde_json::json;

use crate::server::{Answer, KEY, Server, answer};

const NEW_KEY: &str = "efgh5678.0123456789abcdef0123456789abcdef";

fn key(name: &str, key: &str) -> ConfiguredKey {
    ConfiguredKey {
        name: name.to_owned(),
        account: None,
        key: Some(Secret::new(key)),
        key_file: None,
        sha256: None,
    }
}

async fn get_with(server: &Server, key: &str, path: &str) -> Answer {
    answer(server.request(Method::GET, path).header("X-API-Key", key)).await
}

/// A model that says nothing, and a voice that hums, as the file would say.
fn backends(text: &str) -> Config {
    Config::parse("antiphon.toml".as_ref(), text, []).unwrap().config
}

async fn take_up(running: &mut Running, config: Config) -> (Vec<String>, Vec<String>) {
    let difference = running.reload(config).await.unwrap();
    (difference.taken_up, difference.needs_restart)
}

#[tokio::test]
async fn keys_accounts_and_limits_are_taken_up() {
    let mut server = Server::start().await;
    let mut config = server.directory.config();
    config.server.listen = server.running.local_addr();
    assert_eq!(take_up(&mut server.running, config.clone()).await.0, Vec::<String>::new());
    assert_eq!(get_with(&server, NEW_KEY, "/api/calls").await.status, 401);

    config.auth.api_keys = vec![ConfiguredKey { account: Some("acme".into()), ..key("test", NEW_KEY) }];
    let limits = OwnLimits { concurrent_calls: Some(3), ..OwnLimits::default() };
    config.auth.accounts = vec![ConfiguredAccount { name: "acme".to_owned(), limits }];
    config.limits.concurrent_calls = 7;
    let (taken_up, _) = take_up(&mut server.running, config.clone()).await;
    assert_eq!(taken_up, ["auth.accounts", "auth.api_keys", "limits.concurrent_calls"]);
    assert_eq!(server.get("/api/calls").await.status, 401, "the old key opens nothing any more");
    let account = get_with(&server, NEW_KEY, "/api/accounts/me").await.json();
    assert_eq!(account["allowedConcurrentCalls"], 3);

    config.auth.api_keys.push(key("old", KEY));
    take_up(&mut server.running, config).await;
    assert_eq!(server.get("/api/accounts/me").await.json()["allowedConcurrentCalls"], 7);
    server.stop().await;
}

#[tokio::test]
async fn a_key_file_is_read_again_though_the_configuration_says_the_same() {
    let mut server = Server::start().await;
    let file = server.directory.0.join("key");
    let mut config = server.directory.config();
    config.auth.api_keys =
        vec![ConfiguredKey { key: None, key_file: Some(file.clone()), ..key("rotated", "") }];
    for key in [NEW_KEY, KEY] {
        std::fs::write(&file, format!("{key}\n")).unwrap();
        assert_eq!(take_up(&mut server.running, config.clone()).await.0, ["auth.api_keys"]);
        assert_eq!(get_with(&server, key, "/api/calls").await.status, 200);
    }
    assert_eq!(get_with(&server, NEW_KEY, "/api/calls").await.status, 401);
    server.stop().await;
}

#[tokio::test]
async fn models_and_voices_are_taken_up_and_what_is_gone_is_refused_by_name() {
    let mut server = Server::start().await;
    let wanted = json!({"model": "script", "voice": "hum"});
    assert!(server.post("/api/calls", wanted.to_string()).await.detail(400).starts_with("model"));
    let config = server.directory.config();
    let with_backends = |text: &str| {
        let Config { models, voices, .. } = backends(text);
        Config { models, voices, ..config.clone() }
    };
    let both = with_backends("[models.script]\ntype = \"scripted\"\n[voices.hum]\ntype = \"scripted\"\n");
    assert_eq!(take_up(&mut server.running, both).await.0, ["models.script", "voices.hum"]);
    server.create(wanted.clone()).await;
    let names = server.get("/api/models").await.json()["results"].to_string();
    assert!(names.contains("script"), "{names}");

    assert_eq!(take_up(&mut server.running, with_backends("")).await.0, ["models.script", "voices.hum"]);
    assert!(server.post("/api/calls", wanted.to_string()).await.detail(400).starts_with("model"));
    server.stop().await;
}

#[tokio::test]
async fn what_waits_for_a_restart_is_named_until_it_is_taken_back() {
    let mut server = Server::start().await;
    let config = server.directory.config();
    let mut other = config.clone();
    other.server.listen.set_port(1);
    other.storage.path.push("elsewhere.db");
    other.telemetry.otlp_headers.insert("authorization".into(), Secret::new("one"));
    let fields =
        ["server.listen", "storage.path", "telemetry.otlp_headers", "telemetry.otlp_headers.authorization"];
    for _ in 0..2 {
        let (taken_up, needs_restart) = take_up(&mut server.running, other.clone()).await;
        assert_eq!((taken_up, needs_restart), (vec![], fields.map(str::to_owned).to_vec()));
    }
    assert_eq!(server.get("/api/calls").await.status, 200);
    assert_eq!(take_up(&mut server.running, config).await, (vec![], vec![]));
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_made_changes_nothing_and_names_its_line() {
    let mut server = Server::start().await;
    let before = server.get("/api/models").await.text;
    let text = "[calls]\ndefault_model = \"script\"\n[models.script]\ntype = \"scripted\"\n[models.far]\n\
                type = \"openai\"\nbase_url = \"http://127.0.0.1:1/v1\"\nmodel = \"far\"\napi_key_file = \"/nowhere/key\"\n";
    let loaded = Config::parse("antiphon.toml".as_ref(), text, []).unwrap();
    let mut config = server.directory.config();
    config.models = loaded.config.models.clone();
    config.auth.api_keys = vec![key("test", NEW_KEY)];
    let error = server.running.reload(config.clone()).await.unwrap_err();
    let StartError::Backend(error) = error else { panic!("{error}") };
    assert_eq!(error.field, "models.far.api_key_file");
    let Source::File { line, .. } = loaded.source(&error.field) else { panic!("{error}") };
    assert_eq!(line, 9);
    assert_eq!(server.get("/api/models").await.text, before);

    config.models.remove("far");
    config.auth.api_keys[0].account = Some("nobody".to_owned());
    let error = server.running.reload(config).await.unwrap_err();
    assert!(error.to_string().contains("\"nobody\", which is not there"), "{error}");
    assert_eq!(server.get("/api/models").await.text, before);
    server.stop().await;
}
