//! What an agent's calls are created with (protocol.md 7.2).

use crate::duration::WireDuration;
use crate::json::check::{Chars, Each, Positive, Within};
use crate::json::{JsonObject, Reader, record};
use crate::rest::calls::{
    CallMedium, DataConnectionConfig, ExternalVoice, FirstSpeakerSettings, MessageMedium, RetentionPolicy,
    SelectedTool, TimedMessage, VadSettings, names_differ, voices_agree,
};
use crate::secret::Secret;
use crate::timestamp::Timestamp;

record! {
    /// A creation request in whose texts variables may stand. What is absent is as for any call.
    #[derive(Default)]
    pub struct CallTemplate {
        /// The agent's name. Of no meaning in a request.
        name: Option<String>,
        /// When the agent was created. Of no meaning in a request.
        created: Option<Timestamp>,
        /// When it was changed last. Of no meaning in a request.
        updated: Option<Timestamp>,
        /// How the audio travels.
        medium: Option<CallMedium>,
        /// How the agent answers at first; spoken if absent.
        initial_output_medium: Option<MessageMedium>,
        /// How long to wait for a client; 30s if absent.
        join_timeout: Option<WireDuration> where Positive,
        /// How long a call may last; 3600s if absent.
        max_duration: Option<WireDuration> where Positive,
        /// When speech counts.
        vad_settings: Option<VadSettings>,
        /// Whether calls are recorded; they are not if absent.
        recording_enabled: Option<bool>,
        /// Who speaks first; the agent if absent. A greeting's text or prompt is a template.
        first_speaker_settings: Option<FirstSpeakerSettings>,
        /// The instruction for every generation: a template.
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
        /// BCP-47 language to listen and speak in: a template for at most 16 characters.
        language_hint: Option<String>,
        /// What the agent says when a call has lasted its maximum: a template.
        time_exceeded_message: Option<String>,
        /// What the agent says to a silent user: templates.
        inactivity_messages: Option<Vec<TimedMessage>>,
        /// The agent's tools. Their descriptions, static values, tokens and overridden values are templates.
        selected_tools: Option<Vec<SelectedTool>>,
        /// A further participant, which the server connects to.
        data_connection: Option<DataConnectionConfig>,
        /// JSON Schema of the variables' values; without one, all that are used have to be there.
        context_schema: Option<JsonObject>,
        /// What the handshake of the data connection is signed with, each 16 to 127 characters. Never returned.
        shared_secrets: Option<Vec<Secret>> where Each(Chars(16, 127)),
        /// What becomes of a call's data.
        retention_policy: Option<RetentionPolicy>,
    }
    where fields_agree
}

impl CallTemplate {
    /// The same, as it may be returned.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        let tools = self.selected_tools.as_ref();
        Self {
            medium: self.medium.as_ref().map(CallMedium::without_secrets),
            external_voice: self.external_voice.as_ref().map(ExternalVoice::without_secrets),
            voice_overrides: self.voice_overrides.as_ref().map(ExternalVoice::without_secrets),
            selected_tools: tools.map(|tools| tools.iter().map(SelectedTool::without_secrets).collect()),
            data_connection: self.data_connection.as_ref().map(DataConnectionConfig::without_secrets),
            shared_secrets: None,
            ..self.clone()
        }
    }
}

fn fields_agree(template: &CallTemplate, reader: &mut Reader) {
    voices_agree(&template.voice, &template.external_voice, &template.voice_overrides, reader);
    reader.at("selectedTools", |reader| names_differ(template.selected_tools.iter().flatten(), reader));
}
