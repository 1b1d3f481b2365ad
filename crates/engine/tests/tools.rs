//! Tools: several at once, results in call order and exactly once, timeouts, reactions, state (protocol.md 6.6 to 6.9, A-44 to
//! A-46).

use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::Config;
use antiphon_engine::config::{Limits, Tool};
use antiphon_engine::ids::InvocationId;
use antiphon_engine::input::{HangUpRequest, Reaction, ToolAction, ToolAnswer, ToolOutcome, Urgency};
use antiphon_engine::message::MessageBody;
use antiphon_engine::output::{AgentState, Event};
use serde_json::{Value, json};

use crate::story::{
    Story, answer, call, config, failed, hang_up, hang_up_tool, message_line, react, reading, say, tool,
};

fn with_tools(names: &[&str]) -> Config {
    Config { tools: names.iter().map(|name| tool(name)).collect(), ..config() }
}

/// The user asked, and the model called `look` after saying `words`, if any; the tool runs.
fn looking(config: Config, words: &str) -> Story {
    let mut story = Story::joined(config);
    let mut reply = vec![call("look", r#"{"for": "keys"}"#)];
    if !words.is_empty() {
        reply.insert(0, say(words));
    }
    story.model_does(reply);
    story.user_writes("Where are my keys?", Urgency::Soon);
    story.run_secs(1);
    assert_eq!(story.seen.tools.len(), 1);
    story
}

fn update(change: Value) -> ToolOutcome {
    ToolOutcome::Answered(ToolAnswer {
        action: ToolAction::Respond(Arc::from("ok")),
        reaction: Some(Reaction::Listens),
        state_update: Some(Arc::new(change)),
    })
}

#[test]
fn a_tool_runs_after_the_words_before_it_and_its_result_is_answered() {
    let mut story = Story::joined(with_tools(&["look"]));
    story.model_does(vec![say("Let me see."), call("look", r#"{"for": "keys"}"#)]);
    story.model_says("On the table.");
    story.world.tool_answers = Some((Duration::from_millis(300), answer("table")));
    story.user_writes("Where are my keys?", Urgency::Soon);
    story.run_secs(3);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        0.000s user (text) #0 ="Where are my keys?"
        0.000s state Thinking
        0.000s model
        0.100s voice "Let me see."
        0.120s state Speaking
        0.195s agent #1 "Let"
        0.345s agent #1 +" me"
        0.545s agent #1 +" see."
        0.670s agent #1 ="Let me see."
        0.670s state Thinking
        0.670s tool look {"for":"keys"}
        0.970s model
        1.070s voice "On the table."
        1.090s state Speaking
        1.140s agent #2 "On"
        1.290s agent #2 +" the"
        1.565s agent #2 +" table."
        1.740s agent #2 ="On the table."
        1.740s state Listening
        "#,
    );
    assert_eq!(
        story.record(),
        [
            "user (text): Where are my keys?",
            "agent: Let me see.",
            r#"call look: {"for": "keys"}"#,
            "result look: table",
            "agent: On the table.",
        ]
    );
}

#[test]
fn a_tool_without_words_starts_when_the_answer_is_complete() {
    let mut story = Story::joined(with_tools(&["look"]));
    story.model_streams_after(100, vec![call("look", "{}")]);
    story.user_writes("Look.", Urgency::Soon);
    story.run_secs(2);
    assert!(story.seen.tools.is_empty(), "the model may still say something");
}

#[test]
fn several_tools_run_at_once_and_answer_in_the_order_of_the_calls() {
    let mut story = Story::joined(with_tools(&["first", "second", "third"]));
    story.model_does(vec![call("first", "{}"), call("second", "{}"), call("third", "{}")]);
    story.user_writes("Go.", Urgency::Soon);
    story.run_secs(1);
    let ids = story.seen.tools.clone();
    assert_eq!(ids.len(), 3);
    story.tool_answers(ids[2], answer("3"));
    story.tool_answers(ids[0], answer("1"));
    assert_eq!(story.seen.prompts.len(), 1, "one is still running");
    story.tool_answers(ids[1], failed("no 2", "out of order"));
    assert_eq!(
        story.last_prompt()[1..],
        [
            "call first: {}",
            "call second: {}",
            "call third: {}",
            "result first: 1",
            "result second: no 2 (out of order)",
            "result third: 3",
        ]
    );
}

#[test]
fn a_tool_that_takes_too_long_is_cancelled_and_the_model_is_told() {
    let mut story = looking(with_tools(&["look"]), "");
    story.skip();
    story.run_secs(3);
    story.expect(
        r#"
        2.600s cancel tool
        2.600s notice tool.timed_out
        2.600s model
        "#,
    );
    assert_eq!(
        story.last_prompt()[2],
        "result look: The tool did not answer in time. (timed out after 2.5s)"
    );
}

#[test]
fn each_tool_has_its_own_time() {
    let patient = Tool { timeout: Duration::from_secs(10), ..tool("patient") };
    let mut story = Story::joined(Config { tools: vec![patient, tool("hasty")], ..config() });
    story.model_does(vec![call("patient", "{}"), call("hasty", "{}")]);
    story.user_writes("Go.", Urgency::Soon);
    story.run_secs(5);
    assert_eq!(story.seen.prompts.len(), 1);
    let patient = story.seen.tools[0];
    story.tool_answers(patient, answer("at last"));
    assert_eq!(story.seen.prompts.len(), 2);
}

#[test]
fn late_duplicate_and_unknown_results_are_ignored_and_told() {
    let mut story = looking(with_tools(&["look"]), "");
    story.run_secs(3);
    let late = story.seen.tools[0];
    story.skip();
    story.tool_answers(late, answer("too late"));
    story.tool_answers(InvocationId(99), answer("who?"));
    story.expect(
        r#"
        4.000s notice tool.result_ignored
        4.000s notice tool.result_ignored
        "#,
    );

    let mut story = looking(with_tools(&["look", "look_again"]), "");
    let id = story.seen.tools[0];
    story.tool_answers(id, answer("first"));
    story.tool_answers(id, answer("second"));
    let results = story.record().into_iter().filter(|line| line.starts_with("result"));
    assert_eq!(results.collect::<Vec<_>>(), ["result look: first"]);
}

#[test]
fn a_duplicate_while_others_still_run_does_not_replace_the_first() {
    let mut story = Story::joined(with_tools(&["first", "second"]));
    story.model_does(vec![call("first", "{}"), call("second", "{}")]);
    story.user_writes("Go.", Urgency::Soon);
    story.run_secs(1);
    let ids = story.seen.tools.clone();
    story.tool_answers(ids[0], answer("right"));
    story.tool_answers(ids[0], answer("wrong"));
    story.tool_answers(ids[1], answer("done"));
    assert_eq!(story.last_prompt()[3..], ["result first: right", "result second: done"]);
}

#[test]
fn a_reaction_of_listening_waits_for_the_user() {
    let mut story = looking(with_tools(&["look"]), "");
    let id = story.seen.tools[0];
    story.skip();
    story.tool_answers(id, react("table", Some(Reaction::Listens)));
    story.run_secs(2);
    story.expect(
        r#"
        1.000s state Listening
        "#,
    );
}

#[test]
fn a_reaction_of_speaking_once_speaks_only_if_nothing_was_said_before() {
    for (words, prompts) in [("", 2), ("Let me see.", 1)] {
        let mut story = looking(with_tools(&["look"]), words);
        let id = story.seen.tools[0];
        story.tool_answers(id, react("table", Some(Reaction::SpeaksOnce)));
        assert_eq!(story.seen.prompts.len(), prompts, "after {words:?}");
    }
}

#[test]
fn a_results_own_reaction_comes_before_the_tools_default() {
    let quiet = || Config { tools: vec![Tool { reaction: Reaction::Listens, ..tool("look") }], ..config() };
    for (reaction, prompts) in [(None, 1), (Some(Reaction::Speaks), 2)] {
        let mut story = looking(quiet(), "");
        let id = story.seen.tools[0];
        story.tool_answers(id, react("table", reaction));
        assert_eq!(story.seen.prompts.len(), prompts, "with {reaction:?}");
    }
}

#[test]
fn one_result_that_wants_to_be_spoken_of_is_enough() {
    let mut story = Story::joined(with_tools(&["first", "second"]));
    story.model_does(vec![call("first", "{}"), call("second", "{}")]);
    story.user_writes("Go.", Urgency::Soon);
    story.run_secs(1);
    let ids = story.seen.tools.clone();
    story.tool_answers(ids[0], react("1", Some(Reaction::Speaks)));
    story.tool_answers(ids[1], react("2", Some(Reaction::Listens)));
    assert_eq!(story.seen.prompts.len(), 2);
}

#[test]
fn an_unknown_tool_is_answered_for_the_model_and_runs_nowhere() {
    let mut story = Story::joined(with_tools(&["look"]));
    story.model_does(vec![call("lok", "{}")]);
    story.user_writes("Go.", Urgency::Soon);
    story.run_secs(1);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        0.000s user (text) #0 ="Go."
        0.000s state Thinking
        0.000s model
        0.100s notice tool.unknown
        0.100s model
        "#,
    );
    assert_eq!(
        story.last_prompt()[1..],
        ["call lok: {}", r#"result lok: There is no tool named "lok". (no such tool)"#]
    );
}

#[test]
fn arguments_that_are_no_object_are_answered_for_the_model() {
    for bad in ["[1]", "\"keys\"", "{\"for\":", "null", "{} {}"] {
        let mut story = Story::joined(with_tools(&["look"]));
        story.model_does(vec![call("look", bad)]);
        story.user_writes("Go.", Urgency::Soon);
        story.run_secs(1);
        assert!(story.seen.tools.is_empty(), "{bad} runs nothing");
        assert!(story.told().iter().any(|line| line.ends_with("notice tool.bad_arguments")));
        assert!(story.last_prompt()[2].contains("Call the tool again with one JSON object."));
    }
}

#[test]
fn no_arguments_are_an_empty_object() {
    let mut story = Story::joined(with_tools(&["look"]));
    story.model_does(vec![call("look", " ")]);
    story.user_writes("Go.", Urgency::Soon);
    story.run_secs(1);
    assert!(story.told().iter().any(|line| line.ends_with("tool look {}")));
}

#[test]
fn tools_that_call_for_each_other_stop_without_the_user() {
    let limits = Limits { tool_rounds: 3, ..Limits::default() };
    let mut story = Story::joined(Config { limits, ..with_tools(&["look"]) });
    story.world.tool_answers = Some((Duration::from_millis(10), answer("look again")));
    for _ in 0..20 {
        story.model_does(vec![call("look", "{}")]);
    }
    story.user_writes("Go.", Urgency::Soon);
    story.run_secs(10);
    assert_eq!(story.seen.prompts.len(), 1 + 3);
    assert_eq!(story.state(), Some(AgentState::Listening));
    assert!(story.told().iter().any(|line| line.ends_with("notice tool.too_many_rounds")));
    story.user_writes("Go on.", Urgency::Soon);
    story.run_secs(10);
    assert_eq!(story.seen.prompts.len(), 2 * (1 + 3), "the user allows it again");
}

#[test]
fn more_tools_than_one_answer_may_use_are_ignored_and_told() {
    let limits = Limits { tool_calls: 2, ..Limits::default() };
    let mut story = Story::joined(Config { limits, ..with_tools(&["look"]) });
    story.model_does((0..5).map(|_| call("look", "{}")).collect());
    story.user_writes("Go.", Urgency::Soon);
    story.run_secs(1);
    assert_eq!(story.seen.tools.len(), 2);
}

#[test]
fn what_the_user_says_while_a_tool_runs_is_answered_with_its_result() {
    let patient = Tool { timeout: Duration::from_secs(20), ..tool("look") };
    let mut story = looking(Config { tools: vec![patient], ..config() }, "");
    story.transcript_after(10, "hurry up please");
    story.user_speaks(1_000);
    story.run_secs(1);
    assert_eq!(story.state(), Some(AgentState::Thinking), "a tool run stays in thinking");
    assert_eq!(story.seen.prompts.len(), 1);
    let id = story.seen.tools[0];
    story.tool_answers(id, answer("table"));
    assert_eq!(
        story.last_prompt(),
        [
            "user (text): Where are my keys?",
            r#"call look: {"for": "keys"}"#,
            "result look: table",
            "user: hurry up please",
        ]
    );
    story.run_secs(1);
    assert_eq!(story.seen.prompts.len(), 2, "one answer for both");
    assert_eq!(
        story.record()[1..],
        [r#"call look: {"for": "keys"}"#, "user: hurry up please", "result look: table"],
        "the record keeps the order of events"
    );
}

#[test]
fn a_result_that_comes_while_the_user_speaks_waits_for_the_turn() {
    let mut story = looking(with_tools(&["look"]), "");
    story.speech_starts();
    story.run_ms(300);
    let id = story.seen.tools[0];
    story.tool_answers(id, answer("table"));
    story.run_ms(500);
    assert_eq!(story.seen.prompts.len(), 1);
    story.speech_stops();
    story.run_ms(384);
    assert_eq!(story.seen.prompts.len(), 2);
}

#[test]
fn a_strict_hang_up_says_its_message_over_anybody() {
    let mut story = looking(with_tools(&["look"]), "");
    let id = story.seen.tools[0];
    story.skip();
    story.tool_answers(id, hang_up(true, Some("We are closing.")));
    story.run_ms(100);
    story.user_speaks(400);
    story.run_secs(2);
    story.expect(
        r#"
        1.000s voice "We are closing."
        1.020s state Speaking
        1.070s agent #1 "We"
        1.220s agent #1 +" are"
        1.545s agent #1 +" closing."
        1.770s agent #1 ="We are closing."
        1.770s transcribe 800..1500 ms
        1.770s close AgentHangUp
        "#,
    );
}

#[test]
fn a_soft_hang_up_gives_way_to_the_user() {
    let mut story = looking(with_tools(&["look"]), "");
    story.transcript_after(10, "wait");
    story.model_says("Yes?");
    let id = story.seen.tools[0];
    story.tool_answers(id, hang_up(false, Some("We are closing.")));
    story.run_ms(300);
    story.user_speaks(400);
    story.run_secs(3);
    assert!(!story.is_over());
    assert_eq!(story.record()[3..], ["agent: We are[ closing.]", "user: wait", "agent: Yes?"]);
}

#[test]
fn a_soft_hang_up_ends_the_call_of_a_silent_user() {
    let mut story = looking(with_tools(&["look"]), "");
    let id = story.seen.tools[0];
    story.tool_answers(id, hang_up(false, Some("We are closing.")));
    story.run_secs(3);
    assert!(story.told().last().is_some_and(|line| line.ends_with("ended AgentHangUp")));
}

#[test]
fn text_during_a_soft_farewell_keeps_the_call() {
    let mut story = looking(with_tools(&["look"]), "");
    let id = story.seen.tools[0];
    story.tool_answers(id, hang_up(false, Some("We are closing.")));
    story.run_ms(300);
    story.user_writes("One more thing.", Urgency::Later);
    story.run_secs(3);
    assert!(!story.is_over());
}

#[test]
fn a_soft_hang_up_is_void_if_the_user_spoke_while_the_tool_ran() {
    let mut story = looking(with_tools(&["look"]), "");
    story.transcript_after(10, "one more thing");
    story.user_speaks(500);
    story.run_secs(1);
    let id = story.seen.tools[0];
    story.tool_answers(id, hang_up(false, None));
    assert!(!story.is_over());
    assert_eq!(story.seen.prompts.len(), 2);
}

#[test]
fn a_soft_hang_up_waits_for_words_that_are_being_found_out() {
    let mut story = Story::joined(Config { tools: vec![hang_up_tool(false), tool("look")], ..reading() });
    story.model_does(vec![call("look", "{}")]);
    story.model_says("Yes?");
    story.user_writes("Bye.", Urgency::Soon);
    story.run_secs(1);
    story.transcript_after(1_000, "one more thing");
    story.user_speaks(300);
    story.run_ms(500);
    let id = story.seen.tools[0];
    story.tool_answers(id, hang_up(false, None));
    story.run_secs(4);
    assert!(!story.is_over());
    assert_eq!(story.record().last().map(String::as_str), Some("agent: Yes?"));
}

#[test]
fn the_first_of_two_wishes_to_hang_up_counts() {
    let mut story = Story::joined(with_tools(&["first", "second"]));
    story.model_does(vec![call("first", "{}"), call("second", "{}")]);
    story.user_writes("Go.", Urgency::Soon);
    story.run_secs(1);
    let ids = story.seen.tools.clone();
    story.tool_answers(ids[1], hang_up(true, Some("Second.")));
    story.tool_answers(ids[0], hang_up(true, Some("First.")));
    story.run_secs(2);
    assert_eq!(story.record().last().map(String::as_str), Some("agent: First."));
    assert!(story.is_over());
}

#[test]
fn a_blank_farewell_is_none() {
    let mut story = looking(with_tools(&["look"]), "");
    let id = story.seen.tools[0];
    let request = HangUpRequest { strict: true, message: Some(Arc::from("  ")), result: None };
    let outcome = ToolAnswer { action: ToolAction::HangUp(request), reaction: None, state_update: None };
    story.tool_answers(id, ToolOutcome::Answered(outcome));
    assert!(story.is_over());
}

#[test]
fn changes_of_the_state_are_merged_key_by_key() {
    let initial_state = Arc::new(json!({"name": "Ann", "age": 7, "city": "Bonn"}));
    let mut story = looking(Config { initial_state, ..with_tools(&["look"]) }, "");
    let id = story.seen.tools[0];
    story.tool_answers(id, update(json!({"age": 8, "city": null, "pet": {"kind": "cat"}})));
    assert_eq!(states(&story), [json!({"name": "Ann", "age": 8, "pet": {"kind": "cat"}})]);
    story.model_does(vec![call("look", "{}")]);
    story.user_writes("Again.", Urgency::Soon);
    story.run_secs(1);
    let id = story.seen.tools[1];
    story.tool_answers(id, update(json!({"pet": {"name": "Tom"}})));
    assert_eq!(states(&story)[1], json!({"name": "Ann", "age": 8, "pet": {"name": "Tom"}}));
}

#[test]
fn a_change_of_the_state_that_is_no_object_is_ignored_and_told() {
    let mut story = looking(with_tools(&["look"]), "");
    let id = story.seen.tools[0];
    story.skip();
    story.tool_answers(id, update(json!([1, 2])));
    assert!(states(&story).is_empty());
    assert!(story.told().iter().any(|line| line.ends_with("notice state.update_ignored")));
}

#[test]
fn a_failed_tool_is_told_to_the_developer_and_softly_to_the_model() {
    let mut story = looking(with_tools(&["look"]), "");
    let id = story.seen.tools[0];
    story.skip();
    story.tool_answers(id, failed("It did not work.", "connection refused"));
    story.expect(
        r#"
        1.000s notice tool.failed
        1.000s model
        "#,
    );
    let notice = story.seen.events.iter().rev().find_map(|(_, event)| match event {
        Event::Notice(notice) => Some(notice.text.clone()),
        Event::Started | Event::StateChanged(_) | Event::Transcript(_) | Event::MessageCommitted { .. } => {
            None
        }
        Event::UserStartedSpeaking
        | Event::UserStoppedSpeaking
        | Event::TurnTaken(_)
        | Event::SpeechJudged(_)
        | Event::StageChanged { .. }
        | Event::Thread(_)
        | Event::Ended(_) => None,
    });
    assert_eq!(notice.as_deref(), Some(r#"tool "look" failed: connection refused"#));
}

/// The state after each result that changed it.
fn states(story: &Story) -> Vec<Value> {
    story
        .committed()
        .iter()
        .filter_map(|message| match &message.body {
            MessageBody::ToolResult { state, .. } => state.as_deref().cloned(),
            MessageBody::Agent { .. } | MessageBody::ToolCall { .. } | MessageBody::User { .. } => None,
        })
        .collect()
}

#[test]
fn a_tool_gets_the_state_and_if_it_wants_the_history_with_its_own_call() {
    let curious = Tool { wants_history: true, ..tool("look") };
    let initial_state = Arc::new(json!({"name": "Ann"}));
    let story = looking(Config { tools: vec![curious], initial_state, ..config() }, "Let me see.");
    let invocation = &story.seen.invocations[0];
    assert_eq!(*invocation.state, json!({"name": "Ann"}));
    let history = invocation.history.as_ref().expect("it wants the history");
    assert_eq!(
        history.iter().map(message_line).collect::<Vec<_>>(),
        ["user (text): Where are my keys?", "agent: Let me see.", r#"call look: {"for": "keys"}"#,]
    );
    let story = looking(with_tools(&["look"]), "");
    assert_eq!(story.seen.invocations[0].history, None);
}

fn precomputable() -> Tool {
    Tool { precomputable: true, ..tool("look") }
}

#[test]
fn a_precomputable_tool_runs_beside_the_speech_and_is_answered_after_it() {
    let mut story = Story::joined(Config { tools: vec![precomputable()], ..config() });
    story.model_does(vec![say("Let me have a look at the whole house."), call("look", "{}")]);
    story.model_says("On the table.");
    story.world.tool_answers = Some((Duration::from_millis(300), answer("table")));
    story.user_writes("Where are my keys?", Urgency::Soon);
    story.run_ms(500);
    assert_eq!(story.seen.tools.len(), 1, "it runs at once");
    assert_eq!(story.state(), Some(AgentState::Speaking));
    assert_eq!(story.record().len(), 1, "and is in no record before it is certain");
    story.run_secs(10);
    assert_eq!(story.seen.tools.len(), 1, "it runs once");
    assert_eq!(
        story.record()[1..],
        [
            "agent: Let me have a look at the whole house.",
            "call look: {}",
            "result look: table",
            "agent: On the table."
        ]
    );
}

#[test]
fn a_precomputable_tool_leaves_no_trace_when_its_answer_is_interrupted() {
    let mut story = Story::joined(Config { tools: vec![precomputable()], ..config() });
    story.model_does(vec![say("Let me have a look at the whole house."), call("look", "{}")]);
    story.model_says("All right.");
    story.user_writes("Where are my keys?", Urgency::Soon);
    story.run_ms(800);
    assert_eq!(story.seen.tools.len(), 1);
    story.user_writes("Never mind.", Urgency::Immediate);
    story.run_secs(5);
    assert!(!story.record().iter().any(|line| line.contains("look:")), "{:?}", story.record());
    let id = story.seen.tools[0];
    story.tool_answers(id, answer("table"));
    assert!(!story.record().iter().any(|line| line.contains("table")), "{:?}", story.record());
}

#[test]
fn a_precomputable_tool_that_is_too_slow_fails_by_its_own_clock() {
    let slow = Tool { timeout: Duration::from_millis(400), ..precomputable() };
    let mut story = Story::joined(Config { tools: vec![slow], ..config() });
    story.model_does(vec![say("Let me have a look at the whole house."), call("look", "{}")]);
    story.model_says("Sorry.");
    story.user_writes("Where are my keys?", Urgency::Soon);
    story.run_secs(10);
    assert!(
        story.record().iter().any(|line| line.starts_with("result look: The tool did not answer in time.")),
        "{:?}",
        story.record()
    );
}

#[test]
fn a_static_response_is_the_result_whatever_the_tool_says_later() {
    let quick = Tool { static_response: Some(Arc::from("Noted.")), ..tool("look") };
    let mut story = looking(Config { tools: vec![quick], ..config() }, "");
    assert!(story.record().contains(&"result look: Noted.".to_owned()), "{:?}", story.record());
    let id = story.seen.tools[0];
    let before = story.record();
    story.tool_answers(id, hang_up(true, Some("Bye.")));
    story.run_secs(10);
    assert_eq!(story.record(), before, "what comes late changes nothing");
    story.tool_answers(id, answer("again"));
    assert_eq!(story.record(), before);
}
