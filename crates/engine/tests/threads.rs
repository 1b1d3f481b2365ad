//! Side threads (protocol.md 7.11): how they begin, answer, use tools, speak to each other, and end.

use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::Config;
use antiphon_engine::config::{Limits, Tool};
use antiphon_engine::input::{
    ForcedUrgency, ModelEvent, Reaction, Request, SpawnThread, ThreadLimits, ThreadMessage, ThreadRef,
    ThreadRequest, Urgency,
};
use antiphon_engine::output::{ThreadState, ThreadStatus};

use crate::story::{
    Story, answer, call, config, failed, forced, hang_up, hang_up_tool, message_line, react, say, send,
    spawn, spawned, tool, tool_call,
};

fn with_tools() -> Config {
    Config { tools: vec![tool("look"), tool("book"), hang_up_tool(true)], ..config() }
}

fn written(text: &str) -> ThreadMessage {
    ThreadMessage::UserText(Arc::from(text))
}

/// A message in the agent's mouth that calls `look`.
fn looks() -> ThreadMessage {
    let mut message = forced("", ForcedUrgency::Soon);
    message.tool_calls = vec![tool_call("look", "{}", Some("a"))];
    ThreadMessage::Forced(message)
}

fn to(thread: &str, text: &str) -> Request {
    let to = ThreadRef::Side(Arc::from(thread));
    let text = Arc::from(text);
    Request::Thread(Box::new(ThreadRequest::UserText { to, text, urgency: Urgency::Soon }))
}

fn limited(limits: ThreadLimits, messages: Vec<ThreadMessage>) -> SpawnThread {
    SpawnThread { limits, ..spawn("job", messages) }
}

/// What was told of threads, without times.
fn threads(story: &Story) -> Vec<String> {
    let told = story.told();
    let lines = told.iter().filter_map(|line| Some(line.split_once(' ')?.1));
    let of_thread =
        |line: &&str| line.starts_with("job") || line.starts_with("thread-") || line.contains("thread_comms");
    lines.filter(of_thread).map(str::to_owned).collect()
}

#[test]
fn a_thread_answers_beside_the_conversation_and_nobody_hears_it() {
    let mut story = Story::joined(with_tools());
    story.thread_does(vec![say("It is "), say("seven.")]);
    story.request(spawned(spawn("job", vec![written("What is three and four?")])));
    story.run_secs(1);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        0.000s job begins
        0.000s model in job
        0.100s job +"It is "
        0.100s job +"seven."
        0.100s job ="It is seven." []
        "#,
    );
    assert!(story.record().is_empty(), "the main conversation knows nothing of it");
    story.thread_does(vec![say("Twelve.")]);
    story.request(to("job", "And times?"));
    story.run_secs(1);
    let known: Vec<String> = story.seen.thread_prompts[1].messages.iter().map(message_line).collect();
    assert_eq!(
        known,
        ["user (text): What is three and four?", "agent: It is seven.", "user (text): And times?"]
    );
}

#[test]
fn a_thread_forks_what_its_parent_knows() {
    let mut story = Story::joined(with_tools());
    story.model_says("Hello.");
    story.user_writes("Hi.", Urgency::Soon);
    story.run_secs(3);
    story.request(spawned(spawn("job", vec![written("Sum up.")])));
    story.request(to("job", "In French."));
    story.model_says("Fine.");
    story.user_writes("How are you?", Urgency::Soon);
    story.run_secs(1);
    let known: Vec<String> = story.seen.thread_prompts[0].messages.iter().map(message_line).collect();
    assert_eq!(known, ["user (text): Hi.", "agent: Hello.", "user (text): Sum up."]);
    // A thread of a thread.
    let child =
        SpawnThread { parent: ThreadRef::Side(Arc::from("job")), ..spawn("job-2", vec![written("Go on.")]) };
    story.request(spawned(child));
    let known: Vec<String> = story.seen.thread_prompts[1].messages.iter().map(message_line).collect();
    assert_eq!(known, ["user (text): Hi.", "agent: Hello.", "user (text): Sum up.", "user (text): Go on."]);
}

