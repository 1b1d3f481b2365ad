//! Tools that cannot be: each is refused when the call is created, by the name of its field.

use serde_json::{Value, json};

use crate::puppet::{call, goes_on, stand};

fn defined(change: impl FnOnce(&mut Value)) -> Value {
    let mut selected = json!({"temporaryTool": {
        "modelToolName": "look",
        "dynamicParameters": [{"name": "id", "location": "PARAMETER_LOCATION_QUERY", "schema": {"type": "string"}}],
        "http": {"baseUrlPattern": "https://example.com/", "httpMethod": "GET"},
    }});
    change(&mut selected);
    selected
}

fn dynamic(name: &str, location: &str, schema: &Value) -> Value {
    json!([{"name": name, "location": format!("PARAMETER_LOCATION_{location}"), "schema": schema}])
}

#[tokio::test]
async fn a_tool_that_cannot_be_is_refused_by_the_name_of_its_field() {
    let stand = stand().await;
    let url = |url: &str| defined(|tool| tool["temporaryTool"]["http"]["baseUrlPattern"] = json!(url));
    let with = |parameters: Value| defined(|tool| tool["temporaryTool"]["dynamicParameters"] = parameters);
    let pattern = "temporaryTool.http.baseUrlPattern";
    let schema = "temporaryTool.dynamicParameters[0].schema";
    for (selected, field) in [
        (url("https://example.com/{other}"), pattern),
        (url("https://example.com/{id"), pattern),
        (url("https://{id}.example.com/"), pattern),
        (url("https://example.com{id}"), pattern),
        (url("https://user:{id}@example.com/"), pattern),
        (url("https://exa mple.com/"), pattern),
        (with(dynamic("id", "PATH", &json!({}))), pattern),
        (with(dynamic("Host", "HEADER", &json!({}))), "temporaryTool"),
        (with(dynamic("a b", "HEADER", &json!({}))), "temporaryTool"),
        (with(dynamic("id", "QUERY", &json!({"type": "STRING"}))), schema),
        (with(dynamic("id", "QUERY", &json!({"$ref": "#"}))), schema),
        (with(dynamic("id", "QUERY", &json!({"$ref": "https://example.com/schema"}))), schema),
        (
            with(
                json!([{"name": "id", "location": "PARAMETER_LOCATION_QUERY"}, {"name": "id", "location": "PARAMETER_LOCATION_QUERY"}]),
            ),
            "temporaryTool.dynamicParameters[1].name",
        ),
        (defined(|tool| tool["parameterOverrides"] = json!({"unknown": 1})), "parameterOverrides.unknown"),
        (
            defined(|tool| {
                tool["temporaryTool"]["requirements"] = json!({"requiredParameterOverrides": ["id"]})
            }),
            "parameterOverrides.id",
        ),
        (
            defined(|tool| {
                tool["temporaryTool"]["requirements"] = json!({"httpSecurityOptions": {"options": [
            {"requirements": {"key": {"httpAuth": {"scheme": "Bearer"}}}}]}})
            }),
            "authTokens",
        ),
        (
            defined(|tool| {
                tool["temporaryTool"]["requirements"] = json!({"httpSecurityOptions": {"options": [
                {"requirements": {"key": {"httpAuth": {"scheme": "Bearer"}}}}]}});
                tool["authTokens"] = json!({"key": "line\nbreak"});
            }),
            "authTokens.key",
        ),
        (defined(|tool| tool["temporaryTool"]["timeout"] = json!("41s")), "temporaryTool.timeout"),
        (json!({"toolName": "nobody's"}), "toolName"),
        (json!({"toolId": "00000000-0000-4000-8000-000000000000"}), "toolId"),
        (
            json!({"toolName": "queryCorpus", "parameterOverrides": {"corpus_id": "x"}}),
            "parameterOverrides.corpus_id",
        ),
        (
            json!({"toolName": "hangUp", "parameterOverrides": {"strict": "perhaps"}}),
            "parameterOverrides.strict",
        ),
    ] {
        let request =
            json!({"selectedTools": [selected], "medium": {"serverWebSocket": {"inputSampleRate": 16000}}});
        let (status, error) = stand.post("/api/calls", request).await;
        assert_eq!(status, 400, "{selected}: {error}");
        let expected = format!("selectedTools[0].{field}");
        assert!(error["errors"].get(&expected).is_some(), "{expected}: {error}");
    }
    let (_, mut caller) = call(&stand, json!([defined(|_| {})])).await;
    goes_on(&mut caller).await;
}
