//! The user's turn: when it ends, what belongs to it, and what is too short to be one (protocol.md 5.2).

use std::time::Duration;

use antiphon_engine::config::{Hearing, TurnTaking};
use antiphon_engine::input::Transcription;
use antiphon_engine::output::Event;
use antiphon_engine::{AudioTime, Config, Input};

use crate::story::{Story, config, reading};

fn with_minimum_turn(ms: u64) -> Config {
    let minimum = Duration::from_millis(ms);
    let turn_taking =
        TurnTaking { minimum_turn: minimum, minimum_interruption: minimum, ..TurnTaking::default() };
    Config { turn_taking, ..config() }
}

#[test]
fn the_agent_answers_after_the_endpoint_delay() {
    let mut story = Story::joined(config());
    story.model_says("Fine, thanks. And you?");
    story.transcript_after(250, "how are you");
    story.run_ms(1_000);
    story.user_speaks(1_500);
    story.run_secs(4);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        2.884s transcribe 700..2500 ms
        2.884s state Thinking
        2.884s model
        2.984s voice "Fine, thanks."
        3.004s state Speaking
        3.004s voice "And you?"
        3.129s agent #1 "Fine,"
        3.134s user #0 ="how are you"
        3.454s agent #1 +" thanks."
        3.729s agent #1 +" And"
        3.929s agent #1 +" you?"
        4.054s agent #1 ="Fine, thanks. And you?"
        4.054s state Listening
        "#,
    );
}

#[test]
fn a_longer_endpoint_delay_waits_longer() {
    let endpoint_delay = Duration::from_millis(1_024);
    let mut story = Story::joined(Config {
        turn_taking: TurnTaking { endpoint_delay, ..TurnTaking::default() },
        ..config()
    });
    story.run_ms(1_000);
    story.user_speaks(500);
    story.run_secs(2);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        2.524s transcribe 700..1500 ms
        2.524s state Thinking
        2.524s model
        "#,
    );
}

#[test]
fn silence_already_heard_when_the_detector_speaks_counts_towards_the_delay() {
    let mut story = Story::joined(config());
    story.world.detector_delay = Duration::from_millis(96);
    story.run_ms(1_000);
    story.user_speaks(500);
    story.run_secs(1);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        1.884s transcribe 700..1500 ms
        1.884s state Thinking
        1.884s model
        "#,
    );
}

#[test]
fn a_detector_slower_than_the_endpoint_delay_ends_the_turn_at_once() {
    let mut story = Story::joined(config());
    story.world.detector_delay = Duration::from_millis(500);
    story.run_ms(1_000);
    story.user_speaks(800);
    story.run_secs(1);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        2.300s transcribe 700..1800 ms
        2.300s state Thinking
        2.300s model
        "#,
    );
}

#[test]
fn a_pause_shorter_than_the_endpoint_delay_belongs_to_the_turn() {
    let mut story = Story::joined(config());
    story.run_ms(1_000);
    story.user_speaks(400);
    story.run_ms(380);
    story.user_speaks(400);
    story.run_ms(380);
    story.user_speaks(400);
    story.run_secs(1);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        3.344s transcribe 700..2960 ms
        3.344s state Thinking
        3.344s model
        "#,
    );
    let edges = story
        .seen
        .events
        .iter()
        .filter(|(_, event)| matches!(event, Event::UserStartedSpeaking | Event::UserStoppedSpeaking));
    assert_eq!(edges.count(), 2, "the turn opens once and closes once");
}

#[test]
fn the_pre_roll_of_a_turn_at_the_beginning_starts_with_the_first_sample() {
    let mut story = Story::joined(config());
    story.run_ms(100);
    story.user_speaks(500);
    story.run_secs(1);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        0.984s transcribe 0..600 ms
        0.984s state Thinking
        0.984s model
        "#,
    );
}

#[test]
fn speech_shorter_than_the_minimum_is_no_turn() {
    let mut story = Story::joined(with_minimum_turn(200));
    story.run_ms(500);
    story.user_speaks(199);
    story.run_secs(2);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        "#,
    );
    assert!(story.record().is_empty());
}

#[test]
fn speech_counts_towards_the_minimum_without_its_pauses() {
    let mut story = Story::joined(with_minimum_turn(200));
    story.run_ms(500);
    story.user_speaks(99);
    story.run_ms(300);
    story.user_speaks(99);
    story.run_secs(1);
    assert!(story.seen.turns.is_empty(), "198 ms of speech are no turn");
    story.user_speaks(100);
    story.run_ms(300);
    story.user_speaks(100);
    story.run_secs(1);
    assert_eq!(story.seen.turns.len(), 1, "200 ms of speech are one");
}