#[test]
fn a_thread_with_nothing_to_answer_is_idle_and_one_without_a_name_gets_one() {
    let mut story = Story::joined(with_tools());
    story.request(spawned(SpawnThread { id: None, ..spawn("", Vec::new()) }));
    let said = ThreadMessage::Forced(forced("Done.", ForcedUrgency::Soon));
    story.request(spawned(SpawnThread { id: None, ..spawn("", vec![said]) }));
    story.run_secs(1);
    assert_eq!(threads(&story), ["thread-1 begins", "thread-2 begins"]);
    assert!(story.seen.thread_prompts.is_empty());
}

#[test]
fn a_thread_runs_tools_and_answers_their_results() {
    let mut story = Story::joined(with_tools());
    story.world.tool_answers = Some((Duration::from_millis(300), answer("table")));
    story.thread_does(vec![say("Let me see."), call("look", "{}"), call("none", "{}")]);
    story.thread_does(vec![say("On the table.")]);
    story.request(spawned(spawn("job", vec![written("Where are my keys?")])));
    story.run_secs(1);
    assert_eq!(
        threads(&story),
        [
            "job begins",
            "job +\"Let me see.\"",
            "job =\"Let me see.\" [\"look\", \"none\"]",
            "job +\"On the table.\"",
            "job =\"On the table.\" []",
        ]
    );
    let known: Vec<String> = story.seen.thread_prompts[1].messages.iter().map(message_line).collect();
    assert_eq!(
        known,
        [
            "user (text): Where are my keys?",
            "agent: Let me see.",
            "call look: {}",
            "call none: {}",
            "result look: table",
            "result none: There is no tool named \"none\". (no such tool)",
        ]
    );
    assert_eq!(story.seen.invocations[0].thread.as_deref(), Some("job"));
    assert_eq!(
        story.seen.invocations[0].threads,
        [ThreadStatus { id: Arc::from("job"), state: ThreadState::CallingTool, last_response: None }]
    );
}

#[test]
fn a_generation_limit_of_zero_only_runs_the_given_tool() {
    let mut story = Story::joined(with_tools());
    story.world.tool_answers = Some((Duration::from_millis(300), answer("table")));
    let limits = ThreadLimits { generations: Some(0), ..ThreadLimits::default() };
    story.request(spawned(limited(limits, vec![looks()])));
    story.run_secs(1);
    assert_eq!(story.seen.tools.len(), 1);
    assert!(story.seen.thread_prompts.is_empty());
    let told = threads(&story);
    assert_eq!(told.last().unwrap(), "job ends, LimitReached: it has made as many generations as it may");
}

#[test]
fn limits_stop_a_thread() {
    let one = Some(1);
    let cases = [
        (
            ThreadLimits { output_tokens: one, ..ThreadLimits::default() },
            "it has given out as many tokens as it may",
        ),
        (
            ThreadLimits { generation_output_tokens: one, ..ThreadLimits::default() },
            "a generation has given out as many tokens as it may",
        ),
        (
            ThreadLimits { input_tokens: one, ..ThreadLimits::default() },
            "it has taken in as many tokens as it may",
        ),
        (
            ThreadLimits { generation_input_tokens: one, ..ThreadLimits::default() },
            "its history is too long for a generation",
        ),
    ];
    for (limits, why) in cases {
        let mut story = Story::joined(with_tools());
        story.thread_does(vec![say("one two three four five six seven eight nine")]);
        story.request(spawned(limited(
            limits,
            vec![written("Count to nine, slowly, and tell me all of it.")],
        )));
        story.run_secs(1);
        assert_eq!(threads(&story).last().unwrap(), &format!("job ends, LimitReached: {why}"));
    }
}

