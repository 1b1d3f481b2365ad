//! Pauses within a turn: how long they may be, and what is begun in them and dropped unheard when the user goes on.

use std::time::Duration;

use antiphon_engine::config::{PausePolicy, TurnTaking};
use antiphon_engine::input::{Request, Transcription, Urgency};
use antiphon_engine::message::Medium;
use antiphon_engine::output::AgentState;
use antiphon_engine::{Config, Input};

use crate::story::{Story, call, config, reading, say, tool, writing};

fn with(pauses: PausePolicy, config: Config) -> Config {
    Config { turn_taking: TurnTaking { pauses, ..config.turn_taking }, ..config }
}

fn detecting() -> Config {
    with(PausePolicy { detector: true, ..PausePolicy::default() }, config())
}

fn speculating(config: Config) -> Config {
    with(PausePolicy { speculative: true, ..PausePolicy::default() }, config)
}

#[test]
fn a_turn_detector_is_asked_in_the_pause_and_a_finished_turn_ends_after_the_least_silence() {
    let mut story = Story::joined(detecting());
    story.judges_after(50, 0.9);
    story.run_ms(500);
    story.user_speaks(500);
    story.run_secs(1);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        1.160s judge 200..1000 ms
        1.384s transcribe 200..1000 ms
        1.384s state Thinking
        1.384s model
        "#,
    );
}

#[test]
fn a_turn_that_is_not_finished_ends_after_the_longest_silence() {
    let mut story = Story::joined(detecting());
    story.judges_after(50, 0.0);
    story.run_ms(500);
    story.user_speaks(500);
    story.run_ms(1_599);
    assert!(story.seen.turns.is_empty());
    story.run_ms(1);
    assert_eq!(story.seen.turns.len(), 1);
}

#[test]
fn doubt_is_worth_something_in_between() {
    let pauses = PausePolicy::default();
    let least = Duration::from_millis(400);
    let delays: Vec<u128> =
        [0.0, 0.25, 0.5, 0.75, 1.0].iter().map(|p| pauses.delay(least, *p).as_millis()).collect();
    assert_eq!(delays, [1_600, 1_000, 400, 400, 400]);
    assert_eq!(pauses.delay(least, f32::NAN), least);
    assert_eq!(pauses.delay(Duration::from_secs(3), 0.0), Duration::from_secs(3), "dictation waits longer");
}

#[test]
fn a_user_who_goes_on_in_the_longer_silence_means_one_turn() {
    let mut story = Story::joined(detecting());
    story.judges_after(50, 0.0);
    story.judges_after(50, 1.0);
    story.run_ms(500);
    story.user_speaks(500);
    story.run_ms(1_200);
    story.user_speaks(300);
    story.run_secs(1);
    assert_eq!(story.seen.turns.len(), 1);
    assert!(story.told().iter().any(|line| line.ends_with("transcribe 200..2500 ms")), "{:?}", story.told());
}

#[test]
fn verdicts_on_pauses_that_are_over_are_ignored() {
    let mut story = Story::joined(detecting());
    story.judges_after(200, 0.0);
    story.judges_after(50, 1.0);
    story.run_ms(500);
    story.user_speaks(500);
    story.run_ms(300);
    // The first verdict comes while the user speaks on.
    story.user_speaks(300);
    story.run_ms(383);
    assert!(story.seen.turns.is_empty());
    story.run_ms(1);
    assert_eq!(story.seen.turns.len(), 1);
}

#[test]
fn without_a_verdict_in_time_the_least_silence_holds() {
    let mut story = Story::joined(detecting());
    story.judges_after(400, 0.0);
    story.run_ms(500);
    story.user_speaks(500);
    story.run_ms(384);
    assert_eq!(story.seen.turns.len(), 1);
}

#[test]
fn words_that_leave_a_sentence_open_hold_the_turn_open() {
    let pauses = PausePolicy { words: true, ..PausePolicy::default() };
    let mut story = Story::joined(with(pauses, reading()));
    story.transcript_after(100, "I would like a");
    story.transcript_after(100, "I would like a table for two");
    story.model_says("Certainly.");
    story.run_ms(500);
    story.user_speaks(500);
    story.run_ms(1_000);
    story.user_speaks(500);
    story.run_secs(2);
    assert_eq!(story.record(), ["user: I would like a table for two", "agent: Certainly."]);
}

#[test]
fn the_model_begins_in_the_pause_and_nothing_is_told_before_the_turn_is_over() {
    let mut story = Story::joined(speculating(config()));
    story.model_says("Fine.");
    story.transcript_after(50, "how are you");
    story.run_ms(500);
    story.user_speaks(500);
    story.run_secs(2);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        1.160s transcribe 200..1000 ms
        1.160s model
        1.260s voice "Fine."
        1.384s user #0 ="how are you"
        1.384s state Thinking
        1.384s state Speaking
        1.509s agent #1 "Fine."
        1.634s agent #1 ="Fine."
        1.634s state Listening
        "#,
    );
    assert_eq!(story.record(), ["user: how are you", "agent: Fine."]);
    assert_eq!(story.last_prompt(), ["user: "]);
}

#[test]
fn a_model_that_reads_begins_as_soon_as_the_words_are_known() {
    let mut story = Story::joined(speculating(reading()));
    story.model_says("Fine.");
    story.transcript_after(100, "how are you");
    story.run_ms(500);
    story.user_speaks(500);
    story.run_secs(2);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        1.160s transcribe 200..1000 ms
        1.260s model
        1.360s voice "Fine."
        1.384s user #0 ="how are you"
        1.384s state Thinking
        1.384s state Speaking
        1.509s agent #1 "Fine."
        1.634s agent #1 ="Fine."
        1.634s state Listening
        "#,
    );
    assert_eq!(story.last_prompt(), ["user: how are you"]);
}

