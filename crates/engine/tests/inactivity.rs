//! The user's silence: what the agent says, when it gives up, and what stops the clock (protocol.md 5.6, 5.7, A-39).

use std::time::Duration;

use antiphon_engine::Config;
use antiphon_engine::config::{InactivityEnd, InactivityMessage};
use antiphon_engine::input::{ForcedUrgency, Reaction, Request, Urgency};

use crate::story::{Story, agent_greets, call, config, forced, react, reading, silence, tool, writing};

fn patient(inactivity: Vec<InactivityMessage>) -> Config {
    Config { inactivity, ..config() }
}

fn twice() -> Vec<InactivityMessage> {
    vec![
        silence(10, "Hello?", InactivityEnd::KeepWaiting),
        silence(5, "Anybody?", InactivityEnd::KeepWaiting),
    ]
}

#[test]
fn messages_come_in_order_each_counted_from_the_end_of_the_one_before() {
    let mut story = Story::joined(patient(twice()));
    story.run_secs(600);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        10.000s state Thinking
        10.000s voice "Hello?"
        10.020s state Speaking
        10.170s agent #0 "Hello?"
        10.320s agent #0 ="Hello?"
        10.320s state Listening
        15.320s state Thinking
        15.320s voice "Anybody?"
        15.340s state Speaking
        15.540s agent #1 "Anybody?"
        15.740s agent #1 ="Anybody?"
        15.740s state Listening
        "#,
    );
}

#[test]
fn the_clock_starts_when_the_agent_has_been_heard() {
    let mut story = Story::joined(Config {
        first_speaker: agent_greets("one two three four five six seven eight nine ten"),
        ..patient(vec![silence(10, "Hello?", InactivityEnd::KeepWaiting)])
    });
    story.run_ms(2_420 + 9_999);
    assert_eq!(story.seen.utterances.len(), 1);
    story.run_ms(1);
    assert_eq!(story.seen.utterances.len(), 2);
}

#[test]
fn speech_that_is_a_turn_begins_the_sequence_anew() {
    let mut story = Story::joined(patient(twice()));
    story.transcript_after(10, "I am here");
    story.model_says("Good.");
    story.run_secs(12);
    story.user_speaks(500);
    story.run_secs(13);
    assert_eq!(story.record(), ["agent: Hello?", "user: I am here", "agent: Good.", "agent: Hello?"]);
}

#[test]
fn text_of_any_urgency_begins_the_sequence_anew() {
    for urgency in [Urgency::Immediate, Urgency::Soon, Urgency::Later] {
        let mut story = Story::joined(patient(twice()));
        story.model_says("Noted.");
        story.run_secs(9);
        story.user_writes("Here.", urgency);
        story.run_secs(9);
        assert!(!story.record().contains(&"agent: Hello?".to_owned()), "{urgency:?}");
        story.run_secs(3);
        assert!(story.record().contains(&"agent: Hello?".to_owned()), "{urgency:?}");
    }
}

#[test]
fn empty_text_is_no_sign_of_life() {
    let mut story = Story::joined(patient(twice()));
    story.run_secs(9);
    story.user_writes("", Urgency::Immediate);
    story.run_secs(2);
    assert_eq!(story.record(), ["agent: Hello?"]);
}

#[test]
fn a_tools_result_is_no_sign_of_life_and_its_run_stops_the_clock() {
    let mut story = Story::joined(Config { tools: vec![tool("look")], ..patient(twice()) });
    story.model_does(vec![call("look", "{}")]);
    story.user_writes("", Urgency::Soon);
    story.world.tool_answers = None;
    story.run_ms(2_000);
    let id = story.seen.tools[0];
    story.tool_answers(id, react("there", Some(Reaction::Listens)));
    let said_before = story.seen.utterances.len();
    story.run_ms(9_999);
    assert_eq!(story.seen.utterances.len(), said_before, "the tool's two seconds do not count");
    story.run_ms(1);
    assert_eq!(story.seen.utterances.len(), said_before + 1);
}

