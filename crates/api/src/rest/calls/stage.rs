//! The stages of a call and the tools that each of them has, as REST shows them (protocol.md 2.4, 2.10).

use serde_json::Value;

use super::external_voice::ExternalVoice;
use super::inactivity::TimedMessage;
use super::tool::{
    AutomaticParameter, ClientToolDetails, DataConnectionToolDetails, DefaultReaction, DynamicParameter,
    StaticParameter, StaticToolResponse,
};
use crate::duration::WireDuration;
use crate::endpoint::Method;
use crate::ids::{CallId, CallStageId, CallToolId, ToolId};
use crate::json::check::Within;
use crate::json::{JsonObject, record};
use crate::timestamp::Timestamp;

record! {
    /// A stage of a call. Every key is written every time, with null where there is nothing, and without secrets.
    pub resource struct CallStage {
        /// The call's id.
        call_id: CallId,
        /// The stage's id.
        call_stage_id: CallStageId,
        /// When the stage began.
        created: Timestamp,
        /// What the agent says to a silent user.
        inactivity_messages: Vec<TimedMessage>,
        /// How long the prompt was at first, in tokens.
        initial_token_count: Option<u64>,
        /// BCP-47 language to listen and speak in.
        language_hint: Option<String>,
        /// How long the prompt is by now, in tokens.
        latest_token_count: Option<u64>,
        /// The model's name.
        model: String => String::new(),
        /// The instruction for every generation.
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
        /// How much went wrong in it.
        error_count: u32 => 0,
        /// As given.
        experimental_settings: Option<Value>,
        /// What tools could read and write from its beginning.
        initial_state: JsonObject,
    }
}

record! {
    /// A tool as a stage of a call has it.
    pub resource struct CallTool {
        /// The id that it has in this stage.
        call_tool_id: CallToolId,
        /// The tool that was selected; null for a temporary one.
        tool_id: Option<ToolId>,
        /// The name that the model knows it by.
        name: String,
        /// What it is, without secrets.
        definition: CallToolDefinition,
    }
}

record! {
    /// What a tool of a call is, without secrets: of what it is authenticated with there are only names.
    #[derive(Default)]
    pub struct CallToolDefinition {
        /// What the model is told that it does.
        description: Option<String>,
        /// What the model sets.
        dynamic_parameters: Vec<DynamicParameter>,
        /// What is always the same.
        static_parameters: Vec<StaticParameter>,
        /// What the server sets.
        automatic_parameters: Vec<AutomaticParameter>,
        /// How long it may run.
        timeout: Option<WireDuration>,
        /// Whether it may run before it is certain that it is wanted.
        precomputable: Option<bool>,
        /// The endpoint of an HTTP tool.
        http: Option<HttpCallToolDetails>,
        /// That the client runs it.
        client: Option<ClientToolDetails>,
        /// That the data connection runs it.
        data_connection: Option<DataConnectionToolDetails>,
        /// What the agent does after its result, unless the result says otherwise.
        default_reaction: Option<DefaultReaction>,
        /// What the model is told at once instead of the tool's result.
        static_response: Option<StaticToolResponse>,
    }
}

record! {
    /// The endpoint of a call's tool.
    pub struct HttpCallToolDetails {
        /// The URL, in which `{name}` stands for a parameter.
        base_url_pattern: String,
        /// The method.
        http_method: Method,
        /// The headers that authenticate the call.
        auth_headers: Vec<String>,
        /// The parameters of the query that authenticate the call.
        auth_query_params: Vec<String>,
        /// What the call's own token has to permit.
        call_token_scopes: Vec<String>,
    }
}

record! {
    /// The query of [`ListCallStages`](super::ListCallStages) and [`ListStageMessages`](super::ListStageMessages).
    #[derive(Default)]
    pub struct StagePageQuery {
        /// Where the page begins: an opaque text from a page's `next` or `previous`.
        cursor: Option<String>,
        /// Items on a page, 1 to 1000; 100 if not given.
        page_size: Option<u32> where Within(1, 1000),
    }
}
