//! How sessions end: by the scenario, by an error, from outside; what may still happen then.

use std::time::Duration;

use antiphon_scenario::{CallId, Cause, Command, Headers, Notice, RequestId};

use crate::stand::Stand;

const LISTENING: &str = "
    VoxEngine.addEventListener(AppEvents.Terminating, () => Logger.write('terminating'));
    VoxEngine.addEventListener(AppEvents.Terminated, () => Logger.write('terminated'));";

#[test]
fn what_follows_terminate_in_the_same_callback_still_happens_and_nothing_after_it() {
    let source = format!(
        "{LISTENING}
         VoxEngine.addEventListener(AppEvents.CallAlerting, ({{call}}) => {{
             call.addEventListener(CallEvents.Disconnected, () => Logger.write('disconnected'));
             setTimeout(() => Logger.write('timer'), 100);
             VoxEngine.terminate();
             VoxEngine.terminate();
             Logger.write('after');
             Promise.resolve().then(() => Logger.write('promise'));
         }});
         VoxEngine.addEventListener(AppEvents.CallAlerting, () => Logger.write('second handler'));"
    );
    let mut stand = Stand::called(&source);
    assert_eq!(stand.command(), Command::Hangup { call: CallId::new(1), headers: Headers::new() });
    stand.disconnected(1);
    stand.wait_ms(1_000);
    assert_eq!(stand.said(), ["after", "second handler", "promise", "terminating", "terminated"]);
    let outcome = stand.outcome().unwrap();
    assert_eq!((outcome.cause, outcome.errors, outcome.is_good()), (Cause::Terminated, 0, true));
}

#[test]
fn one_request_may_be_sent_while_the_session_ends_and_no_timer_started() {
    let source = "
        VoxEngine.addEventListener(AppEvents.Terminating, async () => {
            try { setTimeout(() => {}, 100); } catch (error) { Logger.write(error.message); }
            try { VoxEngine.callPSTN('1', '2'); } catch (error) { Logger.write(error.message); }
            const answer = await Net.httpRequestAsync('https://example.com/over', {method: 'POST', postData: 'bye'});
            Logger.write(answer.code);
            try { await Net.httpRequestAsync('https://example.com/again'); } catch (error) { Logger.write(error.message); }
        });
        VoxEngine.addEventListener(AppEvents.Terminated, () => Logger.write('terminated'));
        VoxEngine.terminate();";
    let mut stand = Stand::started(source);
    let Command::Request { request, http } = stand.command() else { panic!("{:?}", stand.log) };
    assert_eq!((request, &*http.url), (RequestId::new(1), "https://example.com/over"));
    assert_eq!(stand.outcome(), None, "the answer is waited for");
    stand.answered(1, 204, "");
    assert_eq!(
        stand.said(),
        [
            "setTimeout: the session is ending, so there are no timers any more",
            "VoxEngine.callPSTN: the session is ending; only one more HTTP request can be sent, in AppEvents.Terminating",
            "204",
            "Net.httpRequestAsync: one HTTP request can be sent in AppEvents.Terminating, and it was sent",
            "terminated"
        ]
    );
    assert_eq!(stand.outcome().unwrap().cause, Cause::Terminated);
}

#[test]
fn a_last_request_that_is_never_answered_holds_nobody_up_for_long() {
    let source = "VoxEngine.addEventListener(AppEvents.Terminating, () => Net.httpRequestAsync('https://example.com/'));
        VoxEngine.terminate();";
    let mut stand = Stand::started(source);
    stand.wait(Duration::from_secs(89));
    assert_eq!(stand.outcome(), None);
    stand.wait(Duration::from_secs(1));
    assert_eq!(stand.outcome().unwrap().cause, Cause::Terminated);
}

