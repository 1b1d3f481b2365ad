//! Messages put into the agent's mouth: when they are said, and the tools that follow them (protocol.md 3.2, 5.4).

use std::sync::Arc;

use antiphon_engine::Config;
use antiphon_engine::config::Limits;
use antiphon_engine::input::{ForcedMessage, ForcedUrgency, Request, Urgency};
use antiphon_engine::output::AgentState;

use crate::story::{
    Story, agent_greets, answer, call, config, failed, forced, hang_up, tool, tool_call, writing,
};

const WORDS: &str = "one two three four five six seven eight nine ten";

fn say_now(content: &str) -> Request {
    Request::ForcedMessage(forced(content, ForcedUrgency::Immediate))
}

fn say_soon(content: &str) -> Request {
    Request::ForcedMessage(forced(content, ForcedUrgency::Soon))
}

#[test]
fn it_is_said_word_for_word_and_asks_the_model_nothing() {
    let mut story = Story::joined(config());
    story.request(say_soon("Exactly this."));
    story.run_secs(3);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        0.000s state Thinking
        0.000s voice "Exactly this."
        0.020s state Speaking
        0.195s agent #0 "Exactly"
        0.520s agent #0 +" this."
        0.670s agent #0 ="Exactly this."
        0.670s state Listening
        "#,
    );
    assert_eq!(story.record(), ["agent: Exactly this."]);
}

#[test]
fn soon_waits_for_the_agent_and_comes_before_the_next_answer() {
    let mut story = Story::joined(Config { first_speaker: agent_greets(WORDS), ..config() });
    story.model_says("Yes.");
    story.run_ms(900);
    story.user_writes("A question.", Urgency::Soon);
    story.request(say_soon("Forced."));
    story.run_secs(6);
    assert_eq!(
        story.record(),
        [&format!("agent: {WORDS}"), "user (text): A question.", "agent: Forced.", "agent: Yes."]
    );
}

#[test]
fn soon_waits_for_the_user() {
    let mut story = Story::joined(config());
    story.transcript_after(10, "so");
    story.run_ms(500);
    story.speech_starts();
    story.run_ms(500);
    story.request(say_soon("Forced."));
    story.run_secs(2);
    assert!(story.seen.utterances.is_empty());
    story.speech_stops();
    story.run_secs(1);
    assert_eq!(story.record(), ["user: so", "agent: Forced."]);
}

#[test]
fn several_are_said_in_their_order() {
    let mut story = Story::joined(config());
    for text in ["One.", "Two.", "Three."] {
        story.request(say_soon(text));
    }
    story.run_secs(5);
    assert_eq!(story.record(), ["agent: One.", "agent: Two.", "agent: Three."]);
}

#[test]
fn immediate_cuts_the_agent_off() {
    let mut story = Story::joined(Config { first_speaker: agent_greets(WORDS), ..config() });
    story.run_ms(900);
    story.skip();
    story.request(say_now("Attention!"));
    story.run_secs(2);
    story.expect(
        r#"
        0.900s cancel voice
        0.900s clear
        0.900s agent #0 ="one two three four"
        0.900s state Thinking
        0.900s voice "Attention!"
        0.920s state Speaking
        1.170s agent #1 "Attention!"
        1.420s agent #1 ="Attention!"
        1.420s state Listening
        "#,
    );
}

#[test]
fn immediate_speaks_over_the_user_whose_turn_goes_on() {
    let mut story = Story::joined(config());
    story.transcript_after(10, "and so on");
    story.run_ms(500);
    story.speech_starts();
    story.run_ms(500);
    story.request(say_now("Attention please, everybody."));
    story.run_ms(500);
    assert_eq!(story.state(), Some(AgentState::Speaking));
    story.run_secs(2);
    story.speech_stops();
    story.run_secs(1);
    assert_eq!(story.record(), ["agent: Attention please, everybody.", "user: and so on"]);
    assert_eq!(story.seen.prompts.len(), 1, "and is answered when it ends");
}

