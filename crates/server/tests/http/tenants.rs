//! Two accounts on one server: whatever one has, the other can neither see nor touch.
//!
//! Every operation of the router is tried. One with ids in its path is tried with those of [`Owner::new`]; a new kind of id fails the
//! test until the owner has one of these. One that takes no id is in [`references`] if it can name somebody else's things in its query
//! or body, and in [`plain`] if it cannot.

use std::collections::BTreeMap;

use antiphon_api::endpoint::Method as Verb;
use antiphon_api::rest::operations::{Operation, operations};
use antiphon_server::config::{Config, ConfiguredAccount, ConfiguredKey, OwnLimits, Secret};
use antiphon_server::storage::StoredCall;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::server::{Answer, KEY, Server, answer};

const OWNERS_KEY: &str = "owner123.0123456789abcdef0123456789abcdef";

/// What one account has: an id for every name that stands in a path.
struct Owner {
    ids: BTreeMap<&'static str, String>,
}

/// A configuration with a second account, whose key is [`OWNERS_KEY`].
fn two_accounts(config: &mut Config) {
    config.auth.accounts = vec![ConfiguredAccount { name: "owner".to_owned(), limits: OwnLimits::default() }];
    config.auth.api_keys.push(ConfiguredKey {
        name: "owner".to_owned(),
        account: Some("owner".to_owned()),
        key: Some(Secret::new(OWNERS_KEY)),
        key_file: None,
        sha256: None,
    });
}

async fn ask(server: &Server, key: &str, verb: Verb, path: &str, body: &Value) -> Answer {
    let method: Method = verb.as_str().parse().unwrap();
    let request = server.request(method, path).header("X-API-Key", key);
    answer(if body.is_null() { request } else { request.json(body) }).await
}

impl Owner {
    async fn new(server: &Server) -> Self {
        let made = async |path: &str, body: Value| {
            let made = ask(server, OWNERS_KEY, Verb::Post, path, &body).await;
            assert_eq!(made.status, 201, "{path}: {}", made.text);
            made.json()
        };
        let id = |made: &Value, field: &str| made[field].as_str().unwrap().to_owned();
        let agent = made("/api/agents", json!({"name": "owners-agent"})).await;
        let agent_call = made(&format!("/api/agents/{}/calls", id(&agent, "agentId")), json!({})).await;
        let call = made("/api/calls", json!({"recordingEnabled": true})).await;
        let stages = format!("/api/calls/{}/stages", id(&call, "callId"));
        let stages = ask(server, OWNERS_KEY, Verb::Get, &stages, &Value::Null).await.json();
        let tool = made("/api/tools", tool()).await;
        let voice = made("/api/voices", voice()).await;
        let webhook = made("/api/webhooks", webhook()).await;
        let (corpus, source, document) = Self::corpus(server).await;
        let throttle = made("/api/call_throttles", throttle()).await;
        let batches = format!("/api/agents/{}/scheduled_batches", id(&agent, "agentId"));
        let batch = made(&batches, batch()).await;
        let registration = made("/api/sip/registrations", registration()).await;
        let key = made("/api/api_keys", json!({"name": "owners-second"})).await;
        assert_ne!(agent_call["callId"], call["callId"]);
        let deleted = Self::deleted_call(server).await;
        Self {
            ids: [
                ("agent_id", id(&agent, "agentId")),
                ("batch_id", id(&batch, "batchId")),
                ("api_key_prefix", id(&key, "prefix")),
                ("call_id", id(&call, "callId")),
                ("call_stage_id", id(&stages["results"][0], "callStageId")),
                ("corpus_id", corpus),
                ("source_id", source),
                ("document_id", document),
                ("deleted_call_id", deleted),
                ("call_stage_message_index", "0".to_owned()),
                ("registration_id", id(&registration, "registrationId")),
                ("throttle_id", id(&throttle, "throttleId")),
                ("tool_id", id(&tool, "toolId")),
                ("voice_id", id(&voice, "voiceId")),
                ("webhook_id", id(&webhook, "webhookId")),
            ]
            .into(),
        }
    }

