//! What a data connection is sent by its switches, and what it may say.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{connected, event, kinds, tool};
use crate::caller::{Caller, Seen};
use crate::participant::Participant;
use crate::puppet::{goes_on, stand, told};
use crate::speech::spoken;
use crate::stand::Stand;

/// Every switch with the message that it is for, and whether a data connection without audio is sent it by default.
const SWITCHES: [(&str, &str, bool); 13] = [
    ("pong", "pong", true),
    ("state", "state", true),
    ("transcript", "transcript", true),
    ("clientToolInvocation", "client_tool_invocation", true),
    ("dataConnectionToolInvocation", "data_connection_tool_invocation", true),
    ("playbackClearBuffer", "playback_clear_buffer", false),
    ("callStarted", "call_started", true),
    ("debug", "debug", false),
    ("callEvent", "call_event", false),
    ("toolUsed", "tool_used", false),
    ("userStartedSpeaking", "user_started_speaking", false),
    ("userStoppedSpeaking", "user_stopped_speaking", false),
    ("invokingTool", "invoking_tool", false),
];

/// A call in which everything happens that a message can tell: the kinds of messages that the data connection and the client
/// were sent.
async fn eventful(stand: &Stand, switches: Value, audio: bool) -> (Vec<String>, Vec<String>) {
    let participant = Participant::listen().await;
    let mut fields = json!({"dataMessages": switches});
    if audio {
        fields["audioConfig"] = json!({});
    }
    let ask = json!({"temporaryTool": {"modelToolName": "ask", "client": {}}});
    let request = json!({
        "dataConnection": participant.config(fields),
        "selectedTools": [ask, tool(json!({}))],
        "firstSpeakerSettings": {"agent": {"text": "One, two, three, four, five, six, seven, eight, nine, ten."}},
    });
    let ((call, mut caller), mut peer) = tokio::join!(stand.call(request), participant.accept());
    let results = async {
        loop {
            match peer.next().await {
                Seen::Text(message) if message["type"] == "data_connection_tool_invocation" => {
                    let id = message["invocationId"].clone();
                    let result =
                        json!({"type": "data_connection_tool_result", "invocationId": id, "result": "there"});
                    peer.say(result).await;
                    peer.say(json!({"type": "ping", "timestamp": 7})).await;
                }
                Seen::Closed(code) => {
                    assert_eq!(code, 1000);
                    return kinds(&peer);
                }
                Seen::Text(_) | Seen::Audio(_) => {}
            }
        }
    };
    let conversation = async {
        caller.until_state("speaking").await;
        caller.say(json!({"type": "user_text_message", "text": "wait", "urgency": "immediate"})).await;
        caller.until_type("playback_clear_buffer").await;
        caller.say(json!({"type": "set_output_medium", "medium": "text"})).await;
        caller.until_final("agent").await;
        caller.until_state("listening").await;
        caller.audio(&spoken("Tell me a story.").await).await;
        assert_eq!(caller.until_final("user").await, "spoken");
        caller.until_final("agent").await;
        caller.write("call ask").await;
        let id = caller.until_type("client_tool_invocation").await["invocationId"].clone();
        caller.say(json!({"type": "client_tool_result", "invocationId": id, "result": "here"})).await;
        assert_eq!(caller.until_final("agent").await, "Told: here");
        caller.write("call look").await;
        assert_eq!(caller.until_final("agent").await, "Told: there");
        caller.write("thanks").await;
        caller.until_final("agent").await;
        let kinds = kinds(&caller);
        caller.hang_up().await;
        kinds
    };
    let (peer, caller) = tokio::join!(results, conversation);
    stand.ended(&call).await;
    (peer, caller)
}

/// In the order of [`SWITCHES`].
fn sorted(kinds: &[String]) -> Vec<&str> {
    SWITCHES.iter().map(|(_, kind, _)| *kind).filter(|kind| kinds.iter().any(|seen| seen == kind)).collect()
}

#[tokio::test]
async fn it_is_sent_exactly_what_its_switches_say() {
    let stand = crate::puppet::stand_hearing("spoken").await;
    let defaults = BTreeMap::from_iter(SWITCHES.map(|(switch, _, on)| (switch, on)));
    let mut cases: Vec<(BTreeMap<&str, bool>, bool)> =
        vec![(BTreeMap::new(), false), (BTreeMap::new(), true)];
    cases.push((defaults.keys().map(|switch| (*switch, true)).collect(), false));
    cases.push((defaults.keys().map(|switch| (*switch, false)).collect(), true));
    cases.extend(defaults.iter().map(|(switch, on)| (BTreeMap::from([(*switch, !on)]), false)));
    let seen =
        join_all(cases.iter().map(|(switches, audio)| eventful(&stand, json!(switches), *audio))).await;
    for ((switches, audio), (peer, caller)) in cases.iter().zip(&seen) {
        let is_on = |(switch, _, on): &&(&str, &str, bool)| {
            let default = *on || (*audio && *switch == "playbackClearBuffer");
            // Nobody else could answer.
            *switch == "dataConnectionToolInvocation" || *switches.get(switch).unwrap_or(&default)
        };
        let expected: Vec<&str> = SWITCHES.iter().filter(is_on).map(|(_, kind, _)| *kind).collect();
        assert_eq!(sorted(peer), expected, "{switches:?}, audio {audio}");
        assert_eq!(peer.len(), expected.len(), "{peer:?}");
        if *switches.get("callStarted").unwrap_or(&true) {
            assert_eq!(peer[0], "call_started");
        }
        assert_eq!(
            sorted(caller),
            ["state", "transcript", "client_tool_invocation", "playback_clear_buffer", "call_started"]
        );
    }
}

