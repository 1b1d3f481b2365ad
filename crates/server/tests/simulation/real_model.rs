//! A real model in a simulated call: asked over HTTP, in real time.

use std::path::Path;

use antiphon_server::simulation::{Happening, Scenario, simulate};
use axum::Json;
use axum::routing::post;
use serde_json::{Value, json};

/// An OpenAI-compatible model that says how much it was told.
async fn model(Json(request): Json<Value>) -> String {
    let messages = request["messages"].as_array().unwrap();
    let text = format!("I know {} messages.", messages.len());
    let chunk = json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    format!("data: {chunk}\n\ndata: {end}\n\ndata: [DONE]\n\n")
}

#[tokio::test]
async fn a_real_model_is_asked() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().route("/v1/chat/completions", post(model));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let yaml = format!(
        "call: {{ systemPrompt: Be brief., firstSpeakerSettings: {{ agent: {{ text: Hello you. }} }} }}\n\
         model: {{ endpoint: {{ base_url: 'http://{address}/v1', model: x }} }}\n\
         steps:\n  - say: What do you know?\n  - say: And now?\n\
         expect:\n  - conversation: [agent: Hello, agent: I know 3 messages., agent: I know 5 messages.]\n  - end: hangup\n"
    );
    let run = tokio::task::spawn_blocking(move || {
        let scenario =
            Scenario::from_yaml(Path::new("real.yaml"), &yaml).unwrap_or_else(|error| panic!("{error}"));
        simulate(&scenario, 0, 0)
    });
    let run = run.await.unwrap();
    assert!(run.passed() && run.real_model, "{:#?}", run.failures);
    let users = run.moments.iter().filter(|moment| matches!(moment.what, Happening::User { .. }));
    assert_eq!(users.count(), 2);
}

#[test]
fn a_model_that_is_away_is_a_failed_expectation_and_not_a_hang() {
    let yaml = "call: {}\nmodel: { endpoint: { base_url: 'http://127.0.0.1:1/v1', model: x } }\n\
                steps: []\nexpect:\n  - agent: hello\n";
    let scenario =
        Scenario::from_yaml(Path::new("away.yaml"), yaml).unwrap_or_else(|error| panic!("{error}"));
    let run = simulate(&scenario, 0, 0);
    assert_eq!(run.failures.len(), 1, "{:#?}", run.failures);
    assert!(
        run.moments
            .iter()
            .any(|moment| matches!(&moment.what, Happening::Event { kind, .. } if kind == "model.failed"))
    );
}
