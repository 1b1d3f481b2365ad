//! Scenarios that do everything wrong: clear errors, nothing broken, the session ended in order.

use antiphon_scenario::{Cause, Notice};
use serde_json::json;

use crate::stand::Stand;

const MISUSE: &str = include_str!("../../../../examples/scenarios/misuse.js");

/// The error of one expression, in a session with a call (`call`) and a client (`client`).
fn error(expression: &str) -> String {
    let source = format!(
        "require(Modules.Ultravox);
         VoxEngine.addEventListener(AppEvents.CallAlerting, async ({{call}}) => {{
             const client = await Ultravox.createWebSocketAPIClient({{endpoint: 'CreateCall'}});
             try {{ {expression}; Logger.write('no error'); }} catch (error) {{ Logger.write(String(error)); }}
         }});"
    );
    let mut stand = Stand::called(&source);
    stand.opened(1);
    assert_eq!(stand.errors(), [""; 0], "{expression}");
    stand.said()[0].to_owned()
}

#[test]
fn every_wrong_argument_is_named_with_the_remedy() {
    for (expression, expected) in [
        (
            "VoxEngine.addEventListener(AppEvents.Started, 5)",
            "VoxEngine.addEventListener: the handler of Application.Started must be a function, not 5",
        ),
        (
            "VoxEngine.addEventListener(AppEvents.Startd, () => {})",
            "VoxEngine.addEventListener: the event must be a string, not undefined; is its name spelt right?",
        ),
        (
            "VoxEngine.removeEventListener()",
            "VoxEngine.removeEventListener: the event must be a string, not undefined",
        ),
        (
            "VoxEngine.sendMediaBetween(call)",
            "VoxEngine.sendMediaBetween: the unit must be a call or a client, not undefined",
        ),
        (
            "VoxEngine.sendMediaBetween(call, {id: () => 'call-1'})",
            "VoxEngine.sendMediaBetween: the unit must be a call or a client, not an object",
        ),
        (
            "VoxEngine.sendMediaBetween(call, call)",
            "call.sendMediaTo: the unit must be another one than this call",
        ),
        (
            "call.sendMediaTo(client, 'tag')",
            "call.sendMediaTo: parameters must be an object, not the string \"tag\"",
        ),
        ("call.sendMediaTo(client, {tag: 1})", "call.sendMediaTo: parameters.tag must be a string, not 1"),
        (
            "call.sendMediaTo(client, {encoding: 'MP3'})",
            "call.sendMediaTo: parameters.encoding must be one of PCM8, PCM16, ALAW, ULAW, OPUS, not the string \"MP3\"",
        ),
        (
            "VoxEngine.callPSTN()",
            "VoxEngine.callPSTN: the number must be a string that is not empty, not undefined",
        ),
        (
            "VoxEngine.callPSTN(15551234567)",
            "VoxEngine.callPSTN: the number must be a string that is not empty, not 15551234567",
        ),
        (
            "VoxEngine.callSIP('bob')",
            "VoxEngine.callSIP: the address must be a SIP address such as sip:name@example.com, not the string \"bob\"",
        ),
        ("VoxEngine.callUser(7)", "VoxEngine.callUser: parameters must be an object, not 7"),
        ("VoxEngine.customData({})", "VoxEngine.customData: the data must be a string, not an object"),
        ("VoxEngine.getSecretValue()", "VoxEngine.getSecretValue: the name must be a string, not undefined"),
        (
            "call.addEventListener(CallEvents.Connected)",
            "call.addEventListener: the handler of Call.Connected must be a function, not undefined",
        ),
        ("call.answer('now')", "call.answer: headers must be an object, not the string \"now\""),
        ("call.hangup({a: []})", "call.hangup: headers.a must be a string, not an array"),
        (
            "call.reject('busy')",
            "call.reject: the code must be a number from 300 to 699, not the string \"busy\"",
        ),
        (
            "call.handleTones('on')",
            "call.handleTones: the argument must be true or false, not the string \"on\"",
        ),
        ("call.sendDigits(12)", "call.sendDigits: the digits must be a string that is not empty, not 12"),
        (
            "call.sendDigits('12x')",
            "call.sendDigits: the digits must be at most 100 of 0-9, *, #, A-D, and p for a pause, not the string \"12x\"",
        ),
        (
            "client.userTextMessage('hi')",
            "client.userTextMessage: the message must be an object, not the string \"hi\"",
        ),
        (
            "client.clientToolResult()",
            "client.clientToolResult: the message must be an object, not undefined",
        ),
        ("client.hangUp('bye')", "client.hangUp: the message must be an object, not the string \"bye\""),
        (
            "client.inputTextMessage({type: 5})",
            "client.inputTextMessage: type must be a string that is not empty, not 5",
        ),
        (
            "client.clearMediaBuffer({tag: {}})",
            "client.clearMediaBuffer: parameters.tag must be a string, not an object",
        ),
        (
            "client.addEventListener(Ultravox.WebSocketAPIEvents.Transcripts, () => {})",
            "client.addEventListener: the event must be a string, not undefined; is its name spelt right?",
        ),
        ("setTimeout('code', 100)", "setTimeout: the handler must be a function, not the string \"code\""),
        (
            "setInterval(() => {}, 'soon')",
            "setInterval: the delay must be a number of milliseconds, not the string \"soon\"",
        ),
        ("setTimeout(() => {}, -1)", "setTimeout: the delay must be a number of milliseconds, not -1"),
        ("require()", "require: the module must be a string that is not empty, not undefined"),
        ("Logger.hideTones(1)", "Logger.hideTones: the argument must be true or false, not 1"),
    ] {
        assert_eq!(error(expression), format!("TypeError: {expected}"), "{expression}");
    }
}

