//! Agents: defining them, changing them, and calls from their templates (protocol.md 7.2, 2.2).

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
async fn a_call_has_the_template_with_its_variables_filled_in() {
    let server = Server::start().await;
    let agent = agent(
        &server,
        json!({
            "systemPrompt": "Help {{customer.name}}{{#customer.vip}}, a VIP{{/customer.vip}}. <{{{raw}}}>",
            "languageHint": "{{language}}",
            "timeExceededMessage": "Bye {{customer.name}}",
            "inactivityMessages": [{"duration": "5s", "message": "Still there, {{customer.name}}?"}],
            "firstSpeakerSettings": {"agent": {"text": "Hello {{customer.name}}"}},
            "selectedTools": [{
                "temporaryTool": {
                    "modelToolName": "lookUp", "description": "Looks up {{customer.name}}", "client": {},
                    "staticParameters": [
                        {"name": "id", "location": "PARAMETER_LOCATION_BODY", "value": {"of": ["{{customer.id}}"]}}
                    ]
                }
            }],
            "joinTimeout": "20s", "recordingEnabled": true, "vadSettings": {"turnEndpointDelay": "0.5s"},
        }),
    )
    .await;
    let context =
        json!({"customer": {"name": "Jane & Co", "vip": true, "id": 7}, "language": "de", "raw": "a\"b"});
    let call = call(
        &server,
        &agent,
        json!({"templateContext": context, "metadata": {"source": "test"}, "joinTimeout": "40s", "maxDuration": "90s"}),
    )
    .await;
    assert_eq!(call["systemPrompt"], "Help Jane & Co, a VIP. <a\"b>");
    assert_eq!(call["languageHint"], "de");
    assert_eq!(call["timeExceededMessage"], "Bye Jane & Co");
    assert_eq!(call["inactivityMessages"][0]["message"], "Still there, Jane & Co?");
    assert_eq!(call["firstSpeakerSettings"], json!({"agent": {"text": "Hello Jane & Co"}}));
    assert_eq!((&call["joinTimeout"], &call["maxDuration"]), (&json!("40s"), &json!("90s")));
    assert_eq!((&call["recordingEnabled"], &call["metadata"]), (&json!(true), &json!({"source": "test"})));
    assert_eq!(call["vadSettings"], json!({"turnEndpointDelay": "0.5s"}));
    assert_eq!(call["agent"], json!({"agentId": agent, "name": "Support"}));
    assert_eq!(call["agentId"], agent);

    let (storage, _) = server.storage().await;
    let kept = storage.calls.find(call["callId"].as_str().unwrap().parse().unwrap()).await.unwrap().unwrap();
    let tools = serde_json::to_value(&kept.request.selected_tools).unwrap();
    let definition = &tools[0]["temporaryTool"];
    assert_eq!(definition["description"], "Looks up Jane & Co");
    assert_eq!(definition["staticParameters"][0]["value"], json!({"of": ["7"]}));
    let published = server.get(&format!("/api/agents/{agent}")).await.json();
    assert_eq!(kept.agent.unwrap().revision.to_string(), published["publishedRevisionId"]);
    assert_eq!(published["statistics"], json!({"calls": 1}));
    storage.close().await;
    server.stop().await;
}

#[tokio::test]
async fn a_context_that_does_not_fit_is_refused() {
    let server = Server::start().await;
    let plain =
        agent(&server, json!({"systemPrompt": "Help {{customer.name}}.", "languageHint": "{{language}}"}))
            .await;
    let detail = refused(&server, &plain, json!({})).await;
    assert!(detail.starts_with("systemPrompt: uses {{customer.name}}, which has no value"), "{detail}");
    let context = json!({"customer": {"name": "Jane"}, "language": "a-language-that-is-long"});
    let detail = refused(&server, &plain, json!({"templateContext": context})).await;
    assert!(detail.starts_with("languageHint: is too long"), "{detail}");
    let detail = refused(&server, &plain, json!({"templateContext": "Jane"})).await;
    assert!(detail.starts_with("templateContext: "), "{detail}");

    let schema = json!({
        "type": "object", "required": ["name"], "additionalProperties": false,
        "properties": {"name": {"type": "string", "minLength": 2}, "visits": {"type": "integer"}},
    });
    let strict = agent(&server, json!({"systemPrompt": "Help {{name}}.", "contextSchema": schema})).await;
    for context in [
        json!({}),
        json!({"name": "J"}),
        json!({"name": "Jane", "visits": "many"}),
        json!({"name": "Jane", "x": 1}),
    ] {
        let detail = refused(&server, &strict, json!({"templateContext": context})).await;
        assert!(detail.starts_with("templateContext: does not fit the agent: "), "{context}: {detail}");
    }
    let whole = call(&server, &strict, json!({"templateContext": {"name": "Jane", "visits": 2}})).await;
    assert_eq!(whole["systemPrompt"], "Help Jane.");
    assert_eq!(server.get(&format!("/api/agents/{plain}/calls")).await.json()["total"], 0);
    server.stop().await;
}

