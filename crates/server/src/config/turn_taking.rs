//! `[turn_taking]`: when speech over the agent interrupts it, and what is made of the user's pauses. A call may ask for other
//! values in `experimentalSettings.antiphon.turnTaking`; `vadSettings` keep their published meaning beside these.

use std::time::Duration;

use antiphon_engine::config::{InterruptionPolicy, PausePolicy};
use serde::{Deserialize, Serialize};

use super::period;
use super::problem::Checks;

/// The longest that any of these may be; longer ones are surely mistakes of unit.
const LONGEST: Duration = Duration::from_secs(60);

/// The `[turn_taking]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TurnTaking {
    /// Speech over the agent pauses it and is judged then, if the client's buffer is below this; from there on it interrupts at
    /// once. Zero: always at once. Default 250 ms.
    #[serde(with = "period")]
    pub pause_below: Duration,
    /// The longest such pause. Whoever still speaks at its end interrupts. Default 500 ms.
    #[serde(with = "period")]
    pub longest_pause: Duration,
    /// Speech of this length interrupts, whatever its words. Default 600 ms.
    #[serde(with = "period")]
    pub certain_speech: Duration,
    /// Silence after shorter speech that lets the agent go on, where speech is not judged by its words. Default 240 ms.
    #[serde(with = "period")]
    pub settled: Duration,
    /// Whether shorter speech is judged by its words, where something makes transcripts; else by its length. Default true.
    pub judge_words: bool,
    /// How long the first moments of the agent's message are, in which it takes more speech to interrupt. Default 500 ms.
    #[serde(with = "period")]
    pub first_moments: Duration,
    /// How much speech. Default 200 ms.
    #[serde(with = "period")]
    pub minimum_at_first: Duration,
    /// Whether the agent's own voice, coming back from the user's loudspeaker, is kept from interrupting it. Default true.
    pub echo_guard: bool,
    /// Silence after which a pause is looked at: by the turn detector, the transcriber, the model. Default 160 ms.
    #[serde(with = "period")]
    pub lull: Duration,
    /// The longest silence within a turn, where something says that the user is not finished. Default 1600 ms.
    #[serde(with = "period")]
    pub longest_endpoint_delay: Duration,
    /// Whether words that leave a sentence open hold the turn open, where something makes transcripts and no turn detector is
    /// configured. It costs a transcription a pause. Default false.
    pub open_sentences: bool,
    /// Whether the model begins in pauses. Default `auto`.
    pub speculative: Speculation,
}

/// Whether the model begins while the user pauses, before the turn is over. It answers sooner, and runs more often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speculation {
    /// Where it hears audio: it needs not wait for words.
    #[default]
    Auto,
    /// Always. A model that reads begins when the words are known, which takes a transcription a pause.
    Always,
    /// Never.
    Never,
}

impl Default for TurnTaking {
    fn default() -> Self {
        let pauses = PausePolicy::default();
        let interruption = InterruptionPolicy::default();
        Self {
            pause_below: interruption.pause_below,
            longest_pause: interruption.longest_pause,
            certain_speech: interruption.certain_speech,
            settled: interruption.settled,
            judge_words: true,
            first_moments: interruption.first_moments,
            minimum_at_first: interruption.minimum_at_first,
            echo_guard: true,
            lull: pauses.lull,
            longest_endpoint_delay: pauses.longest_delay,
            open_sentences: pauses.words,
            speculative: Speculation::default(),
        }
    }
}

impl TurnTaking {
    pub(super) fn validate(&self, checks: &mut Checks) {
        for (field, period) in [
            ("pause_below", self.pause_below),
            ("longest_pause", self.longest_pause),
            ("certain_speech", self.certain_speech),
            ("settled", self.settled),
            ("first_moments", self.first_moments),
            ("minimum_at_first", self.minimum_at_first),
            ("lull", self.lull),
            ("longest_endpoint_delay", self.longest_endpoint_delay),
        ] {
            if period > LONGEST {
                checks.refuse(&format!("turn_taking.{field}"), "must be between \"0s\" and \"60s\"");
            }
        }
    }
}
