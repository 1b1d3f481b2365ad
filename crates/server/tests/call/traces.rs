//! What a collector gets of a call: one trace, whose spans are the call, its turns, their stages and tools.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use antiphon_server::config::{Config, Secret};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::json;
use tokio::net::TcpListener;

use crate::speech::{spoken, words};
use crate::stand::{Stand, backends};

/// What came, with the header that proves who sent it, and the name of the service.
type Got = Arc<Mutex<Vec<(String, String, Span)>>>;

/// Takes spans on loopback.
struct Collector {
    url: String,
    got: Got,
}

impl Collector {
    async fn start() -> Self {
        let got = Got::default();
        let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&got));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, got }
    }

    /// A server that sends its spans here.
    async fn stand(&self, words: &[&str]) -> Stand {
        stand(words, |config| {
            config.telemetry.otlp_endpoint = Some(self.url.clone());
            config.telemetry.otlp_headers.insert("x-team".to_owned(), Secret::new("bakery"));
            config.telemetry.service_name = "bread".to_owned();
        })
        .await
    }

    fn spans(&self) -> Vec<Span> {
        self.got.lock().unwrap().iter().map(|(_, _, span)| span.clone()).collect()
    }
}

async fn stand(words: &[&str], change: impl FnOnce(&mut Config)) -> Stand {
    let directory = std::env::temp_dir().join(format!("antiphon-call-{}", uuid::Uuid::new_v4()));
    Stand::start_with(backends(words), directory, change).await
}

async fn take(State(got): State<Got>, headers: HeaderMap, body: Bytes) {
    let team = headers["x-team"].to_str().unwrap().to_owned();
    for resource in ExportTraceServiceRequest::decode(body).unwrap().resource_spans {
        let service = attributes(&resource.resource.unwrap().attributes)["service.name"].clone();
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            got.lock().unwrap().push((team.clone(), service.clone(), span));
        }
    }
}

fn attributes(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| {
        let value = attribute.value.as_ref().unwrap().value.as_ref().unwrap();
        if let Value::StringValue(text) = value {
            text.clone()
        } else if let Value::IntValue(number) = value {
            number.to_string()
        } else if let Value::DoubleValue(number) = value {
            number.to_string()
        } else {
            panic!("{value:?}")
        }
    };
    attributes.iter().map(|attribute| (attribute.key.clone(), text(attribute))).collect()
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    let mut found: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
    found.sort_by_key(|span| span.start_time_unix_nano);
    found
}

fn children<'a>(spans: &'a [Span], parent: &Span) -> Vec<&'a Span> {
    let mut found: Vec<&Span> = spans.iter().filter(|span| span.parent_span_id == parent.span_id).collect();
    found.sort_by_key(|span| (span.start_time_unix_nano, span.end_time_unix_nano));
    found
}

