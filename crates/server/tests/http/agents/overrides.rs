//! What a call of an agent may say for itself, and what it may not (protocol.md 2.2, A-13).

use serde_json::{Value, json};

use super::{agent, call, client_tool, kept, refused};
use crate::server::Server;

/// What no call of an agent may say, though a call without one may.
fn forbidden() -> Value {
    json!({
        "systemPrompt": "Be rude.", "temperature": 1, "model": "no-such-model",
        "externalVoice": {"lmnt": {"voiceId": "lily"}}, "languageHint": "fr",
        "selectedTools": [{"toolName": "hangUp"}], "vadSettings": {"turnEndpointDelay": "2s"},
        "inactivityMessages": [{"duration": "5s", "message": "Hurry up."}],
        "timeExceededMessage": "Enough.", "initialState": {"a": 1}, "firstSpeaker": "FIRST_SPEAKER_USER",
    })
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
        (json!({"toolOverrides": {"add": [client_tool("a", "Second")]}}), "toolOverrides.add[0]"),
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
async fn every_override_takes_the_place_of_what_the_template_says() {
    let server = Server::start().await;
    let template = json!({
        "medium": {"serverWebSocket": {"inputSampleRate": 8000}}, "joinTimeout": "20s", "maxDuration": "60s",
        "recordingEnabled": false, "initialOutputMedium": "MESSAGE_MEDIUM_VOICE",
        "firstSpeakerSettings": {"agent": {"text": "Hello"}},
        "dataConnection": {"websocketUrl": "wss://template.example/"},
        "voice": "Mark", "retentionPolicy": "CALL_RETENTION_POLICY_RETAIN",
        "sharedSecrets": ["template-secret-of-a-length"],
    });
    let agent = agent(&server, template).await;
    let own = json!({
        "initialMessages": [{"role": "MESSAGE_ROLE_USER", "text": "I have a question."}],
        "metadata": {"order": "7"}, "medium": {"serverWebSocket": {"inputSampleRate": 16000}},
        "joinTimeout": "40s", "maxDuration": "90s", "recordingEnabled": true,
        "initialOutputMedium": "MESSAGE_MEDIUM_TEXT",
        "firstSpeakerSettings": {"user": {"fallback": {"delay": "5s", "text": "Hello {{name}}"}}},
        "dataConnection": {"websocketUrl": "wss://own.example/"}, "experimentalSettings": {"x": [1]},
        "callbacks": {"ended": {"url": "https://own.example/ended"}},
        "voice": "Jessica", "voiceOverrides": null, "retentionPolicy": "auto_delete",
        "sharedSecrets": ["secret-of-the-call-itself"],
        "agentId": "11111111-2222-4333-8444-555555555555", "templateContext": {"name": "Jane"},
    });
    let plain = call(&server, &agent, json!({})).await;
    assert_eq!(plain["medium"], json!({"serverWebSocket": {"inputSampleRate": 8000}}));
    assert_eq!((&plain["retentionPolicy"], &plain["voice"]), (&json!("retain"), &json!("Mark")));
    assert_eq!(plain["experimentalSettings"], Value::Null);

    let made = call(&server, &agent, own.clone()).await;
    for field in [
        "metadata",
        "medium",
        "joinTimeout",
        "maxDuration",
        "recordingEnabled",
        "initialOutputMedium",
        "experimentalSettings",
        "callbacks",
        "voice",
    ] {
        assert_eq!(made[field], own[field], "{field}");
    }
    assert_eq!(
        made["firstSpeakerSettings"],
        json!({"user": {"fallback": {"delay": "5s", "text": "Hello Jane"}}}),
        "variables are filled in there, too"
    );
    assert_eq!(made["firstSpeaker"], "FIRST_SPEAKER_USER");
    assert_eq!(made["dataConnectionConfig"]["websocketUrl"], "wss://own.example/");
    assert_eq!(made["retentionPolicy"], "auto_delete");
    assert_eq!(made["agentId"], agent.as_str(), "the path says which agent");
    let kept = kept(&server, &made).await;
    assert_eq!(kept["sharedSecrets"], json!(["secret-of-the-call-itself"]));
    assert_eq!(kept["initialMessages"][0]["text"], "I have a question.");
    let events = server.get(&format!("/api/calls/{}/events", made["callId"].as_str().unwrap())).await.json();
    let ignored =
        events["results"].as_array().unwrap().iter().any(|it| it["type"] == "request.ignored_fields");
    assert!(!ignored, "{events}");

    // What is null, or left out, is the template's.
    let null: serde_json::Map<String, Value> =
        own.as_object().unwrap().keys().map(|key| (key.clone(), Value::Null)).collect();
    let unset = call(&server, &agent, Value::Object(null)).await;
    for field in [
        "medium",
        "joinTimeout",
        "maxDuration",
        "recordingEnabled",
        "voice",
        "retentionPolicy",
        "firstSpeakerSettings",
        "initialOutputMedium",
        "dataConnectionConfig",
    ] {
        assert_eq!(unset[field], plain[field], "{field}");
    }
    for (said, meant) in [("text", "TEXT"), ("TEXT", "TEXT"), ("voice", "VOICE"), ("Voice", "VOICE")] {
        let call = call(&server, &agent, json!({"initialOutputMedium": said})).await;
        assert_eq!(call["initialOutputMedium"], format!("MESSAGE_MEDIUM_{meant}"), "{said}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_may_not_be_overridden_is_ignored_and_said_or_refused() {
    let server = Server::start().await;
    let template = json!({"systemPrompt": "Be brief.", "temperature": 0.2, "languageHint": "de"});
    let agent = agent(&server, template.clone()).await;
    let call = call(&server, &agent, forbidden()).await;
    for field in ["systemPrompt", "temperature", "languageHint"] {
        assert_eq!(call[field], template[field], "{field}");
    }
    assert_eq!((&call["initialState"], &call["inactivityMessages"]), (&json!({}), &json!([])));
    assert_eq!((&call["vadSettings"], &call["timeExceededMessage"]), (&Value::Null, &Value::Null));
    assert_eq!(
        (&call["firstSpeaker"], &call["externalVoice"]),
        (&json!("FIRST_SPEAKER_AGENT"), &Value::Null)
    );
    let path = format!("/api/calls/{}", call["callId"].as_str().unwrap());
    assert_eq!(server.get(&format!("{path}/tools")).await.json(), json!([]));
    let said = loop {
        // It is written beside the call.
        let events = server.get(&format!("{path}/events?minimum_severity=warning")).await.json();
        let events = events["results"].as_array().unwrap().clone();
        if let Some(event) = events.into_iter().find(|event| event["type"] == "request.ignored_fields") {
            break event;
        }
    };
    assert_eq!(said["severity"], "warning");
    let text = said["text"].as_str().unwrap();
    for field in forbidden().as_object().unwrap().keys() {
        assert!(text.contains(field.as_str()), "{field}: {text}");
    }
    server.stop().await;

    let strict = Server::start_with(|config| config.server.strict_fields = true).await;
    let agent = self::agent(&strict, template).await;
    for (field, value) in forbidden().as_object().unwrap() {
        let detail = refused(&strict, &agent, json!({field: value})).await;
        assert_eq!(detail, format!("{field}: cannot be set for a call of an agent; leave it out"));
    }
    let detail = refused(&strict, &agent, json!({"toolOverrides": {"colour": 1}})).await;
    assert!(detail.starts_with("toolOverrides.colour: "), "{detail}");
    assert_eq!(strict.get(&format!("/api/agents/{agent}/calls")).await.json()["total"], 0);
    strict.stop().await;
}

#[tokio::test]
async fn tools_are_left_out_and_added_by_the_names_that_the_model_knows() {
    let server = Server::start().await;
    let lasting = |name: &str| json!({"name": name, "definition": {"description": name, "client": {}}});
    for name in ["crm", "stock"] {
        assert_eq!(server.post("/api/tools", lasting(name).to_string()).await.status, 201);
    }
    let renamed = json!({
        "temporaryTool": {"modelToolName": "find", "description": "F", "client": {}}, "nameOverride": "look"
    });
    let agent = agent(
        &server,
        json!({"selectedTools": [
            client_tool("a", "A"), renamed, {"toolName": "crm"}, {"toolName": "hangUp", "nameOverride": "bye"},
        ]}),
    )
    .await;
    let names = async |overrides: Value| {
        let call = call(&server, &agent, json!({"toolOverrides": overrides})).await;
        let path = format!("/api/calls/{}/tools", call["callId"].as_str().unwrap());
        let tools = server.get(&path).await.json();
        let names = tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(json!({})).await, "a look crm bye");
    assert_eq!(names(json!({"remove": ["look", "bye"]})).await, "a crm");
    assert_eq!(
        names(json!({"remove": ["crm", "a"], "add": [{"toolName": "stock"}]})).await,
        "look bye stock"
    );
    assert_eq!(names(json!({"remove": ["look"], "add": [client_tool("look", "L")]})).await, "a crm bye look");
    assert_eq!(names(json!({"removeAll": true})).await, "");
    assert_eq!(names(json!({"remove_all": true, "add": [{"toolName": "stock"}]})).await, "stock");
    assert_eq!(names(json!({"removeAll": false, "remove": ["a"]})).await, "look crm bye");

    for (overrides, field, why) in [
        // By no other name than that.
        (
            json!({"remove": ["find"]}),
            "toolOverrides.remove[0]",
            "the agent has no tool \"find\"; it has a, look, crm, bye",
        ),
        (json!({"remove": ["a", "hangUp"]}), "toolOverrides.remove[1]", "it has look, crm, bye"),
        (json!({"remove": ["a", "a"]}), "toolOverrides.remove[1]", "no tool \"a\""),
        (
            json!({"remove": ["a"], "removeAll": true}),
            "toolOverrides.remove",
            "excludes \"removeAll\"; keep one",
        ),
        (json!({"remove": "a"}), "toolOverrides.remove", "must be a list"),
        (json!({"add": [client_tool("a", "")]}), "toolOverrides.add[0]", ""),
        (json!({"add": [client_tool("b", ""), client_tool("b", "")]}), "toolOverrides.add[1]", ""),
        // What is wrong with a tool is said of where it stands in the request, whatever was left out before.
        (
            json!({"remove": ["a"], "add": [{"toolName": "stock"}, {"toolName": "nothing"}]}),
            "toolOverrides.add[1].toolName",
            "",
        ),
        (
            json!({"removeAll": true, "add": [{"toolId": "11111111-2222-4333-8444-555555555555"}]}),
            "toolOverrides.add[0].toolId",
            "",
        ),
        (
            json!({"remove": ["a", "look"], "add": [{"temporaryTool": {"modelToolName": "x", "description": "{{y}}", "client": {}}}]}),
            "toolOverrides.add[0].temporaryTool.description",
            "uses {{y}}, which has no value",
        ),
        (
            json!({"add": [{"toolName": "queryCorpus", "parameterOverrides": {"corpus_id": "nothing"}}]}),
            "toolOverrides.add[0].parameterOverrides.corpus_id",
            "",
        ),
    ] {
        let detail = refused(&server, &agent, json!({"toolOverrides": overrides})).await;
        assert!(detail.starts_with(&format!("{field}: ")) && detail.contains(why), "{overrides}: {detail}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_tool_of_the_template_is_named_where_it_stands_there() {
    let server = Server::start().await;
    let agent =
        agent(&server, json!({"selectedTools": [client_tool("a", "A"), client_tool("b", "{{b}}")]})).await;
    let detail = refused(&server, &agent, json!({"toolOverrides": {"remove": ["a"]}})).await;
    assert!(detail.starts_with("selectedTools[1].temporaryTool.description: uses {{b}}"), "{detail}");
    let lost =
        self::agent(&server, json!({"selectedTools": [client_tool("a", "A"), {"toolName": "lost"}]})).await;
    let detail = refused(&server, &lost, json!({"toolOverrides": {"remove": ["a"]}})).await;
    assert!(detail.starts_with("selectedTools[1].toolName: "), "{detail}");
    server.stop().await;
}

#[tokio::test]
async fn a_voice_comes_with_its_own_settings_or_with_none() {
    let server = Server::start().await;
    for template in [
        json!({"voice": "Mark", "voiceOverrides": {"lmnt": {"speed": 1.5}}}),
        json!({"externalVoice": {"lmnt": {"voiceId": "lily"}}}),
    ] {
        let agent = agent(&server, template).await;
        let detail = refused(&server, &agent, json!({"voiceOverrides": {"lmnt": {"speed": 1.5}}})).await;
        assert!(detail.starts_with("voiceOverrides: changes a \"voice\" that is set here"), "{detail}");
        let kept = kept(&server, &call(&server, &agent, json!({"voice": "Jessica"})).await).await;
        assert_eq!(kept["voice"], "Jessica");
        assert!(kept.get("voiceOverrides").is_none() && kept.get("externalVoice").is_none(), "{kept}");
    }
    server.stop().await;
}

#[tokio::test]
async fn ids_that_name_nothing_are_said() {
    let server = Server::start().await;
    let known = agent(&server, json!({})).await;
    for id in ["11111111-2222-4333-8444-555555555555", "nonsense"] {
        let unknown = server.post(&format!("/api/agents/{id}/calls"), "{}").await;
        assert_eq!(unknown.status, 404, "{}", unknown.text);
    }
    let throttled = server.post(&format!("/api/agents/{known}/calls?throttle=tea"), "{}").await;
    assert_eq!(throttled.detail(400), "throttle: \"tea\" names no throttle");
    let empty = server.post(&format!("/api/agents/{known}/calls"), "").await;
    assert_eq!(empty.status, 201, "nothing has to be said: {}", empty.text);
    for body in ["[]", "7", "{", "\"x\""] {
        let refused = server.post(&format!("/api/agents/{known}/calls"), body).await;
        assert_eq!(refused.status, 400, "{body}: {}", refused.text);
    }
    server.stop().await;
}
