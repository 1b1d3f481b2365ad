//! When speech counts (protocol.md 5.2).

use crate::duration::WireDuration;
use crate::json::check::Within;
use crate::json::record;

record! {
    /// Voice activity settings.
    #[derive(Default)]
    pub struct VadSettings {
        /// Least silence after speech before the agent may answer; 0.384s if absent. Works in steps of 32 ms.
        turn_endpoint_delay: Option<WireDuration>,
        /// Speech shorter than this is no turn; 0s if absent.
        minimum_turn_duration: Option<WireDuration>,
        /// Speech needed to interrupt the agent; 0.09s if absent.
        minimum_interruption_duration: Option<WireDuration>,
        /// Speech probability from which a frame counts as speech, 0.1 to 1; 0.1 if absent.
        frame_activation_threshold: Option<f64> where Within(0.1, 1.0),
    }
}