#[tokio::test]
async fn a_call_is_one_trace_with_a_span_for_each_turn_stage_and_tool() {
    let collector = Collector::start().await;
    let stand = collector.stand(&["tell me a story", "wait"]).await;
    let lookup =
        json!({"temporaryTool": {"modelToolName": "lookup", "description": "Find an order", "client": {}}});
    let (call, mut caller) =
        stand.call(json!({"selectedTools": [lookup], "firstSpeakerSettings": {"user": {}}})).await;
    caller.until_state("listening").await;
    caller.write("my order").await;
    let asked = caller.until_type("client_tool_invocation").await;
    caller
        .say(json!({"type": "client_tool_result", "invocationId": asked["invocationId"], "result": "two"}))
        .await;
    caller.until_final("agent").await;
    caller.until_state("listening").await;
    caller.audio(&spoken("Tell me a story.").await).await;
    caller
        .until("a few words", |message| message["type"] == "transcript" && message["delta"] == " time")
        .await;
    caller.audio(&words("Wait, wait a moment, please.").await).await;
    caller.until_type("playback_clear_buffer").await;
    caller.until_state("listening").await;
    caller.hang_up().await;
    stand.ended(&call).await;
    stand.stop().await;

    let got = collector.got.lock().unwrap().clone();
    assert!(got.iter().all(|(team, service, _)| team == "bakery" && service == "bread"));
    let spans = collector.spans();
    // Whoever knows the call's id finds its trace.
    let trace = uuid::Uuid::parse_str(call["callId"].as_str().unwrap()).unwrap().into_bytes();
    assert!(spans.iter().all(|span| span.trace_id == trace));
    let ids: std::collections::BTreeSet<&[u8]> = spans.iter().map(|span| &span.span_id[..]).collect();
    assert_eq!(ids.len(), spans.len(), "every span has an id of its own");

    let [root] = &named(&spans, "call")[..] else { panic!("{spans:#?}") };
    assert!(root.parent_span_id.is_empty());
    let said = attributes(&root.attributes);
    assert_eq!(said["gen_ai.conversation.id"], call["callId"].as_str().unwrap());
    assert_eq!(
        (said["antiphon.call.end_reason"].as_str(), said["gen_ai.output.type"].as_str()),
        ("hangup", "speech")
    );
    let events: Vec<&str> = root.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(events[0], "call.joined");
    assert!(events.contains(&"turn.interrupted"), "{events:?}");

    // Each turn lies within the call, and each stage within its turn, one behind the other.
    let within = |inner: &Span, outer: &Span| {
        inner.start_time_unix_nano >= outer.start_time_unix_nano
            && inner.end_time_unix_nano <= outer.end_time_unix_nano
    };
    let turns = named(&spans, "turn");
    assert!(turns.len() >= 2 && turns.iter().all(|turn| within(turn, root)), "{turns:#?}");
    assert!(turns.iter().all(|turn| turn.parent_span_id == root.span_id));
    let story = turns[1];
    let said = attributes(&story.attributes);
    assert_eq!(said["antiphon.turn.opening"], "speech");
    assert_eq!(said["antiphon.turn.ended_by"], "endpoint delay");
    assert_eq!(said["antiphon.turn.outcome"], "interrupted");
    let latency: f64 = said["antiphon.turn.latency"].parse().unwrap();
    let length = (story.end_time_unix_nano - story.start_time_unix_nano) as f64 / 1e9;
    assert!((length - latency).abs() < 1e-3, "a turn's span is as long as the user waited");
    let stages = children(&spans, story);
    let names: Vec<&str> = stages.iter().map(|stage| stage.name.as_str()).collect();
    let expected =
        ["endpointing", "speech to text", "chat script", "first speakable text", "voice", "sending"];
    assert_eq!(names, expected);
    assert!(stages.iter().all(|stage| within(stage, story)));
    assert!(stages.windows(2).all(|pair| pair[0].end_time_unix_nano <= pair[1].start_time_unix_nano));
    let model = attributes(&stages[2].attributes);
    assert_eq!(
        (model["gen_ai.operation.name"].as_str(), model["gen_ai.request.model"].as_str()),
        ("chat", "script")
    );

    let [tool] = &named(&spans, "execute_tool lookup")[..] else { panic!("{spans:#?}") };
    let order = turns.iter().find(|turn| turn.span_id == tool.parent_span_id).unwrap();
    assert_eq!(attributes(&order.attributes)["antiphon.turn.opening"], "text");
    assert_eq!(attributes(&tool.attributes)["gen_ai.tool.name"], "lookup");
    assert!(within(tool, root));
}

#[tokio::test]
async fn what_anybody_says_is_in_no_span() {
    let collector = Collector::start().await;
    let stand = collector.stand(&[]).await;
    let (call, mut caller) = stand.call(json!({"firstSpeakerSettings": {"user": {}}})).await;
    caller.write("my order of dynamite").await;
    caller.until_final("agent").await;
    caller.hang_up().await;
    stand.ended(&call).await;
    stand.stop().await;
    let all = format!("{:?}", collector.spans());
    assert!(all.contains("antiphon.turn.number"), "{all}");
    for word in ["dynamite", "Pardon", "moment"] {
        assert!(!all.contains(word), "{word} is in {all}");
    }
}

#[tokio::test]
async fn every_call_has_a_trace_of_its_own_also_one_that_nobody_joined() {
    let collector = Collector::start().await;
    let stand = collector.stand(&[]).await;
    let calls = [stand.create(json!({})).await, stand.create(json!({})).await];
    stand.stop().await;
    let spans = collector.spans();
    let mut traces: Vec<Vec<u8>> = spans.iter().map(|span| span.trace_id.clone()).collect();
    let id = |call: &serde_json::Value| uuid::Uuid::parse_str(call["callId"].as_str().unwrap()).unwrap();
    let mut expected: Vec<Vec<u8>> = calls.iter().map(|call| id(call).into_bytes().to_vec()).collect();
    traces.sort();
    expected.sort();
    assert_eq!(traces, expected, "one span each: {spans:#?}");
}

#[tokio::test]
async fn a_collector_that_is_not_there_costs_a_call_nothing() {
    // A port that nobody listens on, since its listener is gone.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let stand = stand(&[], |config| config.telemetry.otlp_endpoint = Some(format!("http://{gone}"))).await;
    let (call, mut caller) = stand.call(json!({"firstSpeakerSettings": {"user": {}}})).await;
    caller.write("hm").await;
    assert_eq!(caller.until_final("agent").await, "Pardon?");
    caller.hang_up().await;
    stand.ended(&call).await;
    stand.stop().await;
}
