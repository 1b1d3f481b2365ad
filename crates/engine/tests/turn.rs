//! The user's turn: when it ends, what it leads to, and what is too short to be one (protocol.md 5.2).

use crate::story::{Story, config};

#[test]
fn the_agent_answers_after_the_endpoint_delay() {
    let mut story = Story::joined(config());
    story.model_says("Fine, thanks. And you?");
    story.transcript_after(250, "how are you");
    story.run_ms(1_000);
    story.user_speaks(1_500);
    story.run_secs(4);
    story.expect("");
}
