//! Vectors from an endpoint on loopback that speaks the OpenAI API, well or badly.

#![expect(clippy::unwrap_used, reason = "a failed expectation fails the test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon_backends::embeddings::{OpenAiEmbeddings, Settings};
use antiphon_backends::http::{ApiKey, Endpoint};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};

/// What the endpoint was asked, and with which key.
type Asked = Arc<Mutex<Vec<(Value, String)>>>;

async fn endpoint(
    answer: impl Fn(&Value) -> (u16, String) + Clone + Send + Sync + 'static,
) -> (String, Asked) {
    let asked = Asked::default();
    let seen = Arc::clone(&asked);
    let router = Router::new().route(
        "/v1/embeddings",
        post(move |headers: HeaderMap, body: Bytes| async move {
            let body: Value = serde_json::from_slice(&body).unwrap();
            let (status, text) = answer(&body);
            seen.lock().unwrap().push((body, headers["authorization"].to_str().unwrap().to_owned()));
            (StatusCode::from_u16(status).unwrap(), text)
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (base, asked)
}

fn model(base: &str) -> OpenAiEmbeddings {
    let settings =
        Settings { model: "small".into(), dimensions: Some(2), batch: 2, timeout: Duration::from_secs(20) };
    OpenAiEmbeddings::new(Endpoint::new(base, Some(ApiKey::new("sk-1"))).unwrap(), settings)
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|n| n.to_string()).collect()
}

#[tokio::test]
async fn vectors_come_in_the_order_of_their_texts_a_batch_at_a_time() {
    let (base, asked) = endpoint(|body| {
        let number = |text: &Value| text.as_str().unwrap().parse::<f32>().unwrap();
        let texts = body["input"].as_array().unwrap().iter().enumerate();
        // Backwards, as nothing forbids.
        let data: Vec<Value> =
            texts.map(|(at, text)| json!({"index": at, "embedding": [number(text), 1]})).rev().collect();
        (200, json!({"object": "list", "data": data}).to_string())
    })
    .await;
    let vectors = model(&base).embed(&texts(5)).await.unwrap();
    assert_eq!(vectors, (0..5_u8).map(|n| vec![f32::from(n), 1.0]).collect::<Vec<_>>());
    let asked = asked.lock().unwrap().clone();
    let inputs: Vec<&Value> = asked.iter().map(|(body, _)| &body["input"]).collect();
    assert_eq!(inputs, [&json!(["0", "1"]), &json!(["2", "3"]), &json!(["4"])]);
    let first = json!({"model": "small", "input": ["0", "1"], "dimensions": 2, "encoding_format": "float"});
    assert_eq!(asked[0], (first, "Bearer sk-1".to_owned()));
    assert_eq!(model(&base).embed(&[]).await.unwrap(), Vec::<Vec<f32>>::new());
}

#[tokio::test]
async fn what_are_no_vectors_is_told_in_a_sentence_without_the_key() {
    for (status, answer, told) in [
        (500, r#"{"error": {"message": "overloaded sk-1"}}"#, "answered 500: overloaded [key]"),
        (200, "<html>", "answered no vectors: <html>"),
        (200, r#"{"data": []}"#, "answered fewer vectors than there are texts"),
        (200, r#"{"data": [{"index": 7, "embedding": [1]}]}"#, "answered fewer vectors than there are texts"),
        (200, r#"{"data": [{"embedding": []}]}"#, "answered vectors that cannot be compared"),
    ] {
        let (base, _) = endpoint(move |_| (status, answer.to_owned())).await;
        let error = model(&base).embed(&texts(1)).await.unwrap_err().to_string();
        assert_eq!(error, format!("the embedding model \"small\" {told}"));
    }
    let (base, _) = endpoint(|body| {
        let data = match body["input"][0].as_str().unwrap() {
            "0" => json!([{"embedding": [1, 2]}, {"embedding": [1, 2]}]),
            _ => json!([{"embedding": [1, 2, 3]}]),
        };
        (200, json!({"data": data}).to_string())
    })
    .await;
    assert!(model(&base).embed(&texts(2)).await.is_ok());
    let error = model(&base).embed(&texts(3)).await.unwrap_err().to_string();
    assert!(error.contains("cannot be compared"), "{error}");
}