#[test]
fn tools_that_a_thread_may_not_use_are_unavailable_at_once() {
    let mut story = Story::joined(with_tools());
    let look = vec![Arc::from("look")];
    for (id, allowed, blocked) in [
        ("job-1", Some(vec![Arc::from("book")]), vec![]),
        ("job-2", None, look.clone()),
        ("job-3", Some(look.clone()), look),
    ] {
        story.thread_does(vec![say("Sorry.")]);
        let spawn =
            SpawnThread { allowed_tools: allowed, blocked_tools: blocked, ..spawn(id, vec![looks()]) };
        story.request(spawned(spawn));
        story.run_secs(1);
        let last = story.seen.thread_prompts.last().unwrap();
        assert_eq!(message_line(last.messages.last().unwrap()), "result look: This tool is unavailable.");
        assert_eq!(last.tools.len(), 3, "the model's prompt is as in the main conversation");
    }
    assert!(story.seen.tools.is_empty());
}

#[test]
fn a_thread_can_neither_end_the_call_nor_speak() {
    let mut story = Story::joined(with_tools());
    story.thread_does(vec![call("hangUp", "{}"), call("look", "{}")]);
    story.thread_does(vec![say("Well then.")]);
    story.world.tool_answers = Some((Duration::from_millis(100), hang_up(true, Some("Bye."))));
    story.request(spawned(spawn("job", vec![written("End it.")])));
    story.run_secs(1);
    assert!(!story.is_over());
    let refused = threads(&story).iter().filter(|line| line.contains("unsupported_call_change")).count();
    assert_eq!(refused, 2);
    let known = &story.seen.thread_prompts[1].messages;
    assert!(
        message_line(known.last().unwrap()).starts_with("result look: A side thread cannot end the call.")
    );
}

#[test]
fn what_cannot_begin_is_rejected_and_says_why() {
    let mut story =
        Story::joined(Config { limits: Limits { threads: 2, ..Limits::default() }, ..with_tools() });
    story.request(spawned(spawn("UI", Vec::new())));
    story.request(spawned(SpawnThread {
        parent: ThreadRef::Side(Arc::from("job-9")),
        ..spawn("job-8", Vec::new())
    }));
    story.request(spawned(spawn("job-7", vec![looks(), written("And?")])));
    story.request(spawned(spawn("job-1", Vec::new())));
    story.request(spawned(spawn("job-1", Vec::new())));
    story.request(spawned(spawn("job-2", Vec::new())));
    story.request(spawned(spawn("job-3", Vec::new())));
    story.request(spawned(SpawnThread { replaces: true, ..spawn("job-2", Vec::new()) }));
    let told: Vec<String> =
        story.told().iter().filter_map(|line| Some(line.split_once(' ')?.1.to_owned())).collect();
    assert_eq!(
        told[2..],
        [
            "UI is rejected: \"UI\" cannot be the name of a side thread",
            "job-8 is rejected: there is no thread \"job-9\" to fork",
            "job-7 is rejected: only the last message may call tools whose results are not known",
            "job-1 begins",
            "job-1 is rejected: there is a thread \"job-1\" already",
            "job-2 begins",
            "job-3 is rejected: there are 2 threads already, as many as a call may have",
            "job-2 ends, Canceled: another thread took its place",
            "job-2 begins",
        ]
    );
}

#[test]
fn known_results_need_no_tool() {
    let mut story = Story::joined(with_tools());
    let ThreadMessage::Forced(mut known) = looks() else { unreachable!("it is one") };
    known.known_results = vec![(Arc::from("a"), answer("table"))];
    story.thread_does(vec![say("On the table.")]);
    story.request(spawned(spawn("job", vec![ThreadMessage::Forced(known), written("Where?")])));
    story.run_secs(1);
    assert!(story.seen.tools.is_empty());
    let known: Vec<String> = story.seen.thread_prompts[0].messages.iter().map(message_line).collect();
    assert_eq!(known, ["call look: {}", "result look: table", "user (text): Where?"]);
}

#[test]
fn messages_for_a_busy_thread_wait_for_it() {
    let mut story = Story::joined(with_tools());
    story.thread_does(vec![say("One.")]);
    story.thread_does(vec![say("Two.")]);
    story.thread_does(vec![say("Three.")]);
    story.request(spawned(spawn("job", vec![written("1?")])));
    story.request(to("job", "2?"));
    story.request(to("job", "3?"));
    story.run_secs(1);
    let known: Vec<String> = story.seen.thread_prompts[2].messages.iter().map(message_line).collect();
    assert_eq!(
        known,
        ["user (text): 1?", "agent: One.", "user (text): 2?", "agent: Two.", "user (text): 3?"]
    );
}

