//! When a conversation that has nothing more to say is over. Pure.

use std::time::Duration;

use crate::conversation::Scene;

/// How long an agent has to begin its answer before silence counts as the end of it. Models on small machines take their time.
const BEFORE_AN_ANSWER: u32 = 3;

/// Waits for the agent to finish.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    linger: Duration,
}

impl Patience {
    pub(super) fn of_seconds(seconds: u64) -> Self {
        Self { linger: Duration::from_secs(seconds) }
    }

    /// Whether the agent has nothing more to say to what ended at `asked`, when it had finished `answers` utterances: it has
    /// answered and been quiet for a while, or been quiet for so long that no answer will come.
    pub(super) fn is_over(&self, scene: &Scene<'_>, asked: Duration, answers: usize) -> bool {
        let waited = scene.at.saturating_sub(asked).min(scene.quiet_for);
        let patience = if scene.answers() > answers { self.linger } else { self.linger * BEFORE_AN_ANSWER };
        waited >= patience
    }
}
