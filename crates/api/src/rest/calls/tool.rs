//! The tools that an agent is given: which, how they are defined, what they need (protocol.md 6.2 to 6.5, 6.10).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::duration::WireDuration;
use crate::ids::ToolId;
use crate::json::check::{HTTP_URL, ModelToolName, UpToSeconds};
use crate::json::{JsonObject, Reader, choice, record, words};
use crate::secret::{Secret, hidden};

record! {
    /// A tool that an agent is given.
    pub struct SelectedTool {
        /// The name that the model knows it by instead of its own.
        name_override: Option<String> where ModelToolName,
        /// The description that the model reads instead of the tool's own.
        description_override: Option<String>,
        /// What the tool's security requirements ask for, by their names. Their values are never returned.
        auth_tokens: BTreeMap<String, Secret>,
        /// Values for parameters that the model then neither sees nor sets.
        parameter_overrides: Option<JsonObject>,
        /// Of no meaning here.
        transition_id: Option<String>,
    }
    with one of {
        /// Which tool.
        tool: ToolReference,
    }
}

choice! {
    /// Which tool.
    pub enum ToolReference {
        /// A durable or built-in tool.
        tool_id: ToolId(ToolId),
        /// A durable or built-in tool, by its name.
        tool_name: ToolName(String),
        /// A tool for this call only.
        temporary_tool: TemporaryTool(Box<BaseToolDefinition>),
    }
}

impl SelectedTool {
    /// The name that the model will know the tool by, where the selection itself says it; that of a durable tool is its own.
    #[must_use]
    pub fn model_tool_name(&self) -> Option<&str> {
        let own = match &self.tool {
            ToolReference::TemporaryTool(definition) => definition.model_tool_name.as_deref(),
            ToolReference::ToolId(_) | ToolReference::ToolName(_) => None,
        };
        self.name_override.as_deref().or(own)
    }

    /// The same, as it may be returned.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        Self { auth_tokens: hidden(&self.auth_tokens), ..self.clone() }
    }
}

impl From<ToolReference> for SelectedTool {
    fn from(tool: ToolReference) -> Self {
        Self {
            name_override: None,
            description_override: None,
            auth_tokens: BTreeMap::new(),
            parameter_overrides: None,
            transition_id: None,
            tool,
        }
    }
}

record! {
    /// What a tool is.
    pub struct BaseToolDefinition {
        /// The name that the model knows it by. A durable tool's own name if absent.
        model_tool_name: Option<String> where ModelToolName,
        /// What the model is told that it does.
        description: Option<String>,
        /// What the model sets.
        dynamic_parameters: Vec<DynamicParameter>,
        /// What is always the same.
        static_parameters: Vec<StaticParameter>,
        /// What the server sets.
        automatic_parameters: Vec<AutomaticParameter>,
        /// What has to be given when the tool is selected.
        requirements: Option<ToolRequirements>,
        /// How long it may run, at most 40s; 2.5s if absent.
        timeout: Option<WireDuration> where UpToSeconds(40),
        /// Whether it may run before it is certain that it is wanted: it only reads, and does so the same way each time.
        precomputable: Option<bool>,
        /// What the agent does after its result, unless the result says otherwise; it speaks if absent.
        default_reaction: Option<DefaultReaction>,
        /// What the model is told at once instead of the tool's result.
        static_response: Option<StaticToolResponse>,
    }
    with one of {
        /// What runs it.
        run: BaseToolRun,
    }
    where parameters_have_places
}

choice! {
    /// What runs a tool.
    pub enum BaseToolRun {
        /// An HTTP endpoint.
        http: Http(HttpToolDetails),
        /// The client that has joined the call.
        client: Client(ClientToolDetails),
        /// The data connection.
        data_connection: DataConnection(DataConnectionToolDetails),
    }
}

record! {
    /// A tool behind an HTTP endpoint.
    pub struct HttpToolDetails {
        /// The URL, in which `{name}` stands for a parameter.
        base_url_pattern: String where HTTP_URL,
        /// The method.
        http_method: crate::endpoint::Method,
    }
}

record! {
    /// A tool that the client runs.
    #[derive(Default)]
    pub struct ClientToolDetails {}
}

record! {
    /// A tool that the data connection runs.
    #[derive(Default)]
    pub struct DataConnectionToolDetails {}
}

record! {
    /// A parameter that the model sets.
    pub struct DynamicParameter {
        /// Its name.
        name: String,
        /// Where it goes; only a tool without HTTP may leave it out.
        location: Option<ParameterLocation>,
        /// JSON Schema of its values; any value if absent.
        schema: JsonObject,
        /// Whether the model has to set it.
        required: Option<bool>,
    }
}

record! {
    /// A parameter that is always the same.
    pub struct StaticParameter {
        /// Its name.
        name: String,
        /// Where it goes; only a tool without HTTP may leave it out.
        location: Option<ParameterLocation>,
        /// Its value.
        value: Value,
    }
}

record! {
    /// A parameter that the server sets.
    pub struct AutomaticParameter {
        /// Its name.
        name: String,
        /// Where it goes; only a tool without HTTP may leave it out.
        location: Option<ParameterLocation>,
        /// What the server sets it to.
        known_value: KnownParameter,
    }
}