#[test]
fn an_answer_begun_in_a_pause_is_dropped_unheard_when_the_user_goes_on() {
    let mut story = Story::joined(speculating(config()));
    story.model_says("Five what?");
    story.model_says("Noted.");
    story.transcript_after(50, "I want five");
    story.transcript_after(50, "I want five apples");
    story.run_ms(500);
    story.user_speaks(500);
    story.run_ms(350);
    story.user_speaks(500);
    story.run_secs(2);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        1.160s transcribe 200..1000 ms
        1.160s model
        1.260s voice "Five what?"
        1.350s cancel voice
        2.010s transcribe 200..1850 ms
        2.010s model
        2.110s voice "Noted."
        2.234s user #0 ="I want five apples"
        2.234s state Thinking
        2.234s state Speaking
        2.384s agent #1 "Noted."
        2.534s agent #1 ="Noted."
        2.534s state Listening
        "#,
    );
    assert_eq!(story.record(), ["user: I want five apples", "agent: Noted."]);
}

#[test]
fn a_tool_called_for_in_a_pause_runs_only_when_the_turn_is_over() {
    let mut story = Story::joined(speculating(Config { tools: vec![tool("book")], ..config() }));
    story.model_does(vec![call("book", "{}")]);
    story.model_does(vec![call("book", "{}")]);
    story.transcript_after(50, "book it");
    story.run_ms(500);
    story.user_speaks(500);
    story.run_ms(350);
    assert!(story.seen.tools.is_empty());
    story.user_speaks(300);
    story.run_ms(383);
    assert!(story.seen.tools.is_empty());
    story.run_ms(1);
    assert_eq!(story.seen.tools.len(), 1);
}

#[test]
fn a_written_answer_waits_for_the_end_of_the_turn() {
    let mut story = Story::joined(speculating(writing()));
    story.model_says("Fine.");
    story.run_ms(500);
    story.user_speaks(500);
    story.run_ms(383);
    assert!(!story.told().iter().any(|line| line.contains("agent")));
    story.run_ms(1);
    assert!(
        story.told().iter().any(|line| line.contains("agent (text) #1 =\"Fine.\"")),
        "{:?}",
        story.told()
    );
}

#[test]
fn what_the_user_writes_in_the_pause_is_answered_too() {
    let mut story = Story::joined(speculating(config()));
    story.model_says("Never heard.");
    story.model_says("Both noted.");
    story.transcript_after(50, "spoken");
    story.run_ms(500);
    story.user_speaks(500);
    story.run_ms(300);
    story.user_writes("written", Urgency::Soon);
    story.run_secs(2);
    assert_eq!(story.record(), ["user (text): written", "user: spoken", "agent: Both noted."]);
}

#[test]
fn a_medium_chosen_in_the_pause_is_the_answers() {
    let mut story = Story::joined(speculating(config()));
    story.model_says("Never heard.");
    story.model_says("Fine.");
    story.run_ms(500);
    story.user_speaks(500);
    story.run_ms(300);
    story.request(Request::SetOutputMedium(Medium::Text));
    story.run_secs(2);
    assert!(
        story.told().iter().any(|line| line.contains("agent (text) #1 =\"Fine.\"")),
        "{:?}",
        story.told()
    );
}

#[test]
fn a_call_that_ends_in_the_pause_keeps_what_the_user_said() {
    let mut story = Story::joined(speculating(config()));
    story.model_streams_after(100, vec![say("Never heard. And more")]);
    story.transcript_after(300, "goodbye");
    story.run_ms(500);
    story.user_speaks(500);
    story.run_ms(320);
    story.hangs_up();
    story.run_ms(200);
    assert!(story.is_over());
    assert_eq!(story.record(), ["user: goodbye"]);
}

#[test]
fn speech_that_is_too_short_to_be_a_turn_leaves_nothing_behind() {
    let minimum = Duration::from_millis(300);
    let mut config = speculating(reading());
    config.turn_taking.minimum_turn = minimum;
    config.turn_taking.minimum_interruption = minimum;
    let mut story = Story::joined(config);
    story.run_ms(500);
    story.user_speaks(200);
    story.run_secs(2);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        "#,
    );
}

#[test]
fn noise_without_words_is_no_turn_and_was_never_answered() {
    let mut story = Story::joined(speculating(reading()));
    story.transcript_after(50, "");
    story.run_ms(500);
    story.user_speaks(400);
    story.run_secs(2);
    assert!(story.seen.prompts.is_empty());
    assert!(story.record().is_empty());
    assert_eq!(story.state(), Some(AgentState::Listening));
}

#[test]
fn words_that_come_twice_are_taken_once() {
    let mut story = Story::joined(speculating(config()));
    story.model_says("Fine.");
    story.run_ms(500);
    story.user_speaks(500);
    story.run_ms(200);
    let turn = story.seen.turns[0];
    story.input(Input::Transcribed { turn, words: Transcription::Words("one".into()), by: None });
    story.input(Input::Transcribed { turn, words: Transcription::Words("two".into()), by: None });
    story.run_secs(2);
    assert_eq!(story.record(), ["user: one", "agent: Fine."]);
}
