//! The API's description of itself, over HTTP.

use reqwest::Method;
use serde_json::Value;

use crate::server::{Answer, Server, answer};

async fn read(server: &Server, query: &str, accept: &str) -> Answer {
    let request = server.request(Method::GET, &format!("/api/schema/{query}"));
    // Without a key.
    answer(if accept.is_empty() { request } else { request.header("Accept", accept) }).await
}

#[tokio::test]
async fn everybody_may_read_the_document_in_json_and_in_yaml() {
    let server = Server::start().await;
    let json = read(&server, "?format=json", "").await;
    assert_eq!(json.status, 200);
    assert_eq!(json.headers["content-type"], "application/vnd.oai.openapi+json");
    let document: Value = serde_json::from_str(&json.text).unwrap();
    let address = format!("http://{}", server.running.local_addr());
    assert_eq!(document["servers"][0]["url"], address.as_str());
    assert_eq!(document["paths"]["/api/calls"]["post"]["operationId"], "calls_create");

    let yaml = read(&server, "?format=yaml", "").await;
    assert_eq!(yaml.headers["content-type"], "application/vnd.oai.openapi");
    assert_eq!(serde_saphyr::from_str::<Value>(&yaml.text).unwrap(), document, "both say the same");
    server.stop().await;
}

#[tokio::test]
async fn what_is_accepted_decides_where_no_format_is_named() {
    let server = Server::start().await;
    for (accept, kind) in [
        ("", "application/vnd.oai.openapi"),
        ("application/json", "application/json"),
        ("application/yaml", "application/yaml"),
        ("text/html, */*;q=0.8", "application/vnd.oai.openapi"),
    ] {
        assert_eq!(read(&server, "", accept).await.headers["content-type"], kind, "{accept:?}");
    }
    let refused = read(&server, "", "text/html").await;
    assert_eq!(
        refused.detail(406),
        "the document can be had as one of application/vnd.oai.openapi, application/yaml, \
         application/vnd.oai.openapi+json, application/json"
    );
    let unknown = read(&server, "?format=xml", "").await;
    assert_eq!(unknown.detail(400), r#"format: "xml" is not known; choose one of json, yaml"#);
    server.stop().await;
}

#[tokio::test]
async fn the_document_that_is_served_is_the_one_that_is_checked_in() {
    let server = Server::start().await;
    let mut served: Value = serde_json::from_str(&read(&server, "?format=json", "").await.text).unwrap();
    let checked_in = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let checked_in: Value = serde_json::from_str(&std::fs::read_to_string(checked_in).unwrap()).unwrap();
    served["servers"] = checked_in["servers"].clone();
    assert!(served == checked_in, "run cargo xtask generate");
    server.stop().await;
}
