//! API keys over the API: making them, using them, and the end of them (protocol.md 7.13).

use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Answer, KEY, Server, answer};

/// A request with another key than the configured one.
async fn with(server: &Server, key: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
    let request = server.request(method, path).header("X-API-Key", key);
    answer(match body {
        Some(body) => request.json(&body),
        None => request,
    })
    .await
}

async fn made(server: &Server, body: Value) -> Value {
    let created = server.post("/api/api_keys", body.to_string()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    created.json()
}

#[tokio::test]
async fn a_key_is_made_shown_once_used_and_revoked_for_good() {
    let server = Server::start().await;
    let key = made(&server, json!({"name": "staging"})).await;
    let (prefix, secret) = (key["prefix"].as_str().unwrap(), key["secret"].as_str().unwrap());
    assert!(secret.starts_with(&format!("{prefix}.")) && secret.len() == 41, "{prefix}");
    let shown = json!({
        "prefix": prefix, "created": key["created"], "creator": "test", "name": "staging",
        "expiryDate": null, "revoked": false
    });
    let mut created = shown.clone();
    created["secret"] = json!(secret);
    assert_eq!(key, created);

    let path = format!("/api/api_keys/{prefix}");
    let listed = server.get("/api/api_keys").await;
    assert_eq!(listed.json(), json!({"next": null, "previous": null, "results": [shown], "total": 1}));
    assert!(!listed.text.contains(secret));
    assert_eq!(server.get(&path).await.json(), shown);

    let by_it = with(&server, secret, Method::POST, "/api/api_keys", Some(json!({"name": "second"}))).await;
    assert_eq!(by_it.json()["creator"], prefix, "a key says which key it was made with");
    assert_eq!(with(&server, secret, Method::GET, "/api/calls", None).await.status, 200);

    // What was read can be sent back, and changes nothing by itself.
    assert_eq!(server.put(&path, shown.clone()).await.json(), shown);
    assert_eq!(server.patch(&path, json!({"name": "other", "revoked": null})).await.json(), shown);
    let mut revoked = shown.clone();
    revoked["revoked"] = json!(true);
    assert_eq!(server.patch(&path, json!({"revoked": true})).await.json(), revoked);
    assert_eq!(server.put(&path, json!({"revoked": true})).await.json(), revoked);
    let refused = with(&server, secret, Method::GET, "/api/calls", None).await;
    assert_eq!(refused.detail(401), "the API key was revoked; use another one");
    let undone = server.patch(&path, json!({"revoked": false})).await;
    assert_eq!(
        undone.json(),
        json!({
            "detail": "revoked: cannot be undone; make another key with POST /api/api_keys",
            "errors": {"revoked": ["cannot be undone; make another key with POST /api/api_keys"]}
        })
    );
    assert_eq!(undone.status, 400);

    assert_eq!(server.delete(&path).await.status, 204);
    for gone in [
        server.get(&path).await,
        server.delete(&path).await,
        server.patch(&path, json!({"revoked": true})).await,
        server.put(&path, json!({})).await,
    ] {
        assert_eq!(gone.detail(404), "there is no such API key");
    }
    let refused = with(&server, secret, Method::GET, "/api/calls", None).await;
    assert_eq!(refused.detail(401), "the API key is not valid");
    server.stop().await;
}

#[tokio::test]
async fn what_makes_no_key_is_refused_by_name() {
    let server = Server::start().await;
    for (body, detail) in [
        (json!({}), "name: is missing"),
        (json!({"name": ""}), "name: must have 1 to 50 characters"),
        (json!({"name": "x".repeat(51)}), "name: must have 1 to 50 characters"),
        (
            json!({"name": "x", "expiryDate": "2001-01-01T00:00:00Z"}),
            "expiryDate: has passed already; choose a later one, or leave it out",
        ),
        (
            json!({"name": "x", "expiryDate": "tomorrow"}),
            "expiryDate: \"tomorrow\" is not a moment; write RFC 3339 with an offset, for example \"2026-11-20T08:45:00Z\"",
        ),
    ] {
        assert_eq!(server.post("/api/api_keys", body.to_string()).await.detail(400), detail);
    }
    // A whole key in the place of its prefix is not repeated.
    let whole = server.get(&format!("/api/api_keys/{KEY}")).await;
    assert_eq!(
        whole.detail(404),
        "that is no prefix of an API key; write the 8 letters or digits before its dot"
    );
    assert_eq!(server.get("/api/api_keys").await.json()["total"], 0);
    server.stop().await;
}

#[tokio::test]
async fn a_key_opens_until_it_expires() {
    let server = Server::start().await;
    let key = made(&server, json!({"name": "short", "expiryDate": "2999-01-01T00:00:00Z"})).await;
    assert_eq!(key["expiryDate"], "2999-01-01T00:00:00.000000Z");
    let secret = key["secret"].as_str().unwrap();
    assert_eq!(with(&server, secret, Method::GET, "/api/calls", None).await.status, 200);

    let (storage, account) = server.storage().await;
    let past = |micros| antiphon_api::Timestamp::from_unix_micros(micros).unwrap();
    let new = antiphon_server::storage::NewKey {
        account,
        name: "old".to_owned(),
        creator: None,
        expires: Some(past(2)),
    };
    let (expired, _) = storage.make_key(new, past(1)).await.unwrap();
    storage.close().await;
    let refused = with(&server, expired.expose(), Method::GET, "/api/calls", None).await;
    assert_eq!(refused.detail(401), "the API key has expired; use another one");
    let almost = format!("{}x", &expired.expose()[..40]);
    let guessed = with(&server, &almost, Method::GET, "/api/calls", None).await;
    assert_eq!(guessed.detail(401), "the API key is not valid", "only the whole key learns that it was one");
    server.stop().await;
}

#[tokio::test]
async fn nobody_locks_themselves_out() {
    let server = Server::start_with(|config| config.auth.api_keys.clear()).await;
    let first = server.running.api_key_made().unwrap().clone();
    let path = format!("/api/api_keys/{}", first.prefix());
    let own = async |method, path: &str, body| with(&server, first.expose(), method, path, body).await;
    let last = "this is the account's last valid key, without which nobody could use the account; make another one first";
    assert_eq!(own(Method::DELETE, &path, None).await.detail(409), last);
    assert_eq!(own(Method::PATCH, &path, Some(json!({"revoked": true}))).await.detail(409), last);
    assert_eq!(own(Method::GET, &path, None).await.json()["creator"], Value::Null);

    let second = own(Method::POST, "/api/api_keys", Some(json!({"name": "second"}))).await.json();
    assert_eq!(own(Method::DELETE, &path, None).await.status, 204, "a key may remove itself");
    assert_eq!(own(Method::GET, "/api/calls", None).await.status, 401);
    let second = second["secret"].as_str().unwrap();
    assert_eq!(with(&server, second, Method::GET, "/api/calls", None).await.status, 200);
    server.stop().await;

    // A configured key is another way in.
    let server = Server::start().await;
    let only = made(&server, json!({"name": "only"})).await;
    let path = format!("/api/api_keys/{}", only["prefix"].as_str().unwrap());
    assert_eq!(server.patch(&path, json!({"revoked": true})).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn keys_for_voices_are_set_whole_and_shown_by_their_beginnings() {
    let server = Server::start().await;
    let path = "/api/accounts/me/tts_api_keys";
    assert_eq!(server.get(path).await.json(), json!({}));
    let google = json!({
        "type": "service_account", "private_key_id": "0123456789abcdef", "client_email": "a@b.c",
        "private_key": "-----BEGIN s3cret"
    });
    let set = json!({"elevenLabs": "sk_0123456789abcdef0123456789s3cret", "lmnt": "tiny", "google": google.to_string()});
    let shown = json!({"elevenLabs": {"prefix": "sk_01234"}, "lmnt": {"prefix": "t"}, "google": {"prefix": "01234567"}});
    let answered = server.patch(path, set).await;
    assert_eq!(answered.json(), shown);
    assert!(!answered.text.contains("s3cret"));
    assert_eq!(server.get(path).await.json(), shown);
    assert_eq!(server.patch(path, json!({})).await.json(), shown, "what is left out stays");
    let fewer = server.patch(path, json!({"eleven_labs": null, "google": null, "cartesia": null})).await;
    assert_eq!(fewer.json(), json!({"lmnt": {"prefix": "t"}}));
    for (body, detail) in [
        (
            json!({"google": "AIza-s3cret"}),
            "google: is not the JSON key of a service account; send the whole file that Google gives, as one text",
        ),
        (json!({"lmnt": ""}), "lmnt: must have 1 to 16384 characters"),
        (json!({"inworld": 7}), "inworld: must be a string, not a number"),
    ] {
        let refused = server.patch(path, body).await;
        assert_eq!(refused.detail(400), detail);
    }
    assert_eq!(server.get(path).await.json(), json!({"lmnt": {"prefix": "t"}}));
    server.stop().await;
}

#[tokio::test]
async fn there_are_no_invoices_and_the_page_says_no_total() {
    let server = Server::start().await;
    let path = "/api/accounts/me/billing/invoices";
    let none = json!({"next": null, "previous": null, "results": []});
    assert_eq!(server.get(path).await.json(), none);
    assert_eq!(server.get(&format!("{path}?pageSize=100")).await.json(), none);
    assert!(server.get(&format!("{path}?pageSize=101")).await.detail(400).starts_with("pageSize: "));
    assert!(server.get(&format!("{path}?cursor=abc")).await.detail(400).starts_with("cursor: "));
    server.stop().await;
}
