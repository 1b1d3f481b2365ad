//! The tool ledger: every invocation from its wish to its one and only result, and the call's state that results may change.
//!
//! Invocations of one answer form a batch; results are delivered in the order of the calls, each exactly once, when all
//! are there. Knows nothing of how a tool is run or of what the agent says about it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::config::{Tool, ToolRuns};
use crate::context::Context;
use crate::ids::InvocationId;
use crate::input::{HangUpRequest, ModelToolCall, Reaction, Tones, ToolAction, ToolAnswer, ToolOutcome};
use crate::message::{Medium, Message, MessageBody};
use crate::notices;
use crate::output::{Effect, Invocation, Severity, Work};
use crate::stage::NewStage;
use crate::threads::{Dispatch, Fork};
use crate::time::CallTime;
use crate::timers::Timer;

#[derive(Debug)]
pub(crate) struct ToolLedger {
    /// The invocations of the batch under way, in call order.
    batch: Vec<Run>,
    /// Invocations that run before it is certain that they are wanted. Nothing of them is in the record yet.
    early: Vec<(ModelToolCall, Run)>,
    /// Invocations that were answered for while they run on; what they say is not waited for.
    spoken_for: BTreeSet<InvocationId>,
    /// The call's state; always a JSON object.
    state: Arc<Value>,
}

#[derive(Debug)]
struct Run {
    id: InvocationId,
    given_id: Option<Arc<str>>,
    name: Arc<str>,
    default_reaction: Reaction,
    began: CallTime,
    stage: Stage,
}

/// Where an invocation stands. There is no way back from `Settled`.
#[derive(Debug)]
enum Stage {
    Running { deadline: CallTime },
    Settled(ToolOutcome),
}

/// What a batch of tools asks the agent to do next.
#[derive(Debug, PartialEq)]
pub(crate) struct BatchResult {
    /// The strongest reaction that any result asks for.
    pub(crate) reaction: Reaction,
    /// The first wish to end the call.
    pub(crate) hang_up: Option<HangUpRequest>,
    /// The first wish to go on in another stage that can be met.
    pub(crate) stage: Option<Arc<NewStage>>,
    /// Keys to press, in the order of the calls.
    pub(crate) tones: Vec<Tones>,
    /// What is sent to side threads.
    pub(crate) dispatches: Vec<Dispatch>,
}

impl ToolLedger {
    pub(crate) fn new(initial_state: Arc<Value>) -> Self {
        Self { batch: Vec::new(), early: Vec::new(), spoken_for: BTreeSet::new(), state: initial_state }
    }

    /// Starts a call before it is certain that it is wanted, if its tool may be used so (protocol.md 6.7).
    pub(crate) fn precompute(&mut self, cx: &mut Context, call: &ModelToolCall) {
        let config = Arc::clone(&cx.config);
        let tools = config.tools.iter().enumerate();
        let found =
            tools.filter(|(_, tool)| tool.precomputable).find(|(_, tool)| tool.face.name == call.name);
        let (Some((index, tool)), Ok((_, arguments))) = (found, parse_arguments(&call.arguments)) else {
            return;
        };
        let id = cx.next_invocation();
        let stage = self.start(cx, id, index, tool, call, arguments);
        let run = Run::new(id, call, tool.reaction, cx.now, stage);
        self.early.push((call.clone(), run));
        self.set_timer(cx);
    }

    /// Drops what was started too early: nobody wants it any more.
    pub(crate) fn forget_early(&mut self, cx: &mut Context) {
        for (_, run) in std::mem::take(&mut self.early) {
            if self.spoken_for.remove(&run.id) || run.is_running() {
                cx.effect(Effect::Cancel(Work::Tool(run.id)));
            }
        }
        self.set_timer(cx);
    }

