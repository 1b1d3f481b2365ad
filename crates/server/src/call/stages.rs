//! The stages of a call: from a tool's answer that asks for one to what the call goes on with (protocol.md 7.1, A-11), and from a
//! call as it is kept to its stages.
//!
//! A stage is worked out before the engine hears of it, so that one that makes no sense fails its tool and nothing else. Whether
//! it begins is the engine's to say. Knows the wire's words for a stage, and no connection.

use std::fmt;
use std::sync::Arc;

use antiphon_api::json::{JsonObject, Source, from_value};
use antiphon_api::rest::calls::StartCallRequest;
use antiphon_api::{CallId, CallStageId};
use antiphon_backends::language_model::LanguageModel;
use antiphon_backends::registry::Backends;
use antiphon_backends::text_to_speech::TextToSpeech;
use antiphon_engine::ids::{InvocationId, StageNumber};
use antiphon_engine::input::{ForcedMessage, Request};
use antiphon_engine::{Config, Input, NewStage};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::inheritance::overlay;
use super::setup::{self, Remark, Setup, SetupError};
use super::voices::own::{Casting, OwnVoice};
use super::voices::samples::Samples;
use crate::config::{Calls as Settings, TurnTaking};
use crate::outbound::Outbound;
use crate::storage::{AccountId, Storage, StorageError, StoredCall, StoredStage, ToolUse};
use crate::telemetry::metrics::Metrics;
use crate::tools::CallTool;
use crate::tools::outcome::{StageWish, Wished, impossible};

/// Stages that one call may have; more is a conversation that goes in circles.
const MOST_STAGES: u32 = 200;
/// What a stage cannot change.
const FIXED: [&str; 13] = [
    "callbacks",
    "dataConnection",
    "firstSpeaker",
    "firstSpeakerSettings",
    "initialOutputMedium",
    "joinTimeout",
    "maxDuration",
    "medium",
    "metadata",
    "recordingEnabled",
    "retentionPolicy",
    "sharedSecrets",
    "transcriptOptional",
];

/// What stages are worked out with.
pub(crate) struct Means {
    pub(crate) settings: Settings,
    pub(crate) turn_taking: TurnTaking,
    pub(crate) backends: Arc<Backends>,
    /// What voices were cloned from.
    pub(crate) samples: Option<Samples>,
    /// The way to voices at addresses of users.
    pub(crate) outbound: Outbound,
    pub(crate) metrics: Metrics,
}

impl Means {
    /// The voice that a request asks for, unless it is one of the server's as it is.
    pub(crate) async fn own_voice(
        &self,
        storage: &Storage,
        account: AccountId,
        request: &StartCallRequest,
    ) -> Result<Option<OwnVoice>, StorageError> {
        let (backends, outbound, samples) = (&*self.backends, &self.outbound, self.samples.as_ref());
        Casting { backends, outbound, samples, storage, account }.cast(request).await
    }
}

/// The stage that a new one would follow.
#[derive(Debug, Clone)]
pub(crate) struct Present {
    pub(crate) number: u32,
    pub(crate) request: Arc<StartCallRequest>,
}

/// What a stage changes, in wire words.
pub(crate) struct Asked {
    pub(crate) request: StartCallRequest,
    result: Option<String>,
    remarks: Vec<Remark>,
}

/// A stage that may begin, and what it brings that the engine does not know of.
pub(crate) struct Prepared {
    pub(crate) stage: Arc<NewStage>,
    /// What the call runs with then, in the words of a creation request and without the history.
    pub(crate) request: StartCallRequest,
    pub(crate) engine: Config,
    pub(crate) model: Arc<dyn LanguageModel>,
    pub(crate) voice: Arc<dyn TextToSpeech>,
    pub(crate) threshold: f32,
    /// The tools, if they are others.
    pub(crate) tools: Option<Vec<CallTool>>,
    /// Which of them last.
    pub(crate) uses: Vec<ToolUse>,
    /// What was asked for and is given differently.
    pub(crate) remarks: Vec<Remark>,
}

impl Asked {
    /// Reads a tool's answer. What cannot be changed is left out, and remarked.
    pub(crate) fn read(body: &JsonObject) -> Result<Self, SetupError> {
        let (mut ignored, mut fields) = (Vec::new(), JsonObject::new());
        let mut result = None;
        for (key, value) in body {
            let is = |name: &str| key.replace('_', "").eq_ignore_ascii_case(name);
            if is("toolResultText") {
                result = text(value)?;
            } else if FIXED.iter().any(|name| is(name)) {
                ignored.push(key.clone());
            } else {
                fields.insert(key.clone(), value.clone());
            }
        }
        let parsed = from_value::<StartCallRequest>(&Value::Object(fields), Source::RequestBody);
        let parsed = parsed.map_err(|error| {
            let problem = error.problems().first();
            let text = problem.map_or_else(|| error.to_string(), ToString::to_string);
            let (field, message) = text.split_once(": ").unwrap_or(("", &text));
            SetupError::new(field, message)
        })?;
        ignored.extend(parsed.ignored);
        let mut remarks = Vec::new();
        if !ignored.is_empty() {
            let text = format!(
                "fields that a new stage cannot change, or that mean nothing: {}",
                ignored.join(", ")
            );
            remarks.push(Remark { kind: "stage.ignored_fields", text });
        }
        Ok(Self { request: parsed.value, result, remarks })
    }
}

