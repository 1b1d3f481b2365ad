//! Tools that a client, or a data connection, runs: async functions with typed parameters, by the names that the model knows them by.
//!
//! [`Tools`] tells the server of them when the call is created ([`Tools::selected`]) and runs them when the agent calls them:
//! one at a time with [`Tools::run`], or concurrently and answered by themselves with a [`ToolRunner`]. Knows no connection but the
//! sender that results go to.
//!
//! ```
//! use antiphon_client::tools::{Tool, Tools};
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//!
//! /// Where and when.
//! #[derive(Deserialize, JsonSchema)]
//! struct Forecast {
//!     /// The city, in English.
//!     city: String,
//!     /// Days from today.
//!     #[serde(default)]
//!     days: u32,
//! }
//!
//! let mut tools = Tools::new();
//! tools.add(Tool::new("weather", "Tells the weather.", async |forecast: Forecast| {
//!     if forecast.days > 7 {
//!         return Err("nobody knows the weather in more than a week");
//!     }
//!     Ok(format!("It will be sunny in {}.", forecast.city))
//! }))?;
//! let definition = serde_json::to_value(tools.selected())?;
//! let parameter = &definition[0]["temporaryTool"]["dynamicParameters"][0];
//! assert_eq!(parameter["name"], "city");
//! assert_eq!(parameter["schema"]["description"], "The city, in English.");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod parameters;
mod runner;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use antiphon_api::WireDuration;
use antiphon_api::json::JsonObject;
use antiphon_api::realtime::{ToolErrorType, ToolInvocation, ToolResult};
use antiphon_api::rest::calls::{
    BaseToolDefinition, BaseToolRun, ClientToolDetails, DataConnectionToolDetails, DynamicParameter,
    SelectedTool, ToolReference,
};
use futures::FutureExt as _;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What parameters are described with: derive [`JsonSchema`] beside `Deserialize`.
pub use schemars;

pub use answer::Answer;
pub use parameters::{NoParameters, ParametersError};
pub use runner::ToolRunner;

/// How long a tool may run if it does not say: the server is told, and waits as long.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The longest that the protocol allows (protocol.md 6.7).
const LONGEST: Duration = Duration::from_secs(40);
/// Characters of an error that are passed on.
const LONGEST_COMPLAINT: usize = 1_000;

type Running = Pin<Box<dyn Future<Output = Result<Answer, String>> + Send>>;
type Body = Arc<dyn Fn(JsonObject) -> Running + Send + Sync>;

/// A tool: what the model is told of it, and what runs.
#[derive(Clone)]
pub struct Tool {
    name: String,
    description: String,
    parameters: Result<Vec<DynamicParameter>, ParametersError>,
    timeout: Duration,
    body: Body,
}

/// Why a tool cannot be added. Whoever writes the program acts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// There is one of the name.
    #[error("there is a tool {0:?} already; give this one another name")]
    Duplicate(String),
    /// The name is none.
    #[error("{0:?} is no tool name; use 1 to 64 letters, digits, _ and -")]
    Name(String),
    /// The parameters cannot be described to the model.
    #[error("the parameters of the tool {tool:?}: {error}")]
    Parameters {
        /// The tool.
        tool: String,
        /// What is wrong.
        #[source]
        error: ParametersError,
    },
    /// The time is none.
    #[error("the tool {0:?} must have a timeout of more than 0 s and at most {max} s", max = LONGEST.as_secs())]
    Timeout(String),
}

impl Tool {
    /// A tool that takes a `P`, whose doc comments tell the model what each field is. Whatever the model sends that is no `P` is
    /// answered with what is wrong.
    ///
    /// What it gives becomes the result; an error becomes an `implementation-error` with its text, which developers see.
    pub fn new<P, F, R, E>(
        name: impl Into<String>,
        description: impl Into<String>,
        body: impl Fn(P) -> F + Send + Sync + 'static,
    ) -> Self
    where
        P: DeserializeOwned + JsonSchema,
        F: Future<Output = Result<R, E>> + Send + 'static,
        R: Into<Answer>,
        E: fmt::Display,
    {
        let read = move |arguments: JsonObject| -> Running {
            match serde_json::from_value::<P>(Value::Object(arguments)) {
                Err(error) => {
                    let complaint = format!("the arguments do not fit: {error}");
                    Box::pin(std::future::ready(Err(complaint)))
                }
                Ok(parameters) => boxed(body(parameters)),
            }
        };
        Self::of(name.into(), description.into(), parameters::of_type::<P>(), Arc::new(read))
    }

