//! Agents: defining them, changing them, and listing them and their calls (protocol.md 7.2). What calls are made of their templates is
//! said below.

mod overrides;
mod templates;

use serde_json::{Value, json};

use crate::server::Server;

async fn agent(server: &Server, template: Value) -> String {
    let created =
        server.post("/api/agents", json!({"name": "Support", "callTemplate": template}).to_string()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    created.json()["agentId"].as_str().unwrap().to_owned()
}

async fn call(server: &Server, agent: &str, body: Value) -> Value {
    let created = server.post(&format!("/api/agents/{agent}/calls"), body.to_string()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    created.json()
}

async fn refused(server: &Server, agent: &str, body: Value) -> String {
    let refused = server.post(&format!("/api/agents/{agent}/calls"), body.to_string()).await;
    refused.detail(400)
}

fn client_tool(name: &str, description: &str) -> Value {
    json!({"temporaryTool": {"modelToolName": name, "description": description, "client": {}}})
}

/// The request that a call was created from, as the database has it.
async fn kept(server: &Server, call: &Value) -> Value {
    let (storage, _) = server.storage().await;
    let kept = storage.calls.find(call["callId"].as_str().unwrap().parse().unwrap()).await.unwrap().unwrap();
    storage.close().await;
    serde_json::to_value(&kept.request).unwrap()
}

#[tokio::test]
async fn a_change_is_merged_and_what_excludes_each_other_takes_each_others_place() {
    let server = Server::start().await;
    let before = json!({
        "systemPrompt": "Hi", "voice": "Mark", "medium": {"serverWebSocket": {"inputSampleRate": 8000}},
        "vadSettings": {"turnEndpointDelay": "0.5s", "minimumTurnDuration": "0.1s"},
        "inactivityMessages": [{"duration": "5s", "message": "One"}, {"duration": "5s", "message": "Two"}],
        "firstSpeakerSettings": {"agent": {"text": "Hello", "uninterruptible": true}},
        "selectedTools": [client_tool("a", "A"), {"toolName": "hangUp"}],
    });
    for (patch, field, after) in [
        // Objects are merged, however deep they lie.
        (
            json!({"vadSettings": {"turnEndpointDelay": "1s"}}),
            "vadSettings",
            json!({"turnEndpointDelay": "1s", "minimumTurnDuration": "0.1s"}),
        ),
        (
            json!({"vad_settings": {"turn_endpoint_delay": null}}),
            "vadSettings",
            json!({"minimumTurnDuration": "0.1s"}),
        ),
        (
            json!({"medium": {"serverWebSocket": {"outputSampleRate": 16000}}}),
            "medium",
            json!({"serverWebSocket": {"inputSampleRate": 8000, "outputSampleRate": 16000}}),
        ),
        (
            json!({"firstSpeakerSettings": {"agent": {"text": "Hey"}}}),
            "firstSpeakerSettings",
            json!({"agent": {"text": "Hey", "uninterruptible": true}}),
        ),
        // Lists and plain values are exchanged.
        (
            json!({"inactivityMessages": [{"duration": "9s", "message": "Three"}]}),
            "inactivityMessages",
            json!([{"duration": "9s", "message": "Three"}]),
        ),
        (json!({"selectedTools": []}), "selectedTools", json!([])),
        (json!({"systemPrompt": ""}), "systemPrompt", json!("")),
        // Null clears.
        (json!({"systemPrompt": null}), "systemPrompt", Value::Null),
        (json!({"medium": null}), "medium", Value::Null),
        (json!({"inactivityMessages": null}), "inactivityMessages", Value::Null),
        // Of what there can be only one, the new one is.
        (json!({"medium": {"webRtc": {}}}), "medium", json!({"webRtc": {}})),
        (json!({"firstSpeakerSettings": {"user": {}}}), "firstSpeakerSettings", json!({"user": {}})),
        (json!({"externalVoice": {"lmnt": {"voiceId": "lily"}}}), "voice", Value::Null),
    ] {
        let path = format!("/api/agents/{}", agent(&server, before.clone()).await);
        let changed = server.patch(&path, json!({"callTemplate": patch})).await;
        assert_eq!(changed.status, 200, "{patch}: {}", changed.text);
        let template = &changed.json()["callTemplate"];
        assert_eq!(template[field], after, "{patch}");
        for (other, value) in before.as_object().unwrap() {
            let is_asked = |key: &String| key == other || key.starts_with("external") || key.contains('_');
            if other != field && !patch.as_object().unwrap().keys().any(is_asked) {
                assert_eq!(&template[other], value, "{patch} leaves {other}");
            }
        }
        assert_eq!(server.get(&path).await.json()["callTemplate"], *template);
    }
    server.stop().await;
}

#[tokio::test]
async fn every_change_publishes_a_revision_and_only_new_calls_have_it() {
    let server = Server::start().await;
    let agent = agent(&server, json!({"systemPrompt": "One"})).await;
    let path = format!("/api/agents/{agent}");
    let mut revisions = vec![server.get(&path).await.json()["publishedRevisionId"].clone()];
    let first = call(&server, &agent, json!({})).await;
    for prompt in ["Two", "Three"] {
        let patch = json!({"name": prompt, "callTemplate": {"systemPrompt": prompt}});
        let changed = server.patch(&path, patch).await.json();
        assert!(!revisions.contains(&changed["publishedRevisionId"]), "{changed}");
        assert_eq!(changed["statistics"]["calls"], revisions.len() as u64);
        assert_eq!(changed["callTemplate"]["created"], changed["created"]);
        assert_eq!(server.get(&path).await.json(), changed);
        revisions.push(changed["publishedRevisionId"].clone());
        let call = call(&server, &agent, json!({})).await;
        assert_eq!((&call["systemPrompt"], &call["agent"]["name"]), (&json!(prompt), &json!(prompt)));
    }
    let kept = server.get(&format!("/api/calls/{}", first["callId"].as_str().unwrap())).await.json();
    assert_eq!((&kept["systemPrompt"], &kept["agent"]["name"]), (&json!("One"), &json!("Support")));

    // What cannot be publishes nothing.
    let refused = server.patch(&path, json!({"callTemplate": {"systemPrompt": "{{"}})).await;
    assert!(refused.detail(400).starts_with("callTemplate.systemPrompt: "), "{}", refused.text);
    assert_eq!(server.get(&path).await.json()["publishedRevisionId"], revisions[2]);
    server.stop().await;
}

#[tokio::test]
async fn what_belongs_to_one_call_means_nothing_in_a_template() {
    let fields = json!({
        "initialState": {"a": 1}, "initialMessages": [{"role": "MESSAGE_ROLE_USER", "text": "Hi"}],
        "metadata": {"a": "b"}, "callbacks": {"ended": {"url": "https://example.com/"}},
        "firstSpeaker": "FIRST_SPEAKER_USER", "transcriptOptional": false, "colour": "red",
    });
    let server = Server::start().await;
    let agent = agent(&server, fields.clone()).await;
    let template = server.get(&format!("/api/agents/{agent}")).await.json()["callTemplate"].clone();
    let left: Vec<&String> =
        template.as_object().unwrap().keys().filter(|key| fields.get(key).is_some()).collect();
    assert_eq!(left, Vec::<&String>::new());
    let call = call(&server, &agent, json!({})).await;
    assert_eq!((&call["initialState"], &call["metadata"]), (&json!({}), &json!({})));
    assert_eq!(call["firstSpeaker"], "FIRST_SPEAKER_AGENT");
    server.stop().await;

    let strict = Server::start_with(|config| config.server.strict_fields = true).await;
    for (field, value) in fields.as_object().unwrap() {
        let refused = strict.post("/api/agents", json!({"callTemplate": {field: value}}).to_string()).await;
        assert_eq!(refused.detail(400), format!("callTemplate.{field}: does not exist; leave it out"));
    }
    let made = strict.post("/api/agents", json!({"callTemplate": {"name": "x"}}).to_string()).await.json();
    let path = format!("/api/agents/{}", made["agentId"].as_str().unwrap());
    let refused = strict.patch(&path, json!({"callTemplate": {"colour": "red"}})).await;
    assert_eq!(refused.detail(400), "callTemplate.colour: does not exist; leave it out");
    strict.stop().await;
}

#[tokio::test]
async fn an_agent_is_created_read_changed_and_deleted() {
    let server = Server::start().await;
    let body = json!({
        "name": "Support",
        "callTemplate": {
            "name": "ignored", "systemPrompt": "Help {{customer.name}}.", "temperature": 0.3,
            "medium": {"serverWebSocket": {"inputSampleRate": 16000}},
            "selectedTools": [{"toolName": "hangUp"}],
        }
    });
    let created = server.post("/api/agents", body.to_string()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let agent = created.json();
    let (id, revision) = (agent["agentId"].as_str().unwrap(), agent["publishedRevisionId"].as_str().unwrap());
    let at = agent["created"].as_str().unwrap();
    let updated = agent["callTemplate"]["updated"].as_str().unwrap();
    assert_eq!(
        agent,
        json!({
            "agentId": id, "publishedRevisionId": revision, "name": "Support", "created": at,
            "callTemplate": {
                "name": "Support", "created": at, "updated": updated,
                "medium": {"serverWebSocket": {"inputSampleRate": 16000}},
                "systemPrompt": "Help {{customer.name}}.", "temperature": 0.3,
                "selectedTools": [{"toolName": "hangUp"}],
            },
            "statistics": {"calls": 0}
        })
    );
    let path = format!("/api/agents/{id}");
    assert_eq!(server.get(&path).await.json(), agent);

    let patch = json!({"callTemplate": {"temperature": null, "medium": {"serverWebSocket": {"clientBufferSizeMs": 90}}}});
    let changed = server.patch(&path, patch).await.json();
    assert_ne!(changed["publishedRevisionId"], revision);
    assert_eq!(changed["created"], at);
    let template = &changed["callTemplate"];
    assert_eq!(
        template["medium"],
        json!({"serverWebSocket": {"inputSampleRate": 16000, "clientBufferSizeMs": 90}})
    );
    assert_eq!(
        (&template["temperature"], &template["systemPrompt"]),
        (&Value::Null, &json!("Help {{customer.name}}."))
    );
    assert_eq!(server.patch(&path, json!({"name": "Sales"})).await.json()["callTemplate"]["name"], "Sales");
    assert_eq!(server.get(&path).await.json()["name"], "Sales");

    assert_eq!(server.delete(&path).await.status, 204);
    for answer in [server.get(&path).await, server.delete(&path).await, server.patch(&path, json!({})).await]
    {
        assert_eq!(answer.detail(404), "there is no such agent");
    }
    assert_eq!(server.post(&format!("{path}/calls"), "{}").await.detail(404), "there is no such agent");
    assert_eq!(server.get(&format!("{path}/calls")).await.detail(404), "there is no such agent");
    assert_eq!(server.post("/api/agents", "").await.json()["name"], "Unnamed agent");
    server.stop().await;
}

#[tokio::test]
async fn what_makes_no_agent_is_refused_by_name() {
    let server = Server::start().await;
    let agent = agent(&server, json!({"systemPrompt": "Hi"})).await;
    for (template, field, why) in [
        (json!({"temperature": 2}), "callTemplate.temperature", "out of range"),
        (json!({"systemPrompt": "Hi {{name"}), "callTemplate.systemPrompt", "not closed"),
        (json!({"timeExceededMessage": "{{#a}}"}), "callTemplate.timeExceededMessage", "not closed"),
        (json!({"contextSchema": {"type": "colour"}}), "callTemplate.contextSchema", "no JSON Schema"),
        (
            json!({"contextSchema": {"$ref": "https://example.com/schema.json"}}),
            "callTemplate.contextSchema",
            "",
        ),
        (
            json!({"inactivityMessages": [{"duration": "5s", "message": "{{>x}}"}]}),
            "callTemplate.inactivityMessages[0].message",
            "not supported",
        ),
        (
            json!({"selectedTools": [client_tool("a", ""), client_tool("a", "")]}),
            "callTemplate.selectedTools[1]",
            "second tool",
        ),
        (
            json!({"selectedTools": [{"toolName": "crm", "authTokens": {"key": "{{{secret-token"}}]}),
            "callTemplate.selectedTools[0].authTokens.key",
            "broken",
        ),
        (
            json!({"selectedTools": [{"toolName": "crm", "authTokens": {"key": "[hidden]"}}]}),
            "callTemplate.selectedTools[0].authTokens.key",
            "send the secret itself",
        ),
        (json!({"voice": "a", "externalVoice": {"lmnt": {}}}), "callTemplate.externalVoice", "excludes"),
    ] {
        let created = server.post("/api/agents", json!({"callTemplate": template}).to_string()).await;
        let detail = created.detail(400);
        assert!(detail.starts_with(&format!("{field}: ")) && detail.contains(why), "{template}: {detail}");
        assert!(!detail.contains("secret-token"), "{detail}");
        assert!(created.json()["errors"][field].is_array(), "{}", created.text);
        if field != "callTemplate.externalVoice" {
            let changed =
                server.patch(&format!("/api/agents/{agent}"), json!({"callTemplate": template})).await;
            assert!(changed.detail(400).starts_with(&format!("{field}: ")), "{}", changed.text);
        }
    }
    let long = server.post("/api/agents", json!({"name": "x".repeat(65)}).to_string()).await;
    assert!(long.detail(400).starts_with("name: "), "{}", long.text);
    let nameless = server.patch(&format!("/api/agents/{agent}"), json!({"name": null})).await;
    assert!(nameless.detail(400).starts_with("name: "), "{}", nameless.text);
    assert_eq!(server.get("/api/agents").await.json()["total"], 1);
    server.stop().await;
}

#[tokio::test]
async fn secrets_of_a_template_never_come_back_and_survive_being_sent_back_hidden() {
    let server = Server::start().await;
    let tool = json!({
        "temporaryTool": {
            "modelToolName": "lookUp",
            "http": {"baseUrlPattern": "https://example.com/x", "httpMethod": "GET"},
            "requirements": {"httpSecurityOptions": {"options": [
                {"requirements": {"key": {"headerApiKey": {"name": "X-Key"}}}}
            ]}}
        },
        "authTokens": {"key": "s3cret-token"}
    });
    let agent = agent(
        &server,
        json!({
            "selectedTools": [tool], "sharedSecrets": ["s3cret-0123456789"],
            "dataConnection": {"websocketUrl": "wss://example.com", "headers": {"X-Key": "s3cret-header"}},
        }),
    )
    .await;
    let path = format!("/api/agents/{agent}");
    let shown = server.get(&path).await;
    assert!(!shown.text.contains("s3cret"), "{}", shown.text);
    let template = shown.json()["callTemplate"].clone();
    assert_eq!(template["selectedTools"][0]["authTokens"], json!({"key": "[hidden]"}));
    let back = server.patch(&path, json!({"callTemplate": template})).await;
    assert_eq!(back.status, 200, "{}", back.text);
    assert!(!back.text.contains("s3cret"), "{}", back.text);
    let list = server.get("/api/agents").await;
    assert!(!list.text.contains("s3cret"), "{}", list.text);

    let (storage, account) = server.storage().await;
    let kept = storage.agents.find_agent(account, agent.parse().unwrap()).await.unwrap().unwrap();
    let kept = serde_json::to_string(&kept.revision.template).unwrap();
    for secret in ["s3cret-token", "s3cret-0123456789", "s3cret-header"] {
        assert!(kept.contains(secret), "{secret}");
    }
    storage.close().await;
    let call = call(&server, &agent, json!({})).await;
    assert!(!call.to_string().contains("s3cret"), "{call}");
    server.stop().await;
}

#[tokio::test]
async fn agents_and_their_calls_are_listed_in_pages() {
    let server = Server::start().await;
    let mut ids = Vec::new();
    for name in ["beta", "Alpha", "gamma"] {
        let created = server.post("/api/agents", json!({"name": name}).to_string()).await.json();
        ids.push(created["agentId"].as_str().unwrap().to_owned());
    }
    let names = async |query: &str| {
        let page = server.get(&format!("/api/agents{query}")).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let page = page.json();
        let names: Vec<String> = page["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|agent| agent["name"].as_str().unwrap().to_owned())
            .collect();
        (names.join(" "), page["next"].as_str().map(str::to_owned), page["total"].as_u64().unwrap())
    };
    assert_eq!(names("").await.0, "gamma Alpha beta");
    assert_eq!(names("?sort=created").await.0, "beta Alpha gamma");
    assert_eq!(names("?sort=-name").await.0, "gamma beta Alpha");
    assert_eq!(names("?search=AMM").await, ("gamma".to_owned(), None, 1));
    let (first, next, total) = names("?sort=name&pageSize=2").await;
    assert_eq!((first.as_str(), total), ("Alpha beta", 3));
    let next = next.unwrap();
    let (second, end, _) = names(&next[next.find('?').unwrap()..]).await;
    assert_eq!((second.as_str(), end), ("gamma", None));
    assert!(server.get("/api/agents?sort=calls").await.detail(400).starts_with("sort: "));

    for agent in [&ids[0], &ids[0], &ids[1]] {
        call(&server, agent, json!({})).await;
    }
    server.create(json!({})).await;
    let total = async |path: String| server.get(&path).await.json()["total"].as_u64().unwrap();
    assert_eq!(total(format!("/api/agents/{}/calls", ids[0])).await, 2);
    assert_eq!(total(format!("/api/agents/{}/calls?pageSize=1", ids[0])).await, 2);
    assert_eq!(total(format!("/api/calls?agentIds={}&agentIds={}", ids[0], ids[1])).await, 3);
    assert_eq!(total("/api/calls?search=alpha".to_owned()).await, 1);
    assert_eq!(total("/api/calls".to_owned()).await, 4);

    assert_eq!(server.delete(&format!("/api/agents/{}", ids[1])).await.status, 204);
    let kept = server.get(&format!("/api/calls?agentIds={}", ids[1])).await.json();
    assert_eq!(kept["results"][0]["agent"], json!({"agentId": ids[1], "name": "Alpha"}));

    let usage = server.get("/api/agents/usage").await.json();
    let calls: Vec<_> = usage.as_array().unwrap().iter().map(|agent| &agent["usage"][0]["calls"]).collect();
    assert_eq!(calls.len(), 2);
    assert!(calls.contains(&&json!(2)) && calls.contains(&&json!(1)), "{usage}");
    assert_eq!(usage[0]["usage"][0]["billedMinutes"], 0.0);
    server.stop().await;
}
