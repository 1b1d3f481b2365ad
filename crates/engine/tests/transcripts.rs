//! What clients read of both sides (protocol.md 3.3, rules 1 to 10, A-29, A-68). The witness holds every story to the rules;
//! these show them at work.

use antiphon_engine::Config;
use antiphon_engine::input::Urgency;
use antiphon_engine::output::{AgentState, Event, TranscriptWords};

use crate::story::{Story, agent_greets, config, say};

#[test]
fn even_a_single_word_comes_in_parts_and_then_whole() {
    let mut story = Story::joined(Config { first_speaker: agent_greets("Hi"), ..config() });
    story.run_secs(1);
    story.expect(
        r#"
        0.000s started
        0.000s state Thinking
        0.000s voice "Hi"
        0.020s state Speaking
        0.070s agent #0 "Hi"
        0.120s agent #0 ="Hi"
        0.120s state Listening
        "#,
    );
}

#[test]
fn the_final_transcript_comes_after_the_last_audio_was_heard_and_before_listening() {
    let mut story = Story::joined(Config { first_speaker: agent_greets("one two three"), ..config() });
    story.run_secs(2);
    let when = |wanted: &dyn Fn(&Event) -> bool| {
        let found = story.seen.events.iter().position(|(_, event)| wanted(event));
        let index = found.expect("it was told");
        (index, story.seen.events[index].0)
    };
    let last = when(
        &|event| matches!(event, Event::Transcript(transcript) if matches!(transcript.words, TranscriptWords::Final(_))),
    );
    let listening = when(&|event| *event == Event::StateChanged(AgentState::Listening));
    let (played, .., lead) = *story.seen.played.last().expect("something was played");
    assert_eq!(last.1, played + lead, "when the last sample has been played");
    assert!(last < listening);
}

#[test]
fn words_come_with_their_leading_blank_however_the_model_streams_them() {
    let text = "It is five past ten. Anything else?";
    for size in 1..8 {
        let mut story = Story::joined(config());
        let tokens = text.as_bytes().chunks(size).map(|token| say(&String::from_utf8_lossy(token)));
        story.model_does(tokens.collect());
        story.user_writes("Time?", Urgency::Soon);
        story.run_secs(4);
        let parts: Vec<String> = story
            .told()
            .iter()
            .filter_map(|line| line.split_once("agent #1 ").map(|(_, words)| words.to_owned()))
            .collect();
        assert_eq!(
            parts,
            [
                r#""It""#,
                r#"+" is""#,
                r#"+" five""#,
                r#"+" past""#,
                r#"+" ten.""#,
                r#"+" Anything""#,
                r#"+" else?""#,
                &format!("={text:?}"),
            ],
            "in tokens of {size}"
        );
    }
}

#[test]
fn blanks_around_an_answer_belong_to_its_end_and_not_to_its_beginning() {
    let mut story = Story::joined(config());
    story.model_does(vec![say(" \n"), say("\n Hi"), say(" there. "), say(" \n")]);
    story.user_writes("Hello.", Urgency::Soon);
    story.run_secs(2);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        0.000s user (text) #0 ="Hello."
        0.000s state Thinking
        0.000s model
        0.100s voice "Hi there."
        0.120s state Speaking
        0.170s agent #1 "Hi"
        0.395s agent #1 +" there."
        0.570s agent #1 ="Hi there.  \n"
        0.570s state Listening
        "#,
    );
}

#[test]
fn a_late_users_transcript_keeps_the_place_of_its_turn() {
    let mut story = Story::joined(config());
    story.model_says("Fine.");
    story.transcript_after(2_000, "how are you");
    story.user_speaks(500);
    story.run_secs(4);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        0.884s transcribe 0..500 ms
        0.884s state Thinking
        0.884s model
        0.984s voice "Fine."
        1.004s state Speaking
        1.129s agent #1 "Fine."
        1.254s agent #1 ="Fine."
        1.254s state Listening
        2.884s user #0 ="how are you"
        "#,
    );
    assert_eq!(story.record(), ["user: how are you", "agent: Fine."], "and of its message in the record");
}

#[test]
fn a_turn_without_words_leaves_a_gap_in_the_ordinals() {
    let mut story = Story::joined(config());
    story.model_says("Pardon?");
    story.transcript_after(10, "");
    story.user_speaks(500);
    story.run_secs(2);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        0.884s transcribe 0..500 ms
        0.884s state Thinking
        0.884s model
        0.984s voice "Pardon?"
        1.004s state Speaking
        1.179s agent #1 "Pardon?"
        1.354s agent #1 ="Pardon?"
        1.354s state Listening
        "#,
    );
}

#[test]
fn ordinals_count_over_both_sides() {
    let mut story = Story::joined(Config { first_speaker: agent_greets("Hi."), ..config() });
    story.model_says("One.");
    story.model_says("Two.");
    story.run_secs(1);
    story.user_writes("First?", Urgency::Soon);
    story.run_secs(2);
    story.transcript_after(10, "second");
    story.user_speaks(500);
    story.run_secs(2);
    let ordinals: Vec<u32> =
        story.committed().iter().filter_map(|message| message.ordinal).map(|ordinal| ordinal.0).collect();
    assert_eq!(ordinals, [0, 1, 2, 3, 4]);
}