#[test]
fn only_so_many_threads_run_the_model_at_a_time() {
    let limits = Limits { side_generations: 2, ..Limits::default() };
    let mut story = Story::joined(Config { limits, ..with_tools() });
    for id in ["job-1", "job-2", "job-3"] {
        story.thread_does(vec![say("Done.")]);
        story.request(spawned(spawn(id, vec![written("Go.")])));
    }
    assert_eq!(story.seen.thread_prompts.len(), 2);
    story.run_ms(100);
    assert_eq!(story.seen.thread_prompts.len(), 3, "the third has its turn when one is done");
}

#[test]
fn messages_to_nobody_are_told_to_the_developer_alone() {
    let mut story = Story::joined(with_tools());
    story.request(to("job", "Hello?"));
    story.thread_does(Vec::new());
    story.request(spawned(limited(
        ThreadLimits { generations: Some(0), ..ThreadLimits::default() },
        vec![written("Hello?")],
    )));
    story.request(to("job", "Hello?"));
    assert_eq!(
        threads(&story),
        [
            "notice thread_comms.non_existent_thread",
            "job begins",
            "job ends, LimitReached: it has made as many generations as it may",
            "notice thread_comms.failed_thread",
        ]
    );
    // A name is free again only for one that takes its place.
    story.request(spawned(spawn("job", Vec::new())));
    assert!(threads(&story).last().unwrap().contains("rejected"));
}

#[test]
fn a_model_that_fails_ends_its_thread_and_no_other() {
    let mut story = Story::joined(with_tools());
    story.thread_does(vec![ModelEvent::Failed(Arc::from("overloaded"))]);
    story.thread_does(vec![say("Fine.")]);
    story.request(spawned(spawn("job-1", vec![written("Go.")])));
    story.request(spawned(spawn("job-2", vec![written("Go.")])));
    story.run_secs(1);
    let told = threads(&story);
    assert!(told.contains(&"job-1 fails: overloaded".to_owned()), "{told:?}");
    assert!(
        told.contains(&"job-1 ends, Failed: the language model failed: overloaded".to_owned()),
        "{told:?}"
    );
    assert!(told.contains(&"job-2 =\"Fine.\" []".to_owned()), "{told:?}");
}

#[test]
fn a_tool_that_is_too_slow_in_a_thread_fails_there() {
    let mut story = Story::joined(with_tools());
    story.request(spawned(spawn("job", vec![looks()])));
    story.run_secs(5);
    let known = &story.seen.thread_prompts[0].messages;
    assert_eq!(
        message_line(known.last().unwrap()),
        "result look: The tool did not answer in time. (timed out after 2.5s)"
    );
}

#[test]
fn a_tool_of_the_conversation_begins_a_thread_that_does_not_know_of_the_call() {
    let mut story = Story::joined(with_tools());
    let begin = ThreadRequest::Spawn(Box::new(spawn("job", vec![written("Look for long.")])));
    story.world.tool_answers = Some((Duration::from_millis(100), send("Started in the background.", begin)));
    story.model_does(vec![call("look", "{}")]);
    story.model_says("I am on it.");
    story.user_writes("Find it.", Urgency::Soon);
    story.run_secs(3);
    assert_eq!(
        story.record(),
        [
            "user (text): Find it.",
            "call look: {}",
            "result look: Started in the background.",
            "agent: I am on it.",
        ]
    );
    let known: Vec<String> = story.seen.thread_prompts[0].messages.iter().map(message_line).collect();
    assert_eq!(known, ["user (text): Find it.", "user (text): Look for long."]);
}

