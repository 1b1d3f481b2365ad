//! The server's figures, on their own address.

use serde_json::json;

use crate::server::Server;

#[tokio::test]
async fn figures_are_on_an_address_of_their_own_and_hold_no_users_words() {
    let anywhere = "127.0.0.1:0".parse().unwrap();
    let server = Server::start_with(|config| config.telemetry.metrics_listen = Some(anywhere)).await;
    let call = server.create(json!({"systemPrompt": "a secret of the user's"})).await;
    let id = call["callId"].as_str().unwrap();
    assert_eq!(server.get(&format!("/api/calls/{id}")).await.status, 200);
    assert_eq!(server.get("/api/nothing-is-here").await.status, 404);
    assert_eq!(server.post("/api/calls", r#"{"temperature": 2}"#).await.status, 400);
    assert_eq!(server.get("/metrics").await.status, 404, "they are not among the API");

    let address = server.running.metrics_addr().unwrap();
    let answer = reqwest::get(format!("http://{address}/metrics")).await.unwrap();
    assert_eq!(
        answer.headers()["content-type"],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    let text = answer.text().await.unwrap();
    for line in [
        "antiphon_calls_live 1",
        "antiphon_calls_created_total 1",
        "antiphon_http_requests_total{method=\"POST\",route=\"/api/calls\",status=\"400\"} 1",
        "antiphon_http_requests_total{method=\"GET\",route=\"/api/calls/{call_id}\",status=\"200\"} 1",
        "antiphon_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"} 2",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    for name in [
        "process_cpu_seconds_total ",
        "process_resident_memory_bytes ",
        "process_open_fds ",
        "antiphon_tasks ",
    ] {
        assert!(text.lines().any(|found| found.starts_with(name)), "{name} is not in\n{text}");
    }
    assert!(!text.contains(id) && !text.contains("secret"), "{text}");
    server.stop().await;
}