    /// Enters a call into the record and starts it, unless its result is known, it runs already, or it cannot run.
    pub(crate) fn invoke(&mut self, cx: &mut Context, call: &ModelToolCall, known: Option<ToolOutcome>) {
        let early = self.early.iter().position(|(early, _)| early == call);
        let early = early.map(|index| self.early.remove(index).1);
        let id = early.as_ref().map_or_else(|| cx.next_invocation(), |run| run.id);
        let config = Arc::clone(&cx.config);
        let found = config.tools.iter().enumerate().find(|(_, tool)| tool.face.name == call.name);
        let arguments = parse_arguments(&call.arguments);
        cx.history.append(Message {
            body: MessageBody::ToolCall {
                invocation: id,
                given_id: call.given_id.clone(),
                tool: Arc::clone(&call.name),
                arguments: arguments
                    .as_ref()
                    .map_or_else(|_| Arc::clone(&call.arguments), |(text, _)| Arc::clone(text)),
            },
            medium: Medium::Voice,
            ordinal: None,
            span: Some((cx.now, cx.now)),
        });
        // What could not be run has to be answered, so that the model can do it better.
        let reaction = match (&found, &arguments) {
            (Some((_, tool)), Ok(_)) => tool.reaction,
            (None, _) | (_, Err(_)) => Reaction::Speaks,
        };
        let run = early.unwrap_or_else(|| {
            let stage = match (known, found, arguments) {
                (Some(outcome), ..) => Stage::Settled(outcome),
                (None, None, _) => Stage::Settled(unknown_tool(cx, &call.name)),
                (None, Some(_), Err(why)) => Stage::Settled(bad_arguments(cx, &call.name, &why)),
                (None, Some((index, tool)), Ok((_, arguments))) => {
                    self.start(cx, id, index, tool, call, arguments)
                }
            };
            Run::new(id, call, reaction, cx.now, stage)
        });
        self.batch.push(run);
        self.set_timer(cx);
    }

    /// Takes an outcome. One that nothing waits for is reported and ignored.
    pub(crate) fn handle_outcome(&mut self, cx: &mut Context, id: InvocationId, outcome: ToolOutcome) {
        if self.spoken_for.remove(&id) {
            return;
        }
        let early = self.early.iter_mut().map(|(_, run)| run);
        let waiting = self.batch.iter_mut().chain(early).find(|run| run.id == id && run.is_running());
        let Some(run) = waiting else {
            cx.notice(
                Severity::Warning,
                notices::TOOL_RESULT_IGNORED,
                format!("a result came for {id}, which waits for none: it is unknown, was answered before, or timed out"),
            );
            return;
        };
        if let ToolOutcome::Failed { detail, .. } = &outcome {
            cx.notice(Severity::Error, notices::TOOL_FAILED, format!("tool {:?} failed: {detail}", run.name));
        }
        run.stage = Stage::Settled(outcome);
        self.set_timer(cx);
    }

    /// Gives up on tools that have run for too long.
    pub(crate) fn handle_timeout(&mut self, cx: &mut Context) {
        let early = self.early.iter_mut().map(|(_, run)| run);
        for run in self.batch.iter_mut().chain(early) {
            let Stage::Running { deadline } = run.stage else { continue };
            if deadline > cx.now {
                continue;
            }
            let after = cx.now.since(run.began);
            cx.effect(Effect::Cancel(Work::Tool(run.id)));
            cx.notice(
                Severity::Error,
                notices::TOOL_TIMED_OUT,
                format!("tool {:?} did not answer within {after:?}", run.name),
            );
            run.stage = Stage::Settled(ToolOutcome::Failed {
                text: Arc::from("The tool did not answer in time."),
                detail: Arc::from(format!("timed out after {after:?}")),
            });
        }
        self.set_timer(cx);
    }

