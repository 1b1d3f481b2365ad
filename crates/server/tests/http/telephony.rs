//! Accounts at telephony providers, and what providers ask of an agent (protocol.md 7.6.4, 7.6.5).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::KeyInit as _;
use hmac::{Hmac, Mac as _};
use reqwest::{Method, RequestBuilder};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::Sha256;

use crate::server::{Answer, Server, answer};

const NOBODY: &str = "11111111-2222-4333-8444-555555555555";
const TOKEN: &str = "s3cret-token-0123456789abcdef0123";
const BASE: &str = "https://voice.example.com/base";

fn twilio() -> Value {
    json!({"accountSid": "AC0123456789abcdef0123456789abcdef", "authToken": TOKEN})
}

fn telnyx() -> Value {
    json!({
        "accountSid": "a1b2", "applicationSid": "app-1", "apiKey": TOKEN,
        "publicKey": STANDARD.encode(key().public_key().as_ref()),
    })
}

fn plivo() -> Value {
    json!({"authId": "MA0123456789ABCDEF01", "authToken": TOKEN})
}

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

#[tokio::test]
async fn an_account_at_a_provider_is_set_changed_and_removed_and_its_secrets_are_never_shown() {
    let server = Server::start().await;
    let agent = server.post("/api/agents", "{}").await.json()["agentId"].clone();
    let prefix = json!({"prefix": "s3cret-t"});
    for (provider, name, body, shown) in [
        (
            "twilio",
            "Twilio",
            twilio(),
            json!({"accountSid": "AC0123456789abcdef0123456789abcdef", "authTokenPrefix": prefix}),
        ),
        (
            "telnyx",
            "Telnyx",
            telnyx(),
            json!({
                "accountSid": "a1b2", "applicationSid": "app-1", "apiKeyPrefix": prefix,
                "publicKeyPrefix": {"prefix": STANDARD.encode(key().public_key().as_ref())[..8]}
            }),
        ),
        ("plivo", "Plivo", plivo(), json!({"authId": "MA0123456789ABCDEF01", "authTokenPrefix": prefix})),
    ] {
        let path = format!("/api/telephony_configs/{provider}");
        let nothing = format!("{name} is not configured; POST a configuration here first");
        for answer in
            [server.get(&path).await, server.delete(&path).await, server.patch(&path, json!({})).await]
        {
            assert_eq!(answer.detail(404), nothing);
        }
        let created = server.post(&path, body.to_string()).await;
        assert_eq!(created.status, 201, "{}", created.text);
        let mut expected = json!({
            "callCreationAllowedAgentIds": [], "callCreationAllowAllAgents": false, "requestContextMapping": {}
        });
        expected.as_object_mut().unwrap().extend(shown.as_object().unwrap().clone());
        assert_eq!(created.json(), expected);
        assert_eq!(server.get(&path).await.json(), expected);

        let mapping = json!({"From": "user.phone_number", "custom_field": "custom_field"});
        let patch = json!({"callCreationAllowedAgentIds": [agent], "requestContextMapping": mapping});
        let changed = server.patch(&path, patch).await;
        assert_eq!(changed.json()["callCreationAllowedAgentIds"], json!([agent]));
        assert_eq!(changed.json()["requestContextMapping"], mapping);
        // What is shown can be sent back.
        let back = server.patch(&path, changed.json()).await;
        assert_eq!(back.json(), changed.json());
        let unmapped = server.patch(&path, json!({"requestContextMapping": {"From": null}})).await;
        assert_eq!(unmapped.json()["requestContextMapping"], json!({"custom_field": "custom_field"}));
        for answer in [&created, &changed, &back, &unmapped] {
            assert!(!answer.text.contains(TOKEN), "{}", answer.text);
        }
        assert_eq!(server.post(&path, body.to_string()).await.json(), expected, "it can be set anew");
        assert_eq!(server.delete(&path).await.status, 204);
        assert_eq!(server.get(&path).await.detail(404), nothing);
    }
    server.stop().await;
}

