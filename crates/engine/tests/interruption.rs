//! The user cuts in: what is cleared, what was heard, what is said about it and in which order (protocol.md 4.4, 5.4, A-69).

use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::Config;
use antiphon_engine::config::{FirstSpeaker, Greeting, TurnTaking};
use antiphon_engine::input::VoiceEvent;
use antiphon_engine::output::AgentState;
use antiphon_engine::{AudioTime, Input, input::ModelEvent};

use crate::story::{Story, agent_greets, call, config, reading, say, tool, writing};

const WORDS: &str = "one two three four five six seven eight nine ten";

fn counting() -> Story {
    Story::joined(Config { first_speaker: agent_greets(WORDS), ..config() })
}

#[test]
fn speech_clears_then_ends_the_transcript_then_changes_the_state() {
    let mut story = counting();
    story.run_ms(900);
    story.user_speaks(400);
    story.run_ms(100);
    story.expect(
        r#"
        0.000s started
        0.000s state Thinking
        0.000s voice "one two three four five six seven eight nine ten"
        0.020s state Speaking
        0.095s agent #0 "one"
        0.270s agent #0 +" two"
        0.520s agent #0 +" three"
        0.795s agent #0 +" four"
        0.990s cancel voice
        0.990s clear
        0.990s agent #0 ="one two three four"
        0.990s state Listening
        0.990s notice turn.interrupted
        "#,
    );
    assert_eq!(story.record(), ["agent: one two three four[ five six seven eight nine ten]"]);
}

#[test]
fn the_next_prompt_holds_what_was_heard() {
    let mut story = counting();
    story.run_ms(900);
    story.user_speaks(400);
    story.run_secs(1);
    assert_eq!(story.last_prompt(), ["agent: one two three four[ five six seven eight nine ten]", "user: "]);
}

#[test]
fn a_short_noise_does_not_interrupt_and_is_no_turn() {
    let mut story = counting();
    story.run_ms(900);
    story.user_speaks(80);
    story.run_secs(4);
    assert_eq!(story.record(), [format!("agent: {WORDS}")]);
    assert!(story.seen.turns.is_empty());
}

#[test]
fn noises_that_add_up_within_one_turn_interrupt() {
    let mut story = counting();
    story.run_ms(900);
    story.user_speaks(50);
    story.run_ms(100);
    story.user_speaks(50);
    story.run_ms(100);
    assert_eq!(story.record(), ["agent: one two three four five[ six seven eight nine ten]"]);
}

#[test]
fn a_longer_minimum_takes_longer_speech() {
    let minimum_interruption = Duration::from_millis(800);
    let mut story = Story::joined(Config {
        first_speaker: agent_greets(WORDS),
        turn_taking: TurnTaking { minimum_interruption, ..TurnTaking::default() },
        ..config()
    });
    story.run_ms(500);
    story.speech_starts();
    story.run_ms(799);
    assert_eq!(story.state(), Some(AgentState::Speaking));
    story.run_ms(1);
    assert_eq!(story.state(), Some(AgentState::Listening));
}

#[test]
fn speech_that_began_before_the_detector_noticed_counts() {
    let mut story = counting();
    story.world.detector_delay = Duration::from_millis(200);
    story.run_ms(900);
    story.speech_starts();
    story.run_ms(199);
    assert_eq!(story.state(), Some(AgentState::Speaking));
    story.run_ms(1);
    assert_eq!(
        story.state(),
        Some(AgentState::Listening),
        "200 ms of speech are enough as soon as they are known"
    );
}

#[test]
fn a_message_of_which_no_word_was_heard_leaves_no_trace_and_is_owed_again() {
    let mut story = Story::joined(reading());
    story.model_says("Incomprehensibilities.");
    story.model_says("Yes.");
    story.transcript_after(10, "are you open");
    story.transcript_after(10, "");
    story.user_speaks(500);
    story.run_ms(394 + 100);
    story.skip();
    story.user_speaks(150);
    story.run_secs(3);
    story.expect(
        r#"
        1.014s state Speaking
        1.084s cancel voice
        1.084s clear
        1.084s notice turn.answer_dropped
        1.084s state Listening
        1.528s transcribe 694..1144 ms
        1.528s state Thinking
        1.538s model
        1.638s voice "Yes."
        1.658s state Speaking
        1.758s agent #2 "Yes."
        1.858s agent #2 ="Yes."
        1.858s state Listening
        "#,
    );
    assert_eq!(story.record(), ["user: are you open", "agent: Yes."]);
}

#[test]
fn an_interruption_while_the_voice_works_sends_no_clear() {
    let mut story = Story::new(Config { first_speaker: agent_greets(WORDS), ..config() });
    story.world.voice_answers = false;
    story.join();
    story.run_ms(500);
    story.user_speaks(300);
    story.expect(
        r#"
        0.000s started
        0.000s state Thinking
        0.000s voice "one two three four five six seven eight nine ten"
        0.590s cancel voice
        0.590s notice turn.answer_dropped
        0.590s state Listening
        "#,
    );
}

#[test]
fn a_greeting_dropped_for_noise_before_it_was_heard_is_said_after_it() {
    let mut story = Story::new(Config { first_speaker: agent_greets("Hi there."), ..reading() });
    story.world.voice_delay = Duration::from_millis(200);
    story.transcript_after(10, "");
    story.join();
    story.user_speaks(120);
    story.run_secs(3);
    assert_eq!(story.record(), ["agent: Hi there."]);
}

