//! Speech over the agent pauses it first and is judged then: what goes on, from where, and what cuts it off (design.md,
//! "Turn-taking").

use std::time::Duration;

use antiphon_engine::Config;
use antiphon_engine::config::{FirstSpeaker, Greeting, InterruptionPolicy, TurnTaking};
use antiphon_engine::input::{ForcedUrgency, Request, Transcription, Urgency};
use antiphon_engine::output::AgentState;
use antiphon_engine::{CallTime, Input};

use crate::story::{RATE, Story, agent_greets, call, config, forced, reading, say, tool};

const WORDS: &str = "one two three four five six seven eight nine ten";

/// Speech is judged, the first moments are like all others.
fn judged() -> InterruptionPolicy {
    InterruptionPolicy { first_moments: Duration::ZERO, ..InterruptionPolicy::default() }
}

fn with(interruption: InterruptionPolicy, config: Config) -> Config {
    Config { turn_taking: TurnTaking { interruption, ..TurnTaking::default() }, ..config }
}

/// An agent that counts to ten from 20 ms on, for 2.4 s.
fn counting() -> Story {
    Story::joined(with(judged(), Config { first_speaker: agent_greets(WORDS), ..config() }))
}

/// The same, and speech is judged by its words.
fn counting_to_a_transcriber() -> Story {
    let policy = InterruptionPolicy { words: true, ..judged() };
    Story::joined(with(policy, Config { first_speaker: agent_greets(WORDS), ..reading() }))
}

/// When audio was sent, and how much of the message was sent by then.
fn sent(story: &Story) -> Vec<(CallTime, u64)> {
    let mut total = 0;
    let sum = |(at, _, samples, _): &(CallTime, _, u32, Duration)| {
        total += u64::from(*samples);
        (*at, total)
    };
    story.seen.played.iter().map(sum).collect()
}

#[test]
fn a_cough_pauses_the_agent_and_nothing_is_told() {
    let mut story = counting();
    story.run_ms(900);
    story.user_speaks(200);
    story.run_secs(3);
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
        1.340s judged Nothing by Length: 200 ms of speech, after 350 ms
        1.340s notice turn.resumed
        1.385s agent #0 +" five"
        1.610s agent #0 +" six"
        1.860s agent #0 +" seven"
        2.160s agent #0 +" eight"
        2.435s agent #0 +" nine"
        2.660s agent #0 +" ten"
        2.760s agent #0 ="one two three four five six seven eight nine ten"
        2.760s state Listening
        "#,
    );
    assert_eq!(story.record(), [format!("agent: {WORDS}")]);
    assert!(story.seen.turns.is_empty());
}

#[test]
fn the_agent_goes_on_from_the_sample_at_which_it_stopped() {
    let mut story = counting();
    story.run_ms(900);
    story.user_speaks(200);
    story.run_secs(3);
    let sent = sent(&story);
    let pause = sent.windows(2).find(|pair| pair[1].0.since(pair[0].0) > Duration::from_millis(100));
    let [before, after] = pause.expect("there was a pause") else { unreachable!("windows of two") };
    // Speech of 90 ms pauses at 990 ms; 240 ms of silence after its end, at 1340 ms, it is clear that it was a cough.
    assert!(before.0 < CallTime::from_millis(990), "nothing is sent in the pause: {before:?}");
    assert_eq!(after.0, CallTime::from_millis(1_340));
    // What the client held was played out in the pause; its 60 ms are filled again at once, and not a sample is lost or said twice.
    assert_eq!(after.1 - before.1, u64::from(RATE) * 60 / 1_000);
    assert_eq!(sent.last().expect("it was sent").1, WORDS.len() as u64 * u64::from(RATE) * 50 / 1_000);
    // 48 characters of 50 ms, and the time for which nothing was played: what was sent lasted until 1 s, since less
    // and less of it was kept at the client from the beginning of the speech on.
    let ended = story.seen.events.last().expect("it ended").0;
    assert_eq!(ended, CallTime::from_millis(20 + 48 * 50 + (1_340 - 1_000)));
}