#[tokio::test]
async fn what_makes_no_account_at_a_provider_is_refused_by_name() {
    let server = Server::start().await;
    let agent = server.post("/api/agents", "{}").await.json()["agentId"].clone();
    let sid = "must be an account's SID: AC and 32 hexadecimal digits, as Twilio's console shows it";
    let dotted = "is no field of a request; write keys with dots between them, at most 200 characters";
    for (provider, whole, field, value, at, why) in [
        ("twilio", twilio(), "accountSid", Value::Null, "accountSid", "is missing"),
        ("twilio", twilio(), "accountSid", json!("SK0123456789abcdef0123456789abcdef"), "accountSid", sid),
        ("twilio", twilio(), "accountSid", json!("AC0123456789abcdef0123456789abcdeg"), "accountSid", sid),
        ("twilio", twilio(), "authToken", Value::Null, "authToken", "is missing"),
        ("twilio", twilio(), "authToken", json!("short"), "authToken", "must have 8 to 200 characters"),
        (
            "twilio",
            twilio(),
            "callCreationAllowedAgentIds",
            json!([agent, NOBODY]),
            "callCreationAllowedAgentIds[1]",
            "there is no such agent",
        ),
        (
            "twilio",
            twilio(),
            "callCreationAllowedAgentIds",
            json!(vec![NOBODY; 101]),
            "callCreationAllowedAgentIds",
            "has 101 items; use at most 100",
        ),
        (
            "twilio",
            twilio(),
            "requestContextMapping",
            json!({"a..b": "x"}),
            "requestContextMapping.a..b",
            dotted,
        ),
        (
            "twilio",
            twilio(),
            "requestContextMapping",
            json!({"From": ""}),
            "requestContextMapping.From",
            "\"\" is no name of a variable; write keys with dots between them, at most 200 characters",
        ),
        (
            "twilio",
            twilio(),
            "requestContextMapping",
            json!({"From": "user", "To": "user.number"}),
            "requestContextMapping",
            "gives \"user\" a value and also what lies within it, or gives it twice; leave one out",
        ),
        (
            "twilio",
            twilio(),
            "requestContextMapping",
            json!({"From": 5}),
            "requestContextMapping.From",
            "must be a string, not a number",
        ),
        ("telnyx", telnyx(), "applicationSid", Value::Null, "applicationSid", "is missing"),
        (
            "telnyx",
            telnyx(),
            "applicationSid",
            json!("x".repeat(41)),
            "applicationSid",
            "must have 1 to 40 letters, digits, _, - and .",
        ),
        ("telnyx", telnyx(), "apiKey", Value::Null, "apiKey", "is missing"),
        (
            "telnyx",
            telnyx(),
            "publicKey",
            json!("!".repeat(44)),
            "publicKey",
            "must be 32 bytes in base64, as Telnyx's portal shows the account's public key",
        ),
        ("telnyx", telnyx(), "publicKey", json!("AAAA"), "publicKey", "must have 43 to 44 characters"),
        ("plivo", plivo(), "authId", json!(""), "authId", "must have 1 to 64 letters, digits, _, - and ."),
        ("plivo", plivo(), "authToken", Value::Null, "authToken", "is missing"),
    ] {
        let path = format!("/api/telephony_configs/{provider}");
        let mut body = whole.clone();
        body[field] = value.clone();
        let refused = server.post(&path, body.to_string()).await;
        assert_eq!(refused.detail(400), format!("{at}: {why}"), "{body}");
        assert_eq!(refused.json()["errors"], json!({at: [why]}), "{body}");
        assert!(!refused.text.contains(TOKEN), "{}", refused.text);

        assert_eq!(server.post(&path, whole.to_string()).await.status, 201);
        let refused = server.patch(&path, json!({field: value})).await;
        assert_eq!(refused.detail(400), format!("{at}: {why}"), "{body}");
        assert_eq!(server.delete(&path).await.status, 204);

        let nested = server.patch("/api/accounts/me/telephony_config", json!({provider: body})).await;
        assert_eq!(nested.detail(400), format!("{provider}.{at}: {why}"), "{body}");
    }
    let mut both = twilio();
    both["callCreationAllowedAgentIds"] = json!([agent]);
    both["callCreationAllowAllAgents"] = json!(true);
    let refused = server.post("/api/telephony_configs/twilio", both.to_string()).await;
    assert_eq!(
        refused.detail(400),
        "callCreationAllowedAgentIds: excludes \"callCreationAllowAllAgents\"; keep one"
    );
    server.stop().await;
}

