//! Every operation of the REST API, once: what the router serves, what the document describes, what tests go through.
//!
//! Names and tags are those that clients generated from the original's document have.

use super::{
    accounts, agents, api_keys, call_throttles, calls, corpora, deleted_calls, models, scheduled_batches,
    schema, sip, telephony_configs, tools, voices, webhooks,
};
use crate::endpoint::{Endpoint, Form as _, Method, PathArguments as _, Payload as _};
use crate::schema::{DescribeFields as _, Object, Schema, Schemas, Side};

/// An operation, as data.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// What generated clients call it.
    pub id: &'static str,
    /// What it is listed under.
    pub tag: &'static str,
    /// What else is to be said of it.
    pub marks: &'static [Mark],
    /// The method.
    pub method: Method,
    /// The path, with its arguments in braces.
    pub path: &'static str,
    /// The status of success.
    pub success: u16,
    /// The statuses of failure that are its own.
    pub failures: &'static [u16],
    /// Its doc comment.
    pub doc: &'static str,
    shape: fn(&mut Schemas) -> Shape,
}

/// What an operation is that most are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It needs no API key; what has to be proven instead, the operation says.
    Open,
    /// Clients should use another one.
    Deprecated,
}

/// What goes in and out of an operation.
#[derive(Debug)]
pub struct Shape {
    /// The arguments in the path, in order.
    pub arguments: Vec<Schema>,
    /// The parameters of the query.
    pub query: Object,
    /// What the body may be, by its media type.
    pub body: Vec<(&'static str, Schema)>,
    /// What the answer may be, by its media type.
    pub answer: Vec<(&'static str, Schema)>,
}

impl Operation {
    fn of<E: Endpoint>(tag: &'static str, id: &'static str, marks: &'static [Mark]) -> Self {
        Self {
            id,
            tag,
            marks,
            method: E::METHOD,
            path: E::PATH,
            success: E::SUCCESS,
            failures: E::FAILURES,
            doc: E::DOC,
            shape: shape::<E>,
        }
    }

    /// Whether it is only for whoever has a key of the account.
    #[must_use]
    pub fn needs_key(&self) -> bool {
        !self.marks.contains(&Mark::Open)
    }

    /// What goes in and out, in the words of `schemas`.
    #[must_use]
    pub fn shape(&self, schemas: &mut Schemas) -> Shape {
        (self.shape)(schemas)
    }

    /// The names of the arguments in the path, in order.
    pub fn argument_names(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('{').skip(1).filter_map(|part| part.split('}').next())
    }
}

fn shape<E: Endpoint>(schemas: &mut Schemas) -> Shape {
    schemas.on(Side::Request, |schemas| {
        let mut body = E::Body::contents(schemas);
        body.extend(E::Form::form(schemas));
        Shape {
            arguments: E::Path::describe_arguments(schemas),
            query: E::Query::describe_fields(schemas),
            body,
            answer: schemas.on(Side::Response, |schemas| {
                let answer = E::Response::contents(schemas);
                match E::Form::answer(schemas) {
                    Some(other) => {
                        answer.into_iter().map(|(kind, schema)| (kind, schema.or(other.clone()))).collect()
                    }
                    None => answer,
                }
            }),
        }
    })
}

/// `tag { Endpoint: "id", Endpoint: "id" Open, Endpoint: "id" Deprecated }`.
macro_rules! operations {
    ($( $tag:literal { $( $endpoint:ty: $id:literal $($mark:ident)* ),* $(,)? } )*) => {
        /// All operations, in the order in which they are documented.
        #[must_use]
        pub fn operations() -> Vec<Operation> {
            vec![$($( Operation::of::<$endpoint>($tag, $id, &[$( Mark::$mark ),*]) ),*),*]
        }
    };
}

operations! {
    "accounts" {
        accounts::ListAccounts: "accounts_list",
        accounts::ReadAccount: "accounts_me_retrieve",
        accounts::ReadBilling: "accounts_me_billing_retrieve",
        accounts::ListInvoices: "accounts_me_billing_invoices_retrieve",
        accounts::ReadBillingUsage: "accounts_me_billing_usage_retrieve",
        accounts::ReadTtsKeys: "accounts_me_tts_api_keys_retrieve",
        accounts::UpdateTtsKeys: "accounts_me_tts_api_keys_partial_update",
        accounts::ReadCallUsage: "accounts_me_usage_calls_retrieve",
        accounts::ReadConcurrency: "accounts_me_usage_concurrency_retrieve",
        telephony_configs::ReadAccountTelephonyConfig: "accounts_me_telephony_config_retrieve" Deprecated,
        telephony_configs::UpdateAccountTelephonyConfig: "accounts_me_telephony_config_partial_update" Deprecated,
    }
    "agents" {
        agents::ListAgents: "agents_list",
        agents::CreateAgent: "agents_create",
        agents::ReadAgent: "agents_retrieve",
        agents::UpdateAgent: "agents_partial_update",
        agents::DeleteAgent: "agents_destroy",
        agents::ListAgentCalls: "agents_calls_list",
        agents::StartAgentCall: "agents_calls_create",
        agents::ListAgentUsage: "agents_usage_list",
        scheduled_batches::ListBatches: "agents_scheduled_batches_list",
        scheduled_batches::CreateBatch: "agents_scheduled_batches_create",
        scheduled_batches::ReadBatch: "agents_scheduled_batches_retrieve",
        scheduled_batches::UpdateBatch: "agents_scheduled_batches_partial_update",
        scheduled_batches::DeleteBatch: "agents_scheduled_batches_destroy",
        scheduled_batches::ListCreatedCalls: "agents_scheduled_batches_created_calls_list",
        scheduled_batches::ListScheduledCalls: "agents_scheduled_batches_scheduled_calls_list",
        telephony_configs::AnswerTelephonyProvider: "agents_telephony_xml" Open,
    }
    "call_throttles" {
        call_throttles::ListThrottles: "call_throttles_list",
        call_throttles::CreateThrottle: "call_throttles_create",
        call_throttles::ReadThrottle: "call_throttles_retrieve",
        call_throttles::ReplaceThrottle: "call_throttles_update",
        call_throttles::UpdateThrottle: "call_throttles_partial_update",
        call_throttles::DeleteThrottle: "call_throttles_destroy",
    }
    "api_keys" {
        api_keys::ListApiKeys: "api_keys_list",
        api_keys::CreateApiKey: "api_keys_create",
        api_keys::ReadApiKey: "api_keys_retrieve",
        api_keys::ReplaceApiKey: "api_keys_update",
        api_keys::UpdateApiKey: "api_keys_partial_update",
        api_keys::DeleteApiKey: "api_keys_destroy",
    }
    "calls" {
        calls::ListCalls: "calls_list",
        calls::CreateCall: "calls_create",
        calls::ReadCall: "calls_retrieve",
        calls::DeleteCall: "calls_destroy",
        calls::ListCallEvents: "calls_events_list",
        calls::ListCallMessages: "calls_messages_list",
        calls::ReadCallRecording: "calls_recording_retrieve",
        calls::ReadCallSipLogs: "calls_sip_logs_retrieve",
        calls::SendDataMessage: "send_data_message_to_call",
        calls::ListCallStages: "calls_stages_list",
        calls::ReadCallStage: "calls_stages_retrieve",
        calls::ListStageMessages: "calls_stages_messages_list",
        calls::ReadMessageAudio: "calls_stages_messages_audio_retrieve",
        calls::ListStageTools: "calls_stages_tools_list",
        calls::ListCallTools: "calls_tools_list",
    }
    "corpora" {
        corpora::ListCorpora: "corpora_list",
        corpora::CreateCorpus: "corpora_create",
        corpora::ReadCorpus: "corpora_retrieve",
        corpora::ReplaceCorpus: "corpora_update",
        corpora::PatchCorpus: "corpora_partial_update",
        corpora::DeleteCorpus: "corpora_destroy",
        corpora::QueryCorpus: "corpora_query",
        corpora::ListCorpusSources: "corpora_sources_list",
        corpora::CreateCorpusSource: "corpora_sources_create",
        corpora::ReadCorpusSource: "corpora_sources_retrieve",
        corpora::ReplaceCorpusSource: "corpora_sources_update",
        corpora::PatchCorpusSource: "corpora_sources_partial_update",
        corpora::DeleteCorpusSource: "corpora_sources_destroy",
        corpora::ListCorpusDocuments: "corpora_sources_documents_list",
        corpora::ReadCorpusDocument: "corpora_sources_documents_retrieve",
        corpora::CreateCorpusUpload: "corpora_uploads_create",
    }
    "deleted_calls" {
        deleted_calls::ListDeletedCalls: "deleted_calls_list",
        deleted_calls::ReadDeletedCall: "deleted_calls_retrieve",
    }
    "models" {
        models::ListModels: "models_list",
    }
    "schema" {
        schema::ReadSchema: "schema_retrieve" Open,
    }
    "sip" {
        sip::ReadSipConfig: "sip_retrieve",
        sip::UpdateSipConfig: "sip_partial_update",
        sip::ListSipRegistrations: "sip_registrations_list",
        sip::CreateSipRegistration: "sip_registrations_create",
        sip::ReadSipRegistration: "sip_registrations_retrieve",
        sip::UpdateSipRegistration: "sip_registrations_partial_update",
        sip::DeleteSipRegistration: "sip_registrations_destroy",
    }
    "telephony_configs" {
        telephony_configs::ReadPlivoConfig: "telephony_configs_plivo_retrieve",
        telephony_configs::CreatePlivoConfig: "telephony_configs_plivo_create",
        telephony_configs::UpdatePlivoConfig: "telephony_configs_plivo_partial_update",
        telephony_configs::DeletePlivoConfig: "telephony_configs_plivo_destroy",
        telephony_configs::ReadTelnyxConfig: "telephony_configs_telnyx_retrieve",
        telephony_configs::CreateTelnyxConfig: "telephony_configs_telnyx_create",
        telephony_configs::UpdateTelnyxConfig: "telephony_configs_telnyx_partial_update",
        telephony_configs::DeleteTelnyxConfig: "telephony_configs_telnyx_destroy",
        telephony_configs::ReadTwilioConfig: "telephony_configs_twilio_retrieve",
        telephony_configs::CreateTwilioConfig: "telephony_configs_twilio_create",
        telephony_configs::UpdateTwilioConfig: "telephony_configs_twilio_partial_update",
        telephony_configs::DeleteTwilioConfig: "telephony_configs_twilio_destroy",
    }
    "tools" {
        tools::ListTools: "tools_list",
        tools::CreateTool: "tools_create",
        tools::ReadTool: "tools_retrieve",
        tools::UpdateTool: "tools_update",
        tools::DeleteTool: "tools_destroy",
        tools::ListToolHistory: "tools_history_list",
        tools::TestTool: "tools_test_create",
    }
    "voices" {
        voices::ListVoices: "voices_list",
        voices::ReadVoice: "voices_retrieve",
        voices::CreateVoice: "voices_create",
        voices::ReplaceVoice: "voices_update",
        voices::UpdateVoice: "voices_partial_update",
        voices::DeleteVoice: "voices_destroy",
        voices::ReadVoicePreview: "voices_preview_retrieve",
        voices::PreviewVoice: "preview_voice",
    }
    "webhooks" {
        webhooks::ListWebhooks: "webhooks_list",
        webhooks::CreateWebhook: "webhooks_create",
        webhooks::ReadWebhook: "webhooks_retrieve",
        webhooks::ReplaceWebhook: "webhooks_update",
        webhooks::UpdateWebhook: "webhooks_partial_update",
        webhooks::DeleteWebhook: "webhooks_destroy",
        webhooks::ListWebhookDeliveries: "webhooks_deliveries_list",
    }
}