    /// The ids of a corpus, of its source, and of the document that this has brought.
    async fn corpus(server: &Server) -> (String, String, String) {
        let made = async |path: String, body: Value| {
            let made = ask(server, OWNERS_KEY, Verb::Post, &path, &body).await;
            assert_eq!(made.status, 201, "{path}: {}", made.text);
            made.json()
        };
        let id = |made: &Value, field: &str| made[field].as_str().unwrap().to_owned();
        let corpus = id(&made("/api/corpora".to_owned(), json!({"name": "owners-corpus"})).await, "corpusId");
        let path = format!("/api/corpora/{corpus}");
        let upload = made(format!("{path}/uploads"), json!({"mimeType": "text/plain"})).await;
        let url = id(&upload, "presignedUrl");
        let (_, token) = url.split_once("/corpus_uploads/").unwrap();
        let file = server.request(Method::PUT, &format!("/corpus_uploads/{token}"));
        assert_eq!(answer(file.header("Content-Type", "text/plain").body("bread")).await.status, 200);
        let document = id(&upload, "documentId");
        let source = json!({"upload": {"documentIds": [document]}});
        let source = id(&made(format!("{path}/sources"), source).await, "sourceId");
        while ask(server, OWNERS_KEY, Verb::Get, &path, &Value::Null).await.json()["stats"]["status"]
            != "CORPUS_STATUS_READY"
        {
            tokio::task::yield_now().await;
        }
        (corpus, source, document)
    }

    /// The id of a call of which only a tombstone is left.
    async fn deleted_call(server: &Server) -> String {
        let (storage, _) = server.storage().await;
        let account = storage.accounts.account_named("owner").await.unwrap().unwrap().id;
        let now = jiff::Timestamp::now().into();
        let call = StoredCall {
            id: antiphon_api::CallId::new(Uuid::new_v4()),
            account,
            created: now,
            joined: None,
            ended: Some((now, antiphon_engine::output::EndReason::Unjoined)),
            client_version: None,
            greeting_prompt: true,
            agent: None,
            request: Default::default(),
            summary: None,
        };
        storage.calls.insert(&call).await.unwrap();
        storage.close().await;
        let path = format!("/api/calls/{}", call.id);
        assert_eq!(ask(server, OWNERS_KEY, Verb::Delete, &path, &Value::Null).await.status, 204);
        call.id.to_string()
    }

    /// The path with the owner's ids in their places.
    fn path(&self, template: &str) -> String {
        fill(template, |name| {
            let id = self.ids.get(name);
            id.unwrap_or_else(|| panic!("{template}: give the owner a {{{name}}} in Owner::new")).clone()
        })
    }
}

/// The name under which the owner has what stands in a path: a deleted call is no call.
fn kind<'t>(template: &str, name: &'t str) -> &'t str {
    if template.starts_with("/api/deleted_calls/") { "deleted_call_id" } else { name }
}

fn fill(template: &str, id: impl Fn(&str) -> String) -> String {
    let mut path = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        let (name, after) = behind.split_once('}').unwrap();
        path += before;
        path += &id(kind(template, name));
        rest = after;
    }
    path + rest
}

/// The path of something that nobody has.
fn nowhere(template: &str) -> String {
    fill(template, |name| match name {
        "api_key_prefix" => "nobody12".to_owned(),
        "call_stage_message_index" => "0".to_owned(),
        _ => Uuid::from_u128(1).to_string(),
    })
}

fn tool() -> Value {
    json!({"name": "owners-tool", "definition": {"modelToolName": "ownersTool", "description": "", "client": {}}})
}

fn voice() -> Value {
    json!({"name": "owners-voice", "definition": {"generic": {
        "url": "https://example.com/say", "headers": {}, "body": {"say": "{text}"},
    }}})
}

fn webhook() -> Value {
    json!({"url": "https://example.com/owners-webhook", "events": ["call.ended"]})
}

fn throttle() -> Value {
    json!({"name": "owners-throttle", "rules": [{"maxCalls": 100, "windowSeconds": 1}]})
}

/// Of calls that nobody waits for during the test.
fn batch() -> Value {
    json!({
        "webhookUrl": "https://hooks.example.com/batch", "windowStart": "2099-01-01T00:00:00Z", "calls": [{}],
    })
}

fn registration() -> Value {
    json!({"username": "owners-desk", "password": "secret", "proxy": "sip.example.com"})
}