#[test]
fn a_user_who_goes_on_while_the_agent_thinks_means_one_turn() {
    let mut story = Story::joined(config());
    story.model_says("Five what?");
    story.model_says("Five apples, noted.");
    story.transcript_after(500, "I want five");
    story.transcript_after(50, "I want five apples");
    story.run_ms(1_000);
    story.user_speaks(600);
    story.run_ms(434);
    story.user_speaks(500);
    story.run_secs(4);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        1.984s transcribe 700..1600 ms
        1.984s state Thinking
        1.984s model
        2.084s voice "Five what?"
        2.104s state Speaking
        2.124s cancel voice
        2.124s clear
        2.124s notice turn.answer_dropped
        2.124s cancel transcription
        2.124s state Listening
        2.918s transcribe 700..2534 ms
        2.918s state Thinking
        2.918s model
        2.968s user #0 ="I want five apples"
        3.018s voice "Five apples, noted."
        3.038s state Speaking
        3.138s agent #1 "Five"
        3.438s agent #1 +" apples,"
        3.813s agent #1 +" noted."
        3.988s agent #1 ="Five apples, noted."
        3.988s state Listening
        "#,
    );
    assert_eq!(story.record(), ["user: I want five apples", "agent: Five apples, noted."]);
}

#[test]
fn a_user_who_goes_on_after_the_words_are_known_begins_a_new_turn() {
    let mut story = Story::joined(config());
    story.model_says("Five what?");
    story.model_says("Five apples, noted.");
    story.transcript_after(10, "I want five");
    story.transcript_after(10, "apples");
    story.run_ms(1_000);
    story.user_speaks(600);
    story.run_ms(434);
    story.user_speaks(500);
    story.run_secs(4);
    assert_eq!(story.last_prompt(), ["user: I want five", "user: "]);
    assert_eq!(story.record(), ["user: I want five", "user: apples", "agent: Five apples, noted."]);
}

#[test]
fn noise_while_the_agent_thinks_changes_nothing() {
    let mut story = Story::joined(config());
    story.model_says("Yes.");
    story.transcript_after(10, "are you open");
    story.run_ms(1_000);
    story.user_speaks(600);
    story.run_ms(400);
    story.user_speaks(60);
    story.run_secs(3);
    assert_eq!(story.record(), ["user: are you open", "agent: Yes."]);
    assert_eq!(story.seen.prompts.len(), 1);
}

#[test]
fn an_answer_dropped_for_noise_is_made_again() {
    let mut story = Story::joined(reading());
    story.model_says("Never heard.");
    story.model_says("Yes.");
    story.transcript_after(10, "are you open");
    story.transcript_after(10, "");
    story.run_ms(1_000);
    story.user_speaks(600);
    story.run_ms(434);
    story.user_speaks(200);
    story.run_secs(4);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        1.984s transcribe 700..1600 ms
        1.984s state Thinking
        1.994s user #0 ="are you open"
        1.994s model
        2.094s voice "Never heard."
        2.114s state Speaking
        2.124s cancel voice
        2.124s clear
        2.124s notice turn.answer_dropped
        2.124s state Listening
        2.618s transcribe 1734..2234 ms
        2.618s state Thinking
        2.628s model
        2.728s voice "Yes."
        2.748s state Speaking
        2.848s agent #2 "Yes."
        2.948s agent #2 ="Yes."
        2.948s state Listening
        "#,
    );
    assert_eq!(story.record(), ["user: are you open", "agent: Yes."]);
}

#[test]
fn a_model_that_reads_waits_for_the_words() {
    let mut story = Story::joined(reading());
    story.model_says("Yes.");
    story.transcript_after(300, "are you open");
    story.run_ms(1_000);
    story.user_speaks(600);
    story.run_secs(3);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        1.984s transcribe 700..1600 ms
        1.984s state Thinking
        2.284s user #0 ="are you open"
        2.284s model
        2.384s voice "Yes."
        2.404s state Speaking
        2.504s agent #1 "Yes."
        2.604s agent #1 ="Yes."
        2.604s state Listening
        "#,
    );
    assert_eq!(story.last_prompt(), ["user: are you open"]);
}

#[test]
fn speech_without_words_is_no_turn_for_a_model_that_reads() {
    let mut story = Story::joined(reading());
    story.transcript_after(300, "  ");
    story.run_ms(1_000);
    story.user_speaks(600);
    story.run_secs(3);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        1.984s transcribe 700..1600 ms
        1.984s state Thinking
        2.284s state Listening
        "#,
    );
    assert!(story.record().is_empty());
}

#[test]
fn speech_without_words_is_answered_by_a_model_that_hears() {
    let mut story = Story::joined(config());
    story.model_says("Pardon?");
    story.transcript_after(10, "");
    story.run_ms(1_000);
    story.user_speaks(600);
    story.run_secs(3);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        1.984s transcribe 700..1600 ms
        1.984s state Thinking
        1.984s model
        2.084s voice "Pardon?"
        2.104s state Speaking
        2.279s agent #1 "Pardon?"
        2.454s agent #1 ="Pardon?"
        2.454s state Listening
        "#,
    );
    assert_eq!(story.record(), ["user: ", "agent: Pardon?"]);
}

