//! What a session may have, and how it ends when it wants more.

use std::time::Duration;

use antiphon_scenario::{CallId, Cause, ClientId, Command, File, Headers, Limits, Notice, Session, Setup};
use serde_json::json;

use crate::stand::{Stand, caller, setup};

/// The clock of a callback is a real one, so its limit is short here.
fn short() -> Limits {
    Limits { callback: Duration::from_millis(50), ..Limits::default() }
}

fn with_limits(source: &str, limits: Limits) -> Stand {
    Stand::of(Setup { limits, incoming: Some(caller()), ..setup(source) })
}

const LISTENING: &str = "
    VoxEngine.addEventListener(AppEvents.Terminating, () => Logger.write('terminating'));
    VoxEngine.addEventListener(AppEvents.Terminated, () => Logger.write('terminated'));";

#[test]
fn an_endless_loop_ends_the_session_in_order_wherever_it_runs() {
    for body in [
        "while (true) {}",
        "for (;;) try { for (;;); } catch {}",
        "const again = () => { Promise.resolve().then(again); }; again();",
        "(async () => { for (;;) await null; })();",
        "/(a+)+b/.test('a'.repeat(64));",
        "Array.prototype.forEach.call({length: 2 ** 40}, () => 1);",
        "JSON.stringify({toJSON() { for (;;); }});",
    ] {
        let source = format!(
            "{LISTENING} VoxEngine.addEventListener(AppEvents.CallAlerting, ({{call}}) => {{ call.answer(); {body} }});"
        );
        let mut stand = with_limits(&source, short());
        assert_eq!(
            stand.commands(),
            [
                Command::Answer { call: CallId::new(1), headers: Headers::new() },
                Command::Hangup { call: CallId::new(1), headers: Headers::new() }
            ],
            "{body}"
        );
        assert!(
            stand.errors()[0].contains("a callback ran for more than 50 ms and was ended"),
            "{body}: {:?}",
            stand.errors()
        );
        assert_eq!(stand.outcome().unwrap().cause, Cause::CallbackTooLong, "{body}");
    }
}

#[test]
fn an_endless_loop_at_the_top_of_a_file_ends_the_session() {
    let stand = with_limits(&format!("{LISTENING} for (;;);"), short());
    assert_eq!(stand.outcome().unwrap().cause, Cause::CallbackTooLong);
    assert_eq!(stand.said(), ["terminating", "terminated"]);
}

#[test]
fn each_callback_has_its_own_time() {
    let spin = "const spin = () => { const end = Date.now() + 30; while (Date.now() < end); };";
    let source = format!("{spin} for (let n = 1; n <= 5; n++) setTimeout(spin, n * 100);");
    let mut stand = with_limits(&source, short());
    stand.wait_ms(500);
    assert_eq!(stand.errors(), [""; 0]);
}

#[test]
fn memory_beyond_the_limit_ends_the_session_in_order() {
    for bomb in [
        "const all = []; for (;;) all.push(new Array(1000).fill('x'));",
        "const all = {}; for (let n = 0; ; n++) all[`key ${n}`] = `${n}`.repeat(100);",
        "new ArrayBuffer(32 * 1024 * 1024);",
    ] {
        let source =
            format!("{LISTENING} VoxEngine.addEventListener(AppEvents.CallAlerting, () => {{ {bomb} }});");
        let mut stand = Stand::called(&source);
        assert_eq!(
            stand.command(),
            Command::Hangup { call: CallId::new(1), headers: Headers::new() },
            "{bomb}"
        );
        let outcome = stand.outcome().unwrap();
        assert_eq!(outcome.cause, Cause::OutOfMemory, "{bomb}: {:?}", stand.errors());
        assert!(stand.errors()[0].contains("more than its 16 MiB of memory"), "{bomb}: {:?}", stand.errors());
        assert_eq!(stand.said(), ["terminating", "terminated"], "{bomb}");
    }
}

#[test]
fn a_scenario_has_room_for_what_real_ones_keep() {
    let source = "const all = []; for (let n = 0; n < 20000; n++) all.push({n, text: `line ${n}`}); Logger.write(all.length);";
    assert_eq!(Stand::started(source).said(), ["20000"]);
}

