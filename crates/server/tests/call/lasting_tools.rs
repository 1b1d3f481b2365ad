//! Tools that last, in calls: referred to by id and by name, kept as they were when the call was created, and remembered.

use reqwest::Method;
use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::puppet::{call, stand, told};
use crate::stand::Stand;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

async fn created(stand: &Stand, name: &str, url: &str) -> Value {
    let request = json!({"name": name, "definition": {
        "description": "Looks.",
        "dynamicParameters": [{"name": "who", "location": "PARAMETER_LOCATION_QUERY", "schema": {"type": "string"}}],
        "http": {"baseUrlPattern": url, "httpMethod": "GET"},
    }});
    let (status, tool) = stand.post("/api/tools", request).await;
    assert_eq!(status, 201, "{tool}");
    tool
}

#[tokio::test]
async fn a_lasting_tool_is_used_by_id_and_by_name_with_overrides_of_its_own() {
    let stand = stand().await;
    let endpoint = Endpoint::answering([OK, OK]).await;
    let tool = created(&stand, "look", &endpoint.url("/")).await;
    let by_id =
        json!({"toolId": tool["toolId"], "nameOverride": "peek", "parameterOverrides": {"who": "me"}});
    let (_, mut caller) = call(&stand, json!([by_id, {"toolName": "look"}])).await;
    assert_eq!(told(&mut caller, r#"call peek {"who":"you"}"#).await, "hi");
    assert_eq!(told(&mut caller, r#"call look {"who":"you"}"#).await, "hi");
    let requests = endpoint.requests();
    assert!(
        requests[0].starts_with("GET /?who=me ") && requests[1].starts_with("GET /?who=you "),
        "{requests:?}"
    );
}

#[tokio::test]
async fn a_call_keeps_the_tool_that_it_was_created_with() {
    let stand = stand().await;
    let (old, new) = (Endpoint::answering([OK]).await, Endpoint::answering([OK]).await);
    let tool = created(&stand, "look", &old.url("/old")).await;
    let (_, mut first) = call(&stand, json!([{"toolName": "look"}])).await;
    let path = format!("/api/tools/{}", tool["toolId"].as_str().unwrap());
    let changed = json!({"name": "look", "definition": {"http": {"baseUrlPattern": new.url("/new"), "httpMethod": "POST"}}});
    assert_eq!(stand.request(Method::PUT, &path, Some(changed)).await.0, 200);
    let (_, mut second) = call(&stand, json!([{"toolName": "look"}])).await;
    assert_eq!(stand.request(Method::DELETE, &path, None).await.0, 204);
    assert_eq!(told(&mut first, "call look").await, "hi");
    assert_eq!(told(&mut second, "call look").await, "hi");
    assert!(old.requests()[0].starts_with("GET /old") && new.requests()[0].starts_with("POST /new"));
}

#[tokio::test]
async fn an_accounts_own_tool_comes_before_a_built_in_by_name_and_never_by_id() {
    let stand = stand().await;
    let endpoint = Endpoint::answering([OK]).await;
    created(&stand, "hangUp", &endpoint.url("/")).await;
    let built_in = json!({"toolId": "56294126-5a7d-4948-b67d-3b7e13d55ea7", "nameOverride": "bye"});
    let (created_call, mut caller) = call(&stand, json!([{"toolName": "hangUp"}, built_in])).await;
    assert_eq!(told(&mut caller, "call hangUp").await, "hi");
    caller.write("call bye").await;
    assert_eq!(caller.until_closed().await, 1000);
    assert_eq!(stand.ended(&created_call).await["endReason"], "agent_hangup");
}

#[tokio::test]
async fn two_tools_of_one_name_have_to_be_told_apart() {
    let stand = stand().await;
    for _ in 0..2 {
        created(&stand, "look", "https://example.com/").await;
    }
    let (status, error) = stand.post("/api/calls", json!({"selectedTools": [{"toolName": "look"}]})).await;
    assert_eq!(status, 400, "{error}");
    assert!(error["errors"].get("selectedTools[0].toolName").is_some(), "{error}");
}

#[tokio::test]
async fn a_tools_history_lists_its_calls_and_how_often_it_failed() {
    let stand = stand().await;
    let endpoint =
        Endpoint::answering(["HTTP/1.1 500 Oops\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", OK])
            .await;
    let tool = created(&stand, "look", &endpoint.url("/")).await;
    let (failing, mut caller) = call(&stand, json!([{"toolName": "look"}])).await;
    told(&mut caller, "call look").await;
    told(&mut caller, "call look").await;
    caller.hang_up().await;
    stand.ended(&failing).await;
    let (idle, caller) = call(&stand, json!([{"toolId": tool["toolId"]}])).await;
    caller.hang_up().await;
    stand.ended(&idle).await;
    let (other, caller) = call(&stand, json!([])).await;
    caller.hang_up().await;
    stand.ended(&other).await;

    let history = stand.get(&format!("/api/tools/{}/history", tool["toolId"].as_str().unwrap())).await;
    let lines: Vec<_> = history["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["call"]["callId"].clone(), line["errorCount"].clone()))
        .collect();
    assert_eq!(lines, [(idle["callId"].clone(), json!(0)), (failing["callId"].clone(), json!(1))]);
    assert_eq!(history["total"], 2);
}

#[tokio::test]
async fn a_call_that_goes_on_where_another_stopped_has_its_tools() {
    let stand = stand().await;
    let endpoint = Endpoint::answering([OK]).await;
    created(&stand, "look", &endpoint.url("/")).await;
    let (prior, caller) = call(&stand, json!([{"toolName": "look"}])).await;
    caller.hang_up().await;
    stand.ended(&prior).await;
    let path = format!("/api/calls?priorCallId={}", prior["callId"].as_str().unwrap());
    let (status, next) = stand.post(&path, json!({})).await;
    assert_eq!(status, 201, "{next}");
    let mut caller = crate::caller::Caller::join(next["joinUrl"].as_str().unwrap()).await;
    caller.until_state("listening").await;
    assert_eq!(told(&mut caller, "call look").await, "hi");
}