#[test]
fn a_tool_of_a_thread_speaks_to_its_parent() {
    let mut story = Story::joined(with_tools());
    let found = ThreadRequest::UserText {
        to: ThreadRef::Parent,
        text: Arc::from("[found: on the table]"),
        urgency: Urgency::Soon,
    };
    story.world.tool_answers = Some((Duration::from_millis(100), {
        let mut sent = send("sent", found);
        if let antiphon_engine::input::ToolOutcome::Answered(answer) = &mut sent {
            answer.reaction = Some(Reaction::Listens);
        }
        sent
    }));
    story.model_says("It is on the table.");
    story.request(spawned(spawn("job", vec![looks()])));
    story.run_secs(3);
    assert_eq!(story.record(), ["user (text): [found: on the table]", "agent: It is on the table."]);
    assert!(story.seen.thread_prompts.is_empty(), "the thread listens");
}

#[test]
fn threads_end_with_the_call_and_cancel_their_work() {
    let mut story = Story::joined(with_tools());
    story.request(spawned(spawn("job-1", vec![written("Go.")])));
    story.request(spawned(spawn("job-2", vec![looks()])));
    story.hangs_up();
    story.run_secs(3);
    assert!(story.is_over());
    let told = threads(&story);
    assert!(told.contains(&"job-1 ends, Canceled: the call is over".to_owned()), "{told:?}");
    assert!(told.contains(&"job-2 ends, Canceled: the call is over".to_owned()), "{told:?}");
}

#[test]
fn a_state_that_a_thread_changes_is_its_own() {
    let mut story = Story::joined(with_tools());
    let mut update = react("noted", Some(Reaction::Listens));
    if let antiphon_engine::input::ToolOutcome::Answered(answer) = &mut update {
        answer.state_update = Some(Arc::new(serde_json::json!({"a": 1})));
    }
    story.world.tool_answers = Some((Duration::from_millis(100), update));
    story.request(spawned(spawn("job", vec![looks()])));
    story.run_secs(1);
    let again = Request::Thread(Box::new(ThreadRequest::Forced {
        to: ThreadRef::Side(Arc::from("job")),
        message: match looks() {
            ThreadMessage::Forced(message) => message,
            ThreadMessage::UserText(_) => unreachable!("it is one"),
        },
    }));
    story.request(again);
    story.model_does(vec![call("look", "{}")]);
    story.user_writes("Look.", Urgency::Soon);
    story.run_secs(1);
    let states: Vec<String> = story.seen.invocations.iter().map(|run| run.state.to_string()).collect();
    assert_eq!(states, ["{}", "{\"a\":1}", "{}"]);
}

#[test]
fn a_failed_tool_is_told_to_the_developer_and_answered_in_the_thread() {
    let mut story = Story::joined(with_tools());
    story.world.tool_answers = Some((Duration::from_millis(100), failed("It broke.", "connection refused")));
    story.request(spawned(spawn("job", vec![looks()])));
    story.run_secs(1);
    let known = &story.seen.thread_prompts[0].messages;
    assert_eq!(message_line(known.last().unwrap()), "result look: It broke. (connection refused)");
}

#[test]
fn a_known_result_that_sends_to_a_thread_does_so_at_once() {
    let mut story = Story::joined(with_tools());
    let request = ThreadRequest::Spawn(Box::new(spawn("job", vec![written("Go.")])));
    let mut message = forced("", ForcedUrgency::Soon);
    message.tool_calls = vec![tool_call("look", "{}", Some("a"))];
    message.known_results = vec![(Arc::from("a"), send("sent", request))];
    story.request(Request::ForcedMessage(message));
    assert!(threads(&story).contains(&"job begins".to_owned()), "{:#?}", story.told());
}

#[test]
fn a_tool_that_was_answered_for_is_not_waited_for_and_stopped_with_its_thread() {
    let noting = Tool { static_response: Some(Arc::from("Noted.")), ..tool("look") };
    for late in [true, false] {
        let mut story = Story::joined(Config { tools: vec![noting.clone()], ..config() });
        story.request(spawned(spawn("job", vec![looks()])));
        story.run_secs(1);
        if late {
            story.tool_answers(story.seen.tools[0], answer("too late"));
        }
        story.skip();
        story.hangs_up();
        let cancelled = story.told().iter().any(|line| line.ends_with("cancel tool"));
        assert_eq!(cancelled, !late, "{:#?}", story.told());
        assert!(!story.told().iter().any(|line| line.contains("notice")), "{:#?}", story.told());
    }
}