#[test]
fn a_new_turn_interrupts_what_spoke_over_the_last_one() {
    let mut story = Story::joined(config());
    story.run_ms(500);
    story.speech_starts();
    story.run_ms(500);
    story.request(say_now(WORDS));
    story.run_ms(200);
    story.speech_stops();
    story.run_ms(700);
    assert_eq!(story.state(), Some(AgentState::Speaking));
    story.user_speaks(200);
    assert_ne!(story.state(), Some(AgentState::Speaking));
}

#[test]
fn immediate_drops_an_answer_in_the_making_which_is_given_afterwards() {
    let mut story = Story::joined(config());
    story.model_says("Never.");
    story.model_says("Noon.");
    story.user_writes("What time is it?", Urgency::Soon);
    story.run_ms(50);
    story.request(say_now("Attention!"));
    story.run_secs(3);
    assert_eq!(story.record(), ["user (text): What time is it?", "agent: Attention!", "agent: Noon."]);
}

#[test]
fn an_uninterruptible_one_is_said_to_its_end() {
    let mut story = Story::joined(config());
    story.transcript_after(10, "hey");
    let message = ForcedMessage { uninterruptible: true, ..forced(WORDS, ForcedUrgency::Soon) };
    story.request(Request::ForcedMessage(message));
    story.run_ms(900);
    story.user_speaks(400);
    story.request(say_now("Me first!"));
    story.run_secs(5);
    assert_eq!(story.record(), [&format!("agent: {WORDS}"), "user: hey", "agent: Me first!"]);
}

#[test]
fn its_tools_run_after_it_was_said_and_carry_the_callers_ids() {
    let mut story = Story::joined(Config { tools: vec![tool("look")], ..config() });
    story.model_says("Found.");
    let message = ForcedMessage {
        tool_calls: vec![tool_call("look", r#"{"where":"here"}"#, Some("mine"))],
        ..forced("Let me see.", ForcedUrgency::Soon)
    };
    story.request(Request::ForcedMessage(message));
    story.run_secs(1);
    let id = story.seen.tools[0];
    story.tool_answers(id, answer("keys"));
    story.run_secs(1);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        0.000s state Thinking
        0.000s voice "Let me see."
        0.020s state Speaking
        0.095s agent #0 "Let"
        0.245s agent #0 +" me"
        0.445s agent #0 +" see."
        0.570s agent #0 ="Let me see."
        0.570s state Thinking
        0.570s tool look {"where":"here"}
        1.000s model
        1.100s voice "Found."
        1.120s state Speaking
        1.270s agent #1 "Found."
        1.420s agent #1 ="Found."
        1.420s state Listening
        "#,
    );
    assert_eq!(
        story.record(),
        ["agent: Let me see.", r#"call look: {"where":"here"}"#, "result look: keys", "agent: Found."]
    );
}

#[test]
fn tools_alone_need_no_words() {
    let mut story = Story::joined(Config { tools: vec![tool("look")], ..config() });
    let message =
        ForcedMessage { tool_calls: vec![tool_call("look", "", None)], ..forced("", ForcedUrgency::Soon) };
    story.request(Request::ForcedMessage(message));
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        0.000s state Thinking
        0.000s tool look {}
        "#,
    );
}

#[test]
fn neither_words_nor_tools_change_nothing() {
    let mut story = Story::joined(config());
    story.skip();
    story.request(say_soon("  "));
    story.request(say_now(""));
    story.run_secs(1);
    story.expect("");
}

#[test]
fn a_known_result_is_used_in_place_of_running_the_tool() {
    let mut story = Story::joined(Config { tools: vec![tool("look"), tool("book")], ..config() });
    story.model_says("All done.");
    let message = ForcedMessage {
        tool_calls: vec![tool_call("look", "{}", Some("a")), tool_call("book", "{}", Some("b"))],
        known_results: vec![
            (Arc::from("b"), answer("booked")),
            (Arc::from("a"), failed("no luck", "nothing there")),
            (Arc::from("c"), answer("nobody asked")),
        ],
        ..forced("", ForcedUrgency::Soon)
    };
    story.request(Request::ForcedMessage(message));
    story.run_secs(1);
    assert!(story.seen.tools.is_empty(), "nothing runs");
    assert_eq!(
        story.record(),
        [
            "call look: {}",
            "call book: {}",
            "result look: no luck (nothing there)",
            "result book: booked",
            "agent: All done.",
        ]
    );
}

#[test]
fn a_known_result_may_end_the_call() {
    let mut story = Story::joined(Config { tools: vec![tool("leave")], ..config() });
    let message = ForcedMessage {
        tool_calls: vec![tool_call("leave", "{}", Some("a"))],
        known_results: vec![(Arc::from("a"), hang_up(true, Some("Farewell.")))],
        ..forced("That is all.", ForcedUrgency::Soon)
    };
    story.request(Request::ForcedMessage(message));
    story.run_secs(3);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        0.000s state Thinking
        0.000s voice "That is all."
        0.020s state Speaking
        0.120s agent #0 "That"
        0.295s agent #0 +" is"
        0.495s agent #0 +" all."
        0.620s agent #0 ="That is all."
        0.620s state Thinking
        0.620s voice "Farewell."
        0.640s state Speaking
        0.865s agent #1 "Farewell."
        1.090s agent #1 ="Farewell."
        1.090s close AgentHangUp
        1.090s ended AgentHangUp
        "#,
    );
}

