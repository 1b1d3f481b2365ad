//! A call as REST shows it (protocol.md 2.3).

use std::collections::BTreeMap;

use serde_json::Value;

use super::callbacks::Callbacks;
use super::data_connection::DataConnectionConfig;
use super::external_voice::ExternalVoice;
use super::first_speaker::{FirstSpeaker, FirstSpeakerSettings};
use super::inactivity::TimedMessage;
use super::medium::CallMedium;
use super::message::MessageMedium;
use super::start::RetentionPolicy;
use super::vad::VadSettings;
use crate::duration::WireDuration;
use crate::ids::{AgentId, CallId};
use crate::json::{JsonObject, record, words};
use crate::timestamp::Timestamp;

record! {
    /// A call. Every key is written every time, with null where there is nothing, and without secrets.
    pub resource struct Call {
        /// The call's id.
        call_id: CallId,
        /// What the client that joined says it is.
        client_version: Option<String>,
        /// When the call was created.
        created: Timestamp,
        /// When a client joined.
        joined: Option<Timestamp>,
        /// When the call ended.
        ended: Option<Timestamp>,
        /// Why the call ended.
        end_reason: Option<EndReason>,
        /// The duration that is billed, in steps of 6s.
        billed_duration: Option<WireDuration>,
        /// Tokens that side threads took in.
        billed_side_input_tokens: Option<u64>,
        /// Tokens that side threads gave out.
        billed_side_output_tokens: Option<u64>,
        /// How the call is billed.
        billing_status: BillingStatus,
        /// Who spoke first, in the older form.
        first_speaker: FirstSpeaker => FirstSpeaker::Agent,
        /// Who spoke first.
        first_speaker_settings: FirstSpeakerSettings => FirstSpeakerSettings::default(),
        /// What the agent says to a silent user.
        inactivity_messages: Vec<TimedMessage>,
        /// How the agent answers at first.
        initial_output_medium: MessageMedium => MessageMedium::Voice,
        /// How long a client has to join.
        join_timeout: WireDuration => WireDuration::from_secs(30),
        /// Where to join; null for a call that the server dials.
        join_url: Option<String>,
        /// BCP-47 language to listen and speak in.
        language_hint: Option<String>,
        /// How long the call may last.
        max_duration: WireDuration => WireDuration::from_secs(3600),
        /// How the audio travels.
        medium: Option<CallMedium>,
        /// The model's name.
        model: String => String::new(),
        /// Whether the call is recorded.
        recording_enabled: bool => false,
        /// What becomes of the call's data.
        retention_policy: Option<CallRetention>,
        /// The instruction for every generation, as rendered.
        system_prompt: Option<String>,
        /// Sampling temperature.
        temperature: f64 => 0.0,
        /// What the agent says when the call has lasted its maximum.
        time_exceeded_message: Option<String>,
        /// The voice, as it was asked for.
        voice: Option<String>,
        /// The voice, if it is not registered.
        external_voice: Option<ExternalVoice>,
        /// Settings of `voice` that are changed.
        voice_overrides: Option<ExternalVoice>,
        /// Of no meaning any more.
        transcript_optional: bool => true,
        /// When speech counts.
        vad_settings: Option<VadSettings>,
        /// The call in one sentence.
        short_summary: Option<String>,
        /// The call in a few sentences.
        summary: Option<String>,
        /// The agent.
        agent: Option<AgentBasic>,
        /// The agent's id.
        agent_id: Option<AgentId>,
        /// As given.
        experimental_settings: Option<Value>,
        /// The developer's own, and what the server adds under `ultravox.`.
        metadata: BTreeMap<String, String>,
        /// What tools could read and write from the beginning.
        initial_state: JsonObject,
        /// How the call was asked for.
        request_context: Option<Value>,
        /// The further participant; a request calls it `dataConnection`.
        data_connection_config: Option<DataConnectionConfig>,
        /// Where to report what happens to the call.
        callbacks: Option<Callbacks>,
        /// The call's SIP leg.
        sip_details: Option<CallSipDetails>,
    }
}

record! {
    /// An agent, in brief.
    pub resource struct AgentBasic {
        /// Its id.
        agent_id: AgentId,
        /// Its name.
        name: String,
    }
}

record! {
    /// What a SIP leg came to (protocol.md 7.6.6).
    #[derive(Default)]
    pub resource struct CallSipDetails {
        /// The duration that is billed for it.
        billed_duration: Option<WireDuration>,
        /// Why it ended.
        termination_reason: Option<SipTerminationReason>,
    }
}

words! {
    /// Why a call ended (protocol.md 1.5).
    pub open enum EndReason {
        /// The agent's side ended it.
        AgentHangup = "agent_hangup",
        /// The connection broke.
        ConnectionError = "connection_error",
        /// The client's side ended it.
        Hangup = "hangup",
        /// The server failed.
        SystemError = "system_error",
        /// It had lasted its maximum.
        Timeout = "timeout",
        /// Nobody joined.
        Unjoined = "unjoined",
    }
}

words! {
    /// How a call is billed (protocol.md 7.12).
    pub open enum BillingStatus {
        /// It is.
        Billed = "BILLING_STATUS_BILLED",
        /// It is not: it was made in the console.
        FreeConsole = "BILLING_STATUS_FREE_CONSOLE",
        /// It counts against free minutes.
        FreeMinutes = "BILLING_STATUS_FREE_MINUTES",
        /// It is not, for another reason.
        FreeOther = "BILLING_STATUS_FREE_OTHER",
        /// It is not: the server failed.
        FreeSystemError = "BILLING_STATUS_FREE_SYSTEM_ERROR",
        /// It is not: it did not last.
        FreeZeroEffectiveDuration = "BILLING_STATUS_FREE_ZERO_EFFECTIVE_DURATION",
        /// It will be.
        Pending = "BILLING_STATUS_PENDING",
        /// It was, and is no more.
        Refunded = "BILLING_STATUS_REFUNDED",
        /// Nobody knows.
        Unspecified = "BILLING_STATUS_UNSPECIFIED",
    }
}

words! {
    /// Why a SIP leg ended.
    pub open enum SipTerminationReason {
        /// The other side was busy.
        Busy = "SIP_TERMINATION_BUSY",
        /// It was given up before it was answered.
        Canceled = "SIP_TERMINATION_CANCELED",
        /// The other side could not be reached.
        DestinationUnavailable = "SIP_TERMINATION_DESTINATION_UNAVAILABLE",
        /// The number does not exist.
        InvalidNumber = "SIP_TERMINATION_INVALID_NUMBER",
        /// Somebody hung up.
        Normal = "SIP_TERMINATION_NORMAL",
        /// The other side declined.
        Rejected = "SIP_TERMINATION_REJECTED",
        /// Nobody answered.
        Timeout = "SIP_TERMINATION_TIMEOUT",
        /// Nobody knows.
        Unknown = "SIP_TERMINATION_UNKNOWN",
    }
}

words! {
    /// What becomes of a call's data, as the Call resource spells it; the spelling of requests is taken too.
    pub open enum CallRetention {
        /// It is deleted after billing.
        AutoDelete = "auto_delete" | "CALL_RETENTION_POLICY_AUTO_DELETE",
        /// It is kept.
        Retain = "retain" | "CALL_RETENTION_POLICY_RETAIN",
    }
    unset "CALL_RETENTION_POLICY_UNSPECIFIED"
}

impl From<RetentionPolicy> for CallRetention {
    fn from(policy: RetentionPolicy) -> Self {
        match policy {
            RetentionPolicy::AutoDelete => Self::AutoDelete,
            RetentionPolicy::Retain => Self::Retain,
        }
    }
}
