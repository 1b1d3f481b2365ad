//! The WebSocket that the server dials for one call (protocol.md 2.9, 7.7).

use std::collections::BTreeMap;

use super::data_messages::EnabledDataMessages;
use crate::json::check::WEBSOCKET_URL;
use crate::json::{record, words};
use crate::sample_rate::SampleRate;
use crate::secret::{Secret, hidden};

record! {
    /// A further participant, which the server connects to.
    pub struct DataConnectionConfig {
        /// Where to connect.
        websocket_url: String where WEBSOCKET_URL,
        /// What audio to send there; none if absent.
        audio_config: Option<DataConnectionAudioConfig>,
        /// Which messages to send there.
        data_messages: Option<EnabledDataMessages>,
        /// Further headers of the handshake. Their values are never returned.
        headers: BTreeMap<String, Secret>,
    }
}

record! {
    /// The audio of a data connection.
    #[derive(Default)]
    pub struct DataConnectionAudioConfig {
        /// Samples per second; 16000 if absent.
        sample_rate: Option<SampleRate>,
        /// How the two voices are laid out; separated if absent.
        channel_mode: Option<ChannelMode>,
    }
}

words! {
    /// How the voices of user and agent share a stream.
    pub enum ChannelMode {
        /// Both in one channel.
        Mixed = "CHANNEL_MODE_MIXED",
        /// The user in the left channel, the agent in the right one.
        Separated = "CHANNEL_MODE_SEPARATED",
    }
    unset "CHANNEL_MODE_UNSPECIFIED"
}

impl DataConnectionConfig {
    /// The same, as it may be returned.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        Self { headers: hidden(&self.headers), ..self.clone() }
    }
}