#[test]
fn speech_too_short_to_pause_takes_nothing_from_what_is_heard() {
    let mut story = counting();
    story.run_ms(900);
    story.user_speaks(80);
    story.run_secs(3);
    let sent = sent(&story);
    let (_, held) = sent.iter().rev().find(|(at, _)| *at <= CallTime::from_millis(980)).expect("it was sent");
    let played = u64::from(RATE) * (980 - 20) / 1_000;
    assert_eq!(*held - played, u64::from(RATE) * 60 / 1_000, "the client has all it has room for again");
    let ended = story.seen.events.last().expect("it ended").0;
    assert_eq!(ended, CallTime::from_millis(20 + 48 * 50), "and never ran dry");
}

#[test]
fn speech_that_goes_on_cuts_the_agent_off_where_it_was_heard() {
    let mut story = counting();
    story.run_ms(900);
    story.user_speaks(1_000);
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
        1.490s cancel voice
        1.490s clear
        1.490s agent #0 ="one two three four"
        1.490s state Listening
        1.490s judged Interruption by Length: 590 ms of speech, after 500 ms
        1.490s notice turn.interrupted
        "#,
    );
    let last = sent(&story).last().expect("audio was sent").0;
    assert!(last < CallTime::from_millis(990), "the agent was silent from 90 ms of speech on");
    assert_eq!(story.record(), ["agent: one two three four[ five six seven eight nine ten]"]);
}

#[test]
fn certain_speech_may_come_before_the_end_of_patience() {
    let policy = InterruptionPolicy { certain_speech: Duration::from_millis(300), ..judged() };
    let mut story = Story::joined(with(policy, Config { first_speaker: agent_greets(WORDS), ..config() }));
    story.run_ms(900);
    story.speech_starts();
    story.run_ms(299);
    assert_eq!(story.state(), Some(AgentState::Speaking));
    story.run_ms(1);
    assert_eq!(story.state(), Some(AgentState::Listening));
}

#[test]
fn a_pause_in_the_speech_does_not_begin_the_judgement_anew() {
    let mut story = counting();
    story.run_ms(900);
    story.user_speaks(200);
    story.run_ms(100);
    story.speech_starts();
    story.run_ms(289);
    assert_eq!(story.state(), Some(AgentState::Speaking));
    story.run_ms(1);
    assert_eq!(story.state(), Some(AgentState::Listening), "500 ms after the pause began, the user speaks");
}

#[test]
fn noises_after_a_dismissed_one_are_judged_by_themselves() {
    let mut story = counting();
    story.run_ms(500);
    for _ in 0..3 {
        story.user_speaks(250);
        story.run_ms(500);
    }
    story.run_secs(4);
    assert_eq!(story.record(), [format!("agent: {WORDS}")]);
    assert!(story.seen.turns.is_empty());
}

#[test]
fn pieces_of_speech_add_up_until_they_are_an_interruption() {
    let mut story = counting();
    story.run_ms(500);
    for _ in 0..3 {
        story.user_speaks(250);
        story.run_ms(300);
    }
    story.run_ms(100);
    // Each is dismissed after 240 ms of silence; with the third there are 600 ms, and nobody says "mm-hmm" for so long.
    let verdicts: Vec<&str> =
        story.told().iter().filter_map(|line| line.split_once(" judged ")?.1.split(' ').next()).collect();
    assert_eq!(verdicts, ["Nothing", "Nothing", "Interruption"]);
    assert_eq!(story.seen.turns.len(), 1);
}