/// Accounts at telephony providers that may create calls with an agent, by the providers' names.
fn providers(agent: &str) -> [(&'static str, Value); 3] {
    let key = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";
    [
        ("plivo", json!({"authId": "MA0123456789ABCDEF01", "authToken": "secret-token"})),
        (
            "telnyx",
            json!({"accountSid": "a", "applicationSid": "b", "apiKey": "secret-key", "publicKey": key}),
        ),
        ("twilio", json!({"accountSid": format!("AC{}", "0".repeat(32)), "authToken": "secret-token"})),
    ]
    .map(|(name, mut settings)| {
        settings["callCreationAllowedAgentIds"] = json!([agent]);
        (name, settings)
    })
}

/// A body with which the operation would succeed.
fn body(verb: Verb, template: &str) -> Value {
    match (verb, template) {
        (Verb::Get | Verb::Delete, _) => Value::Null,
        (Verb::Post, "/api/agents/{agent_id}/scheduled_batches") => batch(),
        (Verb::Post, "/api/corpora/{corpus_id}/query") => json!({"query": "bread"}),
        (Verb::Post, "/api/corpora/{corpus_id}/uploads") => json!({"mimeType": "text/plain"}),
        (Verb::Put, "/api/tools/{tool_id}") => tool(),
        (Verb::Put, "/api/webhooks/{webhook_id}") => webhook(),
        (Verb::Put, "/api/call_throttles/{throttle_id}") => throttle(),
        (Verb::Put, "/api/voices/{voice_id}") => voice(),
        (Verb::Post, "/api/calls/{call_id}/send_data_message") => json!({"type": "hang_up"}),
        (Verb::Patch | Verb::Put, "/api/api_keys/{api_key_prefix}") => json!({"revoked": true}),
        _ => json!({}),
    }
}

/// Where somebody else's things can be named without being in the path: each with the status that a stranger gets for it.
fn references(owner: &Owner) -> Vec<(Verb, String, Value, u16)> {
    let id = |name| owner.ids[name].as_str();
    let mut of_agent = webhook();
    of_agent["agentId"] = json!(id("agent_id"));
    let providers = providers(id("agent_id")).into_iter().flat_map(|(name, settings)| {
        let path = format!("/api/telephony_configs/{name}");
        // What the stranger has not, the stranger cannot change either.
        [(Verb::Post, path.clone(), settings.clone(), 400), (Verb::Patch, path, settings, 404)]
    });
    let query_corpus =
        json!({"toolName": "queryCorpus", "parameterOverrides": {"corpus_id": id("corpus_id")}});
    let [.., (_, twilio)] = self::providers(id("agent_id"));
    let others = vec![
        (Verb::Post, format!("/api/calls?throttle={}", id("throttle_id")), json!({}), 400),
        (Verb::Post, "/api/calls?throttle=owners-throttle".to_owned(), json!({}), 400),
        (Verb::Patch, "/api/sip".to_owned(), json!({"allowedAgents": [{"agentId": id("agent_id")}]}), 400),
        (Verb::Patch, "/api/accounts/me/telephony_config".to_owned(), json!({"twilio": twilio}), 400),
        (Verb::Post, format!("/api/calls?priorCallId={}", id("call_id")), json!({}), 404),
        (Verb::Post, "/api/calls".to_owned(), json!({"selectedTools": [query_corpus]}), 400),
        (Verb::Post, "/api/calls".to_owned(), json!({"selectedTools": [{"toolId": id("tool_id")}]}), 400),
        (Verb::Post, "/api/calls".to_owned(), json!({"selectedTools": [{"toolName": "owners-tool"}]}), 400),
        (Verb::Post, "/api/webhooks".to_owned(), of_agent, 400),
    ];
    others.into_iter().chain(providers).collect()
}

/// Operations without ids that can name nothing of anybody's.
fn plain(verb: Verb, template: &str) -> bool {
    matches!(
        (verb, template),
        (Verb::Post, "/api/agents" | "/api/tools" | "/api/api_keys" | "/api/voices" | "/api/voice_preview")
            | (Verb::Post, "/api/call_throttles" | "/api/corpora" | "/api/sip/registrations")
            | (Verb::Patch, "/api/accounts/me/tts_api_keys")
    ) || (verb == Verb::Delete && template.starts_with("/api/telephony_configs/"))
}

#[tokio::test]
async fn whatever_one_account_has_another_can_neither_see_nor_touch() {
    neither_sees_nor_touches(Server::start_with(two_accounts).await).await;
}

#[tokio::test]
async fn nor_can_it_on_postgres() {
    neither_sees_nor_touches(Server::start_on_postgres(two_accounts).await).await;
}

async fn neither_sees_nor_touches(server: Server) {
    let owner = Owner::new(&server).await;
    let (with_ids, without): (Vec<_>, Vec<_>) = operations()
        .into_iter()
        .filter(Operation::needs_key)
        .map(|operation| (operation.method, operation.path))
        .partition(|(_, template)| template.contains('{'));
    assert!(with_ids.len() > 30 && without.len() > 20, "{} and {}", with_ids.len(), without.len());
    let of_owner = async |verb, path: &str, body: &Value| ask(&server, OWNERS_KEY, verb, path, body).await;
    let of_stranger = async |verb, path: &str, body: &Value| ask(&server, KEY, verb, path, body).await;

    let reads = with_ids.iter().filter(|(verb, _)| *verb == Verb::Get);
    let mut before = Vec::new();
    for (_, template) in reads {
        let path = owner.path(template);
        before.push((of_owner(Verb::Get, &path, &Value::Null).await.text, path));
    }

    for (verb, template) in &with_ids {
        let (path, body) = (owner.path(template), body(*verb, template));
        let refused = of_stranger(*verb, &path, &body).await;
        assert_eq!(refused.status, 404, "{verb:?} {path}: {}", refused.text);
        // Nor does it say that there is something.
        let nothing = of_stranger(*verb, &nowhere(template), &body).await;
        assert_eq!(nothing.text, refused.text, "{verb:?} {path}");
    }

    // A list shows nothing of another account, and shows its own.
    let mut shown = String::new();
    for (verb, template) in &without {
        match verb {
            Verb::Get => {
                let lists = of_stranger(Verb::Get, template, &Value::Null).await;
                // An account at a provider is there or not.
                let expected = if template.starts_with("/api/telephony_configs/") { 404 } else { 200 };
                assert_eq!(lists.status, expected, "{template}: {}", lists.text);
                for (name, id) in owner.ids.iter().filter(|(name, _)| **name != "call_stage_message_index") {
                    assert!(
                        !lists.text.contains(id.as_str()),
                        "{template} shows a {name} of another account"
                    );
                }
                assert!(!lists.text.contains("owners-"), "{template}: {}", lists.text);
                shown += &of_owner(Verb::Get, template, &Value::Null).await.text;
            }
            Verb::Delete | Verb::Head | Verb::Options | Verb::Patch | Verb::Post | Verb::Put => {
                let is_tried = |path: &str| path.split('?').next() == Some(template);
                assert!(
                    plain(*verb, template)
                        || references(&owner).iter().any(|(of, path, ..)| of == verb && is_tried(path)),
                    "{verb:?} {template}: say in `references` or `plain` whether it can name somebody's things"
                );
            }
        }
    }
    let in_no_list = ["batch_id", "call_stage_id", "call_stage_message_index", "document_id", "source_id"];
    for (name, id) in owner.ids.iter().filter(|(name, _)| !in_no_list.contains(name)) {
        assert!(shown.contains(id.as_str()), "the owner's lists show a {name}");
    }

    for (verb, path, body, status) in references(&owner) {
        let refused = of_stranger(verb, &path, &body).await;
        assert_eq!(refused.status, status, "{path} {body}: {}", refused.text);
        let taken = of_owner(verb, &path, &body).await;
        assert!(taken.status.is_success(), "{path} {body}: {}", taken.text);
    }

    // Nothing has changed, and the owner can do all of it: what was refused was refused for being another account's.
    for (text, path) in before {
        let after = of_owner(Verb::Get, &path, &Value::Null).await.text;
        let comparable = |text: &str| {
            let mut value: Value = serde_json::from_str(text).unwrap();
            // Calls that the owner has made meanwhile.
            value.as_object_mut().and_then(|value| value.remove("statistics"));
            value
        };
        if !path.ends_with("/history") {
            assert_eq!(comparable(&after), comparable(&text), "{path}");
        }
    }
    let mut last = with_ids;
    last.sort_by_key(|(verb, template)| (*verb == Verb::Delete, std::cmp::Reverse(template.len())));
    for (verb, template) in last {
        let path = owner.path(template);
        let done = of_owner(verb, &path, &body(verb, template)).await;
        assert!(
            ![401, 404, 405].contains(&done.status.as_u16()) && done.status.as_u16() < 500,
            "{verb:?} {path}: {} {}",
            done.status,
            done.text
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn each_account_has_its_own_name_and_its_own_live_calls() {
    let server = Server::start_with(two_accounts).await;
    Owner::new(&server).await;
    let account = async |key| ask(&server, key, Verb::Get, "/api/accounts/me", &Value::Null).await.json();
    let (stranger, owner) = (account(KEY).await, account(OWNERS_KEY).await);
    assert_eq!((&stranger["name"], &stranger["activeCalls"]), (&json!("default"), &json!(0)));
    assert_eq!((&owner["name"], &owner["activeCalls"]), (&json!("owner"), &json!(2)));
    assert_ne!(stranger["accountId"], owner["accountId"]);
    let calls = |usage: &Value| usage["allTime"]["totalCount"].clone();
    let usage = async |key| {
        calls(&ask(&server, key, Verb::Get, "/api/accounts/me/usage/calls", &Value::Null).await.json())
    };
    assert_eq!((usage(KEY).await, usage(OWNERS_KEY).await), (json!(0), json!(2)));
    server.stop().await;
}

#[tokio::test]
async fn a_key_of_an_account_that_is_not_there_is_said() {
    let directory = crate::server::Directory::new();
    let mut config = directory.config();
    config.auth.api_keys[0].account = Some("acme".to_owned());
    let error = antiphon_server::app::App::start(config).await.err().unwrap().to_string();
    assert_eq!(
        error,
        "the API key \"test\" of the configuration is of the account \"acme\", which is not there; make it with \
         `antiphon accounts create acme`, or add it to auth.accounts"
    );
}