#[test]
fn noise_only_stops_the_clock_for_as_long_as_it_lasts() {
    let mut story = Story::joined(Config { hearing: reading().hearing, ..patient(twice()) });
    story.transcript_after(0, "");
    story.run_secs(9);
    story.user_speaks(616);
    // One second of silence was missing when the noise of 616 + 384 ms came.
    story.run_ms(384 + 999);
    assert!(story.seen.utterances.is_empty());
    story.run_ms(1);
    assert_eq!(story.seen.utterances.len(), 1);
}

#[test]
fn a_message_of_the_developer_only_stops_the_clock() {
    let mut story = Story::joined(patient(twice()));
    story.run_secs(9);
    story.request(Request::ForcedMessage(forced("By the way.", ForcedUrgency::Soon)));
    story.run_secs(2);
    assert_eq!(story.seen.utterances.len(), 2, "one second was missing, and it has passed");
}

#[test]
fn a_strict_hang_up_ends_the_call_after_its_message() {
    let mut story = Story::joined(patient(vec![silence(10, "Goodbye then.", InactivityEnd::HangUpStrict)]));
    story.run_secs(10);
    story.skip();
    story.run_ms(100);
    story.user_speaks(300);
    story.run_secs(5);
    story.expect(
        r#"
        10.020s state Speaking
        10.195s agent #0 "Goodbye"
        10.520s agent #0 +" then."
        10.670s agent #0 ="Goodbye then."
        10.670s transcribe 9800..10400 ms
        10.670s close AgentHangUp
        12.670s cancel transcription
        12.670s ended AgentHangUp
        "#,
    );
}

#[test]
fn a_soft_hang_up_ends_the_call_of_a_silent_user() {
    let mut story = Story::joined(patient(vec![silence(10, "Goodbye then.", InactivityEnd::HangUpSoft)]));
    story.run_secs(20);
    assert!(story.told().last().is_some_and(|line| line.ends_with("ended AgentHangUp")));
}

#[test]
fn a_soft_hang_up_gives_way_to_speech_and_the_sequence_begins_anew() {
    let mut story = Story::joined(patient(vec![
        silence(10, "Hello?", InactivityEnd::KeepWaiting),
        silence(5, "Goodbye then.", InactivityEnd::HangUpSoft),
    ]));
    story.transcript_after(10, "no wait");
    story.model_says("Yes?");
    story.run_ms(15_700);
    story.user_speaks(400);
    story.run_secs(4);
    assert!(!story.is_over());
    story.run_secs(8);
    assert_eq!(
        story.record(),
        ["agent: Hello?", "agent: Goodbye[ then.]", "user: no wait", "agent: Yes?", "agent: Hello?"]
    );
}

#[test]
fn a_soft_hang_up_gives_way_to_text() {
    let mut story = Story::joined(patient(vec![silence(10, "Goodbye then.", InactivityEnd::HangUpSoft)]));
    story.run_ms(10_300);
    story.user_writes("Wait.", Urgency::Soon);
    story.run_secs(5);
    assert!(!story.is_over());
}

#[test]
fn messages_are_written_in_text_medium() {
    let mut story = Story::joined(Config { output_medium: writing().output_medium, ..patient(twice()) });
    story.run_secs(30);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        10.000s state Thinking
        10.000s agent (text) #0 "Hello?"
        10.000s agent (text) #0 ="Hello?"
        10.000s state Listening
        15.000s state Thinking
        15.000s agent (text) #1 "Anybody?"
        15.000s agent (text) #1 ="Anybody?"
        15.000s state Listening
        "#,
    );
}

#[test]
fn no_messages_need_no_wake_ups() {
    let mut story = Story::joined(config());
    story.run_secs(3_000);
    assert_eq!(story.seen.wakeups, 0);
}

#[test]
fn a_message_without_a_wait_does_not_spin() {
    let mut story = Story::joined(Config {
        output_medium: writing().output_medium,
        ..patient((0..50).map(|_| silence(0, "Now.", InactivityEnd::KeepWaiting)).collect())
    });
    story.run_secs(1);
    assert_eq!(story.record().len(), 50);
    assert!(story.now().since_start() == Duration::from_secs(1));
}
