//! The tools that the server brings itself (protocol.md 6.11): their names, ids and parameters as published.

use std::sync::Arc;
use std::time::Duration;

use antiphon_api::ToolId;
use antiphon_api::rest::calls::{
    BaseToolDefinition, BaseToolRun, ClientToolDetails, DynamicParameter, ParameterLocation, SelectedTool,
    StaticParameter, ToolReference, ToolRequirements,
};
use antiphon_engine::config::{Tool, ToolRuns};
use antiphon_engine::input::Reaction;
use antiphon_engine::message::ToolForModel;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{CallTool, ToolError};

/// How long a built-in may take: it never leaves the server.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A tool of the server's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BuiltIn {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its id; those that are published are the published ones.
    pub(crate) id: ToolId,
    /// What the model is told that it does.
    pub(crate) description: &'static str,
    /// What the model sets: name, JSON type, whether it has to, and what it is.
    pub(crate) dynamic: &'static [(&'static str, &'static str, bool, &'static str)],
    /// What can be overridden: name and default as JSON.
    pub(crate) fixed: &'static [(&'static str, &'static str)],
    /// What has to be overridden.
    pub(crate) required: &'static [&'static str],
}

const fn id(id: u128) -> ToolId {
    ToolId::new(Uuid::from_u128(id))
}

/// All of them, by name.
pub(crate) const ALL: [BuiltIn; 6] = [
    BuiltIn {
        name: "coldTransfer",
        id: id(0x2fff509d_273f_414e_91ff_aa933435a545),
        description: "Transfers the call to a person.",
        dynamic: &[],
        fixed: &[
            ("target", "null"),
            ("extraHeaders", "{}"),
            ("holdMusicUrl", "null"),
            ("sipVerb", "\"REFER\""),
            ("from", "null"),
            ("username", "null"),
            ("password", "null"),
        ],
        required: &["target"],
    },
    BuiltIn {
        name: "hangUp",
        id: id(0x56294126_5a7d_4948_b67d_3b7e13d55ea7),
        description: "Ends the call. Use it when the conversation has come to its end, after saying goodbye.",
        dynamic: &[("reason", "string", false, "Why the call ends.")],
        fixed: &[("strict", "true")],
        required: &[],
    },
    BuiltIn {
        name: "leaveVoicemail",
        id: id(0x8721c74d_af3f_4dfa_a736_3bc170ef917c),
        description: "Leaves a message on an answering machine and ends the call.",
        dynamic: &[("message", "string", true, "The message to leave.")],
        fixed: &[("strict", "true"), ("result", "\"[Leaving voicemail...]\"")],
        required: &[],
    },
    BuiltIn {
        name: "playDtmfSounds",
        id: id(0x3e9489b1_25de_4032_bb3d_f7b84765ec93),
        description: "Presses keys of the telephone.",
        dynamic: &[("digits", "string", true, "The keys to press: 0-9, *, #, A-D.")],
        fixed: &[("toneDuration", "\"0.2s\""), ("spaceDuration", "\"0.1s\"")],
        required: &[],
    },
    BuiltIn {
        name: "queryCorpus",
        id: id(0x84a31bac_5c1b_41c3_9058_f81acb7ffaa7),
        description: "Looks something up in a collection of documents.",
        dynamic: &[
            ("query", "string", true, "What to look for."),
            ("max_results", "integer", false, "How many results, 1 to 20."),
        ],
        fixed: &[("corpus_id", "null"), ("minimum_score", "0")],
        required: &["corpus_id"],
    },
    // Its id is not published.
    BuiltIn {
        name: "warmTransfer",
        id: id(0x9d1c6f0e_7b1b_4c5c_8f0d_5a4b1e3c2a10),
        description: "Transfers the call to a person, who is told first what it is about.",
        dynamic: &[("context", "string", true, "What the person should know.")],
        fixed: &[
            ("target", "null"),
            ("from", "null"),
            ("username", "null"),
            ("password", "null"),
            ("inviteHeaders", "{}"),
            ("holdMusicUrl", "null"),
            ("transferSystemPromptTemplate", "null"),
            ("transferType", "\"TRY_REFER\""),
            ("referHeaders", "{}"),
        ],
        required: &["target"],
    },
];

