//! Webhooks over REST, and a receiver behind a real socket (protocol.md 7.5).

use antiphon_server::config::Config;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::endpoint::Endpoint;
use crate::server::Server;

const URL: &str = "https://receiver.example/hook";
const TAKEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

async fn created(server: &Server, body: Value) -> Value {
    let created = server.post("/api/webhooks", body.to_string()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    created.json()
}

fn path(webhook: &Value) -> String {
    format!("/api/webhooks/{}", webhook["webhookId"].as_str().unwrap())
}

/// Receivers on this machine may be dialled.
fn at_home(config: &mut Config) {
    config.outbound.allow = vec!["127.0.0.1".parse().unwrap()];
}

#[tokio::test]
async fn a_webhook_is_created_read_changed_and_deleted() {
    let server = Server::start().await;
    let webhook =
        created(&server, json!({"url": URL, "events": ["call.ended", "call.started", "CALL.ENDED"]})).await;
    let secret = webhook["secrets"][0].as_str().unwrap();
    assert_eq!(secret.len(), 64, "one is made that nobody can guess");
    assert_eq!(
        webhook,
        json!({
            "webhookId": webhook["webhookId"], "agentId": null, "created": webhook["created"], "url": URL,
            "secrets": [secret], "events": ["call.started", "call.ended"], "status": "normal",
            "lastStatusChange": null, "recentFailures": [], "naiveTimestamps": false,
        })
    );
    let path = path(&webhook);
    assert_eq!(server.get(&path).await.json(), webhook);

    let agent = server.post("/api/agents", "{}").await.json()["agentId"].clone();
    let changed = server.patch(&path, json!({"agentId": agent, "events": ["call.billed"]})).await.json();
    let expected = {
        let mut webhook = webhook.clone();
        (webhook["agentId"], webhook["events"]) = (agent.clone(), json!(["call.billed"]));
        webhook
    };
    assert_eq!(changed, expected);
    let cleared = server.patch(&path, json!({"agentId": null, "secrets": ["a", "b"]})).await.json();
    assert_eq!((&cleared["agentId"], &cleared["secrets"]), (&Value::Null, &json!(["a", "b"])));
    let renewed = server.patch(&path, json!({"secrets": []})).await.json();
    assert_eq!(renewed["secrets"].as_array().unwrap().len(), 1, "there is always one");
    assert_ne!(renewed["secrets"], webhook["secrets"]);

    let replaced = server.put(&path, json!({"url": "http://other.example/", "events": []})).await;
    assert_eq!(replaced.status, 200, "{}", replaced.text);
    let replaced = replaced.json();
    assert_eq!((&replaced["url"], &replaced["events"]), (&json!("http://other.example/"), &json!([])));
    assert_eq!(replaced["secrets"], renewed["secrets"], "secrets that are left out stay");
    assert_eq!(replaced["created"], webhook["created"]);

    assert_eq!(server.delete(&path).await.status, 204);
    for answer in [
        server.get(&path).await,
        server.delete(&path).await,
        server.patch(&path, json!({})).await,
        server.put(&path, json!({"url": URL, "events": []})).await,
        server.get(&format!("{path}/deliveries")).await,
    ] {
        assert_eq!(answer.detail(404), "there is no such webhook");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_makes_no_webhook_is_refused_by_name() {
    let server = Server::start().await;
    let known = created(&server, json!({"url": URL, "events": []})).await;
    let long = format!("https://receiver.example/{}", "x".repeat(200));
    for (change, field, why) in [
        (json!({"url": null}), "url", "missing"),
        (json!({"url": "receiver.example"}), "url", "begins with https://"),
        (json!({"url": "https://"}), "url", ""),
        (json!({"url": long}), "url", "at most 200 characters"),
        (json!({"url": "https://me:s3cret-word@receiver.example/"}), "url", "password"),
        (json!({"url": "http://127.0.0.1:9/hook"}), "url", "outbound.allow"),
        (json!({"url": "http://169.254.169.254/"}), "url", "outbound.allow"),
        (json!({"events": null}), "events", "missing"),
        (json!({"events": ["call.paused"]}), "events[0]", "call.started"),
        (json!({"secrets": ["x".repeat(121)]}), "secrets[0]", "120"),
        (json!({"secrets": [""]}), "secrets[0]", "1 to 120"),
        (json!({"secrets": vec!["s"; 11]}), "secrets", "has 11 items; use at most 10"),
        (json!({"agentId": "x"}), "agentId", "is not an id"),
        (json!({"agentId": known["webhookId"]}), "agentId", "no agent"),
    ] {
        let mut body = json!({"url": URL, "events": ["call.ended"]});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = server.post("/api/webhooks", body.to_string()).await;
        let detail = refused.detail(400);
        assert!(detail.starts_with(&format!("{field}: ")) && detail.contains(why), "{change}: {detail}");
        assert!(!detail.contains("s3cret-word"), "{detail}");
        assert!(refused.json()["errors"][field].is_array(), "{}", refused.text);
        assert_eq!(server.put(&path(&known), body.clone()).await.status, 400, "{change}");
        assert_eq!(server.patch(&path(&known), change.clone()).await.status, 400, "{change}");
    }
    assert_eq!(server.get(&path(&known)).await.json(), known, "nothing has changed");
    for _ in 1..100 {
        created(&server, json!({"url": URL, "events": []})).await;
    }
    let one_more = server.post("/api/webhooks", json!({"url": URL, "events": []}).to_string()).await;
    assert!(one_more.detail(400).contains("at most 100 webhooks"), "{}", one_more.text);
    server.stop().await;
}

#[tokio::test]
async fn webhooks_are_listed_newest_first_and_by_agent() {
    let server = Server::start().await;
    let agent = server.post("/api/agents", "{}").await.json()["agentId"].as_str().unwrap().to_owned();
    let mut ids = Vec::new();
    for number in 0..5 {
        let of = (number % 2 == 1).then_some(&agent);
        let webhook = created(&server, json!({"url": URL, "events": [], "agentId": of})).await;
        ids.insert(0, webhook["webhookId"].clone());
    }
    let listed = |page: &Value| -> Vec<Value> {
        page["results"].as_array().unwrap().iter().map(|webhook| webhook["webhookId"].clone()).collect()
    };
    let first = server.get("/api/webhooks?pageSize=3").await.json();
    assert_eq!((listed(&first), &first["total"]), (ids[..3].to_vec(), &json!(5)));
    let (_, next) = first["next"].as_str().unwrap().split_once("/api/").unwrap();
    let second = server.get(&format!("/api/{next}")).await.json();
    assert_eq!((listed(&second), &second["next"]), (ids[3..].to_vec(), &Value::Null));
    let of_agent = server.get(&format!("/api/webhooks?agentId={agent}")).await.json();
    assert_eq!((listed(&of_agent), &of_agent["total"]), (vec![ids[1].clone(), ids[3].clone()], &json!(2)));
    server.stop().await;
}

#[tokio::test]
async fn a_receiver_is_told_and_can_check_who_tells() {
    let server = Server::start_with(at_home).await;
    let receiver = Endpoint::answering([TAKEN; 3]).await;
    let webhook = created(
        &server,
        json!({
            "url": receiver.url("/hook"), "events": ["call.started", "call.ended", "call.billed"],
            "secrets": ["s3cret-s3cret-s3cret", "other"],
        }),
    )
    .await;
    let call = server.create(json!({"joinTimeout": "0.05s", "systemPrompt": "Ünï"})).await;
    let requests = until(|| Some(receiver.requests()).filter(|requests| requests.len() == 3)).await;
    for (request, event) in requests.iter().zip(["call.started", "call.ended", "call.billed"]) {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /hook HTTP/1.1\r\n"), "{head}");
        let header = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
            line.unwrap_or_else(|| panic!("{name} in {head}")).to_owned()
        };
        let time = header("x-ultravox-webhook-timestamp");
        let mut mac = Hmac::<Sha256>::new_from_slice(b"s3cret-s3cret-s3cret").unwrap();
        mac.update(body.as_bytes());
        mac.update(time.as_bytes());
        let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let signatures = header("x-ultravox-webhook-signature");
        let (first, second) = signatures.split_once(',').unwrap();
        assert_eq!((first, second.len()), (expected.as_str(), 64));
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!((&body["event"], &body["call"]["callId"]), (&json!(event), &call["callId"]));
        match event {
            "call.started" => assert_eq!(body["call"], call, "it is what the creation answered"),
            _ => {
                let path = format!("/api/calls/{}", call["callId"].as_str().unwrap());
                assert_eq!(body["call"], server.get(&path).await.json());
            }
        }
    }
    let path = format!("{}/deliveries", path(&webhook));
    let page = until_async(async || {
        let page = server.get(&path).await.json();
        let all = page["results"].as_array().unwrap().iter().all(|it| it["state"] == "delivered");
        all.then_some(page)
    })
    .await;
    assert_eq!(page["total"], 3);
    let latest = &page["results"][0];
    assert_eq!((&latest["callId"], &latest["event"]), (&call["callId"], &json!("call.billed")));
    assert_eq!(
        (&latest["attempts"][0]["status"], &latest["attempts"][0]["failure"]),
        (&json!(200), &Value::Null)
    );
    assert!(latest["attempts"][0]["latency"].as_str().unwrap().ends_with('s'));
    let two = server.get(&format!("{path}?pageSize=2")).await.json();
    assert_eq!((two["results"].as_array().unwrap().len(), two["next"].is_string()), (2, true));
    server.stop().await;
}

#[tokio::test]
async fn what_a_receiver_says_is_wrong_is_shown_and_redirects_are_not_followed() {
    let server = Server::start_with(at_home).await;
    let elsewhere = Endpoint::answering([TAKEN]).await;
    let failing = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 16\r\n\r\ncome back\n later";
    let redirecting = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
        elsewhere.url("/")
    );
    let (one, two) = (Endpoint::answering([failing]).await, Endpoint::answering([redirecting]).await);
    let endless = Endpoint::endless().await;
    let mut webhooks = Vec::new();
    for url in [one.url("/"), two.url("/"), Endpoint::gone().await, endless.url("/")] {
        webhooks.push(created(&server, json!({"url": url, "events": ["call.started"]})).await);
    }
    server.create(json!({})).await;
    for (webhook, failure) in webhooks.iter().zip([
        Some("HTTP status 503: come back later"),
        Some("HTTP status 307: redirects are not followed"),
        Some("cannot be connected to"),
        None,
    ]) {
        let path = path(webhook);
        let delivery = until_async(async || {
            let page = server.get(&format!("{path}/deliveries")).await.json();
            Some(page["results"][0].clone()).filter(|delivery| delivery["attempts"][0].is_object())
        })
        .await;
        let attempt = &delivery["attempts"][0];
        match failure {
            None => assert_eq!((&delivery["state"], &attempt["status"]), (&json!("delivered"), &json!(200))),
            Some(failure) => {
                assert!(attempt["failure"].as_str().unwrap().contains(failure), "{delivery}");
                assert_eq!((&delivery["state"], &delivery["finished"]), (&json!("waiting"), &Value::Null));
                assert!(delivery["nextAttempt"].is_string(), "{delivery}");
                let webhook = server.get(&path).await.json();
                assert_eq!(webhook["recentFailures"][0]["failure"], attempt["failure"]);
                assert_eq!(webhook["status"], "normal", "one failure is none");
            }
        }
    }
    assert!(elsewhere.requests().is_empty());
    server.stop().await;
}

#[tokio::test]
async fn what_was_not_delivered_is_delivered_by_the_next_server() {
    let server = Server::start_with(at_home).await;
    let silent = Endpoint::silent().await;
    created(&server, json!({"url": silent.url("/"), "events": ["call.started", "call.ended"]})).await;
    let webhook = server.get("/api/webhooks").await.json()["results"][0].clone();
    let call = server.create(json!({})).await;
    silent.until_asked().await;
    // The call ends with the server, and the receiver never answers.
    let directory = server.stop().await;
    let good = Endpoint::answering([TAKEN; 4]).await;
    let server = Server::start_in(directory, at_home).await;
    let moved = server.patch(&path(&webhook), json!({"url": good.url("/")})).await;
    assert_eq!(moved.status, 200, "{}", moved.text);
    let events: Vec<Value> = until(|| {
        let bodies = good.requests().into_iter();
        let bodies =
            bodies.map(|request| serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap());
        Some(bodies.collect::<Vec<Value>>()).filter(|bodies| bodies.len() == 2)
    })
    .await;
    assert_eq!((&events[0]["event"], &events[1]["event"]), (&json!("call.started"), &json!("call.ended")));
    assert_eq!(
        (&events[1]["call"]["callId"], &events[1]["call"]["endReason"]),
        (&call["callId"], &json!("system_error"))
    );
    server.stop().await;
}

#[tokio::test]
async fn a_callback_that_cannot_be_made_is_refused_at_creation() {
    let server = Server::start().await;
    for (callbacks, field, why) in [
        (json!({"ended": {"url": "http://10.0.0.1/"}}), "callbacks.ended.url", "outbound.allow"),
        (json!({"joined": {"url": "https://a:b@example.com/"}}), "callbacks.joined.url", "password"),
        (json!({"billed": {"url": "ftp://example.com/"}}), "callbacks.billed.url", "begins with"),
        (
            json!({"billed": {"url": "https://example.com/", "secrets": vec!["s"; 11]}}),
            "callbacks.billed.secrets",
            "at most 10",
        ),
    ] {
        let refused = server.post("/api/calls", json!({"callbacks": callbacks}).to_string()).await;
        let detail = refused.detail(400);
        assert!(detail.starts_with(&format!("{field}: ")) && detail.contains(why), "{callbacks}: {detail}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_call_that_asks_for_it_is_deleted_once_it_is_billed() {
    let server = Server::start_with(at_home).await;
    let receiver = Endpoint::answering([TAKEN; 4]).await;
    let body = json!({
        "joinTimeout": "0.05s", "retentionPolicy": "CALL_RETENTION_POLICY_AUTO_DELETE",
        "callbacks": {"ended": {"url": receiver.url("/")}, "billed": {"url": receiver.url("/")}},
    });
    let call = server.create(body).await;
    let id = call["callId"].as_str().unwrap();
    until_async(async || (server.get(&format!("/api/calls/{id}")).await.status == 404).then_some(())).await;
    assert_eq!(receiver.requests().len(), 2, "everybody has been told before");
    let stone = server.get(&format!("/api/deleted_calls/{id}")).await.json();
    assert_eq!((&stone["endReason"], &stone["hadSummary"]), (&json!("unjoined"), &json!(false)));
    let journals = std::fs::read_dir(server.directory.0.join("journals"));
    assert_eq!(journals.map_or(0, Iterator::count), 0, "nor is its journal left");
    server.stop().await;
}

async fn until<T>(look: impl Fn() -> Option<T>) -> T {
    until_async(async || look()).await
}

async fn until_async<T>(look: impl AsyncFn() -> Option<T>) -> T {
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        tokio::task::yield_now().await;
    }
}