words! {
    /// Where in a request a parameter goes (protocol.md 6.3).
    pub enum ParameterLocation {
        /// A member of the JSON body.
        Body = "PARAMETER_LOCATION_BODY",
        /// A header.
        Header = "PARAMETER_LOCATION_HEADER",
        /// In the place of `{name}` in the URL.
        Path = "PARAMETER_LOCATION_PATH",
        /// A parameter of the query.
        Query = "PARAMETER_LOCATION_QUERY",
    }
    unset "PARAMETER_LOCATION_UNSPECIFIED"
}

words! {
    /// What the server can set a parameter to (protocol.md 6.4).
    pub enum KnownParameter {
        /// The call's id.
        CallId = "KNOWN_PARAM_CALL_ID",
        /// The call's metadata.
        CallMetadata = "KNOWN_PARAM_CALL_METADATA",
        /// The id of the call's stage.
        CallStageId = "KNOWN_PARAM_CALL_STAGE_ID",
        /// The call's state.
        CallState = "KNOWN_PARAM_CALL_STATE",
        /// The conversation so far.
        ConversationHistory = "KNOWN_PARAM_CONVERSATION_HISTORY",
        /// Samples per second of the agent's audio.
        OutputSampleRate = "KNOWN_PARAM_OUTPUT_SAMPLE_RATE",
        /// The thread that calls.
        ThreadId = "KNOWN_PARAM_THREAD_ID",
        /// What the side threads do.
        ThreadStates = "KNOWN_PARAM_THREAD_STATES",
    }
    unset "KNOWN_PARAM_UNSPECIFIED"
}

words! {
    /// What the agent does after a tool's result, as a tool's definition spells it (protocol.md 6.8).
    pub enum DefaultReaction {
        /// It waits for the user.
        Listens = "AGENT_REACTION_LISTENS" | "listens",
        /// It speaks.
        Speaks = "AGENT_REACTION_SPEAKS" | "speaks",
        /// It speaks unless it did so right before the call.
        SpeaksOnce = "AGENT_REACTION_SPEAKS_ONCE" | "speaks-once",
    }
    unset "AGENT_REACTION_UNSPECIFIED"
}

record! {
    /// What the model is told at once (protocol.md 6.10).
    pub struct StaticToolResponse {
        /// The text it is told.
        response_text: String => String::new(),
    }
}

record! {
    /// What has to be given when a tool is selected.
    #[derive(Default)]
    pub struct ToolRequirements {
        /// How the tool's endpoint is satisfied of the caller.
        http_security_options: Option<SecurityOptions>,
        /// Parameters that must be overridden.
        required_parameter_overrides: Vec<String>,
    }
}

record! {
    /// Ways to satisfy an endpoint, of which one is enough: the first possible one that asks for anything.
    #[derive(Default)]
    pub struct SecurityOptions {
        /// The ways.
        options: Vec<SecurityRequirements>,
    }
}

record! {
    /// What one way asks for, all of it.
    #[derive(Default)]
    pub struct SecurityRequirements {
        /// Tokens, by the names under which they are given.
        requirements: BTreeMap<String, SecurityRequirement>,
        /// A token that the server makes for the call.
        ultravox_call_token_requirement: Option<UltravoxCallToken>,
    }
}

choice! {
    /// Where a token goes.
    pub enum SecurityRequirement {
        /// A parameter of the query.
        query_api_key: QueryApiKey(QueryApiKey),
        /// A header of its own.
        header_api_key: HeaderApiKey(HeaderApiKey),
        /// The `Authorization` header.
        http_auth: HttpAuth(HttpAuth),
    }
}

record! {
    /// A token in the query.
    pub struct QueryApiKey {
        /// The parameter's name.
        name: String,
    }
}

record! {
    /// A token in a header.
    pub struct HeaderApiKey {
        /// The header's name.
        name: String,
    }
}

record! {
    /// A token in the `Authorization` header.
    pub struct HttpAuth {
        /// What stands before it, such as `Bearer`.
        scheme: String,
    }
}

record! {
    /// A token that the server makes for a call, sent as `X-Ultravox-Call-Token`.
    #[derive(Default)]
    pub struct UltravoxCallToken {
        /// What it has to permit.
        scopes: Vec<String>,
    }
}

/// Every parameter of an HTTP tool says where it goes; other tools have only a body (protocol.md 6.3).
fn parameters_have_places(definition: &BaseToolDefinition, reader: &mut Reader) {
    let lists: [(&'static str, Vec<Option<ParameterLocation>>); 3] = [
        ("dynamicParameters", definition.dynamic_parameters.iter().map(|p| p.location).collect()),
        ("staticParameters", definition.static_parameters.iter().map(|p| p.location).collect()),
        ("automaticParameters", definition.automatic_parameters.iter().map(|p| p.location).collect()),
    ];
    let is_http = match definition.run {
        BaseToolRun::Http(_) => true,
        BaseToolRun::Client(_) | BaseToolRun::DataConnection(_) => false,
    };
    for (list, locations) in lists {
        for (index, location) in locations.into_iter().enumerate() {
            let problem = match location {
                None if is_http => "is missing; say where the parameter goes",
                Some(ParameterLocation::Header | ParameterLocation::Path | ParameterLocation::Query)
                    if !is_http =>
                {
                    "must be PARAMETER_LOCATION_BODY, since only HTTP tools have other places"
                }
                None | Some(_) => continue,
            };
            reader.at(list, |reader| {
                reader.at(index, |reader| reader.at("location", |reader| reader.refuse(problem)));
            });
        }
    }
}