#[test]
fn a_sign_of_listening_before_the_words_belongs_to_their_turn() {
    let mut story = counting();
    story.run_ms(500);
    story.user_speaks(250);
    story.run_ms(200);
    story.user_speaks(900);
    story.run_ms(500);
    assert_eq!(story.told().iter().filter(|line| line.contains("transcribe")).count(), 1);
    let transcribe = story.told().iter().find(|line| line.contains("transcribe")).expect("one turn");
    assert!(transcribe.ends_with("transcribe 200..1850 ms"), "{transcribe}");
}

#[test]
fn words_of_listening_let_the_agent_go_on() {
    let mut story = counting_to_a_transcriber();
    story.transcript_after(100, "Mm-hmm.");
    story.run_ms(900);
    story.user_speaks(300);
    story.run_secs(4);
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
        1.200s transcribe 600..1200 ms
        1.300s judged Nothing by Words: 300 ms of speech, after 310 ms
        1.300s notice turn.resumed
        1.345s agent #0 +" five"
        1.570s agent #0 +" six"
        1.820s agent #0 +" seven"
        2.120s agent #0 +" eight"
        2.395s agent #0 +" nine"
        2.620s agent #0 +" ten"
        2.720s agent #0 ="one two three four five six seven eight nine ten"
        2.720s state Listening
        "#,
    );
    assert_eq!(story.record(), [format!("agent: {WORDS}")]);
}

#[test]
fn a_short_word_that_wants_something_interrupts() {
    let mut story = counting_to_a_transcriber();
    story.transcript_after(100, "Stop.");
    story.model_says("Yes?");
    story.run_ms(900);
    story.user_speaks(300);
    story.run_ms(700);
    story.skip();
    assert_eq!(story.record(), ["agent: one two three four[ five six seven eight nine ten]", "user: Stop."]);
    assert_eq!(story.seen.turns.len(), 1, "the words are not asked for twice");
    story.run_secs(2);
    assert_eq!(story.record().last().map(String::as_str), Some("agent: Yes?"));
}

#[test]
fn words_that_come_too_late_interrupt_late() {
    let mut story = counting_to_a_transcriber();
    story.transcript_after(520, "Stop.");
    story.run_ms(900);
    story.user_speaks(250);
    story.run_ms(350);
    assert_eq!(story.state(), Some(AgentState::Speaking), "the agent goes on");
    assert!(story.told().iter().any(|line| line.contains("turn.resumed")));
    story.run_ms(400);
    assert_eq!(story.record()[1..], ["user: Stop."]);
    assert_eq!(story.state(), Some(AgentState::Thinking));
}

#[test]
fn words_that_come_after_the_turn_was_let_go_interrupt_too() {
    let mut story = counting_to_a_transcriber();
    story.transcript_after(800, "Stop.");
    story.model_says("Yes?");
    story.run_ms(900);
    story.user_speaks(250);
    story.run_ms(790);
    assert_eq!(story.state(), Some(AgentState::Speaking));
    story.skip();
    story.run_ms(20);
    story.expect(
        r#"
        1.950s cancel voice
        1.950s clear
        1.950s agent #0 ="one two three four five six"
        1.950s user #1 ="Stop."
        1.950s state Thinking
        1.950s model
        "#,
    );
}

#[test]
fn late_words_of_listening_change_nothing() {
    let mut story = counting_to_a_transcriber();
    story.transcript_after(800, "uh-huh");
    story.run_ms(900);
    story.user_speaks(250);
    story.run_secs(4);
    assert_eq!(story.record(), [format!("agent: {WORDS}")]);
}

#[test]
fn words_that_cannot_be_had_leave_the_judgement_to_the_length() {
    let mut story = counting_to_a_transcriber();
    story.transcript_fails_after(50);
    story.run_ms(900);
    story.user_speaks(250);
    story.run_ms(49);
    assert!(!story.told().iter().any(|line| line.contains("turn.resumed")));
    story.run_ms(1);
    assert!(story.told().iter().any(|line| line.contains("turn.resumed")));
}

