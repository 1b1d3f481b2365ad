//! What an account gets that asks for too much: 429, with the moment to try again.

use antiphon_server::config::{Config, ConfiguredAccount, OwnLimits};
use serde_json::json;

use crate::server::{Answer, Server};

fn retry_after(answer: &Answer) -> u64 {
    answer.headers["retry-after"].to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn more_calls_than_an_account_may_have_are_429() {
    let server = Server::start_with(|config: &mut Config| {
        config.limits.concurrent_calls = 9;
        let limits = OwnLimits { concurrent_calls: Some(1), ..OwnLimits::default() };
        config.auth.accounts = vec![ConfiguredAccount { name: "default".to_owned(), limits }];
    })
    .await;
    assert_eq!(server.get("/api/accounts/me").await.json()["allowedConcurrentCalls"], 1);
    let agent = server.post("/api/agents", "{}").await.json();
    server.create(json!({})).await;
    for path in ["/api/calls".to_owned(), format!("/api/agents/{}/calls", agent["agentId"].as_str().unwrap())]
    {
        let refused = server.post(&path, "{}").await;
        assert_eq!(
            refused.detail(429),
            "the account has 1 calls, as many as it may have at a time; try again when some have ended"
        );
        assert_eq!(retry_after(&refused), 5);
    }
    assert_eq!(server.get("/api/calls").await.json()["total"], 1, "nothing is left behind");
    server.stop().await;
}

#[tokio::test]
async fn calls_that_are_created_too_fast_are_429() {
    let server = Server::start_with(|config| config.limits.calls_per_minute = 1).await;
    assert!(server.post("/api/calls", r#"{"temperature": 2}"#).await.detail(400).starts_with("temperature"));
    server.create(json!({})).await;
    let refused = server.post("/api/calls", "{}").await;
    assert_eq!(refused.detail(429), "the account creates more than 1 calls a minute; try again later");
    assert!((1..=60).contains(&retry_after(&refused)), "{:?}", refused.headers);
    server.stop().await;
}

#[tokio::test]
async fn requests_that_come_too_fast_are_429_and_need_a_valid_key_to_count() {
    let server = Server::start_with(|config| config.limits.requests_per_second_per_key = 1).await;
    let mut refused = None;
    // A second may pass between two of them, but not between all.
    for _ in 0..1_000 {
        let answer = server.get("/api/accounts/me/billing").await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!(
        refused.detail(429),
        "the API key makes more than 1 requests a second; try again later, and more slowly"
    );
    assert_eq!(retry_after(&refused), 1);
    assert!(refused.headers.contains_key("x-request-id"));
    let health = crate::server::answer(server.request(reqwest::Method::GET, "/healthz")).await;
    assert_eq!(health.status, 200);
    server.stop().await;
}
