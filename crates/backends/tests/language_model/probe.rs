//! What is found out about models that can do more or less, over real sockets: the server of the test hears as well as it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use antiphon_backends::http::Endpoint;
use antiphon_backends::language_model::measure::measure;
use antiphon_backends::language_model::openai::{AudioHistory, OpenAiModel, Settings};
use antiphon_backends::language_model::probe::{Finding, Findings, Probed, probe};
use antiphon_backends::language_model::{Fault, LanguageModel, Note, Waits};
use antiphon_engine::ids::TurnId;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::answer_to;
use crate::prompts::{prompt, request, spoken};

/// How well the server of a test does.
#[derive(Debug, Clone, Copy, Default)]
struct Skills {
    /// Refuses audio.
    deaf: bool,
    /// Refuses a second recording.
    one_clip: bool,
    /// Answers with the first recording instead of the last.
    confused: bool,
    /// Hears nothing when there are tools, as one server does.
    distracted: bool,
    /// Does not count.
    mute: bool,
    thinks: bool,
    /// Refuses everything.
    broken: bool,
}

struct Hearing {
    skills: Skills,
    asked: AtomicUsize,
}

async fn serve(skills: Skills) -> (String, Arc<Hearing>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let hearing = Arc::new(Hearing { skills, asked: AtomicUsize::new(0) });
    let app = Router::new().route("/chat/completions", post(complete)).with_state(Arc::clone(&hearing));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (base, hearing)
}

/// Answers as a model would that hears the probe's two words: the first recording is "banana", the second "elephant".
async fn complete(State(hearing): State<Arc<Hearing>>, body: Bytes) -> Response {
    hearing.asked.fetch_add(1, Ordering::Relaxed);
    let skills = hearing.skills;
    let body: Value = serde_json::from_slice(&body).unwrap();
    let messages = body["messages"].as_array().unwrap();
    let clips = messages.iter().filter(|message| message["content"].is_array()).count();
    let refused =
        |why: &str| (StatusCode::BAD_REQUEST, json!({"error": {"message": why}}).to_string()).into_response();
    if skills.broken {
        return (StatusCode::INTERNAL_SERVER_ERROR, "out of memory").into_response();
    }
    if clips > 0 && skills.deaf {
        return refused("audio input is not supported");
    }
    if clips > 1 && skills.one_clip {
        return refused("At most 1 audio(s) may be provided in one prompt.");
    }
    let words = match clips {
        0 => "One, two, three. I am ready.",
        _ if skills.distracted && body["tools"].is_array() => "How can I help you today?",
        1 => "Banana.",
        _ if skills.confused => "banana",
        _ => "Elephant",
    };
    let mut events = String::new();
    let mut event = |data: Value| events.push_str(&format!("data: {data}\n\n"));
    if skills.thinks {
        event(json!({"choices": [{"index": 0, "delta": {"reasoning_content": "Hm."}}]}));
    }
    event(json!({"choices": [{"index": 0, "delta": {"content": words}}]}));
    event(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}));
    if !skills.mute {
        event(json!({"choices": [], "usage": {"prompt_tokens": 90, "completion_tokens": 4,
            "prompt_tokens_details": {"cached_tokens": 60}}}));
    }
    events.push_str("data: [DONE]\n\n");
    ([("content-type", "text/event-stream")], Body::from(events)).into_response()
}

fn model(base: &str, audio: bool) -> Arc<dyn LanguageModel> {
    let wait = Duration::from_secs(30);
    Arc::new(OpenAiModel::new(
        Endpoint::new(base, None).unwrap(),
        Settings {
            model: "omni".into(),
            audio: audio.then_some(AudioHistory::Last(4)),
            max_tokens: None,
            extra: serde_json::Map::new(),
            omit: Vec::new(),
            thinks_first: false,
            audio_ids: false,
            warm_up: false,
            waits: Waits { first_token: wait, progress: wait },
        },
    ))
}

