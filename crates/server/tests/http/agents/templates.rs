//! What stands in an agent's template and becomes a call: variables, their values, and everything that can be wrong with both
//! (protocol.md 7.2, A-48).

use serde_json::{Value, json};

use super::{agent, call, kept, refused};
use crate::server::Server;

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

/// Templates that have `VARIABLE` in one text, and where that is.
fn places(text: &str) -> Vec<(Value, &'static str)> {
    let greeting = |who: Value| json!({"firstSpeakerSettings": who});
    let tool = |definition: Value, selection: Value| {
        let mut whole = json!({"modelToolName": "find", "client": {}});
        whole.as_object_mut().unwrap().extend(definition.as_object().unwrap().clone());
        let mut tool = json!({"temporaryTool": whole});
        tool.as_object_mut().unwrap().extend(selection.as_object().unwrap().clone());
        json!({"selectedTools": [{"toolName": "hangUp"}, tool]})
    };
    let value = |value: Value| {
        let parameter = json!({"name": "id", "location": "PARAMETER_LOCATION_BODY", "value": value});
        tool(json!({"staticParameters": [parameter]}), json!({}))
    };
    let dynamic = json!({"dynamicParameters": [{
        "name": "who", "location": "PARAMETER_LOCATION_BODY", "schema": {"type": "string"},
    }]});
    let security = json!({
        "client": null, "http": {"baseUrlPattern": "https://example.com/x", "httpMethod": "GET"},
        "requirements": {"httpSecurityOptions": {"options": [
            {"requirements": {"key": {"headerApiKey": {"name": "X-Key"}}}}
        ]}},
    });
    vec![
        (json!({"systemPrompt": text}), "systemPrompt"),
        (json!({"languageHint": text}), "languageHint"),
        (json!({"timeExceededMessage": text}), "timeExceededMessage"),
        (
            json!({"inactivityMessages": [{"duration": "5s", "message": "a"}, {"duration": "5s", "message": text}]}),
            "inactivityMessages[1].message",
        ),
        (greeting(json!({"agent": {"text": text}})), "firstSpeakerSettings.agent.text"),
        (greeting(json!({"agent": {"prompt": text}})), "firstSpeakerSettings.agent.prompt"),
        (
            greeting(json!({"user": {"fallback": {"delay": "5s", "text": text}}})),
            "firstSpeakerSettings.user.fallback.text",
        ),
        (
            greeting(json!({"user": {"fallback": {"delay": "5s", "prompt": text}}})),
            "firstSpeakerSettings.user.fallback.prompt",
        ),
        (tool(json!({"description": text}), json!({})), "selectedTools[1].temporaryTool.description"),
        (tool(json!({}), json!({"descriptionOverride": text})), "selectedTools[1].descriptionOverride"),
        (value(json!(text)), "selectedTools[1].temporaryTool.staticParameters[0].value"),
        (value(json!({"a": [1, {"b": text}]})), "selectedTools[1].temporaryTool.staticParameters[0].value"),
        (
            tool(dynamic, json!({"parameterOverrides": {"who": text}})),
            "selectedTools[1].parameterOverrides.who",
        ),
        (tool(security, json!({"authTokens": {"key": text}})), "selectedTools[1].authTokens.key"),
    ]
}

#[tokio::test]
async fn every_text_that_is_a_template_is_filled_in_or_named() {
    let server = Server::start().await;
    for (template, field) in places("{{a.b}}") {
        let agent = agent(&server, template.clone()).await;
        let missing = refused(&server, &agent, json!({"templateContext": {"a": {}}})).await;
        assert!(missing.starts_with(&format!("{field}: ")), "{template}: {missing}");
        if field.contains("authTokens") {
            assert_eq!(missing, format!("{field}: is a template that is broken or uses what has no value"));
        } else {
            let why = "uses {{a.b}}, which has no value; give it in \"templateContext\", or change the agent";
            assert_eq!(missing, format!("{field}: {why}"));
        }
        let call = call(&server, &agent, json!({"templateContext": {"a": {"b": "V-<&>-7"}}})).await;
        let kept = kept(&server, &call).await.to_string();
        assert!(kept.contains("V-<&>-7") && !kept.contains("{{"), "{template}: {kept}");
    }
    for (template, field) in places("{{#a}}") {
        let refused = server.post("/api/agents", json!({"callTemplate": template}).to_string()).await;
        assert!(refused.detail(400).starts_with(&format!("callTemplate.{field}: ")), "{}", refused.text);
        assert!(refused.json()["errors"][format!("callTemplate.{field}")].is_array(), "{}", refused.text);
    }
    server.stop().await;
}