#[test]
fn an_answer_to_a_question_that_has_just_ended_is_a_turn() {
    let mut story = counting();
    story.model_says("Fine.");
    // The last of 2420 ms.
    story.run_ms(2_200);
    story.user_speaks(300);
    story.run_ms(600);
    assert_eq!(story.record()[0], format!("agent: {WORDS}"));
    assert_eq!(story.seen.turns.len(), 1, "{:?}", story.told());
}

#[test]
fn tools_wait_for_the_judgement_too() {
    let mut story = Story::joined(with(judged(), Config { tools: vec![tool("book")], ..config() }));
    story.model_does(vec![say("I will book that."), call("book", "{}")]);
    story.transcript_after(10, "book it");
    story.user_speaks(500);
    // From 1.004 to 1.854 s.
    story.run_ms(484 + 20 + 760);
    story.speech_starts();
    story.run_ms(400);
    assert!(story.seen.tools.is_empty(), "the user may be saying no");
    story.run_ms(300);
    assert!(story.seen.tools.is_empty());
    assert_eq!(story.record().last().map(String::as_str), Some("agent: I will book that."));
}

#[test]
fn a_client_that_holds_seconds_of_audio_is_interrupted_at_once() {
    let mut story = Story::joined(with(
        judged(),
        Config { first_speaker: agent_greets(WORDS), client_buffer: Duration::from_secs(30), ..config() },
    ));
    story.run_ms(900);
    story.speech_starts();
    story.run_ms(90);
    assert_eq!(story.state(), Some(AgentState::Listening));
}

#[test]
fn in_the_first_moments_it_takes_more_to_interrupt() {
    let policy = InterruptionPolicy::default();
    let mut story = Story::joined(with(policy, Config { first_speaker: agent_greets(WORDS), ..config() }));
    story.run_ms(200);
    story.user_speaks(190);
    story.run_ms(1_500);
    let longest = sent(&story).windows(2).map(|pair| pair[1].0.since(pair[0].0)).max();
    // For a moment the client had to make do with what it held.
    assert_eq!(longest, Some(Duration::from_millis(50)), "nothing paused");
    assert!(story.seen.turns.is_empty(), "and it is no turn");
    story.user_speaks(190);
    story.run_ms(100);
    let last = sent(&story).last().expect("audio was sent").0;
    assert_eq!(story.now().since(last).as_millis() / 100, 2, "later the same pauses");
}

#[test]
fn an_answer_of_which_no_word_was_heard_is_not_paused_but_made_again() {
    let mut story = Story::joined(with(judged(), reading()));
    story.model_says("Incomprehensibilities.");
    story.model_says("Yes.");
    story.transcript_after(10, "are you open");
    story.transcript_after(10, "");
    story.user_speaks(500);
    story.run_ms(494);
    story.user_speaks(150);
    story.run_secs(3);
    assert_eq!(story.record(), ["user: are you open", "agent: Yes."]);
}

#[test]
fn what_is_uninterruptible_is_not_paused_and_speech_becomes_the_next_turn() {
    let greeting = FirstSpeaker::Agent {
        greeting: Greeting::Text(WORDS.into()),
        delay: Duration::ZERO,
        uninterruptible: true,
    };
    let mut story = Story::joined(with(judged(), Config { first_speaker: greeting, ..config() }));
    story.transcript_after(10, "stop");
    story.run_ms(900);
    story.user_speaks(800);
    story.run_secs(3);
    let longest = sent(&story).windows(2).map(|pair| pair[1].0.since(pair[0].0)).max();
    assert_eq!(longest, Some(Duration::from_millis(20)));
    assert_eq!(story.record(), [format!("agent: {WORDS}"), "user: stop".to_owned()]);
    assert_eq!(story.seen.prompts.len(), 1, "it is answered");
}

