//! Stages: what a tool may change for the rest of a call, and what goes on regardless (protocol.md 7.1, A-11).

use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::config::{Hearing, InactivityEnd, Limits};
use antiphon_engine::ids::{InvocationId, StageNumber};
use antiphon_engine::input::{
    ForcedMessage, ForcedUrgency, Reaction, Request, ThreadMessage, ToolAction, ToolAnswer, ToolOutcome,
    Urgency,
};
use antiphon_engine::message::MessageBody;
use antiphon_engine::output::{AgentState, EndReason, Event};
use antiphon_engine::{Config, NewStage};
use serde_json::json;

use crate::story::{
    Story, call, config, forced, from_before, hang_up, message_line, next_stage, react, say, silence, spawn,
    spawned, tool, tool_call,
};

fn with_tools(names: &[&str]) -> Config {
    Config { tools: names.iter().map(|name| tool(name)).collect(), ..config() }
}

fn stage(prompt: &str) -> NewStage {
    NewStage { result: Arc::from("OK"), system_prompt: Some(Arc::from(prompt)), ..NewStage::default() }
}

fn earlier(text: &str) -> antiphon_engine::message::Message {
    from_before(MessageBody::User { text: Arc::from(text), audio: None })
}

/// The user asked for billing, and the model called `transfer`; the tool runs.
fn asking(config: Config) -> Story {
    let mut story = Story::joined(config);
    story.model_does(vec![say("One moment."), call("transfer", "{}")]);
    story.user_writes("Billing, please.", Urgency::Soon);
    story.run_secs(1);
    assert_eq!(story.seen.tools.len(), 1);
    story.skip();
    story
}

fn answers(story: &mut Story, outcome: ToolOutcome) {
    let id = *story.seen.tools.last().expect("a tool runs");
    story.tool_answers(id, outcome);
}

fn prompt(story: &Story) -> Option<&str> {
    story.seen.prompts.last().and_then(|prompt| prompt.system.as_deref())
}

#[test]
fn a_stage_goes_on_with_the_history_and_the_result_is_the_newest_the_model_sees() {
    let mut story = asking(with_tools(&["transfer"]));
    story.model_says("Billing here.");
    answers(&mut story, next_stage(stage("You do billing.")));
    story.run_secs(2);
    story.expect(
        r#"
        1.000s stage-1
        1.000s model
        1.100s voice "Billing here."
        1.120s state Speaking
        1.295s agent #2 "Billing"
        1.620s agent #2 +" here."
        1.770s agent #2 ="Billing here."
        1.770s state Listening
        "#,
    );
    assert_eq!(prompt(&story), Some("You do billing."));
    assert_eq!(
        story.last_prompt(),
        ["user (text): Billing, please.", "agent: One moment.", "call transfer: {}", "result transfer: OK"]
    );
    assert_eq!(
        story.record(),
        [
            "user (text): Billing, please.",
            "agent: One moment.",
            "call transfer: {}",
            "result transfer: OK",
            "agent: Billing here.",
        ]
    );
    assert_eq!(story.stages(), [0, 0, 0, 0, 1], "the result still belongs to the stage that asked for it");
}

#[test]
fn what_a_stage_leaves_open_stays_and_what_it_names_is_used_from_then_on() {
    let mut story = asking(Config {
        temperature: 0.25,
        language: Some(Arc::from("de")),
        ..with_tools(&["transfer", "look"])
    });
    answers(&mut story, next_stage(stage("You do billing.")));
    story.run_ms(50);
    let first = story.seen.prompts.last().expect("the agent answers").clone();
    assert_eq!((first.temperature, first.language.as_deref(), &*first.model), (0.25, Some("de"), "scripted"));
    assert_eq!(first.tools.len(), 2);

    let mut story = asking(with_tools(&["transfer", "look"]));
    story.model_does(vec![call("transfer", "{}"), call("pay", "{}")]);
    let new = NewStage {
        temperature: Some(1.0),
        model: Some(Arc::from("other")),
        language: Some(Arc::from("fr")),
        tools: Some(vec![tool("pay")]),
        ..stage("You do billing.")
    };
    answers(&mut story, next_stage(new));
    story.run_ms(150);
    let second = story.seen.prompts.last().expect("the agent answers").clone();
    assert_eq!((second.temperature, second.language.as_deref(), &*second.model), (1.0, Some("fr"), "other"));
    let faces: Vec<&str> = second.tools.iter().map(|tool| &*tool.name).collect();
    assert_eq!(faces, ["pay"]);
    let last = story.seen.invocations.last().expect("the new tool runs");
    assert_eq!((last.tool, &*last.name), (0, "pay"));
    assert!(story.told().iter().any(|line| line.ends_with("notice tool.unknown")), "{:#?}", story.told());
}

