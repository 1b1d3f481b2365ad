//! A scenario: an agent, a user, the backends around them, and what is expected of the call.
//!
//! Owns the file format and its checks. Whatever is wrong with a file is told with its line and what to do, before anything
//! runs. The format is described in `docs/simulation.md`.

mod answers;
mod expectations;
mod models;
mod steps;
mod text;
mod written;
mod yaml;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use antiphon_api::json::JsonObject;
use antiphon_api::realtime::ToolResult;
use antiphon_api::rest::calls::StartCallRequest;
use antiphon_engine::config::Config;

pub(super) use expectations::{Expectation, Occurrence};
pub(super) use steps::{Awaited, Speech, Step, Trigger, kind};

use super::agent::Keys;
use super::model::Model;
use crate::call::stages::Means;
use crate::tools::CallTool;

/// A checked scenario.
pub struct Scenario {
    /// Its name: what the file says, or the file's own.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// What the file says and what is not heeded.
    pub remarks: Vec<String>,
    pub(super) config: Config,
    pub(super) call_tools: Vec<CallTool>,
    /// What the call is created with, and what its stages are worked out with.
    pub(super) request: Arc<StartCallRequest>,
    pub(super) means: Means,
    pub(super) metadata: JsonObject,
    pub(super) keys: Keys,
    pub(super) model: Model,
    pub(super) voice: Voice,
    pub(super) user: User,
    pub(super) transcript_delay: Duration,
    pub(super) answers: BTreeMap<String, Vec<Answer>>,
    pub(super) steps: Vec<Lined<Step>>,
    pub(super) expectations: Vec<Lined<Expectation>>,
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario").field("name", &self.name).field("path", &self.path).finish_non_exhaustive()
    }
}

/// Something and the line that it is written in.
#[derive(Debug, Clone)]
pub(super) struct Lined<T> {
    pub(super) line: u64,
    pub(super) value: T,
}

/// How the agent speaks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Voice {
    pub(super) words_per_minute: f64,
    /// Before the first audio of each sentence.
    pub(super) delay: Duration,
}

/// How the user behaves.
#[derive(Debug, Clone, Copy)]
pub(super) struct User {
    pub(super) words_per_minute: f64,
    /// How long the agent has listened before the user speaks.
    pub(super) reaction: Duration,
    /// How long a step waits for what it needs.
    pub(super) patience: Duration,
}

/// How a tool answers.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// The answer, but for the id of the invocation; `None` for a tool that never answers.
    pub(super) result: Option<ToolResult>,
    pub(super) after: Duration,
}

/// What is wrong with a scenario file. Whoever wrote it has to change it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ScenarioError {
    /// The file.
    pub path: PathBuf,
    /// The line, counted from 1; 0 when it is not known.
    pub line: u64,
    /// What is wrong, and what to do.
    pub problem: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.line {
            0 => write!(f, "{path}: {}", self.problem),
            line => write!(f, "{path}:{line}: {}", self.problem),
        }
    }
}

impl Scenario {
    /// Reads a scenario from its file. Files that it names are looked for beside it.
    ///
    /// # Errors
    /// The file cannot be read, or says something that makes no sense.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path).map_err(|error| ScenarioError {
            path: path.to_owned(),
            line: 0,
            problem: format!("cannot be read: {error}"),
        })?;
        Self::from_yaml(path, &text)
    }

    /// Reads a scenario from text that stands, or could stand, in this file.
    ///
    /// # Errors
    /// The text says something that makes no sense.
    pub fn from_yaml(path: &Path, text: &str) -> Result<Self, ScenarioError> {
        written::read(path, text).map_err(|problem| ScenarioError {
            path: path.to_owned(),
            line: problem.line,
            problem: problem.text,
        })
    }

    /// Whether the call runs in real time while the model works, since the model is a real one.
    #[must_use]
    pub fn asks_a_real_model(&self) -> bool {
        match self.model {
            Model::Endpoint(_) => true,
            Model::Script(_) | Model::Replies { .. } => false,
        }
    }
}