#[test]
fn a_greeting_dropped_for_a_question_gives_way_to_the_answer() {
    let mut story = Story::new(Config { first_speaker: agent_greets("Hi there."), ..reading() });
    story.world.voice_delay = Duration::from_millis(200);
    story.transcript_after(10, "is this the bakery");
    story.model_says("Yes.");
    story.join();
    story.user_speaks(700);
    story.run_secs(3);
    assert_eq!(story.record(), ["user: is this the bakery", "agent: Yes."]);
}

#[test]
fn everything_sent_ahead_is_cleared_and_only_what_was_played_counts() {
    let mut story = Story::joined(Config {
        first_speaker: agent_greets(WORDS),
        client_buffer: Duration::from_secs(30),
        ..config()
    });
    story.run_ms(800);
    assert!(story.lead() > Duration::from_millis(1_500), "the client holds {:?}", story.lead());
    story.user_speaks(300);
    assert_eq!(story.lead(), Duration::ZERO);
    assert_eq!(story.record(), ["agent: one two three four[ five six seven eight nine ten]"]);
}

#[test]
fn late_results_of_a_cancelled_answer_are_ignored() {
    let mut story = Story::joined(Config { first_speaker: agent_greets(WORDS), ..config() });
    story.run_ms(900);
    story.user_speaks(400);
    let utterance = story.seen.utterances[0];
    let played = story.seen.played.len();
    story.skip();
    story.input(Input::Voice(utterance, VoiceEvent::Audio { samples: 16_000 }));
    story.input(Input::Voice(utterance, VoiceEvent::Failed(Arc::from("too late"))));
    story.run_ms(200);
    story.expect("");
    assert_eq!(story.seen.played.len(), played);
}

#[test]
fn an_interruption_in_the_middle_of_the_stream_stops_the_model() {
    let mut story = Story::joined(config());
    story.model_streams_after(100, vec![say("First sentence here. And then")]);
    story.user_speaks(500);
    story.run_secs(1);
    story.skip();
    story.user_speaks(300);
    story.run_ms(100);
    story.expect(
        r#"
        1.590s cancel model
        1.590s cancel voice
        1.590s clear
        1.590s agent #1 ="First sentence"
        1.590s state Listening
        1.590s notice turn.interrupted
        "#,
    );
}

#[test]
fn tool_calls_of_an_interrupted_answer_are_dropped() {
    let mut story = Story::joined(Config { tools: vec![tool("book")], ..config() });
    story.model_does(vec![say("I will book that for you right away."), call("book", "{}")]);
    story.transcript_after(10, "book it");
    story.transcript_after(10, "no, wait");
    story.user_speaks(500);
    story.run_secs(1);
    story.user_speaks(300);
    story.run_secs(5);
    assert!(story.seen.tools.is_empty());
    assert_eq!(
        story.record(),
        ["user: book it", "agent: I will book[ that for you right away.]", "user: no, wait"]
    );
}

#[test]
fn a_written_answer_keeps_what_was_sent_and_clears_nothing() {
    let mut story = Story::joined(writing());
    story.model_streams_after(100, vec![say("One two"), say(" three")]);
    story.user_speaks(500);
    story.run_secs(1);
    story.skip();
    story.user_speaks(300);
    story.expect(
        r#"
        1.590s cancel model
        1.590s agent (text) #1 ="One two three"
        1.590s state Listening
        1.590s notice turn.interrupted
        "#,
    );
}

#[test]
fn an_uninterruptible_message_is_not_cut() {
    let mut story = Story::joined(Config {
        first_speaker: FirstSpeaker::Agent {
            greeting: Greeting::Text(Arc::from(WORDS)),
            delay: Duration::ZERO,
            uninterruptible: true,
        },
        ..config()
    });
    story.run_ms(500);
    story.user_speaks(1_000);
    story.run_secs(3);
    assert_eq!(story.record()[0], format!("agent: {WORDS}"));
    assert_eq!(story.seen.prompts.len(), 1, "what was said meanwhile is answered");
}

#[test]
fn the_state_is_listening_until_the_interrupting_turn_ends() {
    let mut story = counting();
    story.model_says("Yes?");
    story.transcript_after(50, "wait");
    story.run_ms(900);
    story.speech_starts();
    story.run_secs(3);
    assert_eq!(story.state(), Some(AgentState::Listening));
    story.speech_stops();
    story.run_ms(383);
    assert_eq!(story.state(), Some(AgentState::Listening));
    story.run_ms(1);
    assert_eq!(story.state(), Some(AgentState::Thinking));
}

#[test]
fn a_model_that_goes_on_after_it_was_cancelled_is_ignored() {
    let mut story = Story::joined(config());
    story.user_speaks(500);
    story.run_ms(400);
    story.user_speaks(300);
    story.run_ms(400);
    assert_eq!(story.seen.prompts.len(), 2, "another run is under way");
    story.skip();
    let stale = antiphon_engine::ids::GenerationId(0);
    story.input(Input::Model(stale, say("I was cancelled.")));
    story.input(Input::Model(stale, ModelEvent::Finished));
    story.run_ms(300);
    story.expect("");
}

#[test]
fn speech_that_arrives_all_at_once_counts_by_its_audio() {
    let mut story = counting();
    story.run_secs(1);
    story.skip();
    let ms = AudioTime::from_millis;
    story.input(Input::SpeechStarted { at: ms(900), received: ms(920) });
    story.input(Input::SpeechStopped { at: ms(980), received: ms(1_000) });
    story.expect("");
    story.input(Input::SpeechStarted { at: ms(1_100), received: ms(1_120) });
    story.input(Input::SpeechStopped { at: ms(1_700), received: ms(1_720) });
    story.expect(
        r#"
        1.000s cancel voice
        1.000s clear
        1.000s agent #0 ="one two three four"
        1.000s state Listening
        1.000s notice turn.interrupted
        "#,
    );
}
