//! The tools that the server brings itself (protocol.md 6.11): their names, ids and parameters as published.

use std::sync::Arc;
use std::time::Duration;

use antiphon_api::ToolId;
use antiphon_api::rest::calls::{
    BaseToolDefinition, BaseToolRun, ClientToolDetails, DefaultReaction, DynamicParameter, ParameterLocation,
    SelectedTool, StaticParameter, ToolReference, ToolRequirements,
};
use antiphon_engine::config::{Tool, ToolRuns};
use antiphon_engine::input::Reaction;
use antiphon_engine::message::ToolForModel;
use serde_json::Value;
use uuid::Uuid;

use super::parameters::Parameters;
use super::{CallTool, Runs, ToolError};
use running::Running;

pub(super) mod running;
pub(crate) mod search;

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
    /// Other spellings of parameters, and the ones above.
    also: &'static [(&'static str, &'static str)],
    /// What the agent does after it, where that is not to speak.
    reaction: Option<DefaultReaction>,
    runs: Run,
}

/// What runs a built-in tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    /// The engine, which ends the call.
    HangUp,
    /// This server, at once.
    Here(Running),
    /// This server, which looks something up.
    Search,
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
        also: &[],
        reaction: None,
        runs: Run::Here(Running::Transfer),
    },
    BuiltIn {
        name: "hangUp",
        id: id(0x56294126_5a7d_4948_b67d_3b7e13d55ea7),
        description: "Ends the call. Use it when the conversation has come to its end, after saying goodbye.",
        dynamic: &[("reason", "string", false, "Why the call ends.")],
        fixed: &[("strict", "true")],
        required: &[],
        also: &[],
        reaction: Some(DefaultReaction::Listens),
        runs: Run::HangUp,
    },
    BuiltIn {
        name: "leaveVoicemail",
        id: id(0x8721c74d_af3f_4dfa_a736_3bc170ef917c),
        description: "Leaves a message on an answering machine and ends the call.",
        dynamic: &[("message", "string", true, "The message to leave.")],
        fixed: &[("strict", "true"), ("result", "\"[Leaving voicemail...]\"")],
        required: &[],
        also: &[],
        reaction: Some(DefaultReaction::Listens),
        runs: Run::Here(Running::Voicemail),
    },
    BuiltIn {
        name: "playDtmfSounds",
        id: id(0x3e9489b1_25de_4032_bb3d_f7b84765ec93),
        description: "Presses keys of the telephone.",
        dynamic: &[("digits", "string", true, "The keys to press: 0-9, *, #, A-D.")],
        fixed: &[("toneDuration", "\"0.2s\""), ("spaceDuration", "\"0.1s\"")],
        required: &[],
        also: &[],
        reaction: Some(DefaultReaction::Listens),
        runs: Run::Here(Running::Keys),
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
        also: &[("corpusId", "corpus_id"), ("maxResults", "max_results"), ("minimumScore", "minimum_score")],
        reaction: None,
        runs: Run::Search,
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
        also: &[],
        reaction: None,
        runs: Run::Here(Running::Transfer),
    },
];

