//! The scenarios of `examples/scenarios`, as they are.

use std::time::Duration;

use antiphon_audio::{SampleRate, signal};
use antiphon_scenario::{Cause, WavParty};
use serde_json::{Value, json};

use crate::stand::{Cast, Stand, Story, question, read};
use crate::talker::{AGENT, Talker};

const INCOMING: &str = include_str!("../../../../examples/scenarios/incoming.js");
const OUTGOING: &str = include_str!("../../../../examples/scenarios/outgoing.js");
const TRANSFER: &str = include_str!("../../../../examples/scenarios/transfer.js");
const MISUSE: &str = include_str!("../../../../examples/scenarios/misuse.js");

const BAKERY: &str = "
pace: 0
greeting: { say: Hello. }
rules:
  - { when: [hours], say: We are open from seven in the morning until six in the evening. }
default: { say: Pardon? }
";

/// Patience enough for a turn of the agent, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(4);

fn finals(story: &Story, role: &str) -> Vec<String> {
    let pieces = story.payloads("Transcript");
    let is_final = |piece: &&Value| piece["role"] == role && piece["final"] == true;
    pieces.iter().filter(is_final).map(|piece| piece["text"].as_str().unwrap().trim().to_owned()).collect()
}

/// Every event of a conversation in which the caller speaks over the greeting and is answered.
fn assert_conversation(story: &Story) {
    assert_eq!(story.errors(), [""; 0]);
    assert_eq!((story.outcome.cause, story.outcome.errors), (Cause::Terminated, 0), "{:#?}", story.log);
    let events = story.events();
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..2], ["HTTPResponse", "ConnectorInformation"], "{names:?}");
    let created = &events[0].1;
    assert_eq!(created["code"], 201);
    assert!(created["text"]["callId"].is_string() && created["headers"].is_array());
    assert_eq!(events[1].1["endpoint"], "/ultravox");
    for name in [
        "State",
        "Transcript",
        "PlaybackClearBuffer",
        "Unknown",
        "WebSocketMediaStarted",
        "WebSocketMediaEnded",
    ] {
        assert!(names.contains(&name), "no {name}: {names:?}");
    }
    let unknown: Vec<_> = story.payloads("Unknown").iter().map(|message| message["type"].clone()).collect();
    assert!(unknown.contains(&json!("call_started")), "{unknown:?}");
    let started = &story.payloads("WebSocketMediaStarted")[0];
    assert_eq!(
        (&started["tag"], &started["encoding"], &started["customParameters"]),
        (&json!(""), &json!("PCM16"), &Value::Null)
    );
    let ended = &story.payloads("WebSocketMediaEnded")[0];
    assert!(ended["mediaInfo"]["duration"].as_f64().unwrap() > 0.0, "{ended}");
    assert!(ended["client"]["id"].is_string());
    assert_eq!(finals(story, "user"), ["What are your hours?"]);
    let answer = "We are open from seven in the morning until six in the evening.";
    assert_eq!(finals(story, "agent").last().map(String::as_str), Some(answer));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_speaks_with_an_agent_and_every_event_is_seen() {
    let stand = Stand::start(&["What are your hours?"], BAKERY).await;
    let heard = stand.file("heard.wav");
    let caller = WavParty::new(SampleRate::EAR, question(), PATIENCE).recording(&heard).unwrap();
    let story = stand.run(INCOMING, "", Cast { caller: Some(Box::new(caller)), callees: Vec::new() }).await;
    assert_conversation(&story);

    // The agent was heard: as long as its answer lasts at least, at the level of its voice.
    let recorded = read(&heard);
    assert_eq!((recorded.rate_hz, recorded.channels), (16_000, 1));
    let loud = recorded.samples.iter().filter(|sample| sample.unsigned_abs() > 500).count();
    let answer = 63 * 40 * 16;
    assert!(loud > answer / 2, "{loud} of {answer}");
    assert!(signal::level(&recorded.samples) > -40.0, "{}", signal::level(&recorded.samples));
    stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_out_to_somebody_who_speaks_with_an_agent() {
    let stand = Stand::start(&["What are your hours?"], BAKERY).await;
    let heard = stand.file("heard.wav");
    let callee = WavParty::new(SampleRate::EAR, question(), PATIENCE).recording(&heard).unwrap();
    let custom_data = r#"{"number": "15557654321", "callerid": "15551234567"}"#;
    let story =
        stand.run(OUTGOING, custom_data, Cast { caller: None, callees: vec![Box::new(callee)] }).await;
    assert_conversation(&story);
    let ended =
        story.said().iter().filter_map(|line| serde_json::from_str::<Value>(line).ok()).next_back().unwrap();
    assert_eq!((&ended["name"], &ended["direction"]), (&json!("Call.Disconnected"), &json!("Outgoing")));
    assert!(ended["duration"].as_u64().unwrap() >= 4, "{ended}");
    assert!(signal::level(&read(&heard).samples) > -40.0);
    stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_nobody_takes_ends_the_session() {
    let stand = Stand::start(&[], BAKERY).await;
    let custom_data = r#"{"number": "15557654321", "callerid": "15551234567"}"#;
    let story = stand.run(OUTGOING, custom_data, Cast { caller: None, callees: Vec::new() }).await;
    assert!(story.said()[0].contains("Busy Here"), "{:?}", story.said());
    assert_eq!(story.outcome.cause, Cause::Terminated);
    stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_handed_over_to_a_colleague_and_both_hear_each_other() {
    const SCRIPT: &str = "
pace: 0
rules:
  - { when: [person], say: One moment., call: { tool: transferToColleague, arguments: {} } }
  - { after_tool: transferToColleague, say: You are being connected to a colleague now. }
default: { say: Pardon? }
greeting: { say: Hello. }
";
    let (caller, colleague) = (880.0, 1_500.0);
    let stand = Stand::start(&["I want to speak with a person."], SCRIPT).await;
    // The caller asks, and answers the colleague with a tone; the colleague hangs up once they have heard it.
    let cast = Cast {
        caller: Some(Box::new(Talker::new(question(), caller, Some(colleague), f64::INFINITY))),
        callees: vec![Box::new(Talker::new(Vec::new(), colleague, None, caller))],
    };
    let story = stand.run(TRANSFER, "15557654321", cast).await;
    assert_eq!(story.errors(), [""; 0]);
    assert_eq!(story.outcome.cause, Cause::Terminated, "{:#?}", story.log);
    stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_heard_and_hears_whoever_has_a_voice() {
    const SCRIPT: &str = "
pace: 0
greeting: { say: Hello and welcome to our bakery. What can I do for you today? }
default: { say: Pardon? }
";
    let stand = Stand::start(&[], SCRIPT).await;
    let caller = Talker::new(Vec::new(), 880.0, Some(f64::INFINITY), AGENT);
    let story = stand.run(INCOMING, "", Cast { caller: Some(Box::new(caller)), callees: Vec::new() }).await;
    assert!(story.outcome.is_good(), "{:#?}", story.log);
    stand.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_done_wrong_gets_an_error_and_the_session_ends_in_order() {
    let stand = Stand::start(&[], BAKERY).await;
    let caller = WavParty::new(SampleRate::EAR, question(), PATIENCE);
    let story = stand.run(MISUSE, "", Cast { caller: Some(Box::new(caller)), callees: Vec::new() }).await;
    let said = story.said();
    assert!(said.contains(&"23 of 23 mistakes were answered with an error"), "{said:#?}");
    assert_eq!(said[said.len() - 2..], ["terminating", "terminated"]);
    assert_eq!((story.outcome.cause, story.outcome.errors), (Cause::ScriptError, 2), "{:#?}", story.errors());
    stand.stop().await;
}
