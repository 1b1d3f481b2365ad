//! A model that fails: what was said stays said, an answer without a word is asked for again, and in the end the agent apologizes.

use std::sync::Arc;

use antiphon_engine::Config;
use antiphon_engine::input::{ModelEvent, Urgency};

use crate::story::{Story, config, say};

fn apologetic() -> Config {
    Config { apology: Some(Arc::from("Sorry.")), ..config() }
}

fn fails() -> ModelEvent {
    ModelEvent::Failed(Arc::from("overloaded"))
}

#[test]
fn an_answer_without_a_word_is_asked_for_again() {
    let mut story = Story::joined(apologetic());
    story.model_fails();
    story.model_says("Here I am.");
    story.user_writes("Hello?", Urgency::Soon);
    story.run_secs(2);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        0.000s user (text) #0 ="Hello?"
        0.000s state Thinking
        0.000s model
        0.100s notice model.failed
        0.100s model
        0.200s voice "Here I am."
        0.220s state Speaking
        0.320s agent #1 "Here"
        0.470s agent #1 +" I"
        0.620s agent #1 +" am."
        0.720s agent #1 ="Here I am."
        0.720s state Listening
        "#,
    );
}

#[test]
fn when_the_model_fails_again_and_again_the_agent_apologizes_and_the_call_ends() {
    let mut story = Story::joined(apologetic());
    for _ in 0..3 {
        story.model_fails();
    }
    story.user_writes("Hello?", Urgency::Soon);
    story.run_secs(3);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        0.000s user (text) #0 ="Hello?"
        0.000s state Thinking
        0.000s model
        0.100s notice model.failed
        0.100s model
        0.200s notice model.failed
        0.200s model
        0.300s notice model.failed
        0.300s notice call.gave_up
        0.300s voice "Sorry."
        0.320s state Speaking
        0.470s agent #1 "Sorry."
        0.620s agent #1 ="Sorry."
        0.620s close SystemError
        0.620s ended SystemError
        "#,
    );
}

#[test]
fn without_an_apology_the_call_just_ends() {
    let mut story = Story::joined(config());
    for _ in 0..3 {
        story.model_fails();
    }
    story.user_writes("Hello?", Urgency::Soon);
    story.run_secs(1);
    assert!(story.told().last().is_some_and(|line| line.ends_with("ended SystemError")));
}

#[test]
fn a_model_that_fails_slowly_is_not_asked_for_ever() {
    let mut story = Story::joined(config());
    story.model_streams_after(16_000, vec![fails()]);
    story.user_writes("Hello?", Urgency::Soon);
    story.run_secs(20);
    assert_eq!(story.seen.prompts.len(), 1);
    assert!(story.told().last().is_some_and(|line| line.ends_with("ended SystemError")));
}

#[test]
fn what_was_said_before_a_failure_stays_said_and_is_not_asked_for_again() {
    let mut story = Story::joined(apologetic());
    story.model_streams_after(100, vec![say("It is on its way."), fails()]);
    story.user_writes("Where is it?", Urgency::Soon);
    story.run_secs(5);
    assert_eq!(story.seen.prompts.len(), 1);
    assert_eq!(story.record(), ["user (text): Where is it?", "agent: It is on its way."]);
    assert!(!story.is_over());
}

#[test]
fn the_user_does_not_cut_the_apology_off() {
    let mut story = Story::joined(apologetic());
    for _ in 0..3 {
        story.model_fails();
    }
    story.user_writes("Hello?", Urgency::Soon);
    story.run_ms(400);
    story.user_speaks(400);
    story.run_secs(5);
    assert!(story.told().last().is_some_and(|line| line.ends_with("ended SystemError")));
    assert_eq!(story.record(), ["user (text): Hello?", "agent: Sorry."]);
}

#[test]
fn an_answer_in_between_forgives_earlier_failures() {
    let mut story = Story::joined(config());
    for _ in 0..4 {
        story.model_fails();
        story.model_fails();
        story.model_says("Here I am.");
        story.user_writes("Hello?", Urgency::Soon);
        story.run_secs(4);
    }
    assert!(!story.is_over());
    assert_eq!(story.seen.prompts.len(), 12);
}
