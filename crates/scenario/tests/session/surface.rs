//! The rest of what scenarios find: calls, events, the module tables.

use antiphon_scenario::{CallId, Command, Headers, Network, Notice, Setup, Unit};
use serde_json::{Value, json};

use crate::stand::{Stand, caller, setup};

#[test]
fn a_call_tells_who_calls_whom() {
    let source = "VoxEngine.addEventListener(AppEvents.CallAlerting, (event) => {
            Logger.write(JSON.stringify(event));
            const {call} = event;
            Logger.write(JSON.stringify([call.id(), call.state(), call.callerid(), call.displayName(), call.number(), call.incoming(),
                call.clientType(), call.customData(), call.headers()]));
        });";
    let custom_data = "from outside".to_owned();
    let stand = Stand::of(Setup { incoming: Some(caller()), custom_data, ..setup(source) });
    assert_eq!(
        stand.told(),
        [
            json!({
                "call": {"id": "call-1"}, "name": "Application.CallAlerting", "callerid": "15551234567", "destination": "8005551212",
                "displayName": "Ada", "headers": {"X-Shop": "bakery"}, "toURI": "sip:8005551212@localhost",
                "fromURI": "sip:15551234567@localhost", "customData": "from outside", "scheme": {}
            }),
            json!(["call-1", "ALERTING", "15551234567", "Ada", "8005551212", true, "pstn", "from outside", {"X-Shop": "bakery"}]),
        ]
    );
}

#[test]
fn a_session_starts_before_its_call_comes() {
    let source =
        "VoxEngine.addEventListener(AppEvents.Started, (event) => Logger.write(JSON.stringify(event)));
        VoxEngine.addEventListener(AppEvents.CallAlerting, () => Logger.write('{}'));";
    let told = Stand::called(source).told();
    assert_eq!(told[0]["name"], "Application.Started");
    assert!(told[0]["sessionId"].is_number());
    assert_eq!(told[1], json!({}));
}

/// Logs every event of a call.
const WATCHED: &str = "
    const watch = (call) => {
        for (const event of Object.values(CallEvents)) {
            call.addEventListener(event, (data) => Logger.write(JSON.stringify({...data, state: call.state()})));
        }
        return call;
    };";

#[test]
fn a_call_that_comes_in_goes_through_its_states() {
    let source = format!(
        "{WATCHED} VoxEngine.addEventListener(AppEvents.CallAlerting, ({{call}}) => {{
            watch(call); call.ring(); call.startEarlyMedia(); call.answer({{'X-A': 'b'}}); call.handleTones(true);
        }});"
    );
    let mut stand = Stand::called(&source);
    let call = || CallId::new(1);
    assert_eq!(
        stand.commands(),
        [
            Command::Ring { call: call() },
            Command::StartEarlyMedia { call: call() },
            Command::Answer { call: call(), headers: [("X-A".to_owned(), "b".to_owned())].into() }
        ]
    );
    stand.connected(1);
    stand.connected(1);
    stand.tell(Notice::CallAudioStarted { call: call() });
    stand.tell(Notice::Tone { call: call(), tone: '5' });
    stand.wait_ms(12_400);
    stand.disconnected(1);
    stand.connected(1);
    let event = |name: &str, state: &str, rest: Value| {
        let mut event =
            json!({"call": {"id": "call-1"}, "id": "call-1", "name": format!("Call.{name}"), "state": state});
        event.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        event
    };
    assert_eq!(
        stand.told(),
        [
            event("Connected", "CONNECTED", json!({"headers": {}})),
            event("FirstAudioPacketReceived", "CONNECTED", json!({})),
            event("AudioStarted", "CONNECTED", json!({})),
            event("ToneReceived", "CONNECTED", json!({"tone": "5", "type": "RFC2833"})),
            event(
                "Disconnected",
                "TERMINATED",
                json!({
                    "internalCode": 200, "reason": "Normal call clearing", "duration": 12, "cost": 0, "direction": "Incoming", "headers": {}
                })
            ),
        ]
    );
}

#[test]
fn keys_are_heard_only_by_those_who_ask() {
    let source = "VoxEngine.addEventListener(AppEvents.CallAlerting, ({call}) => {
            call.addEventListener(CallEvents.ToneReceived, ({tone}) => { Logger.write(tone); if (tone === '#') call.handleTones(false); });
            setTimeout(() => call.handleTones(true), 100);
            Logger.hideTones(true);
        });";
    let mut stand = Stand::called(source);
    for tone in ['1', '2', '#', '3'] {
        stand.tell(Notice::Tone { call: CallId::new(1), tone });
        stand.wait_ms(100);
    }
    assert_eq!(stand.said(), ["2", "#"]);
    assert_eq!(stand.notes(), [""; 0], "hidden");
}

