//! Tools behind HTTP endpoints in whole calls: what goes out over the wire, what comes back, and everything that can go wrong, each
//! followed by the call going on.

use reqwest::Method;
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::endpoint::Endpoint;
use crate::puppet::{call, call_with, goes_on, stand, stand_with, told};
use crate::stand::Stand;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// An answer with these headers and this body.
fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

/// A tool without parameters.
fn tool(url: &str) -> Value {
    json!({"temporaryTool": {"modelToolName": "look", "http": {"baseUrlPattern": url, "httpMethod": "GET"}}})
}

fn parameter(name: &str, location: &str, schema: &Value) -> Value {
    json!({"name": name, "location": format!("PARAMETER_LOCATION_{location}"), "schema": schema, "required": true})
}

/// The head and the body of a request.
fn parts(request: &str) -> (Vec<&str>, &str) {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    (head.lines().collect(), body)
}

/// The messages from tools of a call that is over: text, and what only the developer sees.
async fn results(stand: &Stand, call: &Value, caller: Caller) -> Vec<(String, Option<String>)> {
    caller.hang_up().await;
    stand.ended(call).await;
    let path = format!("/api/calls/{}/messages", call["callId"].as_str().unwrap());
    let page = stand.get(&path).await;
    let results = page["results"].as_array().unwrap().iter();
    let results = results.filter(|message| message["role"] == "MESSAGE_ROLE_TOOL_RESULT");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    results.map(|message| (text(&message["text"]).unwrap(), text(&message["errorDetails"]))).collect()
}