impl BuiltIn {
    /// Whether it looks things up in a corpus.
    pub(crate) fn searches(&self) -> bool {
        self.runs == Run::Search
    }

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
            default_reaction: self.reaction,
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

/// What a selected one is for a call.
pub(super) fn prepare(
    built_in: &BuiltIn,
    selected: &SelectedTool,
    at: &str,
) -> Result<(CallTool, Tool), ToolError> {
    let selected = &spelled(built_in, selected);
    let definition = built_in.definition();
    let parameters = Parameters::new(&definition, selected, at, at)?;
    let fixed = selected.parameter_overrides.clone().unwrap_or_default();
    let (runs, engine_runs) = match built_in.runs {
        Run::HangUp => {
            let strict = match fixed.get("strict") {
                None => true,
                Some(Value::Bool(strict)) => *strict,
                Some(_) => {
                    let field = format!("{at}.parameterOverrides.strict");
                    return Err(ToolError::new(field, "must be true or false"));
                }
            };
            (Runs::Engine, ToolRuns::HangUp { strict })
        }
        Run::Here(running) => {
            running.check(&fixed, at)?;
            (Runs::BuiltIn(running), ToolRuns::Outside)
        }
        Run::Search => {
            search::check(&fixed, at)?;
            (Runs::Search, ToolRuns::Outside)
        }
    };
    let reaction = match definition.default_reaction {
        Some(DefaultReaction::Listens) => Reaction::Listens,
        None | Some(DefaultReaction::Speaks | DefaultReaction::SpeaksOnce) => Reaction::Speaks,
    };
    let tool = Tool {
        face: ToolForModel {
            name: Arc::from(selected.name_override.as_deref().unwrap_or(built_in.name)),
            description: Arc::from(selected.description_override.as_deref().unwrap_or(built_in.description)),
            parameters: parameters.schema(),
        },
        timeout: TIMEOUT,
        reaction,
        runs: engine_runs,
        wants_history: false,
        precomputable: false,
        static_response: None,
    };
    Ok((CallTool { parameters, runs }, tool))
}

/// A selection whose overrides are spelled as the definition does.
fn spelled(built_in: &BuiltIn, selected: &SelectedTool) -> SelectedTool {
    let mut selected = selected.clone();
    if let Some(overrides) = &mut selected.parameter_overrides {
        for (other, own) in built_in.also {
            if let Some(value) = overrides.remove(*other) {
                overrides.entry((*own).to_owned()).or_insert(value);
            }
        }
    }
    selected
}

#[cfg(test)]
mod tests {
    use antiphon_api::json::{Source, from_value};
    use serde_json::json;

    use super::*;

    fn selected(value: &Value) -> Result<(CallTool, Tool), ToolError> {
        let selected = from_value::<SelectedTool>(value, Source::RequestBody).unwrap().value;
        prepare(find(&selected.tool).unwrap(), &selected, "selectedTools[0]")
    }

    #[test]
    fn each_is_found_by_its_published_id_and_name() {
        for built_in in &ALL {
            let by_name = find(&ToolReference::ToolName(built_in.name.to_owned()));
            assert_eq!(by_name, find(&ToolReference::ToolId(built_in.id)));
            assert_eq!(by_name, Some(built_in));
        }
    }

    #[test]
    fn names_and_descriptions_can_be_others() {
        let (_, tool) = selected(&json!({
            "toolName": "leaveVoicemail", "nameOverride": "leave", "descriptionOverride": "Leave it.",
            "parameterOverrides": {"message": "Call us back."},
        }))
        .unwrap();
        assert_eq!((&*tool.face.name, &*tool.face.description), ("leave", "Leave it."));
        assert_eq!(
            tool.face.parameters["properties"],
            json!({}),
            "what is overridden the model does not see"
        );
    }

    #[test]
    fn a_corpus_is_named_in_either_spelling() {
        let id = "11111111-2222-4333-8444-555555555555";
        let select =
            |overrides: Value| selected(&json!({"toolName": "queryCorpus", "parameterOverrides": overrides}));
        for (overrides, field) in [
            (json!({}), "corpus_id"),
            (json!({"corpus_id": "x"}), "corpus_id"),
            (json!({"corpusId": id, "maxResults": 30}), "max_results"),
            (json!({"corpusId": id, "minimumScore": "high"}), "minimum_score"),
            (json!({"corpusID": id}), "corpusID"),
        ] {
            let error = select(overrides).unwrap_err();
            assert_eq!(error.field, format!("selectedTools[0].parameterOverrides.{field}"));
        }
        let sees = |overrides| {
            let (_, tool) = select(overrides).unwrap();
            tool.face.parameters["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(sees(json!({"corpus_id": id})), ["query", "max_results"]);
        assert_eq!(sees(json!({"corpusId": id, "maxResults": 3, "minimumScore": 0.5})), ["query"]);
    }

    #[test]
    fn a_transfer_needs_a_target() {
        let refused = selected(&json!({"toolName": "coldTransfer"})).unwrap_err();
        assert_eq!(refused.field, "selectedTools[0].parameterOverrides.target");
        let fine =
            json!({"toolName": "warmTransfer", "parameterOverrides": {"target": "sip:desk@example.com"}});
        assert!(selected(&fine).is_ok());
    }
}