#[tokio::test]
async fn all_providers_are_read_and_changed_in_one_place_too() {
    let server = Server::start().await;
    let path = "/api/accounts/me/telephony_config";
    assert_eq!(server.get(path).await.json(), json!({"twilio": null, "telnyx": null, "plivo": null}));
    let changed = server.patch(path, json!({"twilio": twilio(), "plivo": plivo()})).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert!(!changed.text.contains(TOKEN), "{}", changed.text);
    let twilio_alone = server.get("/api/telephony_configs/twilio").await.json();
    assert_eq!((&changed.json()["twilio"], &changed.json()["telnyx"]), (&twilio_alone, &Value::Null));
    let again =
        server.patch(path, json!({"twilio": {"callCreationAllowAllAgents": true}, "plivo": null})).await;
    assert_eq!(again.json()["twilio"]["callCreationAllowAllAgents"], true);
    assert_eq!(again.json()["twilio"]["authTokenPrefix"], twilio_alone["authTokenPrefix"]);
    assert_eq!(again.json()["plivo"], Value::Null);
    assert_eq!(server.get(path).await.json(), again.json());
    assert_eq!(server.get("/api/telephony_configs/plivo").await.status, 404);
    // One that is wrong keeps all from being changed.
    let half = server.patch(path, json!({"twilio": null, "telnyx": {"accountSid": "a"}})).await;
    assert_eq!(half.status, 400, "{}", half.text);
    assert_eq!(server.get(path).await.json(), again.json());
    server.stop().await;
}

/// A server at a public address, with all providers configured and one agent that they may use.
async fn answering() -> (Server, String) {
    let server = Server::start_with(|config| config.server.public_url = Some(BASE.parse().unwrap())).await;
    let template = json!({
        "systemPrompt": "{{caller.number}} calls.",
        "contextSchema": {"type": "object", "required": ["caller"], "properties": {
            "caller": {"type": "object", "properties": {"number": {"type": "string", "pattern": "^\\+"}}}}},
    });
    let created = server.post("/api/agents", json!({"callTemplate": template}).to_string()).await;
    let agent = created.json()["agentId"].as_str().unwrap().to_owned();
    for (provider, mut body, field) in
        [("twilio", twilio(), "From"), ("telnyx", telnyx(), "data.payload.from"), ("plivo", plivo(), "From")]
    {
        body["callCreationAllowedAgentIds"] = json!([agent]);
        body["requestContextMapping"] = json!({field: "caller.number"});
        let set = server.post(&format!("/api/telephony_configs/{provider}"), body.to_string()).await;
        assert_eq!(set.status, 201, "{}", set.text);
    }
    (server, agent)
}