#[test]
fn recursion_without_end_is_an_error_that_can_be_caught() {
    let source = "const deep = () => deep() + 1; try { deep(); } catch (error) { Logger.write(error.name); }";
    let stand = Stand::started(source);
    assert_eq!(stand.said(), ["RangeError"]);
    assert_eq!(stand.outcome(), None);
}

#[test]
fn a_hundred_timers_run_at_a_time() {
    let source = "let count = 0;
        const start = () => setTimeout(() => count++, 200);
        for (let n = 0; n < 100; n++) start();
        try { start(); } catch (error) { Logger.write(error.message); }
        setTimeout.call(null, () => {}, 1) ";
    let mut stand = Stand::started(source);
    assert_eq!(stand.said(), ["setTimeout: 100 timers are running, which is the most; clear some first"]);
    assert_eq!(stand.outcome().unwrap().cause, Cause::ScriptError, "the last one was not caught");

    let source = "let rung = 0;
        const ids = []; for (let n = 0; n < 100; n++) ids.push(setTimeout(() => rung++, 200));
        clearTimeout(ids[0]); clearTimeout(ids[0]); clearTimeout(undefined); clearInterval(ids[1]);
        setTimeout(() => Logger.write(rung), 300);";
    stand = Stand::started(source);
    stand.wait_ms(1_000);
    assert_eq!(stand.said(), ["98"]);
}

#[test]
fn timers_wait_for_at_least_a_tenth_of_a_second_and_give_their_arguments() {
    let source = "
        setTimeout((...args) => Logger.write(`late ${args}`), 150, 1, 'b');
        setTimeout(() => Logger.write('early'), 0);
        setTimeout(() => Logger.write('default'));
        let ticks = 0;
        const id = setInterval(() => { Logger.write(`tick ${++ticks}`); if (ticks === 3) clearInterval(id); }, 1);";
    let mut stand = Stand::started(source);
    stand.wait_ms(99);
    assert_eq!(stand.said(), [""; 0]);
    stand.wait_ms(1);
    assert_eq!(stand.said(), ["early", "default", "tick 1"]);
    stand.wait_ms(900);
    assert_eq!(stand.said()[3..], ["late 1,b", "tick 2", "tick 3"]);
}

#[test]
fn a_call_that_is_not_answered_is_given_up_after_a_minute() {
    let source = "VoxEngine.addEventListener(AppEvents.CallAlerting, ({call}) => { call.ring(); });";
    let mut stand = Stand::called(source);
    assert_eq!(stand.command(), Command::Ring { call: CallId::new(1) });
    stand.wait(Duration::from_secs(59));
    assert_eq!(stand.commands(), []);
    stand.wait(Duration::from_secs(1));
    assert_eq!(stand.command(), Command::Reject { call: CallId::new(1), code: 480, headers: Headers::new() });

    let source = "VoxEngine.addEventListener(AppEvents.CallAlerting, ({call}) => call.answer());";
    let mut stand = Stand::called(source);
    stand.connected(1);
    stand.commands();
    stand.wait(Duration::from_secs(3_000));
    assert_eq!(stand.commands(), []);
}

#[test]
fn a_session_without_calls_ends_after_a_minute() {
    let mut stand = Stand::started(LISTENING);
    stand.wait_ms(59_999);
    assert_eq!(stand.outcome(), None);
    stand.wait_ms(1);
    assert_eq!(stand.outcome().unwrap().cause, Cause::NoCalls);
    assert_eq!(stand.said(), ["terminating", "terminated"]);
    assert_eq!(stand.outcome().unwrap().lasted, Duration::from_secs(60));

    let mut stand = Stand::called(LISTENING);
    stand.wait(Duration::from_secs(30));
    stand.connected(1);
    stand.disconnected(1);
    stand.wait_ms(59_999);
    assert_eq!(stand.outcome(), None);
    stand.wait_ms(1);
    assert_eq!(stand.outcome().unwrap().cause, Cause::NoCalls);
}

#[test]
fn a_session_lasts_no_longer_than_it_may() {
    let limits = Limits { session: Duration::from_secs(10), ..Limits::default() };
    let mut stand =
        with_limits("VoxEngine.addEventListener(AppEvents.CallAlerting, ({call}) => call.answer());", limits);
    stand.connected(1);
    stand.commands();
    stand.wait(Duration::from_secs(10));
    assert_eq!(stand.command(), Command::Hangup { call: CallId::new(1), headers: Headers::new() });
    assert_eq!(stand.outcome().unwrap().cause, Cause::SessionTooLong);
}