async fn found(skills: Skills) -> Findings {
    let (base, _) = serve(skills).await;
    probe(&*model(&base, true)).await.unwrap()
}

fn no(finding: &Finding) -> &str {
    match finding {
        Finding::No(why) => why,
        Finding::Yes | Finding::Unclear(_) => panic!("{finding:?}"),
    }
}

#[tokio::test]
async fn a_model_that_can_do_everything_is_found_to() {
    let findings = found(Skills::default()).await;
    for (name, finding) in findings.by_name() {
        assert_eq!(*finding, Finding::Yes, "{name}");
    }
    assert!(findings.hears() && !findings.thinks);
}

#[tokio::test]
async fn what_a_model_cannot_do_is_found_out_by_name() {
    let deaf = found(Skills { deaf: true, ..Skills::default() }).await;
    assert!(no(&deaf.audio).contains("audio input is not supported"), "{deaf:?}");
    assert!(!deaf.hears());
    let one = found(Skills { one_clip: true, ..Skills::default() }).await;
    assert!(no(&one.two_clips).contains("At most 1 audio"), "{one:?}");
    assert!(matches!(one.order, Finding::Unclear(_)) && one.hears(), "{one:?}");
    let confused = found(Skills { confused: true, ..Skills::default() }).await;
    assert!(no(&confused.order).contains("banana"), "{confused:?}");
    let distracted = found(Skills { distracted: true, ..Skills::default() }).await;
    assert!(no(&distracted.audio_with_tools).contains("How can I help"), "{distracted:?}");
    let mute = found(Skills { mute: true, thinks: true, ..Skills::default() }).await;
    assert!(matches!(mute.usage, Finding::No(_)) && mute.thinks, "{mute:?}");
}

#[tokio::test]
async fn a_model_that_does_not_work_is_not_found_to_be_deaf() {
    let (base, hearing) = serve(Skills { broken: true, ..Skills::default() }).await;
    let failure = probe(&*model(&base, true)).await.unwrap_err();
    assert_eq!(failure.fault, Fault::Backend);
    assert!(failure.reason.contains("out of memory"), "{failure:?}");
    assert_eq!(hearing.asked.load(Ordering::Relaxed), 1, "one question is enough");
}

#[tokio::test]
async fn a_model_that_was_found_deaf_is_given_transcripts() {
    let (base, _) = serve(Skills { deaf: true, ..Skills::default() }).await;
    let probed = Probed::new(model(&base, true));
    let mut asked = request(prompt(vec![spoken(0, "Hello.")]));
    asked.clips.insert(TurnId(0), vec![1; 160].into());
    assert!(probed.capabilities().audio);
    let refused = answer_to(&probed, asked.clone()).await;
    assert!(refused.reason().contains("not supported"), "{refused:?}");
    probed.heed(&probe(&**probed.unheeding()).await.unwrap());
    assert!(!probed.capabilities().audio && probed.capabilities().found_deaf);
    let answered = answer_to(&probed, asked).await;
    assert_eq!(answered.failure, None);
    let Note::Asked(asked) = &answered.notes[0] else { panic!("{answered:?}") };
    assert_eq!(asked.turns[0].1.name(), "transcript");
}

#[tokio::test]
async fn a_model_is_measured_by_what_it_hears_and_has_heard() {
    let (base, hearing) = serve(Skills::default()).await;
    let times = measure(&*model(&base, true)).await.unwrap();
    assert_eq!(times.audio.iter().map(|(seconds, _)| *seconds).collect::<Vec<_>>(), [1, 5, 20]);
    assert_eq!(times.history.iter().map(|(exchanges, _)| *exchanges).collect::<Vec<_>>(), [0, 10, 40]);
    assert_eq!(times.caches_prefixes(), Some(true), "it says so in its count");
    assert_eq!(hearing.asked.load(Ordering::Relaxed), 7);
    let reads = measure(&*model(&base, false)).await.unwrap();
    assert!(reads.audio.is_empty() && reads.usual().is_some());
}