    /// A tool whose parameters are described by a JSON Schema of type `object`, and come as they are.
    pub fn untyped<F, R, E>(
        name: impl Into<String>,
        description: impl Into<String>,
        schema: &Value,
        body: impl Fn(JsonObject) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<R, E>> + Send + 'static,
        R: Into<Answer>,
        E: fmt::Display,
    {
        let body = move |arguments: JsonObject| boxed(body(arguments));
        Self::of(name.into(), description.into(), parameters::of_schema(schema), Arc::new(body))
    }

    fn of(
        name: String,
        description: String,
        parameters: Result<Vec<DynamicParameter>, ParametersError>,
        body: Body,
    ) -> Self {
        Self { name, description, parameters, timeout: TIMEOUT, body }
    }

    /// How long it may run, at most 40 s; 20 s if this is not said. Longer work is answered with a placeholder and told as a text
    /// of the user when it is done.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The name that the model knows it by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn selected(&self, run: BaseToolRun) -> SelectedTool {
        let definition = BaseToolDefinition {
            model_tool_name: Some(self.name.clone()),
            description: Some(self.description.clone()).filter(|text| !text.is_empty()),
            dynamic_parameters: self.parameters.clone().unwrap_or_default(),
            static_parameters: Vec::new(),
            automatic_parameters: Vec::new(),
            requirements: None,
            timeout: Some(WireDuration::from(self.timeout)),
            precomputable: None,
            default_reaction: None,
            static_response: None,
            run,
        };
        ToolReference::TemporaryTool(Box::new(definition)).into()
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool").field("name", &self.name).finish_non_exhaustive()
    }
}

fn boxed<R: Into<Answer>, E: fmt::Display>(
    running: impl Future<Output = Result<R, E>> + Send + 'static,
) -> Running {
    Box::pin(running.map(|outcome| outcome.map(Into::into).map_err(|error| error.to_string())))
}

/// Tools by their names. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Tools {
    tools: Arc<BTreeMap<String, Tool>>,
}

impl Tools {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tool.
    ///
    /// # Errors
    ///
    /// There is one of the name already, or it cannot be described to the model.
    pub fn add(&mut self, tool: Tool) -> Result<&mut Self, ToolError> {
        let is_name_char = |char: char| char.is_ascii_alphanumeric() || char == '_' || char == '-';
        if !(1..=64).contains(&tool.name.len()) || !tool.name.chars().all(is_name_char) {
            return Err(ToolError::Name(tool.name));
        }
        if let Err(error) = &tool.parameters {
            return Err(ToolError::Parameters { error: error.clone(), tool: tool.name });
        }
        if tool.timeout.is_zero() || tool.timeout > LONGEST {
            return Err(ToolError::Timeout(tool.name));
        }
        if self.tools.contains_key(&tool.name) {
            return Err(ToolError::Duplicate(tool.name));
        }
        Arc::make_mut(&mut self.tools).insert(tool.name.clone(), tool);
        Ok(self)
    }

    /// Their names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tools.keys().map(String::as_str)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    /// What the server is told of them when a call is created whose client runs them: for `selectedTools`.
    #[must_use]
    pub fn selected(&self) -> Vec<SelectedTool> {
        let client = || BaseToolRun::Client(ClientToolDetails::default());
        self.tools.values().map(|tool| tool.selected(client())).collect()
    }

    /// The same, for a call whose data connection runs them.
    #[must_use]
    pub fn selected_for_data_connection(&self) -> Vec<SelectedTool> {
        let connection = || BaseToolRun::DataConnection(DataConnectionToolDetails::default());
        self.tools.values().map(|tool| tool.selected(connection())).collect()
    }

    /// Runs what was invoked and gives what to answer, whatever happens: a tool that there is not is `undefined`; arguments that do
    /// not fit, an error, a panic and too long a time are an `implementation-error`. Dropping this stops the tool.
    pub fn run(&self, invocation: ToolInvocation) -> impl Future<Output = ToolResult> + Send + 'static {
        let ToolInvocation { tool_name, invocation_id, parameters } = invocation;
        let tool = self.tools.get(&tool_name).cloned();
        async move {
            let Some(tool) = tool else {
                let complaint = format!("this client has no tool {tool_name:?}");
                return ToolResult::failed(invocation_id, ToolErrorType::Undefined, complaint);
            };
            // What the tool does before its first pause may panic as well.
            let running = AssertUnwindSafe(async { (tool.body)(parameters).await }).catch_unwind();
            let outcome = match tokio::time::timeout(tool.timeout, running).await {
                Err(_) => Err(format!("the tool took more than {} ms", tool.timeout.as_millis())),
                Ok(Err(_)) => Err("the tool panicked; see the program's own log".to_owned()),
                Ok(Ok(outcome)) => outcome,
            };
            match outcome {
                Ok(answer) => answer.into_result(invocation_id),
                Err(complaint) => failed(invocation_id, &complaint),
            }
        }
    }
}

fn failed(invocation_id: String, complaint: &str) -> ToolResult {
    let complaint: String = complaint.chars().take(LONGEST_COMPLAINT).collect();
    ToolResult::failed(invocation_id, ToolErrorType::ImplementationError, complaint)
}
