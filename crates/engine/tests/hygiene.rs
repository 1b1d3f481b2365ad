//! What a model writes and nobody shall hear: tool calls as text, markdown, addresses (pain 9 of voice agents).

use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::Config;
use antiphon_engine::input::{ModelEvent, Urgency};
use antiphon_engine::message::Medium;

use crate::story::{Story, answer, config, say, tool};

fn with_look() -> Config {
    Config { tools: vec![tool("look")], ..config() }
}

/// The user asks, and the model streams these pieces, 20 ms between them.
fn asked(config: Config, pieces: &[&str]) -> Story {
    let mut story = Story::joined(config);
    story.model_does(pieces.iter().map(|piece| say(piece)).collect());
    story.model_says("It is on the table.");
    story.world.tool_answers = Some((Duration::from_millis(100), answer("table")));
    story.user_writes("Where is it?", Urgency::Soon);
    story.run_secs(8);
    story
}

/// What the voice was given.
fn spoken(story: &Story) -> Vec<String> {
    story.told().iter().filter_map(|line| Some(line.split_once(" voice ")?.1.to_owned())).collect()
}

#[test]
fn a_call_written_as_text_is_called_and_never_spoken() {
    let call = ["One moment. ", "{\"na", "me\": \"look\", ", "\"arguments\": {\"for\"", ": \"keys\"}}"];
    let story = asked(with_look(), &call);
    assert_eq!(spoken(&story), ["\"One moment.\"", "\"It is on the table.\""]);
    assert_eq!(story.seen.tools.len(), 1);
    assert_eq!(
        story.record(),
        [
            "user (text): Where is it?",
            "agent: One moment. ",
            "call look: {\"for\":\"keys\"}",
            "result look: table",
            "agent: It is on the table.",
        ]
    );
}

#[test]
fn a_call_that_breaks_off_is_answered_for_the_model_and_never_spoken() {
    let story = asked(with_look(), &["<tool_call>{\"name\": \"look\", \"arguments\": {\"for\": "]);
    assert_eq!(spoken(&story), ["\"It is on the table.\""]);
    assert!(story.seen.tools.is_empty());
    assert!(
        story.record()[2].starts_with("result look: The arguments are not valid"),
        "{:?}",
        story.record()
    );
}

#[test]
fn markdown_and_addresses_are_not_spoken() {
    let story = asked(
        with_look(),
        &["**See** [our", " page](https://exam", "ple.org/x), or https://example.org/y", ". "],
    );
    assert_eq!(spoken(&story), ["\"See our page, or example.org.\""]);
    assert_eq!(story.record()[1], "agent: See our page, or example.org. ");
}

#[test]
fn what_is_written_keeps_them() {
    let config = Config { output_medium: Medium::Text, ..with_look() };
    let story = asked(config, &["**See** [our", " page](https://example.org/x)"]);
    assert_eq!(story.record()[1], "agent: **See** [our page](https://example.org/x)");
}

#[test]
fn words_held_back_are_said_when_the_model_fails_in_the_middle() {
    let mut story = Story::joined(with_look());
    let failed = ModelEvent::Failed(Arc::from("overloaded"));
    story.model_streams_after(100, vec![say("It costs {"), failed]);
    story.user_writes("How much?", Urgency::Soon);
    story.run_secs(3);
    assert_eq!(story.record()[1], "agent: It costs {");
}

#[test]
fn ordinary_words_reach_the_voice_as_soon_as_they_come() {
    let mut story = Story::joined(with_look());
    story.model_does(vec![say("Yes. "), say("We have [that] in stock")]);
    story.user_writes("Any bread?", Urgency::Soon);
    let began = story.now();
    while !story.told().iter().any(|line| line.contains("voice \"Yes.\"")) {
        story.run_ms(10);
    }
    assert!(story.now().since(began) <= Duration::from_millis(110), "{:?}", story.told());
    assert!(!story.seen.prompts.is_empty() && story.seen.tools.is_empty());
}
