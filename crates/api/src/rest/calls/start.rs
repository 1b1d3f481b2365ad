//! The request that creates a call (protocol.md 2.1).

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::callbacks::Callbacks;
use super::data_connection::DataConnectionConfig;
use super::external_voice::ExternalVoice;
use super::first_speaker::{FirstSpeaker, FirstSpeakerSettings};
use super::inactivity::TimedMessage;
use super::medium::CallMedium;
use super::message::{Message, MessageMedium};
use super::tool::SelectedTool;
use super::vad::VadSettings;
use crate::duration::WireDuration;
use crate::json::check::{Chars, Each, NoReservedKeys, Positive, Within};
use crate::json::{JsonObject, Reader, record, words};
use crate::secret::Secret;

record! {
    /// What a call is created with. Everything may be absent: then it is as the server has it, or as the prior call had it. An
    /// empty list is not absent: it says that there are none.
    #[derive(Default)]
    pub struct StartCallRequest {
        /// The instruction for every generation.
        system_prompt: Option<String>,
        /// Sampling temperature, 0 to 1; 0 if absent.
        temperature: Option<f64> where Within(0.0, 1.0),
        /// The model's name.
        model: Option<String>,
        /// The voice: its id, or its name if that is unique.
        voice: Option<String>,
        /// A voice that is not registered; excludes `voice`.
        external_voice: Option<ExternalVoice>,
        /// Settings of `voice` to change.
        voice_overrides: Option<ExternalVoice>,
        /// BCP-47 language to listen and speak in, at most 16 characters.
        language_hint: Option<String> where Chars(0, 16),
        /// The history to start from.
        initial_messages: Option<Vec<Message>>,
        /// How long to wait for a client; 30s if absent.
        join_timeout: Option<WireDuration> where Positive,
        /// How long the call may last; 3600s if absent.
        max_duration: Option<WireDuration> where Positive,
        /// What the agent says when the call has lasted that long.
        time_exceeded_message: Option<String>,
        /// What the agent says to a silent user.
        inactivity_messages: Option<Vec<TimedMessage>>,
        /// The agent's tools.
        selected_tools: Option<Vec<SelectedTool>>,
        /// How the audio travels.
        medium: Option<CallMedium>,
        /// Whether the call is recorded; it is not if absent.
        recording_enabled: Option<bool>,
        /// Who speaks first, in the older form.
        first_speaker: Option<FirstSpeaker>,
        /// Who speaks first; the agent if both forms are absent.
        first_speaker_settings: Option<FirstSpeakerSettings>,
        /// Of no meaning any more.
        transcript_optional: Option<bool>,
        /// How the agent answers at first; spoken if absent.
        initial_output_medium: Option<MessageMedium>,
        /// When speech counts.
        vad_settings: Option<VadSettings>,
        /// Kept and returned.
        experimental_settings: Option<Value>,
        /// The developer's own; lists of calls can be filtered by it.
        metadata: Option<BTreeMap<String, String>> where NoReservedKeys,
        /// What tools can read and write during the call.
        initial_state: Option<JsonObject>,
        /// A further participant, which the server connects to.
        data_connection: Option<DataConnectionConfig>,
        /// Where to report what happens to the call.
        callbacks: Option<Callbacks>,
        /// What becomes of the call's data.
        retention_policy: Option<RetentionPolicy>,
        /// What the handshake of the data connection is signed with, each 16 to 127 characters. Never returned.
        shared_secrets: Option<Vec<Secret>> where Each(Chars(16, 127)),
    }
    where fields_agree
}

words! {
    /// What becomes of a call's data, as requests spell it; the spelling of the Call resource is taken too.
    pub enum RetentionPolicy {
        /// It is deleted after billing.
        AutoDelete = "CALL_RETENTION_POLICY_AUTO_DELETE" | "auto_delete",
        /// It is kept.
        Retain = "CALL_RETENTION_POLICY_RETAIN" | "retain",
    }
    unset "CALL_RETENTION_POLICY_UNSPECIFIED"
}

impl StartCallRequest {
    /// Who speaks first, in whichever form it is given.
    #[must_use]
    pub fn opening(&self) -> Option<FirstSpeakerSettings> {
        self.first_speaker_settings.clone().or_else(|| self.first_speaker.map(Into::into))
    }
}

fn fields_agree(request: &StartCallRequest, reader: &mut Reader) {
    voices_agree(&request.voice, &request.external_voice, &request.voice_overrides, reader);
    if let (Some(first_speaker), Some(settings)) = (request.first_speaker, &request.first_speaker_settings)
        && settings.first_speaker() != first_speaker
    {
        reader.at("firstSpeaker", |reader| {
            reader.refuse("disagrees with \"firstSpeakerSettings\"; leave it out");
        });
    }
    reader.at("selectedTools", |reader| names_differ(request.selected_tools.iter().flatten(), reader));
}

/// A voice is registered or it is not.
pub(crate) fn voices_agree(
    voice: &Option<String>,
    external: &Option<ExternalVoice>,
    overrides: &Option<ExternalVoice>,
    reader: &mut Reader,
) {
    if voice.is_some() && external.is_some() {
        reader.at("externalVoice", |reader| reader.refuse("excludes \"voice\"; keep one"));
    }
    if overrides.is_some() && external.is_some() {
        reader.at("voiceOverrides", |reader| {
            reader.refuse("changes \"voice\" and not \"externalVoice\"; set it there");
        });
    }
}

/// A model tells its tools apart by their names.
pub(crate) fn names_differ<'t>(tools: impl Iterator<Item = &'t SelectedTool>, reader: &mut Reader) {
    let mut names = HashSet::new();
    for (index, tool) in tools.enumerate() {
        if let Some(name) = tool.model_tool_name().filter(|name| !names.insert(*name)) {
            let problem = format!("is a second tool called {name:?}; give one of them a \"nameOverride\"");
            reader.at(index, |reader| reader.refuse(problem));
        }
    }
}
