//! SIP: how calls come in, registrations, and the logs of a call (protocol.md 7.6.6).

use serde_json::{Value, json};

use crate::server::Server;

const NOBODY: &str = "11111111-2222-4333-8444-555555555555";

#[tokio::test]
async fn how_calls_come_in_is_set_piece_by_piece() {
    let server = Server::start_with(|config| {
        config.server.public_url = Some("https://voice.example.com:8443/base".parse().unwrap());
        config.outbound.allow = vec!["127.0.0.1".parse().unwrap()];
    })
    .await;
    let first = server.get("/api/sip").await.json();
    let account = server.get("/api/accounts/me").await.json()["accountId"].as_str().unwrap().to_owned();
    let domain = format!("{account}.sip.voice.example.com");
    assert_eq!(
        first,
        json!({
            "allowedCidrRanges": [], "allowAllAgents": false, "allowedAgents": [], "fallbackHandler": null,
            "domain": domain
        })
    );

    let agent = server.post("/api/agents", "{}").await.json()["agentId"].clone();
    let changed = server
        .patch(
            "/api/sip",
            json!({
                "allowedCidrRanges": ["203.0.113.0/24", "198.51.100.7/32"], "allowAllAgents": true,
                "allowedAgents": [{"agentId": agent, "toUserPattern": "^(desk|\\+1555\\d{4})$"}, {"agentId": agent}],
                "fallbackHandler": {"url": "http://127.0.0.1:9/fallback"},
                "domain": "mine.example.com",
            }),
        )
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let changed = changed.json();
    let secrets = &changed["fallbackHandler"]["secrets"];
    assert!(secrets[0].as_str().unwrap().len() >= 32, "a strong secret is made up: {secrets}");
    assert_eq!(
        changed,
        json!({
            "allowedCidrRanges": ["203.0.113.0/24", "198.51.100.7/32"], "allowAllAgents": true,
            "allowedAgents": [{"agentId": agent, "toUserPattern": "^(desk|\\+1555\\d{4})$"}, {"agentId": agent}],
            "fallbackHandler": {"url": "http://127.0.0.1:9/fallback", "secrets": secrets},
            "domain": domain
        })
    );
    assert_eq!(server.get("/api/sip").await.json(), changed);

    // The rest stays; an agent that is deleted stands in the way of no other change.
    assert_eq!(server.delete(&format!("/api/agents/{}", agent.as_str().unwrap())).await.status, 204);
    let calmer = server.patch("/api/sip", json!({"allowAllAgents": false})).await.json();
    assert_eq!(calmer["allowedAgents"], changed["allowedAgents"]);
    assert_eq!(calmer["fallbackHandler"], changed["fallbackHandler"]);
    let bare = server
        .patch("/api/sip", json!({"fallbackHandler": null, "allowedCidrRanges": [], "allowedAgents": []}))
        .await;
    assert_eq!(bare.json(), first);
    let directory = server.stop().await;
    drop(directory);
}

