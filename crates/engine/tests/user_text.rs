//! What the user writes, by urgency, in every state of the agent (protocol.md 3.2, A-21, A-28).

use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::Config;
use antiphon_engine::config::{FirstSpeaker, Greeting, Limits};
use antiphon_engine::input::Urgency;
use antiphon_engine::output::AgentState;

use crate::story::{Story, agent_greets, answer, call, config, reading, tool, writing};

const WORDS: &str = "one two three four five six seven eight nine ten";

/// The agent has been speaking for 900 ms and has said four words and the beginning of a fifth.
fn speaking() -> Story {
    let mut story = Story::joined(Config { first_speaker: agent_greets(WORDS), ..config() });
    story.run_ms(900);
    story.skip();
    story
}

/// The model was asked 50 ms ago and answers in another 50 ms.
fn thinking() -> Story {
    let mut story = Story::joined(config());
    story.model_says("First answer.");
    story.user_writes("First question.", Urgency::Soon);
    story.run_ms(50);
    story.skip();
    story
}

/// A tool has been running for 100 ms.
fn using_a_tool() -> Story {
    let mut story = Story::joined(Config { tools: vec![tool("look")], ..config() });
    story.model_does(vec![call("look", "{}")]);
    story.user_writes("Look.", Urgency::Soon);
    story.run_ms(200);
    story.skip();
    story
}

/// The user has been speaking for half a second.
fn user_speaking() -> Story {
    let mut story = Story::joined(config());
    story.run_ms(1_000);
    story.speech_starts();
    story.run_ms(500);
    story.skip();
    story
}

#[test]
fn soon_is_answered_at_once_when_nobody_speaks() {
    let mut story = Story::joined(config());
    story.model_says("Noon.");
    story.user_writes("What time is it?", Urgency::Soon);
    story.run_secs(1);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        0.000s user (text) #0 ="What time is it?"
        0.000s state Thinking
        0.000s model
        0.100s voice "Noon."
        0.120s state Speaking
        0.245s agent #1 "Noon."
        0.370s agent #1 ="Noon."
        0.370s state Listening
        "#,
    );
    assert_eq!(story.record(), ["user (text): What time is it?", "agent: Noon."]);
}

#[test]
fn immediate_is_answered_at_once_when_nobody_speaks() {
    let mut story = Story::joined(config());
    story.model_says("Noon.");
    story.user_writes("What time is it?", Urgency::Immediate);
    story.run_secs(1);
    assert_eq!(story.record(), ["user (text): What time is it?", "agent: Noon."]);
}

#[test]
fn later_is_noted_and_seen_with_the_next_answer() {
    let mut story = Story::joined(config());
    story.model_says("Noon.");
    story.user_writes("By the way.", Urgency::Later);
    story.run_secs(10);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        0.000s user (text) #0 ="By the way."
        "#,
    );
    story.user_writes("What time is it?", Urgency::Soon);
    assert_eq!(story.last_prompt(), ["user (text): By the way.", "user (text): What time is it?"]);
}

#[test]
fn immediate_interrupts_a_speaking_agent() {
    let mut story = speaking();
    story.user_writes("Stop.", Urgency::Immediate);
    story.expect(
        r#"
        0.900s cancel voice
        0.900s clear
        0.900s agent #0 ="one two three four"
        0.900s user (text) #1 ="Stop."
        0.900s state Thinking
        0.900s model
        "#,
    );
    assert_eq!(
        story.last_prompt(),
        ["agent: one two three four[ five six seven eight nine ten]", "user (text): Stop."]
    );
}

#[test]
fn soon_waits_for_a_speaking_agent() {
    let mut story = speaking();
    story.model_says("Yes.");
    story.user_writes("And then?", Urgency::Soon);
    story.run_secs(4);
    story.expect(
        r#"
        0.900s user (text) #1 ="And then?"
        1.045s agent #0 +" five"
        1.270s agent #0 +" six"
        1.520s agent #0 +" seven"
        1.820s agent #0 +" eight"
        2.095s agent #0 +" nine"
        2.320s agent #0 +" ten"
        2.420s agent #0 ="one two three four five six seven eight nine ten"
        2.420s state Thinking
        2.420s model
        2.520s voice "Yes."
        2.540s state Speaking
        2.640s agent #2 "Yes."
        2.740s agent #2 ="Yes."
        2.740s state Listening
        "#,
    );
}

#[test]
fn later_leaves_a_speaking_agent_alone() {
    let mut story = speaking();
    story.user_writes("Note.", Urgency::Later);
    story.run_secs(4);
    assert!(story.seen.prompts.is_empty());
    assert_eq!(story.record(), [format!("agent: {WORDS}"), "user (text): Note.".to_owned()]);
}