#[test]
fn a_stage_with_messages_of_its_own_begins_with_them_and_the_record_keeps_everything() {
    let mut story = asking(with_tools(&["transfer"]));
    story.model_says("I see.");
    let messages = vec![earlier("I am Anna."), earlier("I have a question.")];
    answers(&mut story, next_stage(NewStage { messages: Some(messages), ..stage("You do billing.") }));
    story.run_secs(2);
    assert_eq!(story.last_prompt(), ["user (text): I am Anna.", "user (text): I have a question."]);
    story.model_says("Yes.");
    story.user_writes("Are you there?", Urgency::Soon);
    story.run_secs(2);
    let second = [
        "user (text): I am Anna.",
        "user (text): I have a question.",
        "agent: I see.",
        "user (text): Are you there?",
    ];
    assert_eq!(story.last_prompt(), second);
    let record = story.record();
    assert_eq!(
        record[..4],
        ["user (text): Billing, please.", "agent: One moment.", "call transfer: {}", "result transfer: OK"]
    );
    assert_eq!(record[4..8], second);
    assert_eq!(story.stages(), [0, 0, 0, 0, 1, 1, 1, 1, 1]);
}

#[test]
fn what_the_user_said_while_the_tool_ran_is_known_to_a_stage_with_a_history_of_its_own() {
    for config in
        [with_tools(&["transfer"]), Config { hearing: Hearing::Transcript, ..with_tools(&["transfer"]) }]
    {
        let mut story = asking(config);
        story.transcript_after(700, "It is urgent!");
        story.user_speaks(600);
        story.run_ms(500);
        story.model_says("Right away.");
        let new = NewStage { messages: Some(vec![earlier("I am Anna.")]), ..stage("You do billing.") };
        answers(&mut story, next_stage(new));
        story.run_secs(2);
        let known: Vec<String> = story.last_prompt();
        assert_eq!(known[0], "user (text): I am Anna.");
        assert!(known[1].starts_with("user: "), "{known:?}");
        assert_eq!(known.len(), 2);
        let record = story.record();
        assert_eq!(record[3], "user: It is urgent!", "{record:?}");
        assert_eq!(story.stages()[..6], [0, 0, 0, 0, 0, 1]);
    }
}

#[test]
fn the_reaction_of_the_result_still_holds() {
    let quiet = |reaction| {
        ToolOutcome::Answered(ToolAnswer {
            action: ToolAction::NewStage(Arc::new(stage("You do billing."))),
            reaction: Some(reaction),
            state_update: None,
        })
    };
    for reaction in [Reaction::Listens, Reaction::SpeaksOnce] {
        let mut story = asking(with_tools(&["transfer"]));
        answers(&mut story, quiet(reaction));
        story.run_secs(2);
        assert_eq!(story.seen.prompts.len(), 1, "the agent says nothing for {reaction:?}");
        assert_eq!(story.state(), Some(AgentState::Listening));
        story.user_writes("Hello?", Urgency::Soon);
        assert_eq!(prompt(&story), Some("You do billing."));
    }
}

#[test]
fn of_several_new_stages_the_first_in_the_order_of_the_calls_wins() {
    let mut story = Story::joined(with_tools(&["transfer"]));
    story.model_does(vec![call("transfer", "{}"), call("transfer", "{}")]);
    story.user_writes("Billing, please.", Urgency::Soon);
    story.run_ms(200);
    story.skip();
    story.tool_answers(InvocationId(1), next_stage(stage("You came second.")));
    story.tool_answers(InvocationId(0), next_stage(stage("You came first.")));
    story.run_ms(50);
    story.expect(
        r#"
        0.200s notice tool.failed
        0.200s stage-1
        0.200s model
        "#,
    );
    assert_eq!(prompt(&story), Some("You came first."));
    assert_eq!(
        story.last_prompt()[3..],
        [
            "result transfer: OK",
            "result transfer: The tool asked for something that is not possible now. \
             (a tool called beside it began a new stage already)",
        ]
    );
}

