//! A recognizer behind an OpenAI-compatible `/audio/transcriptions`: what goes over the wire, and what comes back.

use std::sync::Arc;
use std::time::Duration;

use antiphon_backends::http::{ApiKey, Endpoint};
use antiphon_backends::speech_to_text::SpeechToText;
use antiphon_backends::speech_to_text::openai::{OpenAiTranscriber, Settings};
use antiphon_engine::input::Transcription;
use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use futures::FutureExt as _;
use serde_json::json;
use tokio::net::TcpListener;

use crate::remote::{Kind, WORDS};
use crate::wire::{Body, Wire};
use crate::{KEY, request, words};

/// What such a recognizer is to the suite of all behind a network; with answers in segments, or plain ones.
pub(crate) fn kind(segments: bool) -> Kind {
    let recognizer: fn(&str, Duration) -> Box<dyn SpeechToText> = if segments {
        |base, timeout| Box::new(transcriber(base, true, timeout))
    } else {
        |base, timeout| Box::new(transcriber(base, false, timeout))
    };
    Kind { recognizer, serve: || serve().boxed(), is_socket: false }
}

fn transcriber(base: &str, segments: bool, timeout: Duration) -> OpenAiTranscriber {
    let endpoint = Endpoint::new(base, Some(ApiKey::new(KEY))).unwrap();
    OpenAiTranscriber::new(endpoint, Settings { model: "ears".into(), language: None, segments, timeout })
}

fn openai(wire: &Wire) -> OpenAiTranscriber {
    transcriber(&wire.base, true, Duration::from_secs(10))
}

/// Finds the words in what is loud. Each answer ends its connection.
async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let app = Router::new().route("/v1/audio/transcriptions", post(transcribe));
    tokio::spawn(async move { axum::serve(listener, app).await });
    base
}

async fn transcribe(body: Bytes) -> ([(&'static str, &'static str); 2], String) {
    let place = |what: &[u8], from: usize| {
        body[from..].windows(what.len()).position(|part| part == what).map(|at| at + from)
    };
    let audio = place(b"data", place(b"RIFF", 0).unwrap()).unwrap() + 8;
    let end = place(b"\r\n--", audio).unwrap();
    let text = if body[audio..end].iter().any(|byte| *byte != 0) { WORDS } else { "" };
    let answer = if place(b"verbose_json", 0).is_some() {
        json!({"task": "transcribe", "language": "english", "duration": 1.0, "text": text, "segments": [
            {"id": 0, "text": format!(" {text}"), "avg_logprob": -0.2, "no_speech_prob": 0.01},
        ]})
    } else {
        json!({"text": text})
    };
    ([("content-type", "application/json"), ("connection", "close")], answer.to_string())
}

#[tokio::test]
async fn an_openai_recognizer_is_sent_a_wav() {
    let mut wire =
        Wire::answering(200, "application/json", Body::Parts(vec![br#"{"text":" Hello. "}"#.to_vec()])).await;
    assert_eq!(openai(&wire).transcribe(request(vec![5; 16])).await.transcription, words("Hello."));
    let seen = wire.request().await;
    assert!(seen.head.starts_with("POST /v1/audio/transcriptions HTTP/1.1"));
    let body = String::from_utf8_lossy(&seen.body);
    for wanted in
        ["name=\"file\"; filename=\"turn.wav\"", "RIFF", "name=\"model\"\r\n\r\nears", "\r\n\r\nen\r\n"]
    {
        assert!(body.contains(wanted), "{wanted} in {body}");
    }
}

#[tokio::test]
async fn segments_without_speech_are_left_out() {
    let answer = r#"{"task":"transcribe","language":"english","duration":9.1,"text":" Hello. Thank you for watching! Bye. Hm.",
        "segments":[
            {"id":0,"text":" Hello.","avg_logprob":-0.2,"no_speech_prob":0.01},
            {"id":1,"text":" Thank you for watching!","avg_logprob":-1.3,"no_speech_prob":0.7},
            {"id":2,"text":" Bye.","avg_logprob":-0.3,"no_speech_prob":0.7},
            {"id":3,"text":" Hm.","avg_logprob":-0.1,"no_speech_prob":0.95}]}"#;
    let mut wire =
        Wire::answering(200, "application/json", Body::Parts(vec![answer.as_bytes().to_vec()])).await;
    let heard = openai(&wire).transcribe(request(vec![5; 16])).await;
    assert_eq!((heard.transcription, &*heard.by), (words("Hello. Bye."), "ears"));
    let body = String::from_utf8_lossy(&wire.request().await.body).into_owned();
    assert!(body.contains("name=\"response_format\"\r\n\r\nverbose_json\r\n"), "{body}");
}

#[tokio::test]
async fn what_is_no_transcript_is_told() {
    let check = async |body: Vec<u8>, wanted: &str| {
        let wire = Wire::answering(200, "application/json", Body::Parts(vec![body])).await;
        let heard = openai(&wire).transcribe(request(vec![5; 16])).await;
        let Transcription::Failed(reason) = heard.transcription else { panic!("{heard:?}") };
        assert!(reason.contains(wanted), "{reason}");
    };
    check(b"<html>".to_vec(), "answered no transcript: <html>").await;
    check(vec![b' '; 2 * 1024 * 1024], "more than a transcript").await;
}

#[tokio::test]
async fn dropping_an_openai_transcription_closes_the_connection() {
    let mut wire = Wire::answering(200, "application/json", Body::Hangs(vec![b"{".to_vec()])).await;
    let recognizer: Arc<dyn SpeechToText> = Arc::new(openai(&wire));
    let hanging = tokio::spawn(recognizer.transcribe(request(vec![5; 16])));
    wire.request().await;
    hanging.abort();
    wire.client_left().await;
}