#[test]
fn a_turn_continued_before_its_words_are_known_is_read_as_one() {
    let mut story = Story::joined(reading());
    story.model_says("Noted.");
    story.transcript_after(600, "my number is");
    story.transcript_after(100, "my number is five");
    story.run_ms(1_000);
    story.user_speaks(600);
    story.run_ms(500);
    story.user_speaks(400);
    story.run_secs(3);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        1.984s transcribe 700..1600 ms
        1.984s state Thinking
        2.190s cancel transcription
        2.190s state Listening
        2.884s transcribe 700..2500 ms
        2.884s state Thinking
        2.984s user #0 ="my number is five"
        2.984s model
        3.084s voice "Noted."
        3.104s state Speaking
        3.254s agent #1 "Noted."
        3.404s agent #1 ="Noted."
        3.404s state Listening
        "#,
    );
}

#[test]
fn two_turns_whose_words_come_in_the_wrong_order_are_answered_together() {
    let mut story = Story::joined(reading());
    story.model_says("Both noted.");
    story.run_ms(1_000);
    story.user_speaks(600);
    story.run_ms(400);
    // Too short to take the first turn up again, long enough to be a turn: two turns wait for their words.
    story.user_speaks(60);
    story.run_ms(500);
    let turns = story.seen.turns.clone();
    assert_eq!(turns.len(), 2);
    story.input(Input::Transcribed { turn: turns[1], words: Transcription::Words("two".into()), by: None });
    assert!(story.seen.prompts.is_empty(), "the first turn's words are still to come");
    story.input(Input::Transcribed { turn: turns[0], words: Transcription::Words("one".into()), by: None });
    assert_eq!(story.last_prompt(), ["user: one", "user: two"]);
    story.run_secs(2);
    assert_eq!(story.record(), ["user: one", "user: two", "agent: Both noted."]);
}

#[test]
fn a_transcript_that_fails_is_told_and_the_hearing_model_answers_all_the_same() {
    let mut story = Story::joined(config());
    story.model_says("Yes.");
    story.transcript_fails_after(100);
    story.run_ms(1_000);
    story.user_speaks(600);
    story.run_secs(3);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        1.984s transcribe 700..1600 ms
        1.984s state Thinking
        1.984s model
        2.084s notice transcription.failed
        2.084s voice "Yes."
        2.104s state Speaking
        2.204s agent #1 "Yes."
        2.304s agent #1 ="Yes."
        2.304s state Listening
        "#,
    );
    assert_eq!(story.record(), ["user: ", "agent: Yes."]);
}

#[test]
fn a_transcript_that_fails_leaves_a_reading_model_without_a_turn() {
    let mut story = Story::joined(reading());
    story.transcript_fails_after(100);
    story.run_ms(1_000);
    story.user_speaks(600);
    story.run_secs(3);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        1.984s transcribe 700..1600 ms
        1.984s state Thinking
        2.084s notice transcription.failed
        2.084s state Listening
        "#,
    );
    assert!(story.record().is_empty());
}

#[test]
fn an_overdue_transcript_is_given_up() {
    let mut story = Story::joined(reading());
    story.run_ms(1_000);
    story.user_speaks(600);
    story.run_secs(30);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        1.984s transcribe 700..1600 ms
        1.984s state Thinking
        16.984s cancel transcription
        16.984s notice transcription.failed
        16.984s state Listening
        "#,
    );
}

#[test]
fn words_that_come_after_they_were_given_up_are_ignored() {
    let mut story = Story::joined(config());
    story.model_says("Yes.");
    story.run_ms(1_000);
    story.user_speaks(600);
    story.run_secs(30);
    let turn = story.seen.turns[0];
    story.skip();
    story.input(Input::Transcribed { turn, words: Transcription::Words("too late".into()), by: None });
    story.expect("");
    assert_eq!(story.record(), ["user: ", "agent: Yes."]);
}

#[test]
fn speech_that_nobody_can_understand_is_told_and_not_answered() {
    let mut story = Story::joined(Config { hearing: Hearing::Deaf, ..config() });
    story.run_ms(1_000);
    story.user_speaks(600);
    story.run_secs(3);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        1.984s notice speech.not_understood
        "#,
    );
    assert!(story.record().is_empty());
}

#[test]
fn edges_of_speech_that_do_not_belong_together_do_no_harm() {
    let mut story = Story::joined(config());
    story.model_says("Yes.");
    story.run_ms(1_000);
    story.speech_stops();
    story.speech_starts();
    story.run_ms(100);
    story.speech_starts();
    story.run_ms(100);
    story.speech_stops();
    story.speech_stops();
    story.run_secs(2);
    assert_eq!(story.seen.turns.len(), 1);
}

#[test]
fn a_detector_that_claims_to_hear_the_future_does_no_harm() {
    let mut story = Story::joined(config());
    story.run_ms(1_000);
    let (early, late) = (AudioTime::from_millis(10), AudioTime::from_millis(9_000_000));
    story.input(Input::SpeechStarted { at: late, received: early });
    story.run_ms(300);
    story.input(Input::SpeechStopped { at: early, received: late });
    story.run_secs(2);
    assert!(story.seen.turns.len() <= 1);
}