fn hmac_sha1(text: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(TOKEN.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn hmac_sha256(text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(TOKEN.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn form(request: RequestBuilder, body: &str) -> RequestBuilder {
    request.header("Content-Type", "application/x-www-form-urlencoded").body(body.to_owned())
}

/// What each provider posts when `from` calls, properly signed for the public address.
fn posts(server: &Server, path: &str, from: &str) -> [RequestBuilder; 3] {
    let post = || server.request(Method::POST, path);
    let encoded = from.replace('+', "%2B");
    let body = format!("To=%2B15550199&From={encoded}");
    let twilio = hmac_sha1(&format!("{BASE}{path}From{from}To+15550199"));
    let plivo = hmac_sha256(&format!("{BASE}{path}?From{from}To+15550199.nonce-1"));
    let time = jiff::Timestamp::now().as_second();
    let json = json!({"data": {"payload": {"from": from}}}).to_string();
    let telnyx = STANDARD.encode(key().sign(format!("{time}|{json}").as_bytes()));
    [
        form(post(), &body).header("X-Twilio-Signature", twilio),
        post()
            .header("Content-Type", "application/json")
            .header("telnyx-signature-ed25519", telnyx)
            .header("telnyx-timestamp", time.to_string())
            .body(json),
        form(post(), &body)
            .header("X-Plivo-Signature-V3", plivo)
            .header("X-Plivo-Signature-V3-Nonce", "nonce-1"),
    ]
}

async fn sent(requests: [RequestBuilder; 3]) -> Vec<Answer> {
    let mut answers = Vec::new();
    for request in requests {
        answers.push(answer(request).await);
    }
    answers
}

#[tokio::test]
async fn a_provider_that_signs_is_told_which_backend_is_missing() {
    let (server, agent) = answering().await;
    let path = format!("/api/agents/{agent}/telephony_xml");
    let names = ["twilio", "telnyx", "plivo"];
    for (answer, name) in sent(posts(&server, &path, "+15550100")).await.into_iter().zip(names) {
        assert_eq!(
            answer.detail(400),
            format!("medium.{name}: no {name} backend is configured on this server; use \"serverWebSocket\"")
        );
    }
    // Who calls became a variable of the agent's, and is held to its schema.
    for answer in sent(posts(&server, &path, "anonymous")).await {
        let detail = answer.detail(400);
        assert!(detail.starts_with("templateContext: does not fit the agent: "), "{detail}");
    }
    assert_eq!(server.get("/api/calls").await.json()["total"], 0);
    server.stop().await;
}

#[tokio::test]
async fn nobody_else_learns_anything() {
    let (server, agent) = answering().await;
    let path = format!("/api/agents/{agent}/telephony_xml");
    let unsigned = "no telephony provider that this agent's account knows has signed this request; check the agent's id and the \
                    host in the URL, server.public_url, and the provider's credentials at /api/telephony_configs";
    let mut refused = Vec::new();
    let post = |path: &str| form(server.request(Method::POST, path), "From=%2B15550100");
    // Without a signature, with a key of the API instead, with those of another path, of another body.
    refused.push(answer(post(&path)).await);
    refused.push(answer(post(&path).header("X-API-Key", crate::server::KEY)).await);
    for (name, value) in [
        ("X-Twilio-Signature", hmac_sha1(&format!("{BASE}{path}From+15550100To+15550199"))),
        ("X-Twilio-Signature", "nonsense".to_owned()),
        ("X-Plivo-Signature-V3", hmac_sha256(&format!("{BASE}{path}?From+15550100.nonce-1"))),
        ("telnyx-signature-ed25519", STANDARD.encode(key().sign(b"1760000000|From=%2B15550100"))),
    ] {
        let request = post(&path).header(name, value).header("telnyx-timestamp", "1760000000");
        refused.push(answer(request).await);
    }
    for path in [format!("/api/agents/{NOBODY}/telephony_xml"), "/api/agents/x/telephony_xml".to_owned()] {
        refused.extend(sent(posts(&server, &path, "+15550100")).await);
    }
    // What is signed is covered as a whole.
    let hash = "0".repeat(64);
    let unhashed = server
        .request(Method::POST, &format!("{path}?bodySHA256={hash}"))
        .header("Content-Type", "application/json")
        .header("X-Twilio-Signature", hmac_sha1(&format!("{BASE}{path}?bodySHA256={hash}")))
        .body("{}");
    refused.push(answer(unhashed).await);
    let plivo_json = server
        .request(Method::POST, &path)
        .header("Content-Type", "application/json")
        .header("X-Plivo-Signature-V3", hmac_sha256(&format!("{BASE}{path}.nonce-1")))
        .header("X-Plivo-Signature-V3-Nonce", "nonce-1")
        .body("{}");
    refused.push(answer(plivo_json).await);
    for answer in refused {
        assert_eq!(answer.detail(401), unsigned);
    }

    // A provider that may not use this agent; and one that is not configured any more.
    server.patch("/api/telephony_configs/twilio", json!({"callCreationAllowedAgentIds": []})).await;
    server.delete("/api/telephony_configs/plivo").await;
    let answers = sent(posts(&server, &path, "+15550100")).await;
    assert_eq!(
        answers[0].detail(403),
        "calls with this agent may not be created by twilio; allow it in /api/telephony_configs/twilio"
    );
    assert_eq!(answers[2].detail(401), unsigned);
    server.patch("/api/telephony_configs/twilio", json!({"callCreationAllowAllAgents": true})).await;
    assert_eq!(sent(posts(&server, &path, "+15550100")).await[0].status, 400);
    server.stop().await;
}
