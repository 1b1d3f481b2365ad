//! Who speaks first, and what happens before anybody does (protocol.md 5.5, A-36, A-64).

use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::Config;
use antiphon_engine::config::{FirstSpeaker, Greeting};
use antiphon_engine::input::Urgency;
use antiphon_engine::message::{Medium, Message, MessageBody};

use crate::story::{Story, agent_greets, config};

#[test]
fn the_agent_greets_with_fixed_words() {
    let mut story = Story::joined(Config { first_speaker: agent_greets("Hi there."), ..config() });
    story.run_secs(2);
    story.expect("");
}