#[test]
fn calls_go_out_to_every_network() {
    let source = "
        VoxEngine.callPSTN('15557654321', '15551234567', {displayName: 'Ada'});
        VoxEngine.callSIP('sip:bob@example.com', {callerid: 'ada', password: 'p', authUser: 'u', headers: {'X-A': 'b'}, customData: 'c'});
        VoxEngine.callSIP('sips:example.com', 'ada', 'Ada L');
        const call = VoxEngine.callUser({username: 'bob', callerid: 'ada'});
        Logger.write([call.state(), call.incoming(), call.number(), call.callerid(), call.clientType()].join());";
    let mut stand = Stand::started(source);
    let dials: Vec<_> = stand
        .commands()
        .into_iter()
        .map(|command| match command {
            Command::Dial { dial, .. } => dial,
            other => panic!("{other:?}"),
        })
        .collect();
    let short: Vec<_> = dials
        .iter()
        .map(|dial| (dial.network, &*dial.number, &*dial.callerid, &*dial.display_name))
        .collect();
    assert_eq!(
        short,
        [
            (Network::Pstn, "15557654321", "15551234567", "Ada"),
            (Network::Sip, "sip:bob@example.com", "ada", ""),
            (Network::Sip, "sips:example.com", "ada", "Ada L"),
            (Network::User, "bob", "ada", ""),
        ]
    );
    assert_eq!((dials[1].user.as_deref(), dials[1].password.as_deref()), (Some("u"), Some("p")));
    assert_eq!(dials[1].headers, [("X-A".to_owned(), "b".to_owned())].into());
    assert!(!format!("{:?}", dials[1]).contains("\"p\""), "no password is shown");
    assert_eq!(stand.said(), ["PROGRESSING,false,bob,ada,user"]);
}

#[test]
fn an_outgoing_call_rings_and_may_fail_or_be_given_up() {
    let source = format!(
        "{WATCHED} const call = watch(VoxEngine.callPSTN('1', '2')); setTimeout(() => call.hangup(), 5000);"
    );
    let mut stand = Stand::started(&source);
    stand.tell(Notice::CallRinging { call: CallId::new(1) });
    stand.commands();
    stand.wait_ms(5_000);
    assert_eq!(stand.command(), Command::Hangup { call: CallId::new(1), headers: Headers::new() });
    stand.tell(Notice::CallFailed {
        call: CallId::new(1),
        code: 487,
        reason: "Request Terminated".to_owned(),
    });
    let told = stand.told();
    assert_eq!((&told[0]["name"], &told[0]["state"]), (&json!("Call.Ringing"), &json!("PROGRESSING")));
    assert_eq!(told[1]["name"], "Call.Failed");
    assert_eq!((&told[1]["code"], &told[1]["reason"]), (&json!(487), &json!("Request Terminated")));
}

#[test]
fn sound_goes_between_calls_and_digits_into_them() {
    let source = "VoxEngine.addEventListener(AppEvents.CallAlerting, ({call}) => {
            const other = VoxEngine.callPSTN('1', '2');
            call.sendMediaTo(other, null);
            call.addEventListener(CallEvents.Connected, () => { call.sendDigits('12#p4'); call.stopMediaTo(other); });
        });";
    let mut stand = Stand::called(source);
    stand.commands();
    stand.connected(1);
    let (from, to) = (Unit::Call(CallId::new(1)), Unit::Call(CallId::new(2)));
    assert_eq!(
        stand.commands(),
        [
            Command::SendDigits { call: CallId::new(1), digits: "12#p4".to_owned() },
            Command::StopMedia { from, to }
        ]
    );
}

#[test]
fn what_no_longer_can_be_done_to_a_call_is_noted_and_no_error() {
    let source = "VoxEngine.addEventListener(AppEvents.CallAlerting, ({call}) => {
            call.addEventListener(CallEvents.Failed, () => {
                call.answer(); call.hangup(); call.reject(486); call.ring(); call.sendDigits('1'); call.handleTones(true);
                call.sendMediaTo(VoxEngine.callPSTN('1', '2'));
            });
        });";
    let mut stand = Stand::called(source);
    stand.tell(Notice::CallFailed { call: CallId::new(1), code: 487, reason: "Cancelled".to_owned() });
    assert!(matches!(stand.command(), Command::Dial { .. }));
    assert_eq!(stand.errors(), [""; 0]);
    assert_eq!(stand.notes().len(), 6, "{:?}", stand.notes());
    assert!(stand.notes()[0].contains("call.answer: the call is TERMINATED"), "{:?}", stand.notes());
}

