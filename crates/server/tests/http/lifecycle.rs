//! Starting, stopping and starting again.

use antiphon_server::app::App;
use reqwest::Method;
use serde_json::json;

use crate::server::{Directory, KEY, Server, answer};

#[tokio::test]
async fn the_first_start_without_a_key_makes_one_and_later_starts_do_not() {
    let server = Server::start_with(|config| config.auth.api_keys.clear()).await;
    let key = server.running.api_key_made().unwrap().expose().to_owned();
    let list = async |server: &Server| {
        answer(server.request(Method::GET, "/api/calls").header("X-API-Key", &key)).await.status
    };
    assert_eq!(list(&server).await, 200);
    assert_eq!(server.get("/api/calls").await.status, 401, "no other key opens");
    let directory = server.stop().await;

    let server = Server::start_in(directory, |config| config.auth.api_keys.clear()).await;
    assert!(server.running.api_key_made().is_none());
    assert_eq!(list(&server).await, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_configured_key_makes_a_first_key_needless() {
    let server = Server::start().await;
    assert!(server.running.api_key_made().is_none());
    server.stop().await;
}

#[tokio::test]
async fn calls_outlive_the_server_and_those_that_it_waited_for_have_ended() {
    let server = Server::start().await;
    let call = server.create(json!({"systemPrompt": "Remember me."})).await;
    let directory = server.stop().await;

    let server = Server::start_in(directory, |_| {}).await;
    let path = format!("/api/calls/{}", call["callId"].as_str().unwrap());
    let kept = server.get(&path).await.json();
    assert_eq!((&kept["systemPrompt"], &kept["created"]), (&json!("Remember me."), &call["created"]));
    assert_eq!((&kept["endReason"], &kept["billedDuration"]), (&json!("system_error"), &json!("0s")));
    assert_eq!(kept["billingStatus"], "BILLING_STATUS_FREE_SYSTEM_ERROR");
    server.stop().await;
}

#[tokio::test]
async fn a_call_that_was_cut_off_by_a_crash_is_ended_on_the_next_start() {
    let server = Server::start().await;
    let id = server.keep(json!({})).await;
    let (storage, _) = server.storage().await;
    storage.calls.mark_joined(id, jiff::Timestamp::now().into(), None).await.unwrap();
    storage.close().await;
    let directory = server.stop().await;

    let server = Server::start_in(directory, |_| {}).await;
    let kept = server.get(&format!("/api/calls/{id}")).await.json();
    assert_eq!(kept["endReason"], "system_error");
    assert!(kept["ended"].is_string(), "{kept}");
    server.stop().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_and_nothing_is_written() {
    let server = Server::start().await;
    let directory = Directory::new();
    let mut config = directory.config();
    config.server.listen = server.running.local_addr();
    let error = App::start(config).await.err().unwrap().to_string();
    assert!(error.starts_with(&format!("cannot listen on {}", server.running.local_addr())), "{error}");
    assert!(error.contains("server.listen"), "{error}");
    assert!(!directory.0.join("antiphon.db").exists());
    server.stop().await;
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_is_said() {
    let directory = Directory::new();
    let mut config = directory.config();
    config.storage.path = directory.0.join("no/such/directory/antiphon.db");
    let error = App::start(config).await.err().unwrap().to_string();
    assert!(error.contains("no/such/directory/antiphon.db") && error.contains("storage.path"), "{error}");
}

#[tokio::test]
async fn a_key_that_is_none_is_said_by_its_name_only() {
    let directory = Directory::new();
    let mut config = directory.config();
    config.auth.api_keys[0].key = Some(antiphon_server::config::Secret::new("hunter2"));
    let error = App::start(config).await.err().unwrap().to_string();
    assert!(error.contains("\"test\"") && !error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_key_may_be_given_as_its_hash_or_in_a_file() {
    let directory = Directory::new();
    let file = directory.0.join("key");
    std::fs::write(&file, format!("{KEY}\n")).unwrap();
    let server = Server::start_in(directory, |config| {
        config.auth.api_keys[0].key = None;
        config.auth.api_keys[0].key_file = Some(file);
    })
    .await;
    assert_eq!(server.get("/api/calls").await.status, 200);
    let directory = server.stop().await;

    let hash = KEY.parse::<antiphon_server::api_key::ApiKey>().unwrap().hash().to_string();
    let server = Server::start_in(directory, |config| {
        config.auth.api_keys[0].key = None;
        config.auth.api_keys[0].sha256 = Some(hash);
    })
    .await;
    assert_eq!(server.get("/api/calls").await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn after_stopping_nobody_listens() {
    let server = Server::start().await;
    let address = server.running.local_addr();
    assert_eq!(server.get("/api/calls").await.status, 200, "and a connection stays open, idle");
    server.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
