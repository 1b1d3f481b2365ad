//! A tool's life, interrupted at every point of it: before its words are said, while it runs, as it answers, and after. Whatever the
//! moment, it is in the record with exactly one result or not at all, and what has side effects is never cancelled (pain 7 of voice
//! agents).

use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::Config;
use antiphon_engine::config::Tool;
use antiphon_engine::input::Urgency;

use crate::story::{Story, answer, call, config, say, tool};

/// The tool takes this long.
const TAKES: Duration = Duration::from_millis(600);

/// The user asks at once; the model says a sentence and calls the tool; somewhere, at `moment`, the user breaks in.
fn story(tool: Tool, moment: u64, breaks_in: fn(&mut Story)) -> Story {
    let mut story = Story::joined(Config { tools: vec![tool], ..config() });
    story.world.tool_answers = Some((TAKES, answer("on the table")));
    story.model_does(vec![say("Let me see."), call("look", "{}")]);
    for _ in 0..3 {
        story.model_says("Fine.");
    }
    story.user_writes("Where are my keys?", Urgency::Soon);
    story.run_ms(moment);
    breaks_in(&mut story);
    story.run_secs(8);
    story
}

fn speaks(story: &mut Story) {
    story.user_speaks(700);
}

fn writes(story: &mut Story) {
    story.user_writes("Never mind.", Urgency::Immediate);
}

fn count(story: &Story, beginning: &str) -> usize {
    story.record().iter().filter(|line| line.starts_with(beginning)).count()
}

fn cancelled(story: &Story) -> usize {
    story.told().iter().filter(|line| line.ends_with("cancel tool")).count()
}

/// The moments of the whole life, each 10 ms: it lasts some two and a half seconds.
fn moments() -> impl Iterator<Item = u64> {
    (0..2_600).step_by(10)
}

#[test]
fn a_tool_that_ran_has_one_result_and_is_never_cancelled() {
    for breaks_in in [speaks, writes] {
        let mut ran = 0;
        for moment in moments() {
            let story = story(tool("look"), moment, breaks_in);
            let (calls, results) = (count(&story, "call look"), count(&story, "result look: on the table"));
            assert_eq!(calls, story.seen.tools.len(), "at {moment} ms: {:#?}", story.record());
            assert_eq!(calls, results, "at {moment} ms: {:#?}", story.record());
            assert!(calls <= 1, "at {moment} ms it ran {calls} times");
            assert_eq!(cancelled(&story), 0, "at {moment} ms");
            ran += calls;
        }
        assert!((100..250).contains(&ran), "of 260 moments, {ran} were after it began");
    }
}

#[test]
fn a_tool_that_only_reads_is_dropped_without_a_trace_or_kept_with_its_result() {
    for breaks_in in [speaks, writes] {
        for moment in moments() {
            let early = Tool { precomputable: true, ..tool("look") };
            let story = story(early, moment, breaks_in);
            let (calls, results) = (count(&story, "call look"), count(&story, "result look: on the table"));
            assert_eq!(calls, results, "at {moment} ms: {:#?}", story.record());
            assert!(calls <= 1 && story.seen.tools.len() <= 1, "at {moment} ms");
        }
    }
}

#[test]
fn a_tool_that_is_answered_for_is_never_answered_twice() {
    for breaks_in in [speaks, writes] {
        for moment in moments() {
            let answered_for = Tool { static_response: Some(Arc::from("Noted.")), ..tool("look") };
            let story = story(answered_for, moment, breaks_in);
            assert_eq!(count(&story, "call look"), count(&story, "result look: Noted."), "at {moment} ms");
            assert_eq!(
                count(&story, "result look: on the table"),
                0,
                "at {moment} ms: {:#?}",
                story.record()
            );
        }
    }
}

#[test]
fn a_hang_up_in_a_tools_life_leaves_it_with_its_one_result() {
    for moment in moments() {
        let story = story(tool("look"), moment, Story::hangs_up);
        assert!(story.is_over(), "at {moment} ms");
        assert_eq!(
            count(&story, "call look"),
            count(&story, "result look"),
            "at {moment} ms: {:#?}",
            story.record()
        );
    }
}