#[test]
fn a_stage_that_was_meant_for_another_one_is_refused() {
    let mut story = asking(with_tools(&["transfer"]));
    answers(&mut story, next_stage(NewStage { after: StageNumber(1), ..stage("You do billing.") }));
    story.run_ms(50);
    story.expect("1.000s notice tool.failed\n1.000s model");
    assert_eq!(prompt(&story), Some("Be brief."));
}

#[test]
fn a_stage_that_would_fill_the_record_is_refused() {
    let limits = Limits { history_bytes: 1_500, ..Limits::default() };
    let mut story = asking(Config { limits, ..with_tools(&["transfer"]) });
    let new =
        NewStage { messages: Some(vec![earlier("one"), earlier("two"), earlier("three")]), ..stage("") };
    answers(&mut story, next_stage(new));
    story.run_ms(50);
    story.expect("1.000s notice tool.failed\n1.000s model");
    assert_eq!(prompt(&story), Some("Be brief."));
}

#[test]
fn a_client_changes_the_stage_with_a_forced_message_whose_result_is_known() {
    let mut story = Story::joined(with_tools(&["transfer"]));
    let message = |after| ForcedMessage {
        tool_calls: vec![tool_call("transfer", "{}", Some("a"))],
        known_results: vec![(Arc::from("a"), next_stage(NewStage { after, ..stage("You do billing.") }))],
        ..forced("", ForcedUrgency::Soon)
    };
    story.request(Request::ForcedMessage(message(StageNumber(0))));
    story.run_ms(50);
    assert_eq!(prompt(&story), Some("You do billing."));
    story.skip();
    story.request(Request::ForcedMessage(message(StageNumber(0))));
    story.run_secs(1);
    story.hangs_up();
    story.run_secs(1);
    let changes = story.seen.events.iter().filter(|(_, event)| matches!(event, Event::StageChanged { .. }));
    assert_eq!(changes.count(), 1, "the second one was meant for the stage before");
}

#[test]
fn a_state_of_its_own_replaces_the_state_and_an_update_beside_it_comes_on_top() {
    let mut story = asking(Config {
        initial_state: Arc::new(json!({"old": 1, "kept": 2})),
        ..with_tools(&["transfer", "look"])
    });
    story.model_does(vec![call("look", "{}")]);
    let outcome = ToolOutcome::Answered(ToolAnswer {
        action: ToolAction::NewStage(Arc::new(NewStage {
            state: Some(Arc::new(json!({"new": 1}))),
            ..stage("You do billing.")
        })),
        reaction: None,
        state_update: Some(Arc::new(json!({"more": 2}))),
    });
    answers(&mut story, outcome);
    story.run_ms(200);
    let last = story.seen.invocations.last().expect("the tool runs");
    assert_eq!(*last.state, json!({"new": 1, "more": 2}));
    let result = story.committed().iter().find_map(|message| match &message.body {
        MessageBody::ToolResult { state, .. } => state.clone(),
        MessageBody::Agent { .. } | MessageBody::ToolCall { .. } | MessageBody::User { .. } => None,
    });
    assert_eq!(result.as_deref(), Some(&json!({"new": 1, "more": 2})));

    let mut story =
        asking(Config { initial_state: Arc::new(json!({"kept": 2})), ..with_tools(&["transfer"]) });
    story.model_does(vec![call("transfer", "{}")]);
    answers(&mut story, next_stage(stage("You do billing.")));
    story.run_ms(200);
    assert_eq!(*story.seen.invocations[1].state, json!({"kept": 2}));
}