#[test]
fn requests_that_are_under_way_are_answered_before_the_session_ends_and_those_that_wait_are_dropped() {
    let source = format!(
        "{LISTENING}
         for (let n = 1; n <= 5; n++) Net.httpRequest(`https://example.com/${{n}}`, ({{code}}) => Logger.write(`${{n}} ${{code}}`));
         setTimeout(VoxEngine.terminate, 1000);"
    );
    let mut stand = Stand::started(&source);
    assert_eq!(stand.commands().len(), 3);
    stand.wait_ms(1_000);
    stand.answered(2, 200, "");
    assert_eq!(stand.commands(), []);
    assert_eq!(stand.outcome(), None);
    stand.answered(1, 200, "");
    stand.answered(3, 500, "");
    stand.answered(4, 200, "");
    assert_eq!(stand.said(), ["2 200", "1 200", "3 500", "terminating", "terminated"]);
}

#[test]
fn an_error_in_a_handler_is_told_with_its_place_and_ends_the_session_in_order() {
    let source = format!(
        "{LISTENING}
         VoxEngine.addEventListener(AppEvents.CallAlerting, function onCall({{call}}) {{
             call.answer();
             call.addEventListener(CallEvents.Connected, function onConnected() {{ undefined.x; }});
             call.addEventListener(CallEvents.Connected, () => Logger.write('the other handler'));
         }});"
    );
    let mut stand = Stand::called(&source);
    stand.commands();
    stand.connected(1);
    assert_eq!(stand.command(), Command::Hangup { call: CallId::new(1), headers: Headers::new() });
    assert_eq!(stand.said(), ["the other handler", "terminating", "terminated"]);
    let error = stand.errors()[0];
    assert!(
        error.starts_with("TypeError: ") && error.contains("onConnected") && error.contains("scenario.js:6"),
        "{error}"
    );
    assert!(!error.contains("voxengine"), "{error}");
    let outcome = stand.outcome().unwrap();
    assert_eq!((outcome.cause, outcome.errors, outcome.is_good()), (Cause::ScriptError, 1, false));
}

#[test]
fn a_rejection_that_nobody_catches_is_told_and_the_session_goes_on() {
    let source = "
        Promise.reject(new RangeError('far'));
        (async () => { throw {code: 7}; })();
        const late = Promise.reject(new Error('caught in time')); Promise.resolve().then(() => late.catch(() => {}));
        VoxEngine.addEventListener(AppEvents.Started, async () => { await null; throw 'text'; });";
    let mut stand = Stand::started(source);
    let errors = stand.errors();
    let begin = "a promise was rejected and nothing caught it: ";
    assert_eq!(errors.len(), 3, "{errors:?}");
    for (error, text) in errors.iter().zip(["RangeError: far", "thrown: {\"code\":7}", "thrown: text"]) {
        assert!(error.starts_with(&format!("{begin}{text}")), "{error}");
    }
    assert_eq!(stand.outcome(), None);
    stand.tell(Notice::Stop);
    let outcome = stand.outcome().unwrap();
    assert_eq!((outcome.cause, outcome.errors, outcome.is_good()), (Cause::Stopped, 3, false));
}

#[test]
fn a_session_that_is_stopped_ends_in_order() {
    let mut stand = Stand::called(LISTENING);
    stand.connected(1);
    stand.tell(Notice::Stop);
    assert_eq!(stand.command(), Command::Hangup { call: CallId::new(1), headers: Headers::new() });
    assert_eq!(stand.said(), ["terminating", "terminated"]);
    assert!(stand.outcome().unwrap().is_good());
    stand.tell(Notice::Stop);
    stand.connected(1);
    stand.wait_ms(1_000_000);
    assert_eq!(stand.commands(), []);
}

#[test]
fn an_error_while_the_session_ends_is_counted_and_changes_nothing_else() {
    let source = "VoxEngine.addEventListener(AppEvents.Terminating, () => { throw new Error('late'); });
        VoxEngine.addEventListener(AppEvents.Terminated, () => Logger.write('terminated'));
        VoxEngine.terminate();";
    let stand = Stand::started(source);
    assert_eq!(stand.said(), ["terminated"]);
    let outcome = stand.outcome().unwrap();
    assert_eq!((outcome.errors, outcome.is_good()), (1, false));
}