#[tokio::test]
async fn what_makes_no_sip_configuration_is_refused_by_name() {
    let server = Server::start().await;
    let agent = server.post("/api/agents", "{}").await.json()["agentId"].clone();
    let allowed = |pattern: &str| json!({"allowedAgents": [{"agentId": agent, "toUserPattern": pattern}]});
    for (body, field, why) in [
        (
            json!({"allowedCidrRanges": ["203.0.113.0/24", "203.0.113.7"]}),
            "allowedCidrRanges[1]",
            "\"203.0.113.7\" is no IPv4 network; write for example \"203.0.113.0/24\", or \"203.0.113.7/32\" for one address",
        ),
        (
            json!({"allowedCidrRanges": ["203.0.113.7/24"]}),
            "allowedCidrRanges[0]",
            "\"203.0.113.7/24\" is an address within a network; write \"203.0.113.0/24\"",
        ),
        (
            json!({"allowedCidrRanges": ["2001:db8::/32"]}),
            "allowedCidrRanges[0]",
            "\"2001:db8::/32\" is no IPv4 network; write for example \"203.0.113.0/24\", or \"203.0.113.7/32\" for one address",
        ),
        (
            json!({"allowedCidrRanges": vec!["203.0.113.0/24"; 101]}),
            "allowedCidrRanges",
            "has 101 items; use at most 100",
        ),
        (json!({"allowAllAgents": "often"}), "allowAllAgents", "must be true or false, not a string"),
        (
            json!({"allowedAgents": vec![json!({"agentId": agent}); 21]}),
            "allowedAgents",
            "has 21 items; use at most 20",
        ),
        (json!({"allowedAgents": [{}]}), "allowedAgents[0].agentId", "is missing"),
        (
            json!({"allowedAgents": [{"agentId": NOBODY}]}),
            "allowedAgents[0].agentId",
            "there is no such agent",
        ),
        (allowed(&"x".repeat(201)), "allowedAgents[0].toUserPattern", "must have 1 to 200 characters"),
        (
            allowed("(desk"),
            "allowedAgents[0].toUserPattern",
            "is no pattern that can be used: unclosed group",
        ),
        (
            allowed("((a{1,999}){1,999}){1,999}"),
            "allowedAgents[0].toUserPattern",
            "is no pattern that can be used: Compiled regex exceeds size limit of 1048576 bytes.",
        ),
        (json!({"fallbackHandler": {}}), "fallbackHandler.url", "is missing"),
        (
            json!({"fallbackHandler": {"url": "ftp://example.com"}}),
            "fallbackHandler.url",
            "must be a URL that begins with https:// or http://",
        ),
        (
            json!({"fallbackHandler": {"url": "http://10.0.0.1/x"}}),
            "fallbackHandler.url",
            "10.0.0.1 is at 10.0.0.1, a private address, which this server does not dial; its operator adds 10.0.0.1 to \
             outbound.allow",
        ),
        (
            json!({"fallbackHandler": {"url": "https://example.com", "secrets": []}}),
            "fallbackHandler.secrets",
            "has 0 items; use 1 to 10",
        ),
        (
            json!({"fallbackHandler": {"url": "https://example.com", "secrets": vec!["s"; 11]}}),
            "fallbackHandler.secrets",
            "has 11 items; use 1 to 10",
        ),
        (
            json!({"fallbackHandler": {"url": "https://example.com", "secrets": ["x".repeat(121)]}}),
            "fallbackHandler.secrets[0]",
            "must have 1 to 120 characters",
        ),
    ] {
        let refused = server.patch("/api/sip", body.clone()).await;
        assert_eq!(refused.detail(400), format!("{field}: {why}"), "{body}");
        assert_eq!(refused.json()["errors"], json!({field: [why]}), "{body}");
    }
    assert_eq!(server.get("/api/sip").await.json()["allowedAgents"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn registrations_come_and_go_and_their_passwords_are_never_shown() {
    let server = Server::start().await;
    let body = json!({
        "username": "alice", "password": "s3cret-sip", "proxy": "sip.example.com:5061", "successful": true,
    });
    let created = server.post("/api/sip/registrations", body.to_string()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let registration = created.json();
    assert_eq!(
        registration,
        json!({
            "registrationId": registration["registrationId"], "created": registration["created"],
            "username": "alice", "proxy": "sip.example.com:5061", "outboundProxy": null, "authUser": null,
            "successful": null
        })
    );
    let path = format!("/api/sip/registrations/{}", registration["registrationId"].as_str().unwrap());
    let changed = server.patch(&path, json!({"outboundProxy": "edge.example.com", "authUser": "a1"})).await;
    assert_eq!(changed.json()["outboundProxy"], "edge.example.com");
    let cleared = server.patch(&path, json!({"outbound_proxy": null})).await;
    assert_eq!((&cleared.json()["outboundProxy"], &cleared.json()["authUser"]), (&Value::Null, &json!("a1")));
    let list = server.get("/api/sip/registrations").await;
    assert_eq!(list.json()["results"], json!([cleared.json()]));
    for answer in [&created, &changed, &cleared, &list, &server.get(&path).await] {
        assert!(!answer.text.contains("s3cret"), "{}", answer.text);
    }
    let (storage, account) = server.storage().await;
    let id = registration["registrationId"].as_str().unwrap().parse().unwrap();
    let (kept, _) = storage.telephony.find_registration(account, id).await.unwrap().unwrap();
    assert_eq!(kept.settings.password.expose(), "s3cret-sip", "it survives changes that do not name it");
    storage.close().await;

    assert_eq!(server.delete(&path).await.status, 204);
    for path in [path, format!("/api/sip/registrations/{NOBODY}"), "/api/sip/registrations/reg-1".to_owned()]
    {
        let whatever = path.ends_with("reg-1");
        for answer in
            [server.get(&path).await, server.delete(&path).await, server.patch(&path, json!({})).await]
        {
            let detail = answer.detail(404);
            assert!(detail == "there is no such registration" || whatever, "{detail}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn what_makes_no_registration_is_refused_by_name() {
    let server = Server::start().await;
    let whole = json!({"username": "alice", "password": "s3cret-sip", "proxy": "sip.example.com"});
    let user =
        "must be a user of a SIP URI without its host: 1 to 60 letters, digits and signs, no blanks and no @";
    let host = "must be a SIP server of at most 100 characters: a host and perhaps a port, for example \"sip.example.com:5061\"";
    for (field, value, why) in [
        ("username", Value::Null, "is missing"),
        ("username", json!(""), user),
        ("username", json!("alice@example.com"), user),
        ("username", json!("al ice"), user),
        ("username", json!("x".repeat(61)), user),
        ("password", Value::Null, "is missing"),
        ("password", json!("x".repeat(201)), "must have 1 to 200 characters"),
        ("proxy", Value::Null, "is missing"),
        ("proxy", json!("sip:example.com"), host),
        ("proxy", json!("x".repeat(101)), host),
        ("outboundProxy", json!("edge.example.com:0"), host),
        ("authUser", json!("a\nb"), user),
        ("authUser", json!("x".repeat(61)), user),
    ] {
        let mut body = whole.clone();
        body[field] = value;
        let refused = server.post("/api/sip/registrations", body.to_string()).await;
        assert_eq!(refused.detail(400), format!("{field}: {why}"), "{body}");
        assert_eq!(refused.json()["errors"], json!({field: [why]}), "{body}");
    }
    for number in 0..100 {
        let body = json!({"username": format!("u{number}"), "password": "p", "proxy": "sip.example.com"});
        assert_eq!(server.post("/api/sip/registrations", body.to_string()).await.status, 201);
    }
    let refused = server.post("/api/sip/registrations", whole.to_string()).await;
    assert_eq!(refused.detail(400), "an account has at most 100 registrations; delete some first");
    server.stop().await;
}

#[tokio::test]
async fn a_call_without_a_sip_leg_has_no_sip_logs() {
    let server = Server::start().await;
    let call = server.create(json!({"joinTimeout": "3600s"})).await;
    let path = format!("/api/calls/{}/sip_logs", call["callId"].as_str().unwrap());
    assert_eq!(server.get(&path).await.detail(425), "the call has not ended; ask again when it has");
    let (storage, _) = server.storage().await;
    let id = server.keep(json!({})).await;
    let at = jiff::Timestamp::now().into();
    storage.calls.mark_ended(id, at, antiphon_engine::output::EndReason::Unjoined).await.unwrap();
    storage.close().await;
    let ended = server.get(&format!("/api/calls/{id}/sip_logs")).await;
    assert_eq!(ended.detail(404), "the call left no SIP logs: it had no SIP leg");
    assert_eq!(
        server.get(&format!("/api/calls/{NOBODY}/sip_logs")).await.detail(404),
        "there is no such call"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_sip_call_names_the_backend_that_is_missing() {
    let server = Server::start().await;
    for medium in
        [json!({"sip": {"incoming": {}}}), json!({"sip": {"outgoing": {"to": "sip:a@example.com"}}})]
    {
        let refused = server.post("/api/calls", json!({"medium": medium}).to_string()).await;
        assert_eq!(
            refused.detail(400),
            "medium.sip: no sip backend is configured on this server; use \"serverWebSocket\""
        );
    }
    server.stop().await;
}