#[test]
fn immediate_does_not_interrupt_what_is_uninterruptible() {
    let mut story = Story::joined(Config {
        first_speaker: FirstSpeaker::Agent {
            greeting: Greeting::Text(Arc::from(WORDS)),
            delay: Duration::ZERO,
            uninterruptible: true,
        },
        ..config()
    });
    story.model_says("Yes.");
    story.run_ms(900);
    story.user_writes("Stop.", Urgency::Immediate);
    story.run_secs(4);
    assert_eq!(story.record(), [&format!("agent: {WORDS}"), "user (text): Stop.", "agent: Yes."]);
}

#[test]
fn immediate_drops_an_answer_in_the_making_for_a_new_one() {
    let mut story = thinking();
    story.model_says("Both answered.");
    story.user_writes("Second question.", Urgency::Immediate);
    story.run_secs(2);
    story.expect(
        r#"
        0.050s cancel model
        0.050s user (text) #1 ="Second question."
        0.050s model
        0.150s voice "Both answered."
        0.170s state Speaking
        0.270s agent #2 "Both"
        0.620s agent #2 +" answered."
        0.870s agent #2 ="Both answered."
        0.870s state Listening
        "#,
    );
    assert_eq!(story.last_prompt(), ["user (text): First question.", "user (text): Second question."]);
}

#[test]
fn soon_is_answered_after_the_answer_in_the_making() {
    let mut story = thinking();
    story.model_says("Second answer.");
    story.user_writes("Second question.", Urgency::Soon);
    story.run_secs(3);
    assert_eq!(
        story.record(),
        [
            "user (text): First question.",
            "agent: First answer.",
            "user (text): Second question.",
            "agent: Second answer.",
        ]
    );
}

#[test]
fn every_urgency_waits_for_a_running_tool() {
    for urgency in [Urgency::Immediate, Urgency::Soon, Urgency::Later] {
        let mut story = using_a_tool();
        story.model_says("Found it.");
        story.user_writes("Hurry.", urgency);
        story.run_secs(1);
        assert_eq!(story.seen.prompts.len(), 1, "{urgency:?} does not interrupt a tool");
        let id = story.seen.tools[0];
        story.tool_answers(id, answer("here"));
        assert_eq!(
            story.last_prompt(),
            ["user (text): Look.", "call look: {}", "result look: here", "user (text): Hurry."],
            "results stand behind their calls"
        );
        story.run_secs(2);
        assert_eq!(story.seen.prompts.len(), 2, "one answer for both");
    }
}

#[test]
fn immediate_is_answered_over_a_user_who_speaks() {
    let mut story = user_speaking();
    story.model_says("Yes, here it is.");
    story.user_writes("Answer this.", Urgency::Immediate);
    story.run_ms(600);
    story.expect(
        r#"
        1.500s user (text) #0 ="Answer this."
        1.500s state Thinking
        1.500s model
        1.600s voice "Yes, here it is."
        1.620s state Speaking
        1.720s agent #1 "Yes,"
        1.945s agent #1 +" here"
        "#,
    );
    story.speech_stops();
    story.run_secs(2);
    assert_eq!(story.seen.turns.len(), 1, "the user's turn goes on and ends as ever");
    assert_eq!(story.record()[1], "agent: Yes, here it is.", "and did not cut the answer");
}

#[test]
fn soon_waits_for_a_user_who_speaks() {
    let mut story = user_speaking();
    story.user_writes("Answer this.", Urgency::Soon);
    story.run_secs(2);
    assert!(story.seen.prompts.is_empty());
    story.speech_stops();
    story.run_ms(384);
    assert_eq!(story.last_prompt(), ["user (text): Answer this.", "user: "]);
}

#[test]
fn text_while_words_are_awaited_is_answered_with_them() {
    let mut story = Story::joined(reading());
    story.transcript_after(500, "what I said");
    story.user_speaks(500);
    story.run_ms(500);
    story.user_writes("What I wrote.", Urgency::Immediate);
    assert!(story.seen.prompts.is_empty());
    story.run_secs(1);
    assert_eq!(story.seen.prompts.len(), 1);
    assert_eq!(story.last_prompt(), ["user: what I said", "user (text): What I wrote."]);
}

#[test]
fn empty_immediate_text_silences_the_agent_and_asks_for_nothing() {
    let mut story = speaking();
    story.user_writes("", Urgency::Immediate);
    story.run_secs(3);
    story.expect(
        r#"
        0.900s cancel voice
        0.900s clear
        0.900s agent #0 ="one two three four"
        0.900s state Listening
        "#,
    );
    assert_eq!(story.record(), ["agent: one two three four[ five six seven eight nine ten]"]);
}