#[tokio::test]
async fn every_parameter_goes_to_its_place() {
    let stand = stand().await;
    let endpoint = Endpoint::answering([OK]).await;
    let definition = json!({
        "modelToolName": "look",
        "dynamicParameters": [
            parameter("city", "PATH", &json!({"type": "string"})),
            parameter("filter", "QUERY", &json!({"type": "object"})),
            parameter("days", "QUERY", &json!({"type": "integer"})),
            parameter("X-Unit", "HEADER", &json!({"type": "string"})),
            parameter("places", "BODY", &json!({"type": "array", "items": {"type": "string"}})),
            {"name": "left out", "location": "PARAMETER_LOCATION_QUERY"},
        ],
        "staticParameters": [
            {"name": "version", "location": "PARAMETER_LOCATION_PATH", "value": 2},
            {"name": "lang", "location": "PARAMETER_LOCATION_QUERY", "value": "de"},
            {"name": "deep", "location": "PARAMETER_LOCATION_BODY", "value": {"a": [1, null]}},
        ],
        "automaticParameters": [
            {"name": "call", "location": "PARAMETER_LOCATION_QUERY", "knownValue": "KNOWN_PARAM_CALL_ID"},
            {"name": "state", "location": "PARAMETER_LOCATION_BODY", "knownValue": "KNOWN_PARAM_CALL_STATE"},
            {"name": "X-Rate", "location": "PARAMETER_LOCATION_HEADER", "knownValue": "KNOWN_PARAM_OUTPUT_SAMPLE_RATE"},
        ],
        "http": {"baseUrlPattern": endpoint.url("/v{version}/w/{city}?id={days}"), "httpMethod": "POST"},
    });
    let selected = json!([{"temporaryTool": definition, "parameterOverrides": {"lang": "fr"}}]);
    let (created, mut caller) =
        call_with(&stand, json!({"selectedTools": selected, "initialState": {"step": 1}})).await;
    let arguments = json!({"city": "Köln/../x", "filter": {"a": "b c"}, "days": 3, "X-Unit": "°C", "places": ["a", "b"],
        "made up": 1});
    assert_eq!(told(&mut caller, &format!("call look {arguments}")).await, "hi");
    let requests = endpoint.requests();
    let (head, body) = parts(&requests[0]);
    let id = created["callId"].as_str().unwrap();
    assert_eq!(
        head[0],
        format!(
            "POST /v2/w/K%C3%B6ln%2F..%2Fx?id=3&filter=%7B%22a%22%3A%22b+c%22%7D&days=3&lang=fr&call={id} HTTP/1.1"
        )
    );
    assert!(head.contains(&"x-unit: °C") && head.contains(&"x-rate: 16000"), "{head:?}");
    assert!(head.contains(&"content-type: application/json"), "{head:?}");
    assert_eq!(body, r#"{"places":["a","b"],"deep":{"a":[1,null]},"state":{"step":1}}"#);
    goes_on(&mut caller).await;
}

#[tokio::test]
async fn methods_without_a_body_have_one_only_for_parameters_of_the_body() {
    let stand = stand().await;
    for (method, has_parameter, expected) in [
        ("GET", false, None),
        ("DELETE", false, None),
        ("DELETE", true, Some(r#"{"a":1}"#)),
        ("POST", false, Some("{}")),
        ("PUT", true, Some(r#"{"a":1}"#)),
        ("PATCH", false, Some("{}")),
    ] {
        let endpoint = Endpoint::answering([OK]).await;
        let mut tool = tool(&endpoint.url("/"));
        tool["temporaryTool"]["http"]["httpMethod"] = json!(method);
        if has_parameter {
            tool["temporaryTool"]["dynamicParameters"] = json!([parameter("a", "BODY", &json!({}))]);
        }
        let (_, mut caller) = call(&stand, json!([tool])).await;
        assert_eq!(told(&mut caller, r#"call look {"a":1}"#).await, "hi");
        let requests = endpoint.requests();
        let (head, body) = parts(&requests[0]);
        assert_eq!(body, expected.unwrap_or_default(), "{method}");
        let typed = head.iter().any(|line| line.starts_with("content-type"));
        assert_eq!(typed, expected.is_some(), "{method}");
    }
}

#[tokio::test]
async fn a_parameter_cannot_lead_out_of_its_place() {
    let stand = stand().await;
    let endpoint = Endpoint::answering([OK]).await;
    let tool = json!({"temporaryTool": {
        "modelToolName": "look",
        "dynamicParameters": [parameter("id", "PATH", &json!({})), parameter("X-A", "HEADER", &json!({}))],
        "http": {"baseUrlPattern": endpoint.url("/orders/{id}/x"), "httpMethod": "GET"},
    }});
    let (_, mut caller) = call(&stand, json!([tool])).await;
    for arguments in [
        json!({"id": "..", "X-A": "a"}),
        json!({"id": ".", "X-A": "a"}),
        json!({"id": "", "X-A": "a"}),
        json!({"id": null, "X-A": "a"}),
        json!({"id": "1", "X-A": "a\r\nX-B: c"}),
    ] {
        let told = told(&mut caller, &format!("call look {arguments}")).await;
        assert!(told.starts_with("The arguments are not valid: "), "{arguments}: {told}");
    }
    assert_eq!(endpoint.requests(), Vec::<String>::new());
    let odd = json!({"id": "a/b?c#d%2e&e", "X-A": "a"});
    assert_eq!(told(&mut caller, &format!("call look {odd}")).await, "hi");
    assert!(endpoint.requests()[0].starts_with("GET /orders/a%2Fb%3Fc%23d%252e%26e/x HTTP/1.1"));
}

#[tokio::test]
async fn every_kind_of_authentication_shows_its_token_in_its_place() {
    let stand = stand().await;
    let query = json!({"requirements": {"q": {"queryApiKey": {"name": "api key"}}}});
    let header = json!({"requirements": {"h": {"headerApiKey": {"name": "X-Key"}}}});
    let auth = json!({"requirements": {"a": {"httpAuth": {"scheme": "Bearer"}}}});
    let both = json!({"requirements": {"h": {"headerApiKey": {"name": "X-Key"}}, "a": {"httpAuth": {"scheme": "Token"}}}});
    let ours = json!({"ultravoxCallTokenRequirement": {"scopes": ["x"]}});
    let none = json!({});
    for (options, tokens, expected) in [
        (json!([query]), json!({"q": "t 1"}), vec!["GET /?api+key=t+1 "]),
        (json!([header]), json!({"h": "t2"}), vec!["x-key: t2"]),
        (json!([auth]), json!({"a": "t3"}), vec!["authorization: Bearer t3"]),
        (json!([both]), json!({"a": "t3", "h": "t2"}), vec!["authorization: Token t3", "x-key: t2"]),
        (json!([query, header]), json!({"h": "t2"}), vec!["GET / ", "x-key: t2"]),
        (json!([none, header]), json!({"h": "t2"}), vec!["x-key: t2"]),
        (json!([both, none]), json!({"h": "t2"}), vec!["GET / "]),
        (json!([ours]), json!({}), vec!["x-ultravox-call-token: "]),
    ] {
        let endpoint = Endpoint::answering([OK]).await;
        let mut tool = tool(&endpoint.url("/"));
        tool["temporaryTool"]["requirements"] = json!({"httpSecurityOptions": {"options": options}});
        tool["authTokens"] = tokens;
        let (_, mut caller) = call(&stand, json!([tool])).await;
        assert_eq!(told(&mut caller, "call look").await, "hi");
        let request = &endpoint.requests()[0];
        for part in expected {
            assert!(request.contains(part), "{part}: {request}");
        }
    }
}

#[tokio::test]
async fn an_answer_reaches_the_model_word_for_word() {
    let stand = stand().await;
    for (headers, body, expected) in [
        ("", "  {\"a\": 1}\n", "{\"a\": 1}"),
        ("Content-Type: text/plain; charset=utf-8\r\n", "Köln", "Köln"),
        ("X-Ultravox-Response-Type: tool-response\r\n", "fine", "fine"),
    ] {
        let endpoint = Endpoint::answering([answer("200 OK", headers, body)]).await;
        let (created, mut caller) = call(&stand, json!([tool(&endpoint.url("/"))])).await;
        assert_eq!(told(&mut caller, "call look").await.trim(), expected);
        assert_eq!(results(&stand, &created, caller).await, [(body.to_owned(), None)]);
    }
}

#[tokio::test]
async fn headers_of_an_answer_change_the_state_and_decide_what_follows() {
    let stand = stand().await;
    let listens = answer(
        "200 OK",
        "X-Ultravox-Agent-Reaction: listens\r\nX-Ultravox-Update-Call-State: {\"b\":2}\r\n",
        "noted",
    );
    let endpoint = Endpoint::answering([listens, OK.to_owned()]).await;
    let mut tool = tool(&endpoint.url("/"));
    tool["temporaryTool"]["automaticParameters"] = json!([
        {"name": "state", "location": "PARAMETER_LOCATION_QUERY", "knownValue": "KNOWN_PARAM_CALL_STATE"},
    ]);
    let fields = json!({"selectedTools": [tool], "initialState": {"a": 1}});
    let (created, mut caller) = call_with(&stand, fields).await;
    caller.write("call look").await;
    caller.until_state("thinking").await;
    caller.until_state("listening").await;
    assert_eq!(told(&mut caller, "call look").await, "hi");
    let requests = endpoint.requests();
    assert!(requests[1].starts_with("GET /?state=%7B%22a%22%3A1%2C%22b%22%3A2%7D "), "{}", requests[1]);
    assert_eq!(results(&stand, &created, caller).await.len(), 2);
}

#[tokio::test]
async fn an_answer_can_end_the_call() {
    let stand = stand().await;
    let hang_up = answer(
        "200 OK",
        "X-Ultravox-Response-Type: hang-up\r\n",
        r#"{"message": "Bye then.", "strict": true}"#,
    );
    let endpoint = Endpoint::answering([hang_up]).await;
    let (created, mut caller) = call(&stand, json!([tool(&endpoint.url("/"))])).await;
    caller.write("call look").await;
    assert_eq!(caller.until_final("agent").await, "Bye then.");
    assert_eq!(caller.until_closed().await, 1000);
    assert_eq!(stand.ended(&created).await["endReason"], "agent_hangup");
}

#[tokio::test]
async fn whatever_goes_wrong_the_model_learns_little_the_developer_more_and_the_call_goes_on() {
    let stand = stand_with(|config| config.outbound.max_response_bytes = 1_000).await;
    let silent = Endpoint::silent().await;
    let endless = Endpoint::endless().await;
    let fixed = |text: String| async move { Endpoint::answering([text]).await };
    let broken =
        fixed("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhalf".to_owned()).await;
    let redirect = fixed(answer("302 Found", "Location: http://169.254.169.254/latest\r\n", "")).await;
    let missing = fixed(answer("404 Not Found", "", "no such order, key s3cret-token")).await;
    let down = fixed(answer("503 Down", "X-Ultravox-Response-Type: hang-up\r\n", "")).await;
    let long = fixed(answer("500 Oops", "", &"é".repeat(900))).await;
    let image = fixed(answer("200 OK", "Content-Type: image/png\r\n", "PNG")).await;
    let kind = fixed(answer("200 OK", "X-Ultravox-Response-Type: explode\r\n", "x")).await;
    let stage = fixed(answer("200 OK", "X-Ultravox-Response-Type: new-stage\r\n", "[]")).await;
    let thread = fixed(answer("200 OK", "X-Ultravox-Response-Type: send-to-thread\r\n", "nonsense")).await;
    let gone = Endpoint::gone().await;
    let impossible = "The tool asked for something that is not possible.";
    let cases: Vec<(String, String, &str)> = vec![
        (silent.url("/"), "The tool did not answer in time.".into(), "timed out"),
        (endless.url("/"), "The tool's answer is too long to be used.".into(), "outbound.max_response_bytes"),
        (broken.url("/"), "The tool could not be reached.".into(), "broke"),
        (redirect.url("/"), "The tool could not be reached.".into(), "169.254.169.254"),
        (
            missing.url("/"),
            "The tool failed with status 404: no such order, key [secret]".into(),
            "HTTP status 404",
        ),
        (down.url("/"), "The tool failed with status 503.".into(), "HTTP status 503"),
        (long.url("/"), format!("The tool failed with status 500: {}", "é".repeat(500)), "HTTP status 500"),
        (kind.url("/"), impossible.into(), "explode"),
        (stage.url("/"), impossible.into(), "new-stage"),
        (thread.url("/"), impossible.into(), "cannot be read"),
        (gone, "The tool could not be reached.".into(), "cannot be connected to"),
        ("http://127.0.0.2:9/".into(), "The tool could not be reached.".into(), "outbound.allow"),
        ("http://2130706434/".into(), "The tool could not be reached.".into(), "a loopback address"),
    ];
    for (url, model, developer) in cases {
        let mut tool = tool(&url);
        tool["temporaryTool"]["timeout"] = json!("0.3s");
        tool["temporaryTool"]["requirements"] = json!({"httpSecurityOptions": {"options": [
            {"requirements": {"key": {"httpAuth": {"scheme": "Bearer"}}}}]}});
        tool["authTokens"] = json!({"key": "s3cret-token"});
        if url == endless.url("/") || url == broken.url("/") {
            tool["temporaryTool"]["timeout"] = json!("20s");
        }
        let (created, mut caller) = call(&stand, json!([tool])).await;
        assert_eq!(told(&mut caller, "call look").await, model, "{url}");
        goes_on(&mut caller).await;
        let results = results(&stand, &created, caller).await;
        let detail = results[0].1.as_deref().unwrap_or_default();
        assert!(detail.contains(developer) && !detail.contains("s3cret"), "{url}: {detail}");
    }
    // Text all the same.
    let (_, mut caller) = call(&stand, json!([tool(&image.url("/"))])).await;
    assert_eq!(told(&mut caller, "call look").await, "PNG");
}

#[tokio::test]
async fn a_models_mistakes_are_mended_or_explained_and_never_spoken() {
    let stand = stand().await;
    let definition = |endpoint: &Endpoint| {
        json!([{"temporaryTool": {
            "modelToolName": "look",
            "defaultReaction": "AGENT_REACTION_LISTENS",
            "dynamicParameters": [
                parameter("id", "BODY", &json!({"type": "integer"})),
                {"name": "tags", "location": "PARAMETER_LOCATION_BODY", "schema": {"type": "array", "items": {"type": "string"}}},
                {"name": "note", "location": "PARAMETER_LOCATION_BODY", "schema": {"type": "string"}},
            ],
            "http": {"baseUrlPattern": endpoint.url("/"), "httpMethod": "POST"},
        }}])
    };
    let speaks = answer("200 OK", "X-Ultravox-Agent-Reaction: speaks\r\n", "done");
    for (written, sent) in [
        (r#"{"id":5}"#, r#"{"id":5}"#),
        (r#"{"id":"5"}"#, r#"{"id":5}"#),
        (r#"{"id":5,"tags":"a","note":null,}"#, r#"{"id":5,"tags":["a"]}"#),
        (r#"{"id":5,"tags":["a""#, r#"{"id":5,"tags":["a"]}"#),
        (r#""{\"id\": \"5\", \"note\": 7}""#, r#"{"id":5,"note":"7"}"#),
    ] {
        let endpoint = Endpoint::answering([speaks.clone()]).await;
        let (created, mut caller) = call(&stand, definition(&endpoint)).await;
        assert_eq!(told(&mut caller, &format!("call look {written}")).await, "done", "{written}");
        assert_eq!(parts(&endpoint.requests()[0]).1, sent, "{written}");
        caller.hang_up().await;
        stand.ended(&created).await;
        let said = stand.messages(&created).await;
        assert!(said.iter().any(|line| line == &format!("tool_call: {sent}")), "{said:?}");
    }
    let endpoint = Endpoint::answering([OK]).await;
    let (_, mut caller) = call(&stand, definition(&endpoint)).await;
    for (written, problem) in [
        ("{}", "\"id\" is a required property"),
        (r#"{"id":"five"}"#, "id: \"five\" is not of type \"integer\""),
        (r#"{"id":5,"tags":[{"a":1}]}"#, "tags.0: "),
        (r#"{"id":"cut o"#, "EOF while parsing"),
        ("[5]", "they are not a JSON object"),
    ] {
        let told = told(&mut caller, &format!("call look {written}")).await;
        assert!(
            told.starts_with("The arguments are not valid: ") && told.contains(problem),
            "{written}: {told}"
        );
        goes_on(&mut caller).await;
    }
    assert_eq!(endpoint.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn results_of_several_calls_come_in_the_order_of_the_calls() {
    let stand = stand().await;
    let first = Endpoint::answering([answer("200 OK", "", "first")]).await;
    let second = Endpoint::answering([answer("200 OK", "", "second")]).await;
    let mut other = tool(&second.url("/"));
    other["nameOverride"] = json!("other");
    let (created, mut caller) = call(&stand, json!([tool(&first.url("/")), other])).await;
    told(&mut caller, "call look\ncall other\ncall nothing\ncall look").await;
    let results: Vec<_> = results(&stand, &created, caller).await.into_iter().map(|(text, _)| text).collect();
    assert_eq!(results[..3], ["first", "second", "There is no tool named \"nothing\"."]);
}

#[tokio::test]
async fn a_static_response_is_told_at_once_and_the_tool_runs_all_the_same() {
    let stand = stand().await;
    let endpoint = Endpoint::silent().await;
    let mut tool = tool(&endpoint.url("/"));
    tool["temporaryTool"]["staticResponse"] = json!({"responseText": "On its way."});
    let (created, mut caller) = call(&stand, json!([tool])).await;
    assert_eq!(told(&mut caller, "call look").await, "On its way.");
    goes_on(&mut caller).await;
    endpoint.until_asked().await;
    caller.hang_up().await;
    assert_eq!(stand.ended(&created).await["endReason"], "hangup");
}

#[tokio::test]
async fn a_tool_that_runs_when_the_call_ends_is_left_alone() {
    let stand = stand().await;
    let endpoint = Endpoint::silent().await;
    let mut tool = tool(&endpoint.url("/"));
    tool["temporaryTool"]["timeout"] = json!("40s");
    let (created, mut caller) = call(&stand, json!([tool])).await;
    caller.write("call look").await;
    endpoint.until_asked().await;
    caller.hang_up().await;
    // The connection goes with the call.
    endpoint.until_left().await;
    assert_eq!(stand.ended(&created).await["endReason"], "hangup");
}

#[tokio::test]
async fn secrets_of_a_selection_are_in_no_answer_and_no_journal() {
    let stand = stand().await;
    let endpoint = Endpoint::answering([OK]).await;
    let mut tool = tool(&endpoint.url("/"));
    tool["temporaryTool"]["requirements"] = json!({"httpSecurityOptions": {"options": [
        {"requirements": {"key": {"queryApiKey": {"name": "k"}}}}]}});
    tool["temporaryTool"]["dynamicParameters"] = json!([parameter("X-Own", "HEADER", &json!({}))]);
    tool["authTokens"] = json!({"key": "s3cret-token"});
    tool["parameterOverrides"] = json!({"X-Own": "s3cret-header"});
    let (created, mut caller) = call(&stand, json!([tool])).await;
    assert_eq!(told(&mut caller, "call look").await, "hi");
    assert!(
        endpoint.requests()[0].contains("s3cret-token") && endpoint.requests()[0].contains("s3cret-header")
    );
    caller.hang_up().await;
    let ended = stand.ended(&created).await;
    let path = format!("/api/calls/{}/messages", created["callId"].as_str().unwrap());
    let (_, messages) = stand.request(Method::GET, &path, None).await;
    let journal = std::fs::read(stand.journal(&created)).unwrap();
    for text in [
        created.to_string(),
        ended.to_string(),
        messages.to_string(),
        String::from_utf8_lossy(&journal).into_owned(),
    ] {
        assert!(!text.contains("s3cret"), "{text}");
    }
}

/// A tool of a call by voice, in the middle of whose sentence the user writes something.
async fn interrupted(stand: &Stand, tool: Value, started: Option<&Endpoint>) -> (Value, Caller) {
    let fields = json!({"selectedTools": [tool], "initialOutputMedium": "MESSAGE_MEDIUM_VOICE"});
    let (created, mut caller) = call_with(stand, fields).await;
    caller.write("say and call look").await;
    if let Some(endpoint) = started {
        endpoint.until_asked().await;
    }
    caller.until("a word", |message| message["type"] == "transcript" && message["role"] == "agent").await;
    caller.say(json!({"type": "user_text_message", "text": "stop", "urgency": "immediate"})).await;
    caller
        .until("the answer", |message| message["final"] == true && message["text"] == "You said: stop")
        .await;
    (created, caller)
}

#[tokio::test]
async fn a_tool_whose_sentence_is_interrupted_never_runs() {
    let stand = stand().await;
    let endpoint = Endpoint::answering([OK]).await;
    let (created, caller) = interrupted(&stand, tool(&endpoint.url("/")), None).await;
    assert_eq!(endpoint.requests(), Vec::<String>::new());
    assert_eq!(results(&stand, &created, caller).await, []);
}

#[tokio::test]
async fn a_precomputable_tool_runs_beside_the_sentence_and_is_dropped_with_it() {
    let stand = stand().await;
    let endpoint = Endpoint::silent().await;
    let mut tool = tool(&endpoint.url("/"));
    tool["temporaryTool"]["precomputable"] = json!(true);
    tool["temporaryTool"]["timeout"] = json!("40s");
    let (created, caller) = interrupted(&stand, tool, Some(&endpoint)).await;
    endpoint.until_left().await;
    assert_eq!(results(&stand, &created, caller).await, []);
}
