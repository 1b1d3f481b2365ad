//! Answers in writing, and changing the medium while a call runs (protocol.md 3.7, A-36, A-60, A-62).

use antiphon_engine::Config;
use antiphon_engine::input::{Request, Urgency};
use antiphon_engine::message::Medium;
use antiphon_engine::output::{AgentState, Event};

use crate::story::{Story, agent_greets, call, config, say, tool, writing};

fn set(medium: Medium) -> Request {
    Request::SetOutputMedium(medium)
}

#[test]
fn a_written_answer_streams_as_it_is_made_and_never_speaks() {
    let mut story = Story::joined(writing());
    story.model_does(vec![say("It is"), say(" noon"), say(". "), say("Bye. ")]);
    story.user_writes("What time is it?", Urgency::Soon);
    story.run_secs(1);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        0.000s user (text) #0 ="What time is it?"
        0.000s state Thinking
        0.000s model
        0.100s agent (text) #1 "It is"
        0.100s agent (text) #1 +" noon"
        0.100s agent (text) #1 +". "
        0.100s agent (text) #1 +"Bye. "
        0.100s agent (text) #1 ="It is noon. Bye. "
        0.100s state Listening
        "#,
    );
    assert!(story.seen.played.is_empty());
    let spoke = |(_, event): &(_, Event)| *event == Event::StateChanged(AgentState::Speaking);
    assert!(!story.seen.events.iter().any(spoke));
}

#[test]
fn the_users_voice_is_still_heard() {
    let mut story = Story::joined(writing());
    story.transcript_after(10, "what time is it");
    story.model_says("Noon.");
    story.run_secs(1);
    story.user_speaks(500);
    story.run_secs(1);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        1.884s transcribe 700..1500 ms
        1.884s state Thinking
        1.884s model
        1.894s user #0 ="what time is it"
        1.984s agent (text) #1 "Noon."
        1.984s agent (text) #1 ="Noon."
        1.984s state Listening
        "#,
    );
}

#[test]
fn a_greeting_is_written() {
    let mut story = Story::joined(Config { first_speaker: agent_greets("Hi."), ..writing() });
    story.expect(
        r#"
        0.000s started
        0.000s state Thinking
        0.000s agent (text) #0 "Hi."
        0.000s agent (text) #0 ="Hi."
        0.000s state Listening
        "#,
    );
}

#[test]
fn a_message_under_way_keeps_its_medium() {
    let mut story = Story::joined(Config { first_speaker: agent_greets("one two three four"), ..config() });
    story.model_says("Noted.");
    story.run_ms(300);
    story.request(set(Medium::Text));
    story.user_writes("Write, please.", Urgency::Soon);
    story.run_secs(2);
    story.expect(
        r#"
        0.000s started
        0.000s state Thinking
        0.000s voice "one two three four"
        0.020s state Speaking
        0.095s agent #0 "one"
        0.270s agent #0 +" two"
        0.300s user (text) #1 ="Write, please."
        0.520s agent #0 +" three"
        0.795s agent #0 +" four"
        0.920s agent #0 ="one two three four"
        0.920s state Thinking
        0.920s model
        1.020s agent (text) #2 "Noted."
        1.020s agent (text) #2 ="Noted."
        1.020s state Listening
        "#,
    );
}

#[test]
fn a_message_without_words_takes_the_new_medium() {
    let mut story = Story::joined(config());
    story.model_says("Noted.");
    story.user_writes("Write, please.", Urgency::Soon);
    story.run_ms(50);
    story.request(set(Medium::Text));
    story.run_secs(1);
    assert!(story.told().iter().any(|line| line.ends_with(r#"agent (text) #1 "Noted.""#)));
    assert!(story.committed().iter().all(|message| message.medium == Medium::Text));
}

#[test]
fn back_to_voice_from_the_next_message_on() {
    let mut story = Story::joined(writing());
    story.model_streams_after(100, vec![say("Written")]);
    story.model_says("Spoken.");
    story.user_writes("One.", Urgency::Soon);
    story.run_ms(200);
    story.request(set(Medium::Voice));
    story.run_ms(200);
    story.skip();
    story.user_writes("Two.", Urgency::Immediate);
    story.run_secs(1);
    story.expect(
        r#"
        0.400s cancel model
        0.400s agent (text) #1 ="Written"
        0.400s state Listening
        0.400s user (text) #2 ="Two."
        0.400s state Thinking
        0.400s model
        0.500s voice "Spoken."
        0.520s state Speaking
        0.695s agent #3 "Spoken."
        0.870s agent #3 ="Spoken."
        0.870s state Listening
        "#,
    );
}

#[test]
fn a_written_answer_with_a_tool_is_complete_before_the_tool_runs() {
    let mut story = Story::joined(Config { tools: vec![tool("look")], ..writing() });
    story.model_does(vec![say("Let me see."), call("look", "{}")]);
    story.user_writes("Look.", Urgency::Soon);
    story.run_secs(1);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        0.000s user (text) #0 ="Look."
        0.000s state Thinking
        0.000s model
        0.100s agent (text) #1 "Let me see."
        0.100s agent (text) #1 ="Let me see."
        0.100s state Listening
        0.100s state Thinking
        0.100s tool look {}
        "#,
    );
}

#[test]
fn two_written_answers_in_a_row_are_told_apart_by_a_state() {
    let mut story = Story::joined(writing());
    story.model_says("First.");
    story.model_says("Second.");
    story.user_writes("One?", Urgency::Soon);
    story.run_ms(50);
    story.user_writes("Two?", Urgency::Soon);
    story.run_secs(1);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        0.000s user (text) #0 ="One?"
        0.000s state Thinking
        0.000s model
        0.050s user (text) #1 ="Two?"
        0.100s agent (text) #2 "First."
        0.100s agent (text) #2 ="First."
        0.100s state Listening
        0.100s state Thinking
        0.100s model
        0.200s agent (text) #3 "Second."
        0.200s agent (text) #3 ="Second."
        0.200s state Listening
        "#,
    );
}

#[test]
fn a_written_message_longer_than_allowed_is_cut_and_told() {
    let mut config = writing();
    config.limits.message_bytes = 10;
    let mut story = Story::joined(config);
    story.model_does(vec![say("12345678ä"), say("ä and more"), say("never")]);
    story.user_writes("Go.", Urgency::Soon);
    story.run_secs(1);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        0.000s user (text) #0 ="Go."
        0.000s state Thinking
        0.000s model
        0.100s agent (text) #1 "12345678ä"
        0.100s notice model.message_too_long
        0.100s cancel model
        0.100s agent (text) #1 ="12345678ä"
        0.100s state Listening
        "#,
    );
}
