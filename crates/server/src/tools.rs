//! A call's tools: from what a request selects to what the engine knows of them, and from an invocation to its outcome.
//!
//! [`selection`] reads what was selected, [`parameters`] what a tool is given and from whom, [`schema`] and [`repair`] hold the
//! model to it, [`authentication`] says who we are, [`http`] runs a tool behind an HTTP endpoint, and [`outcome`] reads what any
//! tool answered. Knows the definitions' wire words so that nothing else in a running call has to; knows no call.

mod authentication;
pub(crate) mod built_in;
mod http;
pub(crate) mod open_api;
pub(crate) mod outcome;
pub(crate) mod parameters;
mod repair;
pub(crate) mod requests;
mod schema;
mod selection;
mod trial;
mod view;

use std::sync::Arc;

use antiphon_api::json::JsonObject;
use antiphon_engine::config::Tool;
use antiphon_engine::input::{ModelToolCall, Reaction, ToolAction, ToolAnswer, ToolOutcome};
use serde_json::Value;

pub(crate) use authentication::{CallToken, header_name};
pub(crate) use built_in::search::CorpusQuery;
pub(crate) use http::{Finished, HttpCall};
pub(crate) use jsonschema::Validator;
pub(crate) use parameters::KnownValues;
pub(crate) use schema::{problems, self_contained};
pub(crate) use selection::{check_definition, prepare};
pub(crate) use trial::Trial;
pub(crate) use view::shown;

use built_in::running::Running;
use http::HttpTool;
use parameters::Parameters;

/// Something about a tool that cannot be. Whoever selected or defined it changes the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub(crate) struct ToolError {
    /// The field, by its dotted path.
    pub(crate) field: String,
    /// What is wrong with it, and what to do.
    pub(crate) message: String,
}

impl ToolError {
    fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// What a call remembers of a tool to invoke it.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallTool {
    parameters: Parameters,
    runs: Runs,
}

/// What runs a tool.
#[derive(Debug, Clone, Default)]
enum Runs {
    /// The engine, which never asks for it.
    #[default]
    Engine,
    /// The client of the call.
    Client,
    /// The call's data connection.
    DataConnection,
    /// An HTTP endpoint.
    Http(Box<HttpTool>),
    /// This server, at once.
    BuiltIn(Running),
    /// This server, which looks something up in a corpus.
    Search,
}

/// What is to be done to run a tool.
pub(crate) enum Task {
    /// The client is sent these parameters.
    Client(JsonObject),
    /// Nothing: this is what the tool answers.
    Known(ToolOutcome),
    /// The data connection is sent these parameters.
    DataConnection(JsonObject),
    /// This request is sent.
    Http(Box<HttpCall>),
    /// This is looked up in a corpus.
    Search(Box<CorpusQuery>),
}

/// A call that is not made, and the text that lets the model make it properly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) String);

impl Refusal {
    /// What the engine is told: a result with which the model can do better, whatever the tool's own reaction. It counts as no
    /// failure, since nothing was run.
    pub(crate) fn outcome(&self) -> ToolOutcome {
        let text = format!("The arguments are not valid: {}. Call the tool again with valid ones.", self.0);
        ToolOutcome::Answered(ToolAnswer {
            action: ToolAction::Respond(Arc::from(text)),
            reaction: Some(Reaction::Speaks),
            state_update: None,
        })
    }
}

/// Mends a model's call of one of these tools, whose names are those of `known`. Returns whether there was anything to mend.
pub(crate) fn mend(tools: &[CallTool], known: &[Tool], call: &mut ModelToolCall) -> bool {
    let found = known.iter().zip(tools).find(|(known, _)| known.face.name == call.name);
    found.is_some_and(|(_, tool)| tool.mend(call))
}

impl CallTool {
    /// Whether it can run only where the call has a data connection.
    pub(crate) fn needs_data_connection(&self) -> bool {
        matches!(self.runs, Runs::DataConnection)
    }

    /// What an invocation comes to: its arguments are checked, the other parameters added.
    pub(crate) fn task(&self, arguments: &Value, known: &KnownValues<'_>) -> Result<Task, Refusal> {
        let arguments = &*self.parameters.fitting(arguments).map_err(Refusal)?;
        match &self.runs {
            Runs::Engine | Runs::Client => Ok(Task::Client(self.parameters.object(arguments, known))),
            Runs::BuiltIn(running) => running.run(&self.parameters.object(arguments, known)).map(Task::Known),
            Runs::Search => CorpusQuery::new(self.parameters.object(arguments, known))
                .map(|query| Task::Search(Box::new(query))),
            Runs::DataConnection => Ok(Task::DataConnection(self.parameters.object(arguments, known))),
            Runs::Http(tool) => {
                let placed = self.parameters.placed(arguments, known);
                tool.call(&placed).map(|call| Task::Http(Box::new(call))).map_err(Refusal)
            }
        }
    }

    /// Mends what a model got wrong about a call's arguments, where only one thing can be meant. Returns whether it did.
    fn mend(&self, call: &mut ModelToolCall) -> bool {
        let Some(mended) = self.parameters.mend(&call.arguments) else { return false };
        call.arguments = mended.into();
        true
    }
}
