//! From a call as it is kept to a call as clients see it (protocol.md 2.3). Secrets stay behind here.

use antiphon_api::WireDuration;
use antiphon_api::rest::calls::{
    AgentBasic, BillingStatus, Call, CallMedium, EndReason, ExternalVoice, FirstSpeakerSettings,
    MessageMedium,
};
use antiphon_engine::output::EndReason as Ended;

use crate::config::PublicUrl;
use crate::storage::StoredCall;

/// The call as clients see it.
pub(crate) fn call_resource(call: &StoredCall, public_url: &PublicUrl) -> Call {
    let request = &call.request;
    let opening = request.opening().unwrap_or_default();
    Call {
        call_id: call.id,
        client_version: call.client_version.clone(),
        created: call.created,
        joined: call.joined,
        ended: call.ended.map(|(at, _)| at),
        end_reason: call.ended.map(|(_, reason)| end_reason(reason)),
        billed_duration: call
            .billed_units()
            .map(|units| WireDuration::from_secs(u32::try_from(units * 6).unwrap_or(u32::MAX))),
        billed_side_input_tokens: None,
        billed_side_output_tokens: None,
        billing_status: billing_status(call),
        first_speaker: FirstSpeakerSettings::first_speaker(&opening),
        first_speaker_settings: opening,
        inactivity_messages: request.inactivity_messages.clone().unwrap_or_default(),
        initial_output_medium: request.initial_output_medium.unwrap_or(MessageMedium::Voice),
        join_timeout: request.join_timeout.unwrap_or(WireDuration::from_secs(30)),
        join_url: join_url(call, public_url),
        language_hint: request.language_hint.clone(),
        max_duration: request.max_duration.unwrap_or(WireDuration::from_secs(3600)),
        medium: request.medium.as_ref().map(CallMedium::without_secrets),
        model: request.model.clone().unwrap_or_else(|| "ultravox-v0.7".to_owned()),
        recording_enabled: request.recording_enabled.unwrap_or(false),
        retention_policy: request.retention_policy.map(Into::into),
        system_prompt: request.system_prompt.clone(),
        temperature: request.temperature.unwrap_or(0.0),
        time_exceeded_message: request.time_exceeded_message.clone(),
        voice: request.voice.clone(),
        external_voice: request.external_voice.as_ref().map(ExternalVoice::without_secrets),
        voice_overrides: request.voice_overrides.as_ref().map(ExternalVoice::without_secrets),
        transcript_optional: request.transcript_optional.unwrap_or(true),
        vad_settings: request.vad_settings.clone(),
        short_summary: call.summary.as_ref().map(|summary| summary.short.clone()),
        summary: call.summary.as_ref().map(|summary| summary.long.clone()),
        agent: call.agent.as_ref().map(|agent| AgentBasic { agent_id: agent.id, name: agent.name.clone() }),
        agent_id: call.agent.as_ref().map(|agent| agent.id),
        experimental_settings: request.experimental_settings.clone(),
        metadata: request.metadata.clone().unwrap_or_default(),
        initial_state: request.initial_state.clone().unwrap_or_default(),
        request_context: None,
        data_connection_config: request.data_connection.as_ref().map(|data| data.without_secrets()),
        callbacks: request.callbacks.as_ref().map(|callbacks| callbacks.without_secrets()),
        sip_details: None,
    }
}

/// Where to join (protocol.md 1.3). SIP has no client that could.
fn join_url(call: &StoredCall, public_url: &PublicUrl) -> Option<String> {
    let place = match call.request.medium {
        None | Some(CallMedium::WebRtc(_)) => "",
        Some(CallMedium::ServerWebSocket(_)) => "/server_web_socket",
        Some(
            CallMedium::Twilio(_) | CallMedium::Telnyx(_) | CallMedium::Plivo(_) | CallMedium::Exotel(_),
        ) => "/telephony",
        Some(CallMedium::Sip(_)) => return None,
    };
    Some(public_url.web_socket(&format!("/calls/{}{place}", call.id)))
}

/// Why a call ended, in wire words.
pub(crate) fn end_reason(reason: Ended) -> EndReason {
    match reason {
        Ended::AgentHangUp => EndReason::AgentHangup,
        Ended::ConnectionError => EndReason::ConnectionError,
        Ended::HangUp => EndReason::Hangup,
        Ended::SystemError => EndReason::SystemError,
        Ended::Timeout => EndReason::Timeout,
        Ended::Unjoined => EndReason::Unjoined,
    }
}

/// Nobody bills here, and clients want to know that it is over (protocol.md A-54).
fn billing_status(call: &StoredCall) -> BillingStatus {
    match (call.joined, call.ended) {
        (_, None) => BillingStatus::Pending,
        (_, Some((_, Ended::SystemError))) => BillingStatus::FreeSystemError,
        (None, Some(_)) => BillingStatus::FreeZeroEffectiveDuration,
        (Some(_), Some(_)) => BillingStatus::FreeOther,
    }
}
