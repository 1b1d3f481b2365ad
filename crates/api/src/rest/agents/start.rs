//! The request that creates a call with an agent (protocol.md 2.2).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::duration::WireDuration;
use crate::ids::AgentId;
use crate::json::check::{Chars, Each, NoReservedKeys, Positive};
use crate::json::{JsonObject, Reader, record};
use crate::rest::calls::{
    CallMedium, Callbacks, DataConnectionConfig, ExternalVoice, FirstSpeakerSettings, Message, MessageMedium,
    RetentionPolicy, SelectedTool, names_differ,
};
use crate::secret::Secret;

record! {
    /// What a call takes in the place of its agent's template. All else is the template's, and cannot be set here.
    #[derive(Default)]
    pub struct StartAgentCallRequest {
        /// The values of the template's variables.
        template_context: Option<JsonObject>,
        /// The history to start from.
        initial_messages: Option<Vec<Message>>,
        /// The developer's own; lists of calls can be filtered by it.
        metadata: Option<BTreeMap<String, String>> where NoReservedKeys,
        /// How the audio travels.
        medium: Option<CallMedium>,
        /// How long to wait for a client.
        join_timeout: Option<WireDuration> where Positive,
        /// How long the call may last.
        max_duration: Option<WireDuration> where Positive,
        /// Whether the call is recorded.
        recording_enabled: Option<bool>,
        /// How the agent answers at first.
        initial_output_medium: Option<MessageMedium>,
        /// Who speaks first.
        first_speaker_settings: Option<FirstSpeakerSettings>,
        /// A further participant, which the server connects to.
        data_connection: Option<DataConnectionConfig>,
        /// Kept and returned.
        experimental_settings: Option<Value>,
        /// Where to report what happens to the call.
        callbacks: Option<Callbacks>,
        /// The voice: its id, or its name if that is unique.
        voice: Option<String>,
        /// Settings of `voice` to change; only together with it.
        voice_overrides: Option<ExternalVoice>,
        /// Which of the agent's tools to leave out, and which to add.
        tool_overrides: Option<ToolOverrides>,
        /// What becomes of the call's data.
        retention_policy: Option<RetentionPolicy>,
        /// What the handshake of the data connection is signed with, each 16 to 127 characters, in the place of the template's.
        shared_secrets: Option<Vec<Secret>> where Each(Chars(16, 127)),
        /// Of no meaning here: the path says which agent.
        agent_id: Option<AgentId>,
    }
    where overrides_have_a_voice
}

record! {
    /// Changes to an agent's tools. What is removed is removed before anything is added.
    #[derive(Default)]
    pub struct ToolOverrides {
        /// The tools to leave out, by the names that the model would know them by.
        remove: Vec<String>,
        /// Whether to leave out all of them.
        remove_all: Option<bool>,
        /// The tools to add.
        add: Vec<SelectedTool>,
    }
    where removal_is_one
}

record! {
    /// The query of [`StartAgentCall`](super::StartAgentCall).
    #[derive(Default)]
    pub struct StartAgentCallQuery {
        /// The name or id of a throttle that the creation counts against.
        throttle: Option<String> where Chars(1, 64),
    }
}

fn overrides_have_a_voice(request: &StartAgentCallRequest, reader: &mut Reader) {
    if request.voice_overrides.is_some() && request.voice.is_none() {
        reader.at("voiceOverrides", |reader| {
            reader.refuse("changes a \"voice\" that is set here; set it, or change the agent's template");
        });
    }
}

fn removal_is_one(overrides: &ToolOverrides, reader: &mut Reader) {
    if overrides.remove_all == Some(true) && !overrides.remove.is_empty() {
        reader.at("remove", |reader| reader.refuse("excludes \"removeAll\"; keep one"));
    }
    reader.at("add", |reader| names_differ(overrides.add.iter(), reader));
}
