//! `/api/tools` as a client meets it.

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::server::{Answer, KEY, Server, answer};

fn look(url: &str) -> Value {
    json!({"name": "look", "definition": {
        "modelToolName": "look",
        "description": "Looks something up.",
        "dynamicParameters": [
            {"name": "what", "location": "PARAMETER_LOCATION_QUERY", "schema": {"type": "string"}, "required": true},
        ],
        "requirements": {"httpSecurityOptions": {"options": [{"requirements": {"key": {"headerApiKey": {"name": "X-Key"}}}}]}},
        "http": {"baseUrlPattern": url, "httpMethod": "GET"},
    }})
}

async fn create(server: &Server, body: &Value) -> Value {
    let created = server.post("/api/tools", body.to_string()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    created.json()
}

async fn upload(server: &Server, document: &str) -> Answer {
    let form = Form::new().part("file", Part::text(document.to_owned()).file_name("api.yaml"));
    answer(server.request(Method::POST, "/api/tools").header("X-API-Key", KEY).multipart(form)).await
}

fn names(page: &Value) -> Vec<&str> {
    page["results"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_tool_is_created_read_replaced_and_removed() {
    let server = Server::start().await;
    let request = look("https://example.com/find");
    let tool = create(&server, &request).await;
    assert_eq!(tool["name"], "look");
    assert_eq!(tool["ownership"], "private");
    assert_eq!(tool["definition"], request["definition"]);
    let path = format!("/api/tools/{}", tool["toolId"].as_str().unwrap());
    assert_eq!(server.get(&path).await.json(), tool);

    let mut changed = request.clone();
    changed["name"] = json!("peek");
    changed["definition"]["timeout"] = json!("5s");
    let replaced = server.put(&path, changed.clone()).await.json();
    assert_eq!((&replaced["name"], &replaced["created"]), (&json!("peek"), &tool["created"]));
    assert_eq!(server.get(&path).await.json(), replaced);
    let patched = answer(server.request(Method::PATCH, &path).header("X-API-Key", KEY).json(&changed)).await;
    assert_eq!(patched.status, 405);

    assert_eq!(server.delete(&path).await.status, 204);
    for gone in [server.get(&path).await, server.delete(&path).await, server.put(&path, changed).await] {
        assert_eq!(gone.detail(404), "there is no such tool");
    }
    let history = server.get(&format!("{path}/history")).await;
    assert_eq!(history.detail(404), "there is no such tool");
}

#[tokio::test]
async fn tools_need_a_key() {
    let server = Server::start().await;
    for (method, path) in [
        (Method::GET, "/api/tools"),
        (Method::POST, "/api/tools"),
        (Method::GET, "/api/tools/56294126-5a7d-4948-b67d-3b7e13d55ea7"),
    ] {
        assert_eq!(answer(server.request(method, path)).await.status, 401);
    }
}

#[tokio::test]
async fn a_tool_that_makes_no_sense_is_refused_by_the_name_of_its_field() {
    let server = Server::start().await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut tool = look("https://example.com/");
        change(&mut tool);
        tool
    };
    for (tool, field) in [
        (with(&|tool| tool["name"] = json!("")), "name"),
        (with(&|tool| tool["name"] = json!("x".repeat(41))), "name"),
        (with(&|tool| tool["definition"]["modelToolName"] = json!("not a name")), "definition.modelToolName"),
        (
            with(&|tool| {
                tool["name"] = json!("Not a name");
                tool["definition"]["modelToolName"] = json!(null);
            }),
            "definition.modelToolName",
        ),
        (with(&|tool| tool["definition"]["client"] = json!({})), "definition"),
        (
            with(&|tool| tool["definition"]["http"]["baseUrlPattern"] = json!("ftp://x")),
            "definition.http.baseUrlPattern",
        ),
        (
            with(&|tool| tool["definition"]["http"]["baseUrlPattern"] = json!("http://x/{y}")),
            "definition.http.baseUrlPattern",
        ),
        (with(&|tool| tool["definition"]["http"]["httpMethod"] = json!("FLY")), "definition.http.httpMethod"),
        (
            with(&|tool| tool["definition"]["dynamicParameters"][0]["location"] = json!(null)),
            "definition.dynamicParameters[0].location",
        ),
        (
            with(&|tool| tool["definition"]["dynamicParameters"][0]["schema"] = json!({"type": 1})),
            "definition.dynamicParameters[0].schema",
        ),
        (
            with(&|tool| {
                tool["definition"]["requirements"]["requiredParameterOverrides"] = json!(["nothing"])
            }),
            "definition.requirements.requiredParameterOverrides[0]",
        ),
        (
            with(&|tool| {
                tool["definition"]["requirements"]["httpSecurityOptions"]["options"][0]["requirements"]["key"] =
                    json!({"headerApiKey": {"name": "Content-Length"}});
            }),
            "definition.requirements.httpSecurityOptions.options[0].requirements.key",
        ),
        (with(&|tool| tool["definition"]["timeout"] = json!("60s")), "definition.timeout"),
    ] {
        let refused = server.post("/api/tools", tool.to_string()).await;
        assert_eq!(refused.status, 400, "{tool}: {}", refused.text);
        assert!(refused.json()["errors"].get(field).is_some(), "{field}: {}", refused.text);
    }
    assert_eq!(server.get("/api/tools?ownership=private").await.json()["total"], 0);
}

#[tokio::test]
async fn a_list_holds_the_accounts_and_the_built_in_tools_in_the_order_asked_for() {
    let server = Server::start().await;
    for name in ["b", "C", "a"] {
        let mut tool = look("https://example.com/");
        tool["name"] = json!(name);
        create(&server, &tool).await;
    }
    let list = async |query: &str| server.get(&format!("/api/tools{query}")).await.json();
    let built_in =
        ["coldTransfer", "hangUp", "leaveVoicemail", "playDtmfSounds", "queryCorpus", "warmTransfer"];
    assert_eq!(names(&list("").await)[..3], ["a", "C", "b"], "newest first, private ones ahead");
    assert_eq!(names(&list("?sortOrder=display").await)[..6], built_in);
    assert_eq!(names(&list("?sortOrder=display").await)[6..], ["a", "C", "b"]);
    assert_eq!(names(&list("?ownership=private&sortOrder=alphabetic").await), ["a", "b", "C"]);
    assert_eq!(names(&list("?ownership=private&sortOrder=reverseAlphabetic").await), ["C", "b", "a"]);
    assert_eq!(names(&list("?ownership=private&sortOrder=chronologic").await), ["b", "C", "a"]);
    assert_eq!(names(&list("?ownership=private&sortOrder=reverseChronologic").await), ["a", "C", "b"]);
    assert_eq!(names(&list("?search=LOOKS&ownership=public").await), ["queryCorpus"]);
    assert_eq!(
        names(&list("?search=ends%20the%20call&sortOrder=alphabetic").await),
        ["hangUp", "leaveVoicemail"]
    );
    let hang_up = server.get("/api/tools/56294126-5a7d-4948-b67d-3b7e13d55ea7").await.json();
    assert_eq!((&hang_up["name"], &hang_up["ownership"]), (&json!("hangUp"), &json!("public")));

    // Page by page, there and back.
    let mut walked = Vec::new();
    let mut page = list("?sortOrder=alphabetic&pageSize=4").await;
    let all: Vec<String> =
        names(&list("?sortOrder=alphabetic").await).iter().map(|name| (*name).to_owned()).collect();
    assert!(page["previous"].is_null());
    loop {
        walked.extend(names(&page).iter().map(|name| (*name).to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        let path = next.split_once("/api").map(|(_, path)| format!("/api{path}")).unwrap();
        page = server.get(&path).await.json();
    }
    assert_eq!(walked, all);
    let previous = page["previous"].as_str().unwrap();
    let path = previous.split_once("/api").map(|(_, path)| format!("/api{path}")).unwrap();
    assert_eq!(names(&server.get(&path).await.json()), all[4..8]);
    for bad in ["?sortOrder=sideways", "?ownership=mine", "?pageSize=0", "?cursor=x"] {
        assert_eq!(server.get(&format!("/api/tools{bad}")).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_tool_is_tried_out_and_its_answer_passed_back() {
    let server =
        Server::start_with(|config| config.outbound.allow = vec!["127.0.0.1".parse().unwrap()]).await;
    let teapot =
        "HTTP/1.1 418 Teapot\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: 3\r\n\r\nfoo";
    let endpoint = Endpoint::answering([teapot]).await;
    let tool = create(&server, &look(&endpoint.url("/find"))).await;
    let path = format!("/api/tools/{}/test", tool["toolId"].as_str().unwrap());
    let refused = server.post(&path, r#"{"parameters": {}, "authTokens": {"key": "k1"}}"#).await;
    assert!(refused.detail(400).contains("\"what\" is a required property"));
    let refused = server.post(&path, r#"{"what": "keys"}"#).await;
    assert!(refused.detail(400).contains("authTokens"), "{}", refused.text);
    let tried = server.post(&path, r#"{"parameters": {"what": "keys"}, "authTokens": {"key": "k1"}}"#).await;
    assert_eq!((tried.status.as_u16(), tried.text.as_str()), (418, "foo"));
    assert_eq!(
        (&tried.headers["content-type"], &tried.headers["x-content-type-options"]),
        (&"text/html".parse().unwrap(), &"nosniff".parse().unwrap())
    );
    let request = &endpoint.requests()[0];
    assert!(request.starts_with("GET /find?what=keys ") && request.contains("x-key: k1"), "{request}");
}

#[tokio::test]
async fn a_trial_that_gets_no_answer_says_why_to_the_developer() {
    let server = Server::start().await;
    let tool = create(&server, &look("http://169.254.169.254/latest")).await;
    let path = format!("/api/tools/{}/test", tool["toolId"].as_str().unwrap());
    let body = r#"{"parameters": {"what": "keys"}, "authTokens": {"key": "k1"}}"#;
    let detail = server.post(&path, body).await.detail(502);
    assert!(detail.contains("outbound.allow"), "{detail}");
    let client = create(&server, &json!({"name": "c", "definition": {"client": {}}})).await;
    let path = format!("/api/tools/{}/test", client["toolId"].as_str().unwrap());
    assert_eq!(server.post(&path, "{}").await.status, 400);
}

const DOCUMENT: &str = r##"
openapi: 3.0.3
info: {title: Orders, version: "1"}
servers:
  - url: https://{region}.example.com/v1/
    variables: {region: {default: eu}}
security: [{key: []}]
paths:
  /orders/{id}:
    parameters:
      - $ref: "#/components/parameters/Id"
    get:
      operationId: readOrder
      summary: Reads an order.
      parameters:
        - {name: full, in: query, schema: {type: boolean}}
        - {name: session, in: cookie, schema: {type: string}}
    put:
      description: Changes an order.
      security: [{token: []}, {}]
      requestBody:
        required: true
        content:
          application/json:
            schema: {$ref: "#/components/schemas/Order"}
components:
  parameters:
    Id: {name: id, in: path, required: true, description: The order., schema: {type: string}}
  schemas:
    Order:
      type: object
      required: [lines]
      properties:
        created: {type: string, readOnly: true}
        note: {type: string, nullable: true}
        lines: {type: array, items: {$ref: "#/components/schemas/Line"}}
    Line: {type: object, properties: {article: {type: string}}}
  securitySchemes:
    key: {type: apiKey, in: query, name: api_key}
    token: {type: http, scheme: bearer}
"##;

#[tokio::test]
async fn an_openapi_document_becomes_a_tool_for_each_operation() {
    let server = Server::start().await;
    let created = upload(&server, DOCUMENT).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let page = created.json();
    assert_eq!(names(&page), ["readOrder", "put_orders__id"]);
    let id = json!({"name": "id", "location": "PARAMETER_LOCATION_PATH", "required": true,
        "schema": {"type": "string", "description": "The order."}});
    assert_eq!(
        page["results"][0]["definition"],
        json!({
            "modelToolName": "readOrder",
            "description": "Reads an order.",
            "dynamicParameters": [
                {"name": "full", "location": "PARAMETER_LOCATION_QUERY", "schema": {"type": "boolean"}, "required": false},
                id,
            ],
            "requirements": {"httpSecurityOptions": {"options": [
                {"requirements": {"key": {"queryApiKey": {"name": "api_key"}}}}]}},
            "http": {"baseUrlPattern": "https://eu.example.com/v1/orders/{id}", "httpMethod": "GET"},
        })
    );
    let put = &page["results"][1]["definition"];
    assert_eq!(
        put["dynamicParameters"],
        json!([
            id,
            {"name": "note", "location": "PARAMETER_LOCATION_BODY", "schema": {"type": ["string", "null"]}, "required": false},
            {"name": "lines", "location": "PARAMETER_LOCATION_BODY", "required": true, "schema": {"type": "array",
                "items": {"type": "object", "properties": {"article": {"type": "string"}}}}},
        ])
    );
    assert_eq!(server.get("/api/tools?ownership=private").await.json()["total"], 2);
    // The same in JSON.
    let yaml: Value = serde_saphyr::from_str(DOCUMENT).unwrap();
    assert_eq!(names(&upload(&server, &yaml.to_string()).await.json()), ["readOrder", "put_orders__id"]);
}

#[tokio::test]
async fn a_document_that_makes_no_tools_is_refused_as_a_whole() {
    let server = Server::start().await;
    let recursive =
        DOCUMENT.replace("article: {type: string}", "article: {$ref: \"#/components/schemas/Line\"}");
    let bomb = "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b]\n\
        d: &d [*c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d]\nf: &f [*e, *e, *e, *e, *e, *e]\ng: [*f, *f, *f, *f, *f]";
    for (document, problem) in [
        ("", "OpenAPI"),
        ("{", "JSON"),
        ("\t- : [", "YAML"),
        ("swagger: \"2.0\"", "version 3"),
        ("openapi: 3.1.0\npaths: {}", "no operations"),
        (&DOCUMENT.replace("https://{region}.example.com/v1/", "/v1"), "not absolute"),
        (&DOCUMENT.replace("in: cookie", "in: cookie, required: true"), "GET /orders/{id}"),
        (&recursive, "recursive"),
        (
            &DOCUMENT.replace("#/components/parameters/Id", "#/components/parameters/Nobody"),
            "is not in the document",
        ),
        (bomb, ""),
    ] {
        let refused = upload(&server, document).await;
        assert_eq!(refused.status, 400, "{problem}: {}", refused.text);
        assert!(refused.text.contains(problem), "{problem}: {}", refused.text);
    }
    let nothing = answer(
        server
            .request(Method::POST, "/api/tools")
            .header("X-API-Key", KEY)
            .multipart(Form::new().text("other", "x")),
    );
    assert!(nothing.await.json()["errors"].get("file").is_some());
    assert_eq!(server.get("/api/tools?ownership=private").await.json()["total"], 0);
}
