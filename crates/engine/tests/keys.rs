//! Keys of a telephone that a tool has the agent press: they travel like its voice, and leave no words (protocol.md 6.11).

use std::time::Duration;

use antiphon_engine::Config;
use antiphon_engine::config::Tool;
use antiphon_engine::ids::InvocationId;
use antiphon_engine::input::{Reaction, Urgency};
use antiphon_engine::message::Medium;
use antiphon_engine::output::AgentState;

use crate::story::{Story, call, config, hang_up, press, say, tool};

fn pressing(reaction: Reaction) -> Config {
    Config { tools: vec![Tool { reaction, ..tool("press") }, tool("end")], ..config() }
}

fn asked(config: Config) -> Story {
    let mut story = Story::joined(config);
    story.world.tool_answers = Some((Duration::ZERO, press("12#")));
    story.model_does(vec![call("press", "{}")]);
    story.user_writes("Press one for sales, two for support.", Urgency::Soon);
    story.run_ms(99);
    story.skip();
    story.run_ms(1);
    story
}

#[test]
fn keys_sound_while_the_agent_speaks_and_then_it_listens() {
    let mut story = asked(pressing(Reaction::Listens));
    story.run_secs(2);
    story.expect(
        r#"
        0.100s tool press {}
        0.100s keys 12#
        0.100s state Speaking
        0.900s state Listening
        "#,
    );
    let played: u32 = story.seen.played.iter().map(|(_, _, samples, _)| samples).sum();
    assert_eq!(played, 16 * 800, "three keys of 200 ms with two pauses of 100 ms");
    assert_eq!(
        story.record(),
        ["user (text): Press one for sales, two for support.", "call press: {}", "result press: OK"],
        "the keys leave no words"
    );
}

#[test]
fn an_answer_that_is_owed_waits_for_the_last_key() {
    let mut story = asked(pressing(Reaction::Speaks));
    story.model_says("Done.");
    story.run_ms(799);
    assert_eq!(story.state(), Some(AgentState::Speaking));
    story.skip();
    story.run_ms(10);
    story.expect("0.900s state Thinking\n0.900s model");
    assert_eq!(story.last_prompt().last().map(String::as_str), Some("result press: OK"));
}

#[test]
fn nobody_interrupts_a_number_and_what_is_said_over_it_is_answered() {
    let mut story = asked(pressing(Reaction::Listens));
    story.model_says("Pardon?");
    story.user_speaks(500);
    story.run_ms(299);
    assert_eq!(story.state(), Some(AgentState::Speaking));
    story.run_secs(1);
    assert_eq!(story.seen.utterances.len(), 1, "only the answer is spoken");
    let played = |until: u64| {
        let until = antiphon_engine::CallTime::from_micros(until * 1_000);
        story.seen.played.iter().filter(|(at, ..)| *at < until).map(|(_, _, samples, _)| samples).sum::<u32>()
    };
    assert_eq!(played(900), 16 * 800, "all keys were pressed");
    assert_eq!(story.seen.prompts.len(), 2, "{:#?}", story.told());
}

#[test]
fn an_agent_that_writes_presses_keys_all_the_same() {
    let mut story = asked(Config { output_medium: Medium::Text, ..pressing(Reaction::Listens) });
    story.run_secs(1);
    story.expect("0.100s tool press {}\n0.100s keys 12#\n0.100s state Speaking\n0.900s state Listening");
}

#[test]
fn a_call_that_ends_among_the_keys_stops_them() {
    let mut story = asked(pressing(Reaction::Listens));
    story.run_ms(300);
    story.skip();
    story.hangs_up();
    story.run_secs(3);
    assert!(story.is_over());
    assert_eq!(story.told()[..2], ["0.400s cancel voice", "0.400s clear"]);
}

#[test]
fn a_farewell_that_is_asked_for_beside_the_keys_comes_after_them() {
    let mut story = Story::joined(pressing(Reaction::Listens));
    story.model_does(vec![call("press", "{}"), call("end", "{}")]);
    story.user_writes("Press and go.", Urgency::Soon);
    story.run_ms(100);
    story.tool_answers(InvocationId(0), press("1"));
    story.skip();
    story.tool_answers(InvocationId(1), hang_up(true, Some("Bye.")));
    story.run_secs(3);
    assert!(story.is_over());
    assert_eq!(story.told()[0], "0.100s keys 1");
    assert_eq!(story.record().last().map(String::as_str), Some("agent: Bye."));
    let spoken: u32 = story.seen.played.iter().map(|(_, _, samples, _)| samples).sum();
    assert_eq!(spoken, 16 * (200 + 4 * 50));
}

#[test]
fn words_before_the_keys_are_heard_before_them() {
    let mut story = Story::joined(pressing(Reaction::Listens));
    story.world.tool_answers = Some((Duration::ZERO, press("1")));
    story.model_does(vec![say("I press one."), call("press", "{}")]);
    story.user_writes("Press one.", Urgency::Soon);
    story.run_secs(2);
    let told = story.told();
    let of = |what: &str| told.iter().position(|line| line.contains(what)).expect(what);
    assert!(of("=\"I press one.\"") < of("keys 1"), "{told:#?}");
    assert_eq!(story.record()[1], "agent: I press one.");
}
