//! Models that hear by their configuration: what they can really do is found out when the server starts, kept, and heeded by calls.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use antiphon_backends::speech_to_text::scripted::Prepared;
use antiphon_backends::text_to_speech::TextToSpeech;
use antiphon_backends::text_to_speech::scripted::Humming;
use antiphon_engine::input::Transcription;
use antiphon_server::config::Summarizing;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::speech::spoken;
use crate::stand::{Stand, config};

/// A model behind an OpenAI-compatible interface.
struct Model {
    base: String,
    asked: Arc<Mutex<Vec<Value>>>,
}

/// Whether it takes audio, and what it was asked.
type Shared = (bool, Arc<Mutex<Vec<Value>>>);

impl Model {
    async fn start(hears: bool) -> Self {
        let asked = Arc::<Mutex<Vec<Value>>>::default();
        let shared: Shared = (hears, Arc::clone(&asked));
        let app = Router::new().route("/v1/chat/completions", post(complete)).with_state(shared);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { base, asked }
    }

    /// A server with this model and a recognizer, once it has found out about the model.
    async fn stand(&self, directory: &Path) -> Stand {
        let mut config = config(directory);
        config.calls.default_model = "omni".to_owned();
        config.summaries.enabled = Summarizing::Never;
        let models = format!(
            "[omni]\ntype = \"openai\"\nbase_url = {:?}\nmodel = \"omni\"\naudio = true\n",
            self.base
        );
        config.models = toml::from_str(&models).unwrap();
        let mut backends = config.build_backends().unwrap();
        let hum: Arc<dyn TextToSpeech> = Arc::new(Humming { ms_per_character: 20, ..Humming::default() });
        backends.voices.insert(Arc::clone(&backends.default_voice), hum);
        let heard = Transcription::Words("Where is my order?".into());
        backends.speech_to_text = Some(Arc::new(Prepared::in_order([heard])));
        let stand = Stand::of(config, backends, directory.to_owned()).await;
        while !directory.join("models.json").exists() {
            tokio::task::yield_now().await;
        }
        stand
    }

    /// How it was given the user's words, each time that it was asked in earnest, and how often it was tried out.
    fn given(&self) -> (Vec<Value>, usize) {
        let asked = self.asked.lock().unwrap();
        let of_call =
            |body: &&Value| body["messages"][0]["content"] == "You are Anna." && body["max_tokens"] != 1;
        let calls: Vec<Value> =
            asked.iter().filter(of_call).map(|body| body["messages"][1]["content"].clone()).collect();
        let probes = asked.iter().filter(|body| body["messages"][0]["content"] != "You are Anna.").count();
        (calls, probes)
    }
}

async fn complete(State((hears, asked)): State<Shared>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let audio = body.to_string().contains("input_audio");
    asked.lock().unwrap().push(body);
    if audio && !hears {
        let why = json!({"error": {"message": "this model takes no audio"}});
        return (StatusCode::BAD_REQUEST, why.to_string()).into_response();
    }
    let words = if audio { "I hear a banana." } else { "It is ready." };
    let delta = json!({"choices": [{"index": 0, "delta": {"content": words}, "finish_reason": "stop"}]});
    let events = format!("data: {delta}\n\ndata: [DONE]\n\n");
    ([("content-type", "text/event-stream")], Body::from(events)).into_response()
}

fn directory() -> PathBuf {
    std::env::temp_dir().join(format!("antiphon-capabilities-{}", uuid::Uuid::new_v4()))
}

/// The events of a call in which the user asks for an order, as far as they are of these kinds, and what was answered.
async fn conversation(stand: &Stand) -> (String, Vec<Value>) {
    let request = json!({"systemPrompt": "You are Anna.", "firstSpeakerSettings": {"user": {}}});
    let (call, mut caller) = stand.call(request).await;
    caller.audio(&spoken("Where is my order?").await).await;
    let answer = caller.until_final("agent").await;
    caller.hang_up().await;
    let ended = stand.ended(&call).await;
    assert_eq!(ended["endReason"], "hangup");
    let path =
        format!("/api/calls/{}/events?minimumSeverity=debug&pageSize=500", call["callId"].as_str().unwrap());
    let page = stand.get(&path).await;
    let events = page["results"].as_array().unwrap().iter();
    let of_model =
        |event: &&Value| ["model.no_audio", "model.request"].contains(&event["type"].as_str().unwrap());
    (answer, events.filter(of_model).cloned().collect())
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_model_that_takes_no_audio_is_given_words_and_the_call_says_so() {
    let model = Model::start(false).await;
    let directory = directory();
    let stand = model.stand(&directory).await;
    let (answer, events) = conversation(&stand).await;
    assert_eq!(answer, "It is ready.");
    assert_eq!(kinds(&events), ["model.no_audio", "model.request"]);
    assert_eq!(events[0]["severity"], "warning");
    assert!(
        events[0]["text"].as_str().unwrap().contains("\"omni\" was found to take no audio"),
        "{events:?}"
    );
    assert_eq!(events[1]["extras"]["turns"][0]["as"], "transcript");
    let (given, tried) = model.given();
    assert_eq!(given, [json!("Where is my order?")]);
    assert!(tried > 0);
    stand.stop().await;

    // The next start knows it from the file, and asks nobody.
    let stand = model.stand(&directory).await;
    let (_, events) = conversation(&stand).await;
    assert_eq!(kinds(&events), ["model.no_audio", "model.request"]);
    let (given, tried_again) = model.given();
    assert_eq!((given.len(), tried_again), (2, tried));
    std::fs::remove_dir_all(stand.stop().await).unwrap();
}

#[tokio::test]
async fn a_model_that_hears_is_given_the_voice_and_nothing_is_said_of_it() {
    let model = Model::start(true).await;
    let stand = model.stand(&directory()).await;
    let (answer, events) = conversation(&stand).await;
    assert_eq!(answer, "I hear a banana.");
    assert!(kinds(&events).iter().all(|kind| *kind == "model.request"), "{events:?}");
    assert_eq!(events.last().unwrap()["extras"]["turns"][0]["as"], "audio");
    let (given, _) = model.given();
    assert_eq!(given.last().unwrap()[0]["type"], "input_audio");
    std::fs::remove_dir_all(stand.stop().await).unwrap();
}