#[tokio::test]
async fn everything_else_is_no_template() {
    let server = Server::start().await;
    let agent = agent(
        &server,
        json!({
            "systemPrompt": "Hi {{name}}", "voice": "{{name}}",
            "dataConnection": {"websocketUrl": "wss://example.com/{{name}}"},
            "selectedTools": [{
                "temporaryTool": {
                    "modelToolName": "find", "dynamicParameters": [{
                        "name": "who", "location": "PARAMETER_LOCATION_PATH", "required": true,
                        "schema": {"type": "string", "description": "{{name}}"},
                    }],
                    "http": {"baseUrlPattern": "https://example.com/{who}", "httpMethod": "POST"},
                },
            }],
        }),
    )
    .await;
    let body = json!({
        "templateContext": {"name": "Jane"}, "metadata": {"a": "{{name}}"}, "experimentalSettings": {"a": "{{name}}"},
        "initialMessages": [{"role": "MESSAGE_ROLE_USER", "text": "{{name}}"}],
    });
    let kept = kept(&server, &call(&server, &agent, body).await).await;
    assert_eq!(kept["systemPrompt"], "Hi Jane");
    assert_eq!((&kept["voice"], &kept["metadata"]["a"]), (&json!("{{name}}"), &json!("{{name}}")));
    assert_eq!(kept["dataConnection"]["websocketUrl"], "wss://example.com/{{name}}");
    assert_eq!(kept["initialMessages"][0]["text"], "{{name}}");
    assert_eq!(kept["experimentalSettings"], json!({"a": "{{name}}"}));
    let definition = &kept["selectedTools"][0]["temporaryTool"];
    assert_eq!(definition["http"]["baseUrlPattern"], "https://example.com/{who}");
    assert_eq!(definition["dynamicParameters"][0]["schema"]["description"], "{{name}}");
    server.stop().await;

    // What is said to a call without an agent is said as it is.
    let server = Server::start().await;
    assert_eq!(server.create(json!({"systemPrompt": "Hi {{name}}"})).await["systemPrompt"], "Hi {{name}}");
    server.stop().await;
}

#[tokio::test]
async fn variables_are_mustache() {
    let server = Server::start().await;
    let context = json!({
        "name": "Jane <jane@example.com>", "age": 7, "vip": true, "blocked": false, "nothing": null, "blank": "",
        "items": [{"name": "tea", "price": 2}, {"name": "milk", "price": 1.5}], "tags": ["a", "b"], "none": [],
        "ultravox": {"sip": {"caller_id": "+15550001"}},
    });
    for (template, expected) in [
        (
            "{{name}} {{{name}}} {{& name }}",
            "Jane <jane@example.com> Jane <jane@example.com> Jane <jane@example.com>",
        ),
        ("{{ultravox.sip.caller_id}}", "+15550001"),
        ("{{age}} {{vip}} [{{nothing}}] {{tags}} {{items.1.name}}", "7 true [] [\"a\",\"b\"] milk"),
        ("{{#items}}{{name}}: {{price}} for {{age}}; {{/items}}", "tea: 2 for 7; milk: 1.5 for 7; "),
        ("{{#tags}}<{{.}}>{{/tags}}{{#none}}x{{/none}}{{^none}}nothing{{/none}}", "<a><b>nothing"),
        (
            "{{#vip}}VIP{{/vip}}{{#blocked}}x{{/blocked}}{{^blank}}blank{{/blank}}{{#unknown}}x{{/unknown}}",
            "VIPblank",
        ),
        ("a{{! {{name}} }}b", "a }}b"),
        ("{one} } }} {", "{one} } }} {"),
    ] {
        let agent = agent(&server, json!({"systemPrompt": template})).await;
        let call = call(&server, &agent, json!({"templateContext": context})).await;
        assert_eq!(call["systemPrompt"], expected, "{template}");
    }
    for (template, why) in [
        ("{{> header}}", "has the tag \"> header\", which is not supported here"),
        ("{{=<% %>=}}", "has the tag \"=<% %>=\", which is not supported here"),
        ("{{#a}}x", "has a section \"a\" that is not closed"),
        ("x{{/a}}", "closes a section \"a\" that is not open there"),
        ("{{}}", "has the tag \"\", which names nothing; write for example \"{{name}}\""),
        ("Hi {{name", "has a \"{{\" that is not closed: \"name\""),
    ] {
        let refused =
            server.post("/api/agents", json!({"callTemplate": {"systemPrompt": template}}).to_string()).await;
        assert_eq!(refused.detail(400), format!("callTemplate.systemPrompt: {why}"));
    }
    server.stop().await;
}