    /// Delivers the batch's results into the record, once all of them are there.
    pub(crate) fn deliver(&mut self, cx: &mut Context) -> Option<BatchResult> {
        if self.batch.is_empty() || self.batch.iter().any(Run::is_running) {
            return None;
        }
        let mut result = BatchResult {
            reaction: Reaction::Listens,
            hang_up: None,
            stage: None,
            tones: Vec::new(),
            dispatches: Vec::new(),
        };
        let fork = self.fork(cx);
        for run in self.batch.drain(..) {
            let Stage::Settled(outcome) = run.stage else { continue };
            let outcome = heed_stage(cx, &mut result, outcome, &run.name);
            let mut state = None;
            let mut reaction = run.default_reaction;
            let (text, error) = match outcome {
                ToolOutcome::Failed { text, detail } => (text, Some(detail)),
                ToolOutcome::Answered(answer) => {
                    reaction = answer.reaction.unwrap_or(reaction);
                    if let ToolAction::NewStage(stage) = &answer.action
                        && let Some(new) = &stage.state
                    {
                        self.state = Arc::clone(new);
                        state = Some(Arc::clone(new));
                    }
                    if let Some(update) = answer.state_update {
                        state = merge(cx, &mut self.state, &update, &run.name).or(state);
                    }
                    match answer.action {
                        ToolAction::Respond(text) => (text, None),
                        ToolAction::HangUp(request) => {
                            let text = request.result.clone().unwrap_or_else(|| Arc::from("OK"));
                            result.hang_up.get_or_insert(request);
                            (text, None)
                        }
                        ToolAction::PlayTones(tones) => {
                            result.tones.push(tones);
                            (Arc::from("OK"), None)
                        }
                        ToolAction::NewStage(stage) => (Arc::clone(&stage.result), None),
                        ToolAction::SendToThread { result: text, request } => {
                            if let Some(fork) = &fork {
                                result.dispatches.push(Dispatch { request: *request, fork: fork.clone() });
                            }
                            (text, None)
                        }
                    }
                }
            };
            result.reaction = stronger(result.reaction, reaction);
            cx.history.append(Message {
                body: MessageBody::ToolResult {
                    invocation: run.id,
                    given_id: run.given_id,
                    tool: run.name,
                    text,
                    error,
                    state,
                },
                medium: Medium::Voice,
                ordinal: None,
                span: Some((run.began, cx.now)),
            });
        }
        Some(result)
    }

    /// What is known of the conversation: the state that tools share.
    pub(crate) fn state(&self) -> Arc<Value> {
        Arc::clone(&self.state)
    }

    /// What a thread knows that this batch begins: everything before it. Only if something is sent to a thread.
    fn fork(&self, cx: &Context) -> Option<Fork> {
        let sends = |run: &Run| match &run.stage {
            Stage::Settled(ToolOutcome::Answered(answer)) => {
                matches!(answer.action, ToolAction::SendToThread { .. })
            }
            Stage::Settled(ToolOutcome::Failed { .. }) | Stage::Running { .. } => false,
        };
        self.batch.iter().any(sends).then(|| {
            let mut messages = cx.history.for_model();
            messages.retain(|message| match &message.body {
                MessageBody::ToolCall { invocation, .. } => {
                    self.batch.iter().all(|run| run.id != *invocation)
                }
                MessageBody::Agent { .. } | MessageBody::ToolResult { .. } | MessageBody::User { .. } => true,
            });
            Fork { messages, state: self.state() }
        })
    }

    /// Ends all invocations: the call is over. Each gets its result, which says so.
    pub(crate) fn end(&mut self, cx: &mut Context) {
        self.forget_early(cx);
        for id in std::mem::take(&mut self.spoken_for) {
            cx.effect(Effect::Cancel(Work::Tool(id)));
        }
        for run in &mut self.batch {
            if run.is_running() {
                cx.effect(Effect::Cancel(Work::Tool(run.id)));
                run.stage = Stage::Settled(ToolOutcome::Failed {
                    text: Arc::from("The call ended before the tool answered."),
                    detail: Arc::from("the call ended before the tool answered"),
                });
            }
        }
        self.deliver(cx);
        cx.timers.stop(Timer::ToolTimeout);
    }

    fn start(
        &mut self,
        cx: &mut Context,
        id: InvocationId,
        index: usize,
        tool: &Tool,
        call: &ModelToolCall,
        arguments: Arc<Value>,
    ) -> Stage {
        match tool.runs {
            ToolRuns::HangUp { strict } => Stage::Settled(ToolOutcome::Answered(ToolAnswer {
                action: ToolAction::HangUp(HangUpRequest { strict, message: None, result: None }),
                reaction: None,
                state_update: None,
            })),
            ToolRuns::Outside => {
                let invoke = Effect::InvokeTool(Box::new(Invocation {
                    id,
                    given_id: call.given_id.clone(),
                    tool: index,
                    name: Arc::clone(&call.name),
                    arguments,
                    state: Arc::clone(&self.state),
                    history: tool.wants_history.then(|| cx.history.for_model()),
                    thread: None,
                    threads: cx.threads.clone(),
                }));
                cx.effect(invoke);
                match &tool.static_response {
                    None => Stage::Running { deadline: cx.now + tool.timeout },
                    Some(text) => {
                        self.spoken_for.insert(id);
                        Stage::Settled(ToolOutcome::Answered(ToolAnswer {
                            action: ToolAction::Respond(Arc::clone(text)),
                            reaction: None,
                            state_update: None,
                        }))
                    }
                }
            }
        }
    }