#[test]
fn its_tools_are_dropped_when_it_is_interrupted() {
    let mut story = Story::joined(Config { tools: vec![tool("look")], ..config() });
    let message = ForcedMessage {
        tool_calls: vec![tool_call("look", "{}", None)],
        ..forced(WORDS, ForcedUrgency::Soon)
    };
    story.request(Request::ForcedMessage(message));
    story.run_ms(900);
    story.user_speaks(300);
    story.run_secs(2);
    assert!(story.seen.tools.is_empty());
}

#[test]
fn immediate_waits_for_a_running_tool() {
    let mut story = Story::joined(Config { tools: vec![tool("look")], ..config() });
    story.model_does(vec![call("look", "{}")]);
    story.user_writes("Look.", Urgency::Soon);
    story.run_ms(300);
    story.request(say_now("Attention!"));
    story.run_ms(300);
    assert!(story.seen.utterances.is_empty());
    let id = story.seen.tools[0];
    story.tool_answers(id, answer("here"));
    story.run_ms(20);
    assert_eq!(story.state(), Some(AgentState::Speaking));
}

#[test]
fn a_flood_in_writing_stops_at_what_a_call_holds() {
    let limits = Limits { history_bytes: 8_192, ..Limits::default() };
    let mut story = Story::joined(Config { limits, ..writing() });
    for _ in 0..1_000 {
        story.request(say_now("Spam."));
    }
    assert!(story.record().len() <= 32, "{} messages", story.record().len());
}

#[test]
fn a_flood_aloud_is_dropped_and_told() {
    let mut story = Story::joined(config());
    for _ in 0..100 {
        story.request(say_soon("Spam."));
    }
    let dropped = story.told().iter().filter(|line| line.ends_with("notice forced_message.dropped")).count();
    assert_eq!(dropped, 100 - 1 - Limits::default().waiting_messages);
}

#[test]
fn more_tools_than_one_message_may_use_are_ignored_and_told() {
    let mut story = Story::joined(Config { tools: vec![tool("look")], ..config() });
    let message = ForcedMessage {
        tool_calls: (0..100).map(|_| tool_call("look", "{}", None)).collect(),
        ..forced("", ForcedUrgency::Soon)
    };
    story.request(Request::ForcedMessage(message));
    assert_eq!(story.seen.tools.len(), Limits::default().tool_calls);
    assert!(story.told().iter().any(|line| line.ends_with("notice tool.too_many_calls")));
}