#[test]
fn tables_have_the_values_that_scenarios_compare_with() {
    let source = "Logger.write(JSON.stringify([AppEvents.CallAlerting, AppEvents.Started, AppEvents.Terminating, AppEvents.Terminated,
            AppEvents.HttpRequest, AppEvents.WebSocket, AppEvents.NewWebSocketFailed, CallEvents.Connected, CallEvents.PlaybackFinished,
            Modules.Ultravox, Modules.Sorcery, typeof Ultravox]));
        require(Modules.Sorcery); require(Modules.ASR); require(Modules.Ultravox);
        Logger.write(JSON.stringify([Ultravox.HTTPEndpoint, Ultravox.Events, Ultravox.WebSocketAPIEvents]));";
    let stand = Stand::started(source);
    assert_eq!(
        stand.told()[0],
        json!([
            "Application.CallAlerting",
            "Application.Started",
            "Application.Terminating",
            "Application.Terminated",
            "Application.HttpRequest",
            "AppEvents.NewWebSocketConnection",
            "Application.OnNewWebSocketFailed",
            "Call.Connected",
            "Call.PlaybackFinished",
            "ultravox",
            "sorcery",
            "undefined"
        ])
    );
    assert_eq!(
        stand.told()[1],
        json!([
            {"CREATE_CALL": "CreateCall", "CREATE_AGENT_CALL": "CreateAgentCall", "JOIN_CALL": "JoinCall"},
            {"WebSocketMediaStarted": "Ultravox.Events.WebSocketMediaStarted", "WebSocketMediaEnded": "Ultravox.Events.WebSocketMediaEnded"},
            {
                "Unknown": "Ultravox.WebSocketAPI.Unknown", "HTTPResponse": "Ultravox.WebSocketAPI.HTTPResponse",
                "State": "Ultravox.WebSocketAPI.State", "Transcript": "Ultravox.WebSocketAPI.Transcript",
                "ClientToolInvocation": "Ultravox.WebSocketAPI.ClientToolInvocation",
                "DataConnectionToolInvocation": "Ultravox.WebSocketAPI.DataConnectionToolInvocation",
                "Debug": "Ultravox.WebSocketAPI.Debug", "PlaybackClearBuffer": "Ultravox.WebSocketAPI.PlaybackClearBuffer",
                "WebSocketError": "Ultravox.WebSocketAPI.WebSocketError",
                "ConnectorInformation": "Ultravox.WebSocketAPI.ConnectorInformation"
            }
        ])
    );
    assert_eq!(stand.notes().len(), 3, "{:?}", stand.notes());
}

#[test]
fn custom_data_and_secrets_are_what_the_operator_gave() {
    let source = "Logger.write(VoxEngine.customData());
        VoxEngine.customData('é'.repeat(100)); Logger.write(VoxEngine.customData().length);
        try { VoxEngine.customData('é'.repeat(101)); } catch (error) { Logger.write(String(error)); }
        Logger.write(VoxEngine.getSecretValue('ULTRAVOX_API_KEY')); Logger.write(VoxEngine.getSecretValue('OTHER'));";
    let stand = Stand::of(Setup { custom_data: "{\"a\":1}".to_owned(), ..setup(source) });
    assert_eq!(
        stand.said(),
        [
            "{\"a\":1}",
            "100",
            "RangeError: VoxEngine.customData: the data must be at most 200 bytes, not 202",
            "s3cret",
            "undefined"
        ]
    );
}

#[test]
fn the_log_takes_anything_and_cuts_what_is_long() {
    let source = "Logger.write({a: 1}); Logger.write([1]); Logger.write(5); Logger.write(); Logger.write(null); Logger.write('x'.repeat(20000));
        const round = {}; round.round = round; Logger.write(round); Logger.write(Symbol('s')); Logger.write({toJSON() { throw 1; }});";
    let stand = Stand::started(source);
    let said = stand.said();
    assert_eq!(said[..5], ["{\"a\":1}", "[1]", "5", "undefined", "null"]);
    assert_eq!(said[5].len(), 15_000);
    assert_eq!(said[6], "a message that cannot be written as text");
    assert_eq!(said[7], "Symbol(s)");
    assert_eq!(stand.errors(), [""; 0]);
}
