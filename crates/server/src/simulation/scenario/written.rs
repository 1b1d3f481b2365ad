//! A scenario as its file writes it, and the way from there to one that can run.
//!
//! Owns the sections of the file and the checks that need more than one of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use antiphon_api::json::JsonObject;
use antiphon_api::realtime::{ResponseType, ToolResult};
use antiphon_backends::language_model::LanguageModel;
use antiphon_backends::language_model::scripted::Scripted;
use antiphon_backends::registry::Backends;
use antiphon_backends::speech_to_text::scripted::Prepared;
use antiphon_backends::text_to_speech::TextToSpeech;
use antiphon_backends::text_to_speech::scripted::Humming;
use antiphon_backends::voice_activity::scripted::Loudness;
use antiphon_engine::config::ToolRuns;
use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::Spanned;

use super::super::agent::Agent;
use super::super::model::{Model, Reply};
use super::answers::WrittenAnswers;
use super::expectations::Expectation;
use super::models::{Source, WrittenModel, WrittenReplies, WrittenReply};
use super::steps::WrittenStep;
use super::yaml::{OneKey, Period, Short};
use super::{Answer, Lined, Scenario, User, Voice};
use crate::call::setup;
use crate::call::stages::{Asked, Means};
use crate::config::{self, Calls, TurnTaking};
use crate::outbound::Outbound;
use crate::telemetry::metrics::Metrics;

/// A speaker at an ordinary pace.
const WORDS_PER_MINUTE: f64 = 160.0;
/// Paces beyond which nobody speaks.
const PACES: std::ops::RangeInclusive<f64> = 10.0..=1_000.0;
/// What a voice takes before the first audio of a sentence, unless the file says.
const VOICE_DELAY: Duration = Duration::from_millis(150);
/// How long the agent has listened before the user speaks, unless the file says.
const REACTION: Duration = Duration::from_millis(500);
/// How long a step waits for what it needs, unless the file says.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a transcriber takes, unless the file says.
const TRANSCRIPT_DELAY: Duration = Duration::from_millis(200);

/// Something wrong in a line.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) line: u64,
    pub(super) text: String,
}

