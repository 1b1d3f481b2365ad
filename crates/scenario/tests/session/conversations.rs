//! Whole conversations: the scenarios of `examples/scenarios`, unmodified, with a host that the test plays.

use antiphon_scenario::{CallId, Cause, ClientId, Command, Headers, Network, Notice, Setup, Target, Unit};
use serde_json::json;

use crate::stand::{Stand, caller, setup};

const INCOMING: &str = include_str!("../../../../examples/scenarios/incoming.js");
const OUTGOING: &str = include_str!("../../../../examples/scenarios/outgoing.js");
const TRANSFER: &str = include_str!("../../../../examples/scenarios/transfer.js");

fn call(number: u32) -> Unit {
    Unit::Call(CallId::new(number))
}

fn client(number: u32) -> Unit {
    Unit::Client(ClientId::new(number))
}

fn send(from: Unit, to: Unit) -> Command {
    Command::SendMedia { from, to, tag: None, encoding: None, custom_parameters: None }
}

#[test]
fn a_call_that_comes_in_is_answered_by_an_agent_and_every_event_is_seen() {
    let mut stand = Stand::called(INCOMING);
    let commands = stand.commands();
    let [Command::Answer { .. }, Command::CreateClient { client: id, request }] = &commands[..] else {
        panic!("{commands:?} {:?}", stand.log);
    };
    assert_eq!(id, &ClientId::new(1));
    let Target::CreateCall { body } = &request.target else { panic!("{request:?}") };
    assert!(body["systemPrompt"].is_string());
    assert_eq!(request.headers["X-API-Key"], "s3cret");

    stand.connected(1);
    stand.api_event(1, "HTTPResponse", json!({"code": 201}));
    stand.opened(1);
    assert_eq!(stand.commands(), [send(call(1), client(1)), send(client(1), call(1))]);
    for (name, payload) in [
        ("ConnectorInformation", json!({"endpoint": "/ultravox"})),
        ("State", json!({"type": "state", "state": "speaking"})),
        ("Transcript", json!({"type": "transcript", "text": "Hello"})),
        ("ClientToolInvocation", json!({"type": "client_tool_invocation"})),
        ("DataConnectionToolInvocation", json!({"type": "data_connection_tool_invocation"})),
        ("Debug", json!({"type": "debug"})),
        ("Unknown", json!({"type": "pong"})),
    ] {
        stand.api_event(1, name, payload);
    }
    assert_eq!(stand.commands(), []);
    stand.api_event(1, "PlaybackClearBuffer", json!({"type": "playback_clear_buffer"}));
    assert_eq!(stand.command(), Command::ClearMedia { client: ClientId::new(1), tag: None });

    let seen: Vec<_> = stand.told().into_iter().map(|event| event["data"]["customEvent"].clone()).collect();
    assert_eq!(
        seen,
        [
            "HTTPResponse",
            "ConnectorInformation",
            "State",
            "Transcript",
            "ClientToolInvocation",
            "DataConnectionToolInvocation",
            "Debug",
            "Unknown",
            "PlaybackClearBuffer"
        ]
    );
    assert_eq!(stand.told()[2]["client"], json!({"id": "client-1"}));

    stand.disconnected(1);
    assert_eq!(stand.command(), Command::CloseClient { client: ClientId::new(1) });
    assert_eq!(stand.errors(), [""; 0]);
    let outcome = stand.outcome().unwrap();
    assert_eq!((outcome.cause, outcome.errors), (Cause::Terminated, 0));
}

#[test]
fn an_agent_that_cannot_be_had_ends_the_session() {
    let mut stand = Stand::called(INCOMING);
    stand.commands();
    stand.tell(Notice::ClientRefused {
        client: ClientId::new(1),
        why: "HTTP status 401: no such key".to_owned(),
    });
    assert!(stand.said()[0].contains("HTTP status 401: no such key"), "{:?}", stand.said());
    assert_eq!(stand.command(), Command::Hangup { call: CallId::new(1), headers: Headers::new() });
    assert_eq!(stand.outcome().unwrap().cause, Cause::Terminated);
}

#[test]
fn a_call_goes_out_and_meets_its_agent_when_it_is_answered() {
    let custom_data = r#"{"number": "15557654321", "callerid": "15551234567"}"#;
    let mut stand = Stand::of(Setup { custom_data: custom_data.to_owned(), ..setup(OUTGOING) });
    let Command::Dial { call: id, dial } = stand.command() else { panic!("{:?}", stand.log) };
    assert_eq!((dial.network, &*dial.number, &*dial.callerid), (Network::Pstn, "15557654321", "15551234567"));
    stand.tell(Notice::CallRinging { call: id });
    assert_eq!(stand.commands(), []);
    stand.connected(1);
    assert!(matches!(stand.command(), Command::CreateClient { .. }));
    stand.opened(1);
    assert_eq!(stand.commands(), [send(call(1), client(1)), send(client(1), call(1))]);
    stand.disconnected(1);
    assert_eq!(stand.outcome().unwrap().cause, Cause::Terminated);
}

#[test]
fn a_call_that_nobody_takes_ends_the_session() {
    let custom_data = r#"{"number": "15557654321", "callerid": "15551234567"}"#;
    let mut stand = Stand::of(Setup { custom_data: custom_data.to_owned(), ..setup(OUTGOING) });
    stand.tell(Notice::CallFailed { call: CallId::new(1), code: 486, reason: "Busy Here".to_owned() });
    assert!(
        stand.said().iter().any(|line| line.contains("486") && line.contains("Busy Here")),
        "{:?}",
        stand.said()
    );
    assert_eq!(stand.outcome().unwrap().cause, Cause::Terminated);
}

#[test]
fn an_agent_hands_the_caller_over_to_a_colleague() {
    let mut stand = Stand::of(Setup { incoming: Some(caller()), ..setup(TRANSFER) });
    stand.connected(1);
    stand.opened(1);
    stand.commands();
    stand.api_event(
        1,
        "ClientToolInvocation",
        json!({"type": "client_tool_invocation", "toolName": "transferToColleague", "invocationId": "i-1", "parameters": {}}),
    );
    let commands = stand.commands();
    let [Command::SendMessage { message, .. }, Command::Dial { call: leg, dial }] = &commands[..] else {
        panic!("{commands:?} {:?}", stand.log);
    };
    assert_eq!(message["type"], "client_tool_result");
    assert_eq!(message["invocationId"], "i-1");
    assert_eq!((leg, dial.network), (&CallId::new(2), Network::Pstn));

    stand.connected(2);
    assert_eq!(
        stand.commands(),
        [Command::CloseClient { client: ClientId::new(1) }, send(call(1), call(2)), send(call(2), call(1)),]
    );
    stand.closed(1);
    assert_eq!(stand.outcome(), None, "the calls go on without the agent");
    stand.disconnected(2);
    assert_eq!(stand.command(), Command::Hangup { call: CallId::new(1), headers: Headers::new() });
    assert_eq!(stand.outcome().unwrap().cause, Cause::Terminated);
    assert_eq!(stand.errors(), [""; 0]);
}