impl BuiltIn {
    /// What it is, in the words of a definition.
    pub(crate) fn definition(&self) -> BaseToolDefinition {
        let dynamic = |(name, kind, required, description): &(&str, &str, bool, &str)| DynamicParameter {
            name: (*name).to_owned(),
            location: Some(ParameterLocation::Body),
            schema: [("type", *kind), ("description", *description)]
                .map(|(key, text)| (key.to_owned(), Value::from(text)))
                .into_iter()
                .collect(),
            required: Some(*required),
        };
        let fixed = |(name, value): &(&str, &str)| StaticParameter {
            name: (*name).to_owned(),
            location: Some(ParameterLocation::Body),
            value: serde_json::from_str(value).expect("a default is JSON"),
        };
        let required: Vec<String> = self.required.iter().map(|name| (*name).to_owned()).collect();
        BaseToolDefinition {
            model_tool_name: Some(self.name.to_owned()),
            description: Some(self.description.to_owned()),
            dynamic_parameters: self.dynamic.iter().map(dynamic).collect(),
            static_parameters: self.fixed.iter().map(fixed).collect(),
            automatic_parameters: Vec::new(),
            requirements: (!required.is_empty())
                .then(|| ToolRequirements { required_parameter_overrides: required, ..Default::default() }),
            timeout: None,
            precomputable: None,
            default_reaction: None,
            static_response: None,
            run: BaseToolRun::Client(ClientToolDetails::default()),
        }
    }
}

/// The one that a selection refers to.
pub(crate) fn find(reference: &ToolReference) -> Option<&'static BuiltIn> {
    match reference {
        ToolReference::ToolId(id) => by_id(*id),
        ToolReference::ToolName(name) => ALL.iter().find(|built_in| built_in.name == name),
        ToolReference::TemporaryTool(_) => None,
    }
}

/// The one with this id.
pub(crate) fn by_id(id: ToolId) -> Option<&'static BuiltIn> {
    ALL.iter().find(|built_in| built_in.id == id)
}

/// What a selected one is for a call. Only `hangUp` can be used so far.
pub(super) fn prepare(
    built_in: &BuiltIn,
    selected: &SelectedTool,
    at: &str,
) -> Result<(CallTool, Tool), ToolError> {
    if built_in.name != "hangUp" {
        let message = format!("the built-in tool {:?} is not available on this server", built_in.name);
        return Err(ToolError::new(format!("{at}.{}", selected.tool.key()), message));
    }
    let strict = match selected.parameter_overrides.as_ref().and_then(|overrides| overrides.get("strict")) {
        None => true,
        Some(Value::Bool(strict)) => *strict,
        Some(_) => {
            let field = format!("{at}.parameterOverrides.strict");
            return Err(ToolError::new(field, "must be true or false"));
        }
    };
    let tool = Tool {
        face: ToolForModel {
            name: Arc::from(selected.name_override.as_deref().unwrap_or(built_in.name)),
            description: Arc::from(selected.description_override.as_deref().unwrap_or(built_in.description)),
            parameters: Arc::new(schema(built_in)),
        },
        timeout: TIMEOUT,
        reaction: Reaction::Listens,
        runs: ToolRuns::HangUp { strict },
        wants_history: false,
        precomputable: false,
        static_response: None,
    };
    Ok((CallTool::default(), tool))
}

fn schema(built_in: &BuiltIn) -> Value {
    let properties = built_in.dynamic.iter().map(|(name, kind, _, description)| {
        ((*name).to_owned(), json!({"type": kind, "description": description}))
    });
    let mut schema = json!({"type": "object", "properties": properties.collect::<serde_json::Map<_, _>>()});
    let required: Vec<_> =
        built_in.dynamic.iter().filter(|(.., required, _)| *required).map(|p| p.0).collect();
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}