#[test]
fn the_clock_of_the_users_silence_goes_on_unless_the_messages_are_others() {
    let nudges = |first: &str| {
        vec![
            silence(5, first, InactivityEnd::KeepWaiting),
            silence(5, "Still there?", InactivityEnd::KeepWaiting),
            silence(5, "Goodbye.", InactivityEnd::HangUpStrict),
        ]
    };
    for (new, said_next) in [
        (None, "Still there?"),
        (Some(nudges("Hello?")), "Still there?"),
        (Some(nudges("Anybody?")), "Anybody?"),
    ] {
        let mut story = asking(Config { inactivity: nudges("Hello?"), ..with_tools(&["transfer"]) });
        answers(&mut story, react("not yet", Some(Reaction::Listens)));
        story.run_secs(6);
        let request = ForcedMessage {
            tool_calls: vec![tool_call("transfer", "{}", None)],
            ..forced("", ForcedUrgency::Soon)
        };
        story.request(Request::ForcedMessage(request));
        story.skip();
        let outcome = ToolOutcome::Answered(ToolAnswer {
            action: ToolAction::NewStage(Arc::new(NewStage { inactivity: new, ..stage("You do billing.") })),
            reaction: Some(Reaction::Listens),
            state_update: None,
        });
        answers(&mut story, outcome);
        story.run_secs(6);
        let voices: Vec<&String> = story.told().iter().filter(|line| line.contains(" voice ")).collect();
        assert!(voices[0].ends_with(&format!("{said_next:?}")), "{voices:?}");
    }
}

#[test]
fn the_new_time_exceeded_message_is_the_one_that_is_said() {
    let mut story = asking(Config {
        max_duration: Duration::from_secs(10),
        time_exceeded_message: Some(Arc::from("Old.")),
        ..with_tools(&["transfer"])
    });
    let new = NewStage { time_exceeded_message: Some(Arc::from("New.")), ..stage("You do billing.") };
    answers(&mut story, next_stage(new));
    story.run_secs(12);
    assert!(story.is_over());
    assert_eq!(story.record().last().map(String::as_str), Some("agent: New."));
}

#[test]
fn a_turn_that_was_heard_by_a_model_that_reads_is_answered_by_one_that_hears() {
    let mut story = asking(Config { hearing: Hearing::Transcript, ..with_tools(&["transfer"]) });
    story.transcript_after(2_000, "It is urgent!");
    story.user_speaks(600);
    story.run_ms(500);
    let outcome = ToolOutcome::Answered(ToolAnswer {
        action: ToolAction::NewStage(Arc::new(NewStage {
            hearing: Some(Hearing::Audio),
            ..stage("You hear.")
        })),
        reaction: Some(Reaction::Listens),
        state_update: None,
    });
    answers(&mut story, outcome);
    story.run_ms(500);
    assert_eq!(story.seen.prompts.len(), 1, "the words are still being found out");
    story.run_secs(2);
    assert_eq!(story.seen.prompts.len(), 2, "and then they are answered");
    assert_eq!(story.last_prompt().last().map(String::as_str), Some("user: It is urgent!"));
}

#[test]
fn a_model_that_reads_waits_for_the_words_of_a_turn_that_was_heard() {
    let mut story = asking(with_tools(&["transfer"]));
    story.transcript_after(2_000, "It is urgent!");
    story.user_speaks(600);
    story.run_ms(500);
    let new = NewStage { hearing: Some(Hearing::Transcript), ..stage("You read.") };
    answers(&mut story, next_stage(new));
    story.run_ms(500);
    assert_eq!(story.seen.prompts.len(), 1, "there is nothing to read yet");
    story.run_secs(2);
    assert_eq!(story.seen.prompts.len(), 2, "one answer for both");
    assert_eq!(story.last_prompt().last().map(String::as_str), Some("user: It is urgent!"));
}

#[test]
fn speech_that_goes_on_over_the_change_is_one_turn_of_the_new_stage() {
    let mut story = asking(with_tools(&["transfer"]));
    story.speech_starts();
    story.run_ms(300);
    answers(&mut story, next_stage(stage("You do billing.")));
    story.run_ms(700);
    assert_eq!(story.seen.prompts.len(), 1, "the user is speaking");
    story.transcript_after(10, "As I said");
    story.speech_stops();
    story.run_secs(1);
    assert_eq!(prompt(&story), Some("You do billing."));
    assert_eq!(story.seen.prompts.len(), 2);
    assert_eq!(story.record().last().map(String::as_str), Some("user: As I said"));
    assert_eq!(story.stages().last(), Some(&1));
}