fn text(value: &Value) -> Result<Option<String>, SetupError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(SetupError::new("toolResultText", "must be a text"))
        }
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("after", &self.stage.after).finish_non_exhaustive()
    }
}

/// Works out a stage whose lasting tools have been replaced by their definitions. `own_voice` is the account's own voice that it goes
/// on with, if it does.
pub(crate) fn prepare(
    asked: Asked,
    uses: Vec<ToolUse>,
    present: &Present,
    means: &Means,
    own_voice: Option<OwnVoice>,
) -> Result<Prepared, SetupError> {
    if present.number + 1 >= MOST_STAGES {
        return Err(SetupError::new("stage", format!("a call has at most {MOST_STAGES} of them")));
    }
    let Asked { request: own, result, mut remarks } = asked;
    let mut request = overlay(&own, &present.request);
    request.initial_messages = own.initial_messages.clone();
    let Means { settings, turn_taking, backends, .. } = means;
    let Setup { engine, model, voice, threshold, tools, remarks: more, .. } =
        setup::prepare(&request, false, settings, turn_taking, backends, own_voice)?;
    request.initial_messages = None;
    let voice_differs = own.voice.is_some() || own.external_voice.is_some() || own.voice_overrides.is_some();
    // What was remarked of what goes on as it was has been told.
    remarks.extend(more.into_iter().filter(|remark| match remark.kind {
        setup::UNKNOWN_VOICE | setup::OVERRIDES_IGNORED => voice_differs,
        _ => own.experimental_settings.is_some(),
    }));
    let hears_differently =
        own.model.is_some() || own.vad_settings.is_some() || own.experimental_settings.is_some();
    let stage = Arc::new(NewStage {
        after: StageNumber(present.number),
        result: result.map_or_else(|| Arc::from("OK"), Arc::from),
        system_prompt: own.system_prompt.and(engine.system_prompt.clone()),
        temperature: own.temperature.map(|_| engine.temperature),
        model: own.model.as_ref().map(|_| Arc::clone(&engine.model)),
        hearing: own.model.map(|_| engine.hearing),
        language: own.language_hint.and(engine.language.clone()),
        tools: own.selected_tools.as_ref().map(|_| engine.tools.clone()),
        turn_taking: hears_differently.then_some(engine.turn_taking),
        inactivity: own.inactivity_messages.map(|_| engine.inactivity.clone()),
        time_exceeded_message: own.time_exceeded_message.and(engine.time_exceeded_message.clone()),
        state: own.initial_state.map(|_| Arc::clone(&engine.initial_state)),
        messages: own.initial_messages.map(|_| engine.initial_messages.clone()),
    });
    let tools = own.selected_tools.map(|_| tools);
    Ok(Prepared { stage, request, engine, model, voice, threshold, tools, uses, remarks })
}

/// Something for the engine that asks for new stages.
#[derive(Debug, PartialEq)]
pub(crate) struct Staging {
    wishes: Vec<Wished>,
    then: Then,
}

#[derive(Debug, PartialEq)]
enum Then {
    Forced(Box<ForcedMessage>),
    Tool(InvocationId),
}

impl Staging {
    /// A tool's answer.
    pub(crate) fn of_tool(id: InvocationId, wish: StageWish) -> Self {
        Self { wishes: vec![Wished { result: 0, wish }], then: Then::Tool(id) }
    }

    /// A forced message whose results are known.
    pub(crate) fn of_message(message: ForcedMessage, wishes: Vec<Wished>) -> Self {
        Self { wishes, then: Then::Forced(Box::new(message)) }
    }

    /// The tool whose answer this is.
    pub(crate) fn tool(&self) -> Option<InvocationId> {
        match self.then {
            Then::Forced(_) => None,
            Then::Tool(id) => Some(id),
        }
    }