#[tokio::test]
async fn what_it_says_counts_as_much_as_what_the_client_says() {
    let stand = stand().await;
    let participant = Participant::listen().await;
    let (call, mut caller, mut peer) = connected(&stand, &participant, json!({})).await;
    peer.write("hello from afar").await;
    assert_eq!(caller.until_final("user").await, "hello from afar");
    assert_eq!(caller.until_final("agent").await, "You said: hello from afar");

    peer.say(json!({"type": "user_text_message", "text": "for later", "urgency": "later"})).await;
    peer.say(json!({"type": "user_text_message", "text": "now", "urgency": "immediate"})).await;
    assert_eq!(caller.until_final("agent").await, "You said: now");

    peer.say(json!({"type": "input_text_message", "text": "in the older form"})).await;
    assert_eq!(caller.until_final("agent").await, "You said: in the older form");

    peer.say(json!({"type": "forced_agent_message", "content": "Word for word."})).await;
    assert_eq!(caller.until_final("agent").await, "Word for word.");

    peer.say(json!({"type": "ping", "timestamp": 1234.5})).await;
    assert_eq!(peer.until_type("pong").await["timestamp"], json!(1234.5));

    peer.say(json!({"type": "spawn_thread", "newThreadId": "aside"})).await;
    let answer = peer.until("news of a thread", |m| m["type"].as_str().unwrap().starts_with("thread_")).await;
    assert_eq!(answer["threadId"], "aside");

    peer.say(json!({"type": "set_output_medium", "medium": "voice"})).await;
    peer.write("aloud").await;
    let aloud = caller.until("speech", |m| m["type"] == "transcript" && m["medium"] == "voice").await;
    assert_eq!(aloud["role"], "agent");

    peer.say(json!({"type": "hang_up"})).await;
    assert_eq!(caller.until_closed().await, 1000);
    assert_eq!(peer.until_closed().await, 1000);
    assert_eq!(stand.ended(&call).await["endReason"], "agent_hangup");
}

#[tokio::test]
async fn what_makes_no_sense_is_told_and_the_connection_stays() {
    let stand = stand().await;
    let participant = Participant::listen().await;
    let (_, mut caller, mut peer) = connected(&stand, &participant, json!({})).await;
    for (sent, kind, why) in [
        ("no json", "message.malformed", "a message of the data connection was ignored"),
        (r#"{"type":"ping"}"#, "message.malformed", "timestamp"),
        (r#"{"type":"dance"}"#, "message.ignored", "dance"),
        (
            r#"{"type":"data_connection_tool_result","invocationId":"nobody's","result":"x"}"#,
            "tool.result_ignored",
            "nobody's",
        ),
        (
            r#"{"type":"client_tool_result","invocationId":"the client's","result":"x"}"#,
            "tool.result_ignored",
            "the data connection may not answer",
        ),
    ] {
        peer.send(Message::text(sent.to_owned())).await;
        let text = event(&mut caller, kind).await;
        assert!(text.contains(why), "{sent}: {text}");
    }
    peer.send(Message::binary(vec![1; 640])).await;
    peer.write("still there?").await;
    assert_eq!(peer.until_final("agent").await, "You said: still there?");
    goes_on(&mut caller).await;
}

#[tokio::test]
async fn the_last_words_reach_it_before_it_is_closed() {
    let stand = Stand::hearing(&[]).await;
    let directory = stand.stop().await;
    let stand = Stand::start_with(crate::stand::backends(&[]), directory, |config| {
        config.outbound.allow = vec!["127.0.0.1".parse().unwrap()];
    })
    .await;
    let participant = Participant::listen().await;
    let fields = json!({"selectedTools": [{"toolName": "hangUp"}]});
    let (call, mut caller, mut peer) = connected(&stand, &participant, fields).await;
    caller.write("bye").await;
    assert_eq!(caller.until_closed().await, 1000);
    assert_eq!(peer.until_closed().await, 1000);
    assert_eq!(last_words(&peer), "Goodbye then.");
    assert_eq!(stand.ended(&call).await["endReason"], "agent_hangup");

    let (_, _caller, mut peer) = connected(&stand, &participant, json!({})).await;
    let stopping = tokio::spawn(stand.stop());
    assert_eq!(peer.until_closed().await, 1001);
    stopping.await.unwrap();
}

/// The last final transcript of the agent.
fn last_words(peer: &Caller) -> &str {
    let mut finals = peer.seen.iter().filter_map(|seen| match seen {
        Seen::Text(m) if m["type"] == "transcript" && m["role"] == "agent" && m["final"] == true => {
            m["text"].as_str()
        }
        Seen::Text(_) | Seen::Audio(_) | Seen::Closed(_) => None,
    });
    finals.next_back().unwrap()
}

#[tokio::test]
async fn a_client_is_not_asked_for_what_the_data_connection_runs() {
    let stand = stand().await;
    let participant = Participant::listen().await;
    let fields = json!({"selectedTools": [tool(json!({}))]});
    let (_, mut caller, mut peer) = connected(&stand, &participant, fields).await;
    let answer = async {
        let id = peer.until_type("data_connection_tool_invocation").await["invocationId"].clone();
        peer.say(json!({"type": "data_connection_tool_result", "invocationId": id, "result": "there"})).await;
    };
    let (text, ()) = tokio::join!(told(&mut caller, "call look"), answer);
    assert_eq!(text, "there");
    assert!(!kinds(&caller).iter().any(|kind| kind.ends_with("tool_invocation")), "{:?}", kinds(&caller));
}