#[test]
fn a_hang_up_beside_it_ends_the_call_in_the_new_stage() {
    let mut story = Story::joined(with_tools(&["transfer"]));
    story.model_does(vec![call("transfer", "{}"), call("transfer", "{}")]);
    story.user_writes("Bye.", Urgency::Soon);
    story.run_ms(200);
    story.tool_answers(InvocationId(0), hang_up(true, Some("Goodbye.")));
    story.tool_answers(InvocationId(1), next_stage(stage("You do billing.")));
    story.run_secs(3);
    assert!(story.is_over());
    assert_eq!(story.record().last().map(String::as_str), Some("agent: Goodbye."));
    assert_eq!(story.stages(), [0, 0, 0, 0, 0, 1]);
}

#[test]
fn nothing_begins_when_the_call_ends_first() {
    let mut story = asking(with_tools(&["transfer"]));
    story.hangs_up();
    answers(&mut story, next_stage(stage("You do billing.")));
    story.run_secs(3);
    assert!(story.is_over());
    let changes = story.seen.events.iter().filter(|(_, event)| matches!(event, Event::StageChanged { .. }));
    assert_eq!(changes.count(), 0);
    assert!(matches!(story.seen.events.last(), Some((_, Event::Ended(EndReason::HangUp)))));
}

#[test]
fn an_interruption_in_the_new_stage_is_like_any_other() {
    let mut story = asking(with_tools(&["transfer"]));
    story.model_says("Billing here, what can I do for you on this fine day?");
    answers(&mut story, next_stage(stage("You do billing.")));
    story.run_ms(800);
    story.transcript_after(10, "Stop");
    story.user_speaks(600);
    story.run_secs(1);
    let said = story.committed().iter().map(message_line).find(|line| line.starts_with("agent: Billing"));
    assert!(said.is_some_and(|line| line.contains('[')), "{:?}", story.record());
    assert_eq!(story.stages().last(), Some(&1));
}

#[test]
fn a_new_stage_counts_as_a_round_of_tools() {
    let limits = Limits { tool_rounds: 2, ..Limits::default() };
    let mut story = Story::joined(Config { limits, ..with_tools(&["transfer"]) });
    for _ in 0..3 {
        story.model_does(vec![call("transfer", "{}")]);
    }
    story.user_writes("Go.", Urgency::Soon);
    for round in 0..3 {
        story.run_ms(200);
        let new = NewStage { after: StageNumber(round), ..stage("You do billing.") };
        answers(&mut story, next_stage(new));
    }
    story.run_secs(1);
    assert_eq!(story.seen.prompts.len(), 3);
    assert!(story.told().iter().any(|line| line.ends_with("notice tool.too_many_rounds")));
}

#[test]
fn side_threads_end_with_their_stage() {
    let mut story = asking(with_tools(&["transfer"]));
    let messages = vec![ThreadMessage::UserText(Arc::from("What is three and four?"))];
    story.request(spawned(spawn("job", messages)));
    story.skip();
    answers(&mut story, next_stage(stage("You do billing.")));
    story.run_ms(50);
    let told: Vec<&str> = story.told().iter().filter_map(|line| Some(line.split_once(' ')?.1)).collect();
    assert_eq!(told[0], "stage-1", "{told:#?}");
    assert!(told.contains(&"cancel model") && told.contains(&"model"), "{told:#?}");
    assert!(told.iter().any(|line| line.starts_with("job ends")), "{told:#?}");
}

#[test]
fn a_side_thread_cannot_begin_a_stage() {
    let mut story = Story::joined(with_tools(&["transfer"]));
    let outcome = next_stage(stage("You do billing."));
    let message = ForcedMessage {
        tool_calls: vec![tool_call("transfer", "{}", Some("a"))],
        known_results: vec![(Arc::from("a"), outcome)],
        ..forced("", ForcedUrgency::Soon)
    };
    story.request(spawned(spawn("job", vec![ThreadMessage::Forced(message)])));
    story.run_ms(50);
    let told = story.told();
    assert!(
        told.iter().any(|line| line.ends_with("notice thread_comms.unsupported_call_change")),
        "{told:#?}"
    );
    let changes = story.seen.events.iter().filter(|(_, event)| matches!(event, Event::StageChanged { .. }));
    assert_eq!(changes.count(), 0);
}