    /// What is asked for, one body each.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = &JsonObject> {
        self.wishes.iter().map(|wished| &wished.wish.body)
    }

    /// What the engine is told, now that it is known what came of each of the bodies; and the stages that may begin.
    pub(crate) fn worked_out(self, results: Vec<Result<Prepared, SetupError>>) -> (Input, Vec<Prepared>) {
        let mut prepared = Vec::new();
        let mut outcomes = Vec::new();
        for (Wished { result, wish }, worked_out) in self.wishes.into_iter().zip(results) {
            let outcome = match worked_out {
                Ok(stage) => {
                    let outcome = wish.met(Arc::clone(&stage.stage));
                    prepared.push(stage);
                    outcome
                }
                Err(error) => impossible(format!("the new stage makes no sense: {error}")),
            };
            outcomes.push((result, outcome));
        }
        let input = match self.then {
            Then::Forced(mut message) => {
                for (index, outcome) in outcomes {
                    message.known_results[index].1 = outcome;
                }
                Input::Request(Request::ForcedMessage(*message))
            }
            Then::Tool(id) => {
                let outcome = outcomes.pop().map(|(_, outcome)| outcome);
                Input::Tool(id, outcome.unwrap_or_else(|| impossible("no stage was asked for")))
            }
        };
        (input, prepared)
    }
}

/// The stages that have begun in a running call, and those that may.
pub(crate) struct Stages {
    begun: Vec<Begun>,
    /// Each for as long as the engine may let it begin.
    prepared: Vec<Prepared>,
}

struct Begun {
    id: CallStageId,
    /// The stage in which the history begins that this one goes on with.
    history_from: usize,
    /// Where that history begins in the call's record, once anything of it is there.
    first: Option<usize>,
}

impl Stages {
    /// A call at its beginning.
    pub(crate) fn new(call: CallId) -> Self {
        let first = Begun { id: stage_id(call, 0), history_from: 0, first: Some(0) };
        Self { begun: vec![first], prepared: Vec::new() }
    }

    /// Keeps what a stage brings until it begins or cannot begin any more.
    pub(crate) fn keep(&mut self, prepared: Vec<Prepared>) {
        // What nobody else holds, the engine has let go.
        self.prepared.retain(|known| Arc::strong_count(&known.stage) > 1);
        self.prepared.extend(prepared);
    }

    /// A stage begins: its id, the stage in which its history begins, and what it brings.
    pub(crate) fn begin(
        &mut self,
        call: CallId,
        number: StageNumber,
        stage: &Arc<NewStage>,
    ) -> (CallStageId, u32, Option<Prepared>) {
        let own = number.0 as usize;
        let history_from = match (&stage.messages, self.begun.last()) {
            (None, Some(before)) => before.history_from,
            (Some(_), _) | (None, None) => own,
        };
        let id = stage_id(call, number.0);
        self.begun.push(Begun { id, history_from, first: None });
        let index = self.prepared.iter().position(|prepared| Arc::ptr_eq(&prepared.stage, stage));
        let prepared = index.map(|index| self.prepared.swap_remove(index));
        // The others were meant to follow the stage that is over.
        self.prepared.clear();
        (id, u32::try_from(history_from).unwrap_or(u32::MAX), prepared)
    }

    /// The stage that is under way.
    pub(crate) fn present(&self) -> StageNumber {
        StageNumber(u32::try_from(self.begun.len().saturating_sub(1)).unwrap_or(u32::MAX))
    }

    /// Its id.
    pub(crate) fn present_id(&self) -> CallStageId {
        self.begun.last().expect("the first stage is there from the beginning").id
    }

    /// The id of a message's stage, and the message's index in the history that the stage goes on with. Messages come in order.
    pub(crate) fn place(&mut self, stage: StageNumber, index: usize) -> (CallStageId, usize) {
        let begun = &self.begun[stage.0 as usize];
        let (id, history_from) = (begun.id, begun.history_from);
        let first = *self.begun[history_from].first.get_or_insert(index);
        (id, index - first)
    }
}

/// All stages of a call as it is kept, from its first.
pub async fn stages_of(storage: &Storage, call: &StoredCall) -> Result<Vec<StoredStage>, StorageError> {
    let mut stages = vec![first_stage_of(call)];
    stages.extend(storage.calls.stages(call.id).await?);
    Ok(stages)
}

/// The last stage of a call as it is kept.
pub async fn last_stage_of(storage: &Storage, call: &StoredCall) -> Result<StoredStage, StorageError> {
    let mut stages = storage.calls.stages(call.id).await?;
    Ok(stages.pop().unwrap_or_else(|| first_stage_of(call)))
}

fn first_stage_of(call: &StoredCall) -> StoredStage {
    StoredStage {
        id: first_stage(call.id),
        number: 0,
        created: call.created,
        history_from: 0,
        request: call.request.clone(),
    }
}

/// The id of a call's first stage, which begins with the call.
#[must_use]
pub fn first_stage(call: CallId) -> CallStageId {
    stage_id(call, 0)
}

/// The id of a stage, the same whenever it is asked for: made from the call's own id.
fn stage_id(call: CallId, number: u32) -> CallStageId {
    let text = format!("stage {number} of ");
    let hash = Sha256::new().chain_update(text).chain_update(call.uuid().as_bytes()).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    CallStageId::new(uuid::Builder::from_random_bytes(bytes).into_uuid())
}