impl Problem {
    fn in_line(line: u64) -> impl Fn(String) -> Self {
        move |text| Self { line, text }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Option<String>,
    agent: Option<Spanned<PathBuf>>,
    call: Option<Spanned<JsonObject>>,
    #[serde(default)]
    context: JsonObject,
    model: Spanned<WrittenModel>,
    voice: Option<Spanned<WrittenVoice>>,
    user: Option<Spanned<WrittenUser>>,
    transcript_delay: Option<Period>,
    #[serde(default)]
    tools: BTreeMap<String, Spanned<WrittenAnswers>>,
    steps: Vec<WrittenStep>,
    expect: Spanned<Vec<Spanned<OneKey<Expectation>>>>,
}

/// Reads and checks a file.
pub(super) fn read(path: &Path, text: &str) -> Result<Scenario, Problem> {
    // Users say yes and no, which older YAML takes for truth values.
    let options = serde_saphyr::options! { strict_booleans: true };
    let written: Written = serde_saphyr::from_str_with_options(text, options).map_err(|error| Problem {
        line: error.location().map_or(0, |location| location.line()),
        text: without_place(&error.without_snippet().to_string()),
    })?;
    let beside = path.parent().unwrap_or(Path::new(""));
    let agent_line = match (&written.agent, &written.call) {
        (Some(agent), _) => agent.defined.line(),
        (None, Some(call)) => call.defined.line(),
        (None, None) => 1,
    };
    let in_agent = Problem::in_line(agent_line);
    let agent = written.agent(beside).map_err(&in_agent)?;
    let model_line = written.model.defined.line();
    let model = written.model.value.model(beside).map_err(Problem::in_line(model_line))?;
    let means = Means {
        settings: Calls::default(),
        turn_taking: TurnTaking::default(),
        backends: Arc::new(stand_ins()),
        samples: None,
        outbound: Outbound::new(&config::Outbound::default()),
        metrics: Metrics::default(),
    };
    let Means { settings, turn_taking, backends, .. } = &means;
    let setup = setup::prepare(&agent.request, true, settings, turn_taking, backends, None)
        .map_err(|error| in_agent(error.to_string()))?;

    let hang_up = setup.engine.tools.iter().find(|tool| matches!(tool.runs, ToolRuns::HangUp { .. }));
    let model = match model {
        Source::Ready(model) => model,
        Source::Replies { main, threads, pace } => {
            let hang_up = hang_up.map(|tool| Arc::clone(&tool.face.name));
            let read = |replies: WrittenReplies| -> Result<Arc<[Reply]>, Problem> {
                let reply = |reply: Spanned<Short<WrittenReply>>| {
                    let line = reply.defined.line();
                    reply.value.0.reply(hang_up.as_ref()).map_err(Problem::in_line(line))
                };
                replies.into_iter().map(reply).collect()
            };
            Model::Replies { main: read(main)?, threads: read(threads)?, pace }
        }
    };
    let outside = setup.engine.tools.iter().filter(|tool| tool.runs == ToolRuns::Outside);
    let mut known: Vec<String> = outside.map(|tool| tool.face.name.to_string()).collect();
    let mut defined = Vec::new();
    for (name, tool) in written.tools {
        let line = tool.defined.line();
        let in_line = Problem::in_line(line);
        let answers = tool.value.answers().map_err(&in_line)?;
        for answer in &answers {
            known.extend(tools_of_stage(answer).map_err(&in_line)?);
        }
        defined.push((name, line, answers));
    }
    let mut answers = BTreeMap::new();
    for (name, line, of_tool) in defined {
        let in_line = Problem::in_line(line);
        if !known.contains(&name) {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(in_line(format!("tools.{name}: the agent has no tool of this name; it has {known}")));
        }
        answers.insert(name, of_tool);
    }
    let expect = written.expect;
    if expect.value.is_empty() {
        let text = "expect: a scenario that expects nothing cannot fail; add what should happen".to_owned();
        return Err(Problem { line: expect.defined.line(), text });
    }
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    Ok(Scenario {
        name: written.name.or(stem).unwrap_or_default(),
        path: path.to_owned(),
        remarks: agent.ignored.iter().map(|field| format!("the field {field} means nothing here")).collect(),
        metadata: metadata(&agent),
        keys: agent.keys,
        voice: voice(written.voice)?,
        user: user(written.user)?,
        config: setup.engine,
        request: Arc::new(agent.request),
        means,
        call_tools: setup.tools,
        model,
        transcript_delay: Period::or(written.transcript_delay, TRANSCRIPT_DELAY),
        answers,
        steps: written.steps.into_iter().map(|step| lined(step.defined.line(), step.value.0)).collect(),
        expectations: expect
            .value
            .into_iter()
            .map(|expectation| lined(expectation.defined.line(), expectation.value.0))
            .collect(),
    })
}

/// The tools of the stage that an answer begins, if it begins one; it has to make sense.
fn tools_of_stage(answer: &Answer) -> Result<Vec<String>, String> {
    let Some(ToolResult { response_type: ResponseType::NewStage, result: Some(text), .. }) = &answer.result
    else {
        return Ok(Vec::new());
    };
    let body: JsonObject = serde_json::from_str(&text.0).map_err(|error| error.to_string())?;
    let asked = Asked::read(&body).map_err(|error| format!("new_stage: {error}"))?;
    let tools = asked.request.selected_tools.into_iter().flatten();
    Ok(tools.filter_map(|tool| tool.model_tool_name().map(str::to_owned)).collect())
}

/// An error's text without the line and column that it ends with.
fn without_place(error: &str) -> String {
    error.rsplit_once(" at line ").map_or(error, |(text, _)| text).to_owned()
}

fn lined<T>(line: u64, value: T) -> Lined<T> {
    Lined { line, value }
}

fn words_per_minute(pace: Option<f64>) -> Result<f64, String> {
    match pace.unwrap_or(WORDS_PER_MINUTE) {
        pace if PACES.contains(&pace) => Ok(pace),
        pace => Err(format!("words_per_minute: {pace} is not from {} to {}", PACES.start(), PACES.end())),
    }
}

fn metadata(agent: &Agent) -> JsonObject {
    let pairs = agent.request.metadata.iter().flatten();
    pairs.map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect()
}

/// Backends for the setup of a call, which has to find some. The simulation does their work.
fn stand_ins() -> Backends {
    let model: Arc<dyn LanguageModel> = Arc::new(Scripted::demo());
    let voice: Arc<dyn TextToSpeech> = Arc::new(Humming::default());
    let name: Arc<str> = Arc::from("simulated");
    Backends {
        models: BTreeMap::from([(Arc::clone(&name), model)]),
        subjects: Vec::new(),
        default_model: Arc::clone(&name),
        voices: BTreeMap::from([(Arc::clone(&name), voice)]),
        default_voice: name,
        voice_definitions: BTreeMap::new(),
        voice_providers: Arc::default(),
        speech_to_text: Some(Arc::new(Prepared::in_order([]))),
        voice_activity: Arc::new(Loudness::default()),
        turn_detector: None,
    }
}

impl Written {
    /// The agent under test: of a file, of this one, or of a file with some fields replaced.
    fn agent(&self, beside: &Path) -> Result<Agent, String> {
        let definition = match &self.agent {
            Some(path) => object(&beside.join(&path.value))?,
            None => JsonObject::new(),
        };
        let call = self.call.as_ref().map(|call| call.value.clone()).unwrap_or_default();
        let context = Value::Object(self.context.clone());
        if self.agent.is_none() && self.call.is_none() {
            return Err("say who is tested: `agent` names a file, `call` is a creation request".to_owned());
        }
        Agent::new(definition, call, &context)
    }
}

/// A file with one JSON object, or the same in YAML.
fn object(path: &Path) -> Result<JsonObject, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        return serde_json::from_str(&text).map_err(|error| format!("{shown}: {error}"));
    }
    serde_saphyr::from_str(&text).map_err(|error| {
        let line = error.location().map_or(0, |location| location.line());
        format!("{shown}:{line}: {}", error.without_snippet())
    })
}

/// `voice`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenVoice {
    words_per_minute: Option<f64>,
    delay: Option<Period>,
}

fn voice(written: Option<Spanned<WrittenVoice>>) -> Result<Voice, Problem> {
    let Some(written) = written else {
        return Ok(Voice { words_per_minute: WORDS_PER_MINUTE, delay: VOICE_DELAY });
    };
    let in_line = Problem::in_line(written.defined.line());
    Ok(Voice {
        words_per_minute: words_per_minute(written.value.words_per_minute).map_err(in_line)?,
        delay: Period::or(written.value.delay, VOICE_DELAY),
    })
}

/// `user`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenUser {
    words_per_minute: Option<f64>,
    reaction: Option<Period>,
    patience: Option<Period>,
}

fn user(written: Option<Spanned<WrittenUser>>) -> Result<User, Problem> {
    let Some(written) = written else {
        return Ok(User { words_per_minute: WORDS_PER_MINUTE, reaction: REACTION, patience: PATIENCE });
    };
    let in_line = Problem::in_line(written.defined.line());
    Ok(User {
        words_per_minute: words_per_minute(written.value.words_per_minute).map_err(in_line)?,
        reaction: Period::or(written.value.reaction, REACTION),
        patience: Period::or(written.value.patience, PATIENCE),
    })
}
