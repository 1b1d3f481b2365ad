//! What holds for every path: keys, unknown paths and methods, request ids, CORS, health.

use antiphon_server::api_key::ApiKey;
use antiphon_server::storage::{Farewell, StoredKey};
use reqwest::Method;
use serde_json::json;

use crate::server::{KEY, Server, answer};

#[tokio::test]
async fn a_key_opens_in_either_header_and_any_case() {
    let server = Server::start().await;
    for header in ["X-API-Key", "x-api-key", "X-Api-Key", "X-Unsafe-API-Key", "x-unsafe-api-key"] {
        let request = server.request(Method::GET, "/api/calls").header(header, KEY);
        assert_eq!(answer(request).await.status, 200, "{header}");
    }
    server.stop().await;
}

#[tokio::test]
async fn without_a_valid_key_everything_is_closed() {
    let server = Server::start().await;
    let call = server.create(json!({})).await["callId"].as_str().unwrap().to_owned();
    for (method, path) in [
        (Method::GET, "/api/calls".to_owned()),
        (Method::POST, "/api/calls".to_owned()),
        (Method::GET, format!("/api/calls/{call}")),
        (Method::DELETE, format!("/api/calls/{call}")),
        (Method::GET, format!("/api/calls/{call}/messages")),
        (Method::POST, format!("/api/calls/{call}/send_data_message")),
    ] {
        let none = answer(server.request(method.clone(), &path)).await;
        assert_eq!(none.detail(401), "the request has no API key; send it in the header X-API-Key");
        for key in [
            "",
            "nonsense",
            "abcd1234.0123456789abcdef0123456789abcdee",
            "ABCD1234.0123456789abcdef0123456789abcdef",
        ] {
            let wrong = answer(server.request(method.clone(), &path).header("X-API-Key", key)).await;
            assert_eq!(wrong.detail(401), "the API key is not valid", "{method} {path} {key}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_key_of_the_database_opens_until_it_is_revoked() {
    let server = Server::start().await;
    let (storage, account) = server.storage().await;
    let key = ApiKey::generate().unwrap();
    let now = jiff::Timestamp::now().into();
    let stored = StoredKey {
        prefix: key.prefix().to_owned(),
        account,
        name: "another".to_owned(),
        creator: None,
        hash: key.hash(),
        created: now,
        expires: None,
        revoked: None,
    };
    storage.keys.insert(&stored).await.unwrap();
    let list = || answer(server.request(Method::GET, "/api/calls").header("X-API-Key", key.expose()));
    assert_eq!(list().await.status, 200);
    storage.keys.part_with(account, key.prefix(), Farewell::Revoked, now, true).await.unwrap();
    assert_eq!(list().await.status, 401);
    storage.close().await;
    server.stop().await;
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_in_json() {
    let server = Server::start().await;
    for path in ["/", "/api", "/api/calls/", "/api/teapots", "/api/calls/x/y"] {
        assert_eq!(server.get(path).await.detail(404), "there is nothing at this path", "{path}");
    }
    let put = answer(server.request(Method::PUT, "/api/calls").header("X-API-Key", KEY)).await;
    assert_eq!(put.detail(405), "this path does not take this method; see the header Allow");
    assert!(put.headers["allow"].to_str().unwrap().contains("POST"), "{:?}", put.headers);
    server.stop().await;
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_a_harmless_one_is_kept() {
    let server = Server::start().await;
    let request =
        |id: &'static str| answer(server.request(Method::GET, "/api/teapots").header("X-Request-Id", id));
    assert_eq!(request("trace-1.a_B").await.headers["x-request-id"], "trace-1.a_B");
    for id in ["", "two words", "{\"json\":1}"] {
        let made = request(id).await.headers["x-request-id"].to_str().unwrap().to_owned();
        assert!(made.parse::<uuid::Uuid>().is_ok(), "{id}: {made}");
    }
    server.stop().await;
}

#[tokio::test]
async fn browsers_may_send_the_unsafe_header_and_the_other_only_if_configured() {
    let preflight = async |server: &Server| {
        let request = server
            .request(Method::OPTIONS, "/api/calls")
            .header("Origin", "https://app.example.com")
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "x-unsafe-api-key,content-type");
        let answer = answer(request).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
        let mut allowed: Vec<String> = answer.headers["access-control-allow-headers"]
            .to_str()
            .unwrap()
            .split(',')
            .map(|name| name.trim().to_owned())
            .collect();
        allowed.sort();
        allowed
    };
    let server = Server::start().await;
    assert_eq!(preflight(&server).await, ["content-type", "x-unsafe-api-key"]);
    let failed =
        answer(server.request(Method::GET, "/api/calls").header("Origin", "https://app.example.com")).await;
    assert_eq!(failed.headers["access-control-allow-origin"], "*", "a page can read why it failed");
    server.stop().await;

    let open = Server::start_with(|config| config.server.cors_api_key = true).await;
    assert_eq!(preflight(&open).await, ["content-type", "x-api-key", "x-unsafe-api-key"]);
    open.stop().await;
}

#[tokio::test]
async fn health_needs_no_key() {
    let server = Server::start().await;
    for path in ["/healthz", "/readyz"] {
        let healthy = answer(server.request(Method::GET, path)).await;
        assert_eq!((healthy.status.as_u16(), healthy.text.as_str()), (200, r#"{"status":"ok"}"#), "{path}");
    }
    server.stop().await;
}