#[tokio::test]
async fn a_call_overrides_what_it_may_and_nothing_else() {
    let server = Server::start().await;
    let agent = agent(
        &server,
        json!({
            "systemPrompt": "Be brief.", "temperature": 0.2, "voice": "Somebody",
            "medium": {"serverWebSocket": {"inputSampleRate": 8000}},
            "selectedTools": [client_tool("a", "A"), client_tool("b", "B"), {"toolName": "hangUp"}],
        }),
    )
    .await;
    let tools = async |overrides: Value| {
        let call = call(&server, &agent, json!({"toolOverrides": overrides})).await;
        let (storage, _) = server.storage().await;
        let kept =
            storage.calls.find(call["callId"].as_str().unwrap().parse().unwrap()).await.unwrap().unwrap();
        storage.close().await;
        let names = kept.request.selected_tools.unwrap();
        let name = |tool| {
            let tool = serde_json::to_value(tool).unwrap();
            let name = tool.get("toolName").unwrap_or(&tool["temporaryTool"]["description"]);
            name.as_str().unwrap().to_owned()
        };
        names.iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(tools(json!({})).await, ["A", "B", "hangUp"]);
    assert_eq!(tools(json!({"remove": ["a", "hangUp"]})).await, ["B"]);
    assert_eq!(
        tools(json!({"remove": ["a"], "add": [client_tool("a", "Another A")]})).await,
        ["B", "hangUp", "Another A"]
    );
    assert_eq!(tools(json!({"removeAll": true, "add": [client_tool("c", "C")]})).await, ["C"]);
    for (body, field) in [
        (json!({"toolOverrides": {"remove": ["z"]}}), "toolOverrides.remove[0]"),
        (json!({"toolOverrides": {"remove": ["a"], "removeAll": true}}), "toolOverrides.remove"),
        (json!({"toolOverrides": {"add": [client_tool("a", "Second")]}}), "selectedTools[3]"),
        (json!({"voiceOverrides": {"lmnt": {"speed": 1.5}}}), "voiceOverrides"),
        (json!({"sharedSecrets": ["short"]}), "sharedSecrets[0]"),
        (json!({"medium": {"twilio": {}}}), "medium.twilio"),
    ] {
        let detail = refused(&server, &agent, body).await;
        assert!(detail.starts_with(&format!("{field}: ")), "{detail}");
    }

    let body = json!({
        "systemPrompt": "Be rude.", "temperature": 1, "voice": "Somebody else", "medium": {"webRtc": {}},
        "initialOutputMedium": "text", "experimentalSettings": {"x": 1},
        "initialMessages": [{"role": "MESSAGE_ROLE_USER", "text": "{{not a template}}"}],
    });
    let call = call(&server, &agent, body).await;
    assert_eq!((&call["systemPrompt"], &call["temperature"]), (&json!("Be brief."), &json!(0.2)));
    assert_eq!((&call["voice"], &call["medium"]), (&json!("Somebody else"), &json!({"webRtc": {}})));
    assert_eq!(call["initialOutputMedium"], "MESSAGE_MEDIUM_TEXT");
    server.stop().await;

    let strict = Server::start_with(|config| config.server.strict_fields = true).await;
    let agent = self::agent(&strict, json!({"systemPrompt": "Be brief."})).await;
    let detail = refused(&strict, &agent, json!({"systemPrompt": "Be rude."})).await;
    assert_eq!(detail, "systemPrompt: cannot be set for a call of an agent; leave it out");
    strict.stop().await;
}

#[tokio::test]
async fn a_lasting_tool_of_a_template_is_filled_in_and_left_out_by_its_own_name() {
    let server = Server::start().await;
    let tool = json!({"name": "crm", "definition": {
        "modelToolName": "find", "description": "Finds {{what}}", "client": {},
    }});
    assert_eq!(server.post("/api/tools", tool.to_string()).await.status, 201);
    let agent = agent(&server, json!({"selectedTools": [{"toolName": "crm"}]})).await;
    let detail = refused(&server, &agent, json!({})).await;
    assert!(detail.starts_with("selectedTools[0].temporaryTool.description: uses {{what}}"), "{detail}");
    call(&server, &agent, json!({"templateContext": {"what": "orders"}})).await;
    // What is left out needs no values, and is no use of the tool.
    call(&server, &agent, json!({"toolOverrides": {"remove": ["find"]}})).await;
    let tools = server.get("/api/tools?ownership=private").await.json();
    let id = tools["results"][0]["toolId"].as_str().unwrap();
    assert_eq!(server.get(&format!("/api/tools/{id}/history")).await.json()["total"], 1);
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
