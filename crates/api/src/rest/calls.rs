//! Calls: creating them, reading them, speaking into them, deleting them (protocol.md 1, 2).
//!
//! Owns the endpoints under `/api/calls`. The create-call request is in `start`, the resource in `resource`, and each of their
//! parts in a file of its own.

mod callbacks;
mod data_connection;
mod data_messages;
mod event;
mod external_voice;
mod first_speaker;
mod inactivity;
mod medium;
mod message;
mod query;
mod resource;
mod stage;
mod start;
mod tool;
mod vad;

use crate::endpoint::{NoBody, WavFile, endpoint};
use crate::ids::{CallId, CallStageId};
use crate::page::Page;
use crate::realtime::InjectedMessage;

pub use callbacks::{Callback, Callbacks};
pub use data_connection::{ChannelMode, DataConnectionAudioConfig, DataConnectionConfig};
pub use data_messages::{ConnectionKind, EnabledDataMessages};
pub use event::{CallEvent, Severity};
pub use external_voice::{
    CartesiaGenerationConfig, CartesiaVoice, ElevenLabsVoice, ExternalVoice, GenericVoice, GoogleVoice,
    InworldVoice, JsonByteEncoding, LmntVoice, PronunciationDictionary, RespeecherVoice,
};
pub use first_speaker::{AgentGreeting, FallbackGreeting, FirstSpeaker, FirstSpeakerSettings, UserGreeting};
pub use inactivity::{EndBehavior, TimedMessage};
pub use medium::{
    CallMedium, DtmfHandling, DtmfUserTextMessage, ExotelMedium, MessageUrgency, OutgoingPhoneCall,
    PhoneMedium, ServerWebSocketMedium, SipDirection, SipIncoming, SipOutgoing, WebRtcMedium,
};
pub use message::{Message, MessageMedium, MessageRole, Timespan};
pub use query::{
    CallSort, CreateCallQuery, DateOrTime, Day, ListCallEventsQuery, ListCallMessagesQuery, ListCallsQuery,
    MessagesMode, TimeOfDay,
};
pub use resource::{
    AgentBasic, BillingStatus, Call, CallRetention, CallSipDetails, EndReason, SipTerminationReason,
};
pub use stage::{CallStage, CallTool, CallToolDefinition, HttpCallToolDetails, StagePageQuery};
pub use start::{RetentionPolicy, StartCallRequest};
pub(crate) use start::{names_differ, voices_agree};
pub use tool::{
    AutomaticParameter, BaseToolDefinition, BaseToolRun, ClientToolDetails, DataConnectionToolDetails,
    DefaultReaction, DynamicParameter, HeaderApiKey, HttpAuth, HttpToolDetails, KnownParameter,
    ParameterLocation, QueryApiKey, SecurityOptions, SecurityRequirement, SecurityRequirements, SelectedTool,
    StaticParameter, StaticToolResponse, ToolReference, ToolRequirements, UltravoxCallToken,
};
pub use vad::VadSettings;

endpoint! {
    /// Creates a call (protocol.md 1.2).
    pub CreateCall: Post "/api/calls" query CreateCallQuery, body StartCallRequest, -> 201 Call | 404
}

endpoint! {
    /// Lists the account's calls.
    pub ListCalls: Get "/api/calls" query ListCallsQuery, -> 200 Page<Call>
}

endpoint! {
    /// Reads one call.
    pub ReadCall: Get "/api/calls/{call_id}" path CallId, -> 200 Call
}

endpoint! {
    /// Removes a call that has ended, with all it left (protocol.md 1.8).
    pub DeleteCall: Delete "/api/calls/{call_id}" path CallId, -> 204 NoBody | 425
}

endpoint! {
    /// Lists what went on behind a conversation.
    pub ListCallEvents: Get "/api/calls/{call_id}/events" path CallId, query ListCallEventsQuery, -> 200 Page<CallEvent>
}

endpoint! {
    /// Lists what was said in a call.
    pub ListCallMessages: Get "/api/calls/{call_id}/messages" path CallId, query ListCallMessagesQuery, -> 200 Page<Message>
}

endpoint! {
    /// Speaks into a call that is under way (protocol.md 3.5).
    pub SendDataMessage: Post "/api/calls/{call_id}/send_data_message" path CallId, body InjectedMessage, -> 204 NoBody | 422
}

endpoint! {
    /// Reads what a call sounded like: stereo, the user on the left (protocol.md 7.8, A-53).
    pub ReadCallRecording: Get "/api/calls/{call_id}/recording" path CallId, -> 200 WavFile | 206 | 416 | 425
}

endpoint! {
    /// Leads to what a call's SIP leg logged (protocol.md 7.6.6).
    pub ReadCallSipLogs: Get "/api/calls/{call_id}/sip_logs" path CallId, -> 302 NoBody | 425
}

endpoint! {
    /// Lists the tools that a call has in its last stage: a plain array.
    pub ListCallTools: Get "/api/calls/{call_id}/tools" path CallId, -> 200 Vec<CallTool>
}

endpoint! {
    /// Lists a call's stages, first to last.
    pub ListCallStages: Get "/api/calls/{call_id}/stages" path CallId, query StagePageQuery, -> 200 Page<CallStage>
}

endpoint! {
    /// Reads one stage of a call.
    pub ReadCallStage: Get "/api/calls/{call_id}/stages/{call_stage_id}" path (CallId, CallStageId), -> 200 CallStage
}

endpoint! {
    /// Lists the history that a stage of a call goes on with.
    pub ListStageMessages: Get "/api/calls/{call_id}/stages/{call_stage_id}/messages"
        path (CallId, CallStageId), query StagePageQuery, -> 200 Page<Message>
}

endpoint! {
    /// Lists the tools that a stage of a call has: a plain array.
    pub ListStageTools: Get "/api/calls/{call_id}/stages/{call_stage_id}/tools"
        path (CallId, CallStageId), -> 200 Vec<CallTool>
}

endpoint! {
    /// Reads what one message of a stage sounded like, by its index there (protocol.md 2.4).
    pub ReadMessageAudio: Get "/api/calls/{call_id}/stages/{call_stage_id}/messages/{call_stage_message_index}/audio"
        path (CallId, CallStageId, u32), -> 200 WavFile | 425
}