    fn set_timer(&self, cx: &mut Context) {
        let early = self.early.iter().map(|(_, run)| run);
        let soonest = self.batch.iter().chain(early).filter_map(|run| match run.stage {
            Stage::Running { deadline } => Some(deadline),
            Stage::Settled(_) => None,
        });
        cx.timers.replace(Timer::ToolTimeout, soonest.min());
    }
}

impl Run {
    fn new(
        id: InvocationId,
        call: &ModelToolCall,
        reaction: Reaction,
        began: CallTime,
        stage: Stage,
    ) -> Self {
        let (given_id, name) = (call.given_id.clone(), Arc::clone(&call.name));
        Self { id, given_id, name, default_reaction: reaction, began, stage }
    }

    fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Running { .. })
    }
}

/// Takes a wish for a new stage out of an outcome; one that cannot be met makes it a failure.
fn heed_stage(cx: &mut Context, result: &mut BatchResult, outcome: ToolOutcome, tool: &str) -> ToolOutcome {
    let ToolOutcome::Answered(ToolAnswer { action: ToolAction::NewStage(stage), .. }) = &outcome else {
        return outcome;
    };
    let refusal = match &result.stage {
        Some(_) => Some("a tool called beside it began a new stage already".to_owned()),
        None => stage.refusal(cx),
    };
    let Some(detail) = refusal else {
        result.stage = Some(Arc::clone(stage));
        return outcome;
    };
    cx.notice(Severity::Error, notices::TOOL_FAILED, format!("tool {tool:?} failed: {detail}"));
    ToolOutcome::Failed {
        text: Arc::from("The tool asked for something that is not possible now."),
        detail: Arc::from(detail),
    }
}

/// The arguments as canonical text and as an object. No text at all means no arguments.
pub(crate) fn parse_arguments(text: &str) -> Result<(Arc<str>, Arc<Value>), String> {
    let text = if text.trim().is_empty() { "{}" } else { text };
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok((Arc::from(text), Arc::new(value))),
        Ok(_) => Err("they are not a JSON object".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

pub(crate) fn unknown_tool(cx: &mut Context, name: &str) -> ToolOutcome {
    cx.notice(
        Severity::Warning,
        notices::TOOL_UNKNOWN,
        format!("a tool {name:?} was called that the call does not have"),
    );
    ToolOutcome::Failed {
        text: Arc::from(format!("There is no tool named {name:?}.")),
        detail: Arc::from("no such tool"),
    }
}

pub(crate) fn bad_arguments(cx: &mut Context, name: &str, why: &str) -> ToolOutcome {
    cx.notice(
        Severity::Warning,
        notices::TOOL_ARGUMENTS,
        format!("the arguments for tool {name:?} are malformed: {why}"),
    );
    ToolOutcome::Failed {
        text: Arc::from(format!(
            "The arguments are not valid: {why}. Call the tool again with one JSON object."
        )),
        detail: Arc::from(format!("malformed arguments: {why}")),
    }
}

/// `speaks` over `speaks-once` over `listens`.
pub(crate) fn stronger(a: Reaction, b: Reaction) -> Reaction {
    match (a, b) {
        (Reaction::Speaks, _) | (_, Reaction::Speaks) => Reaction::Speaks,
        (Reaction::SpeaksOnce, _) | (_, Reaction::SpeaksOnce) => Reaction::SpeaksOnce,
        (Reaction::Listens, Reaction::Listens) => Reaction::Listens,
    }
}

/// Sets the keys of `update`, removes those whose value is null, leaves the others.
pub(crate) fn merge(
    cx: &mut Context,
    state: &mut Arc<Value>,
    update: &Value,
    tool: &str,
) -> Option<Arc<Value>> {
    let (Value::Object(changes), Value::Object(current)) = (update, state.as_ref()) else {
        cx.notice(
            Severity::Warning,
            notices::STATE_UPDATE_IGNORED,
            format!("tool {tool:?} sent a change of the call's state that is not a JSON object"),
        );
        return None;
    };
    let mut merged = current.clone();
    for (key, value) in changes {
        if value.is_null() {
            merged.remove(key);
        } else {
            merged.insert(key.clone(), value.clone());
        }
    }
    *state = Arc::new(Value::Object(merged));
    Some(Arc::clone(state))
}