#[test]
fn what_is_not_supported_says_so() {
    for (expression, name) in [
        ("VoxEngine.createConference()", "VoxEngine.createConference"),
        ("VoxEngine.createASR({})", "VoxEngine.createASR"),
        ("VoxEngine.createURLPlayer('https://x/')", "VoxEngine.createURLPlayer"),
        ("call.say('hello')", "call.say"),
        ("call.record()", "call.record"),
        ("call.transferTo('sip:x')", "call.transferTo"),
        ("call.sendMessage('x')", "call.sendMessage"),
    ] {
        let expected = format!("Error: {name} is not supported here; see docs/scenarios.md for what is");
        assert_eq!(error(expression), expected);
    }
    assert_eq!(
        error("VoxEngine.callPSTN('1', '2').answer()"),
        "Error: call.answer: this call goes out, so the other side does that"
    );
}

#[test]
fn a_scenario_reaches_neither_the_machine_nor_the_runtime() {
    for expression in [
        "std",
        "os",
        "process",
        "Deno",
        "fetch",
        "XMLHttpRequest",
        "WebSocket",
        "print",
        "console",
        "load",
        "host",
        "dispatch",
        "ask",
        "Emitter",
        "navigator",
    ] {
        let said = error(expression);
        assert!(said.starts_with("ReferenceError") || said.starts_with("TypeError"), "{expression}: {said}");
    }
    let stand = Stand::started("import('fs').catch((error) => Logger.write(String(error)));");
    assert!(stand.said()[0].contains("fs"), "{:?} {:?}", stand.said(), stand.errors());
    assert!(error("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)").starts_with("TypeError"));
    assert!(error("Object.getPrototypeOf(call).constructor.emit()").starts_with("TypeError"));
    assert!(
        error("new (Object.getPrototypeOf(call).constructor)({id: 'call-1'}).hangup(5)")
            .starts_with("TypeError")
    );
}

#[test]
fn a_scenario_that_breaks_its_own_world_breaks_nothing_else() {
    for source in [
        "JSON.parse = JSON.stringify = () => { throw 1; }; Logger.write('x');",
        "Map.prototype.get = () => { throw 1; };",
        "Array.prototype[Symbol.iterator] = undefined;",
        "Object.prototype.do = 'terminate'; Object.prototype.toJSON = () => 5;",
        "String = Promise = Map = Object = undefined;",
        "Promise.prototype.then = () => { for (;;); }",
        "globalThis.VoxEngine = null; Logger = null;",
        "Object.defineProperty(Error.prototype, 'stack', {get() { throw 1; }}); undefined.x;",
        "throw {get message() { throw 1; }, toString() { throw 2; }, toJSON() { throw 3; }};",
        "throw null;",
        "throw new Proxy({}, {get() { throw 1; }, getPrototypeOf() { throw 2; }});",
    ] {
        let mut stand = Stand::called(source);
        stand.connected(1);
        stand.tell(Notice::Stop);
        stand.wait_ms(200_000);
        assert!(stand.outcome().is_some(), "{source}: {:?}", stand.log);
    }
}

#[test]
fn the_misuse_example_gets_an_error_for_everything_and_is_ended_in_order() {
    let mut stand = Stand::called(MISUSE);
    stand.connected(1);
    stand.opened(1);
    stand.api_event(1, "State", json!({"state": "idle"}));
    stand.wait_ms(5_000);
    let said = stand.said();
    let summary = said.iter().find(|line| line.ends_with("mistakes were answered with an error")).unwrap();
    let (got, all) = summary.split_once(" of ").unwrap();
    assert_eq!(Some(got), all.split_whitespace().next(), "{said:?}");
    assert_eq!(said[said.len() - 2..], ["terminating", "terminated"]);
    assert!(
        stand.errors().iter().any(|error| error.contains("a promise was rejected")),
        "{:?}",
        stand.errors()
    );
    assert!(stand.errors().iter().any(|error| error.contains("thrown by a handler")), "{:?}", stand.errors());
    let outcome = stand.outcome().unwrap();
    assert_eq!((outcome.cause, outcome.is_good()), (Cause::ScriptError, false));
}