#[test]
fn text_and_forced_messages_cut_a_paused_agent_off() {
    for request in [
        Request::UserText { text: "stop".into(), urgency: Urgency::Immediate },
        Request::ForcedMessage(forced("Excuse me.", ForcedUrgency::Immediate)),
    ] {
        let mut story = counting();
        story.run_ms(900);
        story.speech_starts();
        story.run_ms(200);
        story.request(request);
        assert_eq!(story.record()[0], "agent: one two three four[ five six seven eight nine ten]");
        story.run_ms(100);
        story.speech_stops();
        story.run_secs(3);
    }
}

#[test]
fn a_call_that_ends_in_a_pause_keeps_what_was_heard_and_what_was_said() {
    let mut story = counting();
    story.run_ms(900);
    story.speech_starts();
    story.run_ms(300);
    story.hangs_up();
    let turn = story.seen.turns[0];
    story.input(Input::Transcribed { turn, words: Transcription::Words("bye".into()), by: None });
    assert!(story.is_over());
    assert_eq!(story.record(), ["agent: one two three four[ five six seven eight nine ten]", "user: bye"]);
}

#[test]
fn speech_that_arrives_all_at_once_is_judged_by_its_audio() {
    use antiphon_engine::AudioTime;
    let ms = AudioTime::from_millis;
    let mut story = counting();
    story.run_secs(1);
    story.input(Input::SpeechStarted { at: ms(200), received: ms(220) });
    story.input(Input::SpeechStopped { at: ms(900), received: ms(1_000) });
    assert_eq!(story.state(), Some(AgentState::Listening), "700 ms are no backchannel");
}

#[test]
fn long_speech_is_not_asked_for_its_words() {
    use antiphon_engine::AudioTime;
    let ms = AudioTime::from_millis;
    let mut story = counting_to_a_transcriber();
    story.transcript_after(10, "wait wait a moment");
    story.run_secs(1);
    for (from, to) in [(200, 500), (550, 950)] {
        story.input(Input::SpeechStarted { at: ms(from), received: ms(from + 20) });
        story.input(Input::SpeechStopped { at: ms(to), received: ms(to + 20) });
    }
    assert_eq!(story.state(), Some(AgentState::Listening), "{:?}", story.told());
}

#[test]
fn words_that_are_overheard_interrupt_while_the_user_still_speaks() {
    let mut story = counting_to_a_transcriber();
    story.run_ms(900);
    story.speech_starts();
    story.run_ms(100);
    story.input(Input::Overheard("yeah".into()));
    story.run_ms(100);
    assert_eq!(story.state(), Some(AgentState::Speaking), "that may be a sign of listening");
    story.input(Input::Overheard("yeah but wait".into()));
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
        1.100s cancel voice
        1.100s clear
        1.100s agent #0 ="one two three four"
        1.100s state Listening
        1.100s judged Interruption by Words: 200 ms of speech, after 110 ms
        1.100s notice turn.interrupted
        "#,
    );
}

#[test]
fn words_that_were_overheard_need_no_pause_of_the_agents() {
    let mut story = counting_to_a_transcriber();
    story.run_ms(900);
    story.speech_starts();
    story.input(Input::Overheard("stop".into()));
    assert_eq!(
        story.state(),
        Some(AgentState::Speaking),
        "it takes a voice to interrupt, and not words alone"
    );
    story.run_ms(90);
    assert_eq!(story.state(), Some(AgentState::Listening));
    // Those of one turn say nothing of the next.
    story.input(Input::Overheard("stop".into()));
    let mut story = counting_to_a_transcriber();
    story.input(Input::Overheard("stop".into()));
    story.run_ms(900);
    story.user_speaks(200);
    story.run_ms(200);
    assert_eq!(story.state(), Some(AgentState::Speaking));
}

#[test]
fn where_words_are_not_judged_those_overheard_are_not_either() {
    let mut story = counting();
    story.run_ms(900);
    story.speech_starts();
    story.run_ms(100);
    story.input(Input::Overheard("stop".into()));
    assert_eq!(story.state(), Some(AgentState::Speaking));
}
