//! `[calls]`: what calls get that ask for nothing, and what no call may exceed.

use std::time::Duration;

use antiphon_audio::SampleRate;
use serde::{Deserialize, Serialize};

use super::period;
use super::problem::Checks;

/// The `[calls]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Calls {
    /// The model of calls that name none or one of the published names. Default `demo`, the built-in script.
    pub default_model: String,
    /// The voice of calls that name none. Default `kal`, the built-in one.
    pub default_voice: String,
    /// The medium of calls that name none (protocol.md A-34). Default `webRtc`, as published; `serverWebSocket` gives such
    /// calls the plain WebSocket's join URL.
    pub default_medium: DefaultMedium,
    /// Samples per second, both ways, of a call whose medium says nothing of it. Default 48000 (protocol.md A-34).
    pub default_sample_rate: u32,
    /// The longest `maxDuration` a call may ask for; also what it gets when it asks for none, if that is less than the
    /// published default of an hour. Default 1 h.
    #[serde(with = "period")]
    pub maximum_duration: Duration,
    /// The longest `joinTimeout` a call may ask for. Default 1 h.
    #[serde(with = "period")]
    pub maximum_join_timeout: Duration,
    /// How many calls may be waiting for a join or in progress; one more is answered 503. Default 1000.
    pub maximum_live: usize,
    /// How late 99 of 100 wake-ups of the last five seconds may be before new calls are answered 429, since those there are would
    /// suffer; zero never does. Default 100 ms.
    #[serde(with = "period")]
    pub maximum_lateness: Duration,
    /// What the agent says before the call ends because no model answers (`system_error`); empty for nothing. Default "I'm sorry,
    /// I'm having technical difficulties right now. Please try again later."
    pub apology: String,
    /// How long a call waits for its client when the connection is lost without a word, 0 to 10 minutes, if the client asked for
    /// that as it joined (`rejoin`). Default 0: it does not, and ends.
    #[serde(with = "period")]
    pub rejoin_window: Duration,
    /// How many bytes of data messages a call keeps for such a client, at most 16 MiB. Default 256 KiB.
    pub rejoin_buffer_bytes: usize,
}

/// The default of `apology`.
const APOLOGY: &str = "I'm sorry, I'm having technical difficulties right now. Please try again later.";

/// The medium of calls that name none, spelled as on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DefaultMedium {
    /// Audio and data messages on one WebSocket.
    ServerWebSocket,
    /// The published default.
    WebRtc,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            default_model: "demo".to_owned(),
            default_voice: "kal".to_owned(),
            default_medium: DefaultMedium::WebRtc,
            default_sample_rate: 48_000,
            maximum_duration: Duration::from_secs(3600),
            maximum_join_timeout: Duration::from_secs(3600),
            maximum_live: 1000,
            maximum_lateness: Duration::from_millis(100),
            apology: APOLOGY.to_owned(),
            rejoin_window: Duration::ZERO,
            rejoin_buffer_bytes: 256 << 10,
        }
    }
}

impl Calls {
    pub(super) fn validate(&self, checks: &mut Checks) {
        if let Err(error) = SampleRate::new(self.default_sample_rate) {
            checks.refuse("calls.default_sample_rate", error.to_string());
        }
        for (field, period) in
            [("maximum_duration", self.maximum_duration), ("maximum_join_timeout", self.maximum_join_timeout)]
        {
            if period.is_zero() {
                checks.refuse(&format!("calls.{field}"), "no call could be held; write at least \"1s\"");
            }
        }
        if self.rejoin_window > Duration::from_secs(600) {
            checks.refuse("calls.rejoin_window", "must be at most \"10m\"");
        }
        if self.rejoin_buffer_bytes > 16 << 20 {
            checks.refuse("calls.rejoin_buffer_bytes", "must be at most 16777216");
        }
        if self.maximum_live == 0 {
            checks.refuse("calls.maximum_live", "no call could be held; write at least 1");
        }
    }
}