#[test]
fn a_source_may_have_256_k_characters() {
    let fits = format!("Logger.write('in');{}", " ".repeat(256 * 1024 - 19));
    assert_eq!(Stand::started(&fits).said(), ["in"]);
    let stand = Stand::started(&format!("{fits} "));
    assert_eq!(stand.said(), [""; 0]);
    assert_eq!(stand.errors(), ["scenario.js has 262145 characters; a scenario may have 262144"]);
    assert_eq!(stand.outcome().unwrap().cause, Cause::ScriptError);
}

#[test]
fn what_one_callback_asks_for_is_bounded() {
    let source = "let n = 0, why; setTimeout(() => Logger.write(`${n} ${why.message}`), 100);
        try { for (;;) { Logger.write('x'); n++; } } catch (error) { why = error; }";
    let mut stand = Stand::started(source);
    stand.wait_ms(100);
    let last = *stand.said().last().unwrap();
    assert!(last.starts_with("9999 one callback may ask for 10000 things"), "{last}");
    assert_eq!(stand.said().len(), 10_000);
}

#[test]
fn what_many_events_ask_for_is_carried_out_in_between() {
    let source = "require(Modules.Ultravox);
        Ultravox.createWebSocketAPIClient({endpoint: 'CreateCall'}).then((client) => setTimeout(() => {
            client.addEventListener(Ultravox.WebSocketAPIEvents.Debug, () => {
                for (let n = 0; n < 500; n++) Logger.write('x'.repeat(15000));
            });
        }, 100));";
    let mut session = Session::begin(setup(source));
    let (client, now) = (ClientId::new(1), Duration::from_millis(100));
    session.handle(now, Notice::ClientOpened { client: client.clone(), web_socket: String::new() });
    for _ in 0..100 {
        let name = "Ultravox.WebSocketAPI.Debug".to_owned();
        session.handle(now, Notice::ClientEvent { client: client.clone(), name, fields: json!({}) });
    }
    let mut most = 0;
    let mut lines = 0;
    while lines < 50_000 {
        let batch = std::iter::from_fn(|| session.poll())
            .filter(|command| matches!(command, Command::Log { .. }))
            .count();
        lines += batch;
        most = most.max(batch);
        session.handle(session.deadline().unwrap().max(now * 2), Notice::Timeout);
    }
    assert_eq!(lines, 50_000);
    assert!(most <= 1_500, "{most} lines of 15 kB at a time");
}

#[test]
fn twenty_calls_and_twenty_clients_are_the_most() {
    let source = "require(Modules.Ultravox);
        try { for (;;) VoxEngine.callPSTN('1', '2'); } catch (error) { Logger.write(error.message); }
        for (let n = 0; n < 21; n++) Ultravox.createWebSocketAPIClient({endpoint: 'CreateCall'}).catch((error) => Logger.write(error.message));";
    let mut stand = Stand::started(source);
    assert_eq!(stand.commands().len(), 40);
    assert_eq!(
        stand.said(),
        [
            "VoxEngine.callPSTN: there are 20 calls, which is the most; hang up one first",
            "Ultravox.createWebSocketAPIClient: there are 20 clients, which is the most; close one first"
        ]
    );
}

#[test]
fn several_files_share_one_context_in_their_order() {
    let file = |name: &str, source: &str| File { name: name.to_owned(), source: source.to_owned() };
    let files = vec![
        file(
            "tools.js",
            "const greet = (name) => `hello ${name}`; function shout(text) { return text.toUpperCase(); } var count = 1;",
        ),
        file("main.js", "count += 1; Logger.write(shout(greet('you')) + count);"),
        file("broken.js", "let x = ;"),
        file("never.js", "Logger.write('never');"),
    ];
    let stand = Stand::of(Setup { files, ..setup("") });
    assert_eq!(stand.said(), ["HELLO YOU2"]);
    assert!(stand.errors()[0].starts_with("SyntaxError: "), "{:?}", stand.errors());
    assert!(stand.errors()[0].contains("broken.js:1"), "{:?}", stand.errors());
    assert_eq!(stand.outcome().unwrap().cause, Cause::ScriptError);
}