#[test]
fn empty_immediate_text_before_the_first_word_silences_too() {
    let mut story = Story::joined(Config { first_speaker: agent_greets(WORDS), ..config() });
    story.run_ms(50);
    assert_eq!(story.state(), Some(AgentState::Speaking));
    story.user_writes("", Urgency::Immediate);
    story.run_secs(3);
    assert_eq!(story.state(), Some(AgentState::Listening));
    assert!(story.record().is_empty());
    assert_eq!(story.seen.utterances.len(), 1, "and nothing is said again");
}

#[test]
fn empty_immediate_text_does_not_disturb_thinking_tools_or_the_user() {
    let mut story = thinking();
    story.user_writes("", Urgency::Immediate);
    story.run_secs(2);
    assert_eq!(story.record(), ["user (text): First question.", "agent: First answer."]);

    let mut story = using_a_tool();
    story.user_writes("", Urgency::Immediate);
    story.expect("");
    assert_eq!(story.state(), Some(AgentState::Thinking));

    let mut story = user_speaking();
    story.user_writes("  ", Urgency::Immediate);
    story.run_ms(500);
    story.speech_stops();
    story.run_ms(384);
    story.expect(
        r#"
        2.384s transcribe 700..2000 ms
        2.384s state Thinking
        2.384s model
        "#,
    );
}

#[test]
fn empty_immediate_text_leaves_an_uninterruptible_message_and_its_state_alone() {
    let mut story = Story::joined(Config {
        first_speaker: FirstSpeaker::Agent {
            greeting: Greeting::Text(Arc::from(WORDS)),
            delay: Duration::ZERO,
            uninterruptible: true,
        },
        ..config()
    });
    story.run_ms(900);
    story.user_writes("", Urgency::Immediate);
    assert_eq!(story.state(), Some(AgentState::Speaking));
    story.run_secs(4);
    assert_eq!(story.record(), [format!("agent: {WORDS}")]);
}

#[test]
fn empty_soon_text_asks_for_an_answer_and_leaves_no_trace() {
    let mut story = Story::joined(config());
    story.model_says("Shall I go on?");
    story.user_writes("", Urgency::Soon);
    story.run_secs(2);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        0.000s state Thinking
        0.000s model
        0.100s voice "Shall I go on?"
        0.120s state Speaking
        0.245s agent #0 "Shall"
        0.420s agent #0 +" I"
        0.545s agent #0 +" go"
        0.720s agent #0 +" on?"
        0.820s agent #0 ="Shall I go on?"
        0.820s state Listening
        "#,
    );
    assert_eq!(story.record(), ["agent: Shall I go on?"]);
}

#[test]
fn empty_soon_text_is_paid_by_the_answer_in_the_making() {
    let mut story = thinking();
    story.user_writes("", Urgency::Soon);
    story.user_writes("", Urgency::Soon);
    story.run_secs(5);
    assert_eq!(story.record(), ["user (text): First question.", "agent: First answer."]);
    assert_eq!(story.seen.prompts.len(), 1);
}

#[test]
fn empty_later_text_does_nothing() {
    let mut story = Story::joined(config());
    story.skip();
    story.user_writes("", Urgency::Later);
    story.run_secs(2);
    story.expect("");
}

#[test]
fn the_answer_to_an_interruption_in_writing_begins_after_the_final_transcript() {
    let mut story = Story::joined(writing());
    story.model_streams_after(100, vec![crate::story::say("One two")]);
    story.user_writes("Count.", Urgency::Soon);
    story.run_ms(200);
    story.skip();
    story.user_writes("Stop.", Urgency::Immediate);
    story.expect(
        r#"
        0.200s cancel model
        0.200s agent (text) #1 ="One two"
        0.200s state Listening
        0.200s user (text) #2 ="Stop."
        0.200s state Thinking
        0.200s model
        "#,
    );
}

#[test]
fn text_beyond_what_a_call_holds_is_dropped_and_told() {
    let limits = Limits { history_bytes: 4_096, ..Limits::default() };
    let mut story = Story::joined(Config { limits, ..config() });
    for _ in 0..1_000 {
        story.user_writes("a", Urgency::Later);
    }
    assert!(story.record().len() <= 16, "{} messages", story.record().len());
    let dropped = story.told().iter().filter(|line| line.ends_with("notice history.full")).count();
    assert_eq!(dropped + story.record().len(), 1_000);
}
