//! One side thread: a loop of messages, runs of the model and tools, until nothing is left to answer or a limit is reached.
//!
//! Owns its fork of the history, of the tools and of the call's state. Does not know of other threads; what its tools send to them
//! is kept to be taken.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use super::{Dispatch, Fork};
use crate::config::ToolRuns;
use crate::context::Context;
use crate::hygiene::Hygiene;
use crate::ids::{GenerationId, InvocationId};
use crate::input::{
    ForcedMessage, ModelEvent, ModelToolCall, Reaction, SpawnThread, ThreadLimits, ThreadMessage, ToolAction,
    ToolAnswer, ToolOutcome,
};
use crate::message::{Medium, Message, MessageBody};
use crate::notices;
use crate::output::{
    Effect, Event, Invocation, Severity, ThreadEnd, ThreadEvent, ThreadState, ThreadStatus, ThreadUsage, Work,
};
use crate::time::CallTime;
use crate::tools::{bad_arguments, merge, parse_arguments, stronger, unknown_tool};

/// About how many bytes of text make a token.
const BYTES_PER_TOKEN: usize = 4;

#[derive(Debug)]
pub(super) struct Thread {
    id: Arc<str>,
    parent: Option<Arc<str>>,
    messages: Vec<Message>,
    state: Arc<Value>,
    allowed: Option<Vec<Arc<str>>>,
    blocked: Vec<Arc<str>>,
    limits: ThreadLimits,
    usage: ThreadUsage,
    activity: Activity,
    /// Messages that came while it was busy.
    waiting: VecDeque<ThreadMessage>,
    last_response: Option<Arc<str>>,
    dispatches: VecDeque<Dispatch>,
    /// Invocations that were answered for while they run on; what they say is not waited for.
    spoken_for: BTreeSet<InvocationId>,
    /// Bytes of text that it has added to what it inherited.
    bytes: usize,
}

/// What a thread is doing.
#[derive(Debug)]
enum Activity {
    Idle,
    /// It wants to run the model, since then.
    Waiting(CallTime),
    Generating(Box<Generation>),
    CallingTools(Vec<Run>),
    Failed,
}

#[derive(Debug)]
struct Generation {
    id: GenerationId,
    hygiene: Hygiene,
    text: String,
    calls: Vec<ModelToolCall>,
    input_tokens: u64,
}

#[derive(Debug)]
struct Run {
    id: InvocationId,
    call: ModelToolCall,
    reaction: Reaction,
    began: CallTime,
    stage: Stage,
}

/// Where an invocation stands. There is no way back from `Settled`.
#[derive(Debug)]
enum Stage {
    /// To be started, with these arguments for the tool of this index.
    Wanted {
        tool: usize,
        arguments: Arc<Value>,
    },
    Running {
        deadline: CallTime,
    },
    Settled(ToolOutcome),
}

impl Thread {
    pub(super) fn new(id: Arc<str>, parent: Option<Arc<str>>, fork: Fork, spawn: &SpawnThread) -> Self {
        Self {
            id,
            parent,
            messages: fork.messages,
            state: fork.state,
            allowed: spawn.allowed_tools.clone(),
            blocked: spawn.blocked_tools.clone(),
            limits: spawn.limits,
            usage: ThreadUsage::default(),
            activity: Activity::Idle,
            waiting: VecDeque::new(),
            last_response: None,
            dispatches: VecDeque::new(),
            spoken_for: BTreeSet::new(),
            bytes: 0,
        }
    }

    pub(super) fn id(&self) -> &Arc<str> {
        &self.id
    }

    pub(super) fn parent(&self) -> Option<&Arc<str>> {
        self.parent.as_ref()
    }

    pub(super) fn has_failed(&self) -> bool {
        matches!(self.activity, Activity::Failed)
    }

    pub(super) fn is_generating(&self) -> bool {
        matches!(self.activity, Activity::Generating(_))
    }

    /// Since when it has wanted to run the model.
    pub(super) fn waits(&self) -> Option<CallTime> {
        match self.activity {
            Activity::Waiting(since) => Some(since),
            Activity::Idle | Activity::Generating(_) | Activity::CallingTools(_) | Activity::Failed => None,
        }
    }

    pub(super) fn runs(&self, id: GenerationId) -> bool {
        matches!(&self.activity, Activity::Generating(generation) if generation.id == id)
    }

    pub(super) fn invoked(&self, id: InvocationId) -> bool {
        self.spoken_for.contains(&id)
            || matches!(&self.activity, Activity::CallingTools(runs) if runs.iter().any(|run| run.id == id))
    }

    pub(super) fn fork(&self) -> Fork {
        Fork { messages: self.messages.clone(), state: Arc::clone(&self.state) }
    }

    pub(super) fn status(&self) -> ThreadStatus {
        let state = match self.activity {
            Activity::Idle => ThreadState::Idle,
            Activity::Waiting(_) | Activity::Generating(_) => ThreadState::Generating,
            Activity::CallingTools(_) => ThreadState::CallingTool,
            Activity::Failed => ThreadState::Failed,
        };
        ThreadStatus::new(&self.id, state, self.last_response.as_ref())
    }

    pub(super) fn has_dispatch(&self) -> bool {
        !self.dispatches.is_empty()
    }

    pub(super) fn take_dispatch(&mut self) -> Option<Dispatch> {
        self.dispatches.pop_front()
    }

    /// When the first of its tools has run for too long.
    pub(super) fn tool_deadline(&self) -> Option<CallTime> {
        let Activity::CallingTools(runs) = &self.activity else { return None };
        runs.iter()
            .filter_map(|run| match run.stage {
                Stage::Running { deadline } => Some(deadline),
                Stage::Wanted { .. } | Stage::Settled(_) => None,
            })
            .min()
    }

    /// Takes the messages that it begins with. Tools whose results are known run nowhere.
    pub(super) fn begin(&mut self, cx: &mut Context, messages: Vec<ThreadMessage>) {
        let last = messages.len().saturating_sub(1);
        for (index, message) in messages.into_iter().enumerate() {
            self.enter(cx, message);
            if self.has_failed() {
                return;
            }
            if index < last {
                self.settle_tools(cx);
                self.activity = Activity::Idle;
            }
        }
        if matches!(self.activity, Activity::Idle) {
            self.look_at_last(cx);
        }
    }

    /// Takes a message, now or when it has done what it does.
    pub(super) fn take(&mut self, cx: &mut Context, message: ThreadMessage) {
        match self.activity {
            Activity::Idle => {
                self.enter(cx, message);
                if matches!(self.activity, Activity::Idle) {
                    self.look_at_last(cx);
                }
            }
            Activity::Failed => {}
            Activity::Waiting(_) | Activity::Generating(_) | Activity::CallingTools(_) => {
                if self.waiting.len() < cx.config.limits.waiting_messages {
                    self.waiting.push_back(message);
                } else {
                    let text = format!("a message for the thread {:?} was dropped: too many wait", self.id);
                    cx.notice(Severity::Warning, notices::REQUEST_DROPPED, text);
                }
            }
        }
    }

    /// Runs the model. Returns whether it does; a limit may be in the way.
    pub(super) fn generate(&mut self, cx: &mut Context) -> bool {
        let input_tokens = tokens(self.messages.iter().map(text_bytes).sum::<usize>() + prompt_bytes(cx));
        let reached = if over(self.limits.generations, u64::from(self.usage.generations) + 1) {
            Some("it has made as many generations as it may")
        } else if over(self.limits.generation_input_tokens, input_tokens) {
            Some("its history is too long for a generation")
        } else if over(self.limits.input_tokens, self.usage.input_tokens + input_tokens) {
            Some("it has taken in as many tokens as it may")
        } else {
            None
        };
        if let Some(why) = reached {
            self.stop(cx, ThreadEnd::LimitReached, why);
            return false;
        }
        let id = cx.next_generation();
        let prompt = cx.prompt(self.messages.clone(), None);
        let hygiene = Hygiene::new(prompt.tools.iter().map(|tool| Arc::clone(&tool.name)), Medium::Text);
        let thread = Some(Arc::clone(&self.id));
        cx.effect(Effect::StartModel { generation: id, thread, prompt: Box::new(prompt) });
        self.usage.generations += 1;
        self.usage.input_tokens += input_tokens;
        let generation = Generation { id, hygiene, text: String::new(), calls: Vec::new(), input_tokens };
        self.activity = Activity::Generating(Box::new(generation));
        true
    }

    pub(super) fn handle_model(&mut self, cx: &mut Context, event: ModelEvent) {
        let Activity::Generating(generation) = &mut self.activity else { return };
        match event {
            ModelEvent::Text(text) => {
                let text = generation.hygiene.push(&text);
                self.said(cx, &text);
            }
            ModelEvent::ToolCall(call) => generation.wish(cx, call),
            ModelEvent::Finished => {
                let (rest, calls) = generation.hygiene.end();
                calls.into_iter().for_each(|call| generation.wish(cx, call));
                self.said(cx, &rest);
                self.complete(cx);
            }
            ModelEvent::Failed(why) => {
                let event = ThreadEvent::GenerationFailed {
                    thread: Arc::clone(&self.id),
                    reason: Arc::clone(&why),
                    usage: generation.usage(),
                };
                cx.event(Event::Thread(Box::new(event)));
                self.activity = Activity::Idle;
                self.stop(cx, ThreadEnd::Failed, &format!("the language model failed: {why}"));
            }
        }
    }

    /// More of the answer: it is told, and counted.
    fn said(&mut self, cx: &mut Context, text: &str) {
        let Activity::Generating(generation) = &mut self.activity else { return };
        if text.is_empty() {
            return;
        }
        generation.text.push_str(text);
        let delta = ThreadEvent::Delta { thread: Arc::clone(&self.id), text: Arc::from(text) };
        cx.event(Event::Thread(Box::new(delta)));
        let output = generation.usage().output_tokens;
        if generation.text.len() > cx.config.limits.message_bytes {
            self.stop(cx, ThreadEnd::LimitReached, "a generation grew past the limit for one message");
        } else if over(self.limits.generation_output_tokens, output) {
            self.stop(cx, ThreadEnd::LimitReached, "a generation has given out as many tokens as it may");
        } else if over(self.limits.output_tokens, self.usage.output_tokens + output) {
            self.stop(cx, ThreadEnd::LimitReached, "it has given out as many tokens as it may");
        }
    }

    /// The model is done: its answer enters the history, and its tools run.
    fn complete(&mut self, cx: &mut Context) {
        if !self.is_generating() {
            return;
        }
        let Activity::Generating(generation) = std::mem::replace(&mut self.activity, Activity::Idle) else {
            return;
        };
        let usage = generation.usage();
        self.usage.output_tokens += usage.output_tokens;
        let text: Arc<str> = Arc::from(generation.text);
        cx.event(Event::Thread(Box::new(ThreadEvent::Completed {
            thread: Arc::clone(&self.id),
            text: Arc::clone(&text),
            tool_calls: generation.calls.clone(),
            usage,
        })));
        self.agent_said(cx, text);
        if generation.calls.is_empty() {
            self.rest(cx);
        } else {
            self.call_tools(cx, generation.calls, Vec::new());
        }
    }

    /// Enters a message into the history.
    fn enter(&mut self, cx: &mut Context, message: ThreadMessage) {
        match message {
            ThreadMessage::UserText(text) if text.trim().is_empty() => {}
            ThreadMessage::UserText(text) => self.append(cx, MessageBody::User { text, audio: None }, cx.now),
            ThreadMessage::Forced(ForcedMessage { content, mut tool_calls, known_results, .. }) => {
                self.agent_said(cx, content);
                tool_calls.truncate(cx.config.limits.tool_calls);
                if !tool_calls.is_empty() && !self.has_failed() {
                    self.call_tools(cx, tool_calls, known_results);
                }
            }
        }
    }

    fn agent_said(&mut self, cx: &mut Context, text: Arc<str>) {
        if text.trim().is_empty() {
            return;
        }
        self.last_response = Some(Arc::clone(&text));
        self.append(cx, MessageBody::Agent { heard: Arc::clone(&text), generated: text }, cx.now);
    }

    /// Goes on from the newest message: what asks for an answer gets one.
    fn look_at_last(&mut self, cx: &mut Context) {
        let asks = self.messages.last().is_some_and(|message| match message.body {
            MessageBody::User { .. } | MessageBody::ToolResult { .. } => true,
            MessageBody::Agent { .. } | MessageBody::ToolCall { .. } => false,
        });
        if asks {
            self.activity = Activity::Waiting(cx.now);
        } else {
            self.rest(cx);
        }
    }

    /// Nothing is left to do but what waits.
    fn rest(&mut self, cx: &mut Context) {
        if self.has_failed() {
            return;
        }
        self.activity = Activity::Idle;
        if let Some(message) = self.waiting.pop_front() {
            self.take(cx, message);
        }
    }

    fn call_tools(
        &mut self,
        cx: &mut Context,
        calls: Vec<ModelToolCall>,
        mut known: Vec<(Arc<str>, ToolOutcome)>,
    ) {
        let mut runs = Vec::with_capacity(calls.len());
        for call in calls {
            let id = cx.next_invocation();
            let result = call.given_id.as_ref().and_then(|id| {
                let index = known.iter().position(|(known_id, _)| known_id == id)?;
                Some(known.swap_remove(index).1)
            });
            let config = Arc::clone(&cx.config);
            let found = config.tools.iter().enumerate().find(|(_, tool)| tool.face.name == call.name);
            let arguments = parse_arguments(&call.arguments);
            let written =
                arguments.as_ref().map_or_else(|_| Arc::clone(&call.arguments), |(text, _)| Arc::clone(text));
            let body = MessageBody::ToolCall {
                invocation: id,
                given_id: call.given_id.clone(),
                tool: Arc::clone(&call.name),
                arguments: written,
            };
            self.append(cx, body, cx.now);
            let reaction = match (&found, &arguments) {
                (Some((_, tool)), Ok(_)) => tool.reaction,
                (None, _) | (_, Err(_)) => Reaction::Speaks,
            };
            let stage = match (result, found, arguments) {
                (Some(outcome), ..) => Stage::Settled(outcome),
                (None, None, _) => Stage::Settled(unknown_tool(cx, &call.name)),
                (None, Some(_), _) if !self.may_use(&call.name) => {
                    Stage::Settled(respond("This tool is unavailable."))
                }
                (None, Some(_), Err(why)) => Stage::Settled(bad_arguments(cx, &call.name, &why)),
                (None, Some((tool, _)), Ok((_, arguments))) => Stage::Wanted { tool, arguments },
            };
            runs.push(Run { id, call, reaction, began: cx.now, stage });
        }
        if !self.has_failed() {
            self.activity = Activity::CallingTools(runs);
        }
    }

    fn may_use(&self, tool: &Arc<str>) -> bool {
        self.allowed.as_ref().is_none_or(|allowed| allowed.contains(tool)) && !self.blocked.contains(tool)
    }

    /// Starts the tools that are wanted, and goes on if all have answered. Returns whether they have.
    pub(super) fn start_tools(&mut self, cx: &mut Context) -> bool {
        let Activity::CallingTools(runs) = &mut self.activity else { return false };
        let config = Arc::clone(&cx.config);
        for run in runs.iter_mut() {
            let Stage::Wanted { tool: index, arguments } = &run.stage else { continue };
            let tool = &config.tools[*index];
            match tool.runs {
                ToolRuns::HangUp { .. } => run.stage = Stage::Settled(refuse(cx, &self.id, "end the call")),
                ToolRuns::Outside => {
                    cx.effect(Effect::InvokeTool(Box::new(Invocation {
                        id: run.id,
                        given_id: run.call.given_id.clone(),
                        tool: *index,
                        name: Arc::clone(&run.call.name),
                        arguments: Arc::clone(arguments),
                        state: Arc::clone(&self.state),
                        history: tool.wants_history.then(|| self.messages.clone()),
                        thread: Some(Arc::clone(&self.id)),
                        threads: cx.threads.clone(),
                    })));
                    run.stage = match &tool.static_response {
                        None => Stage::Running { deadline: cx.now + tool.timeout },
                        Some(text) => {
                            self.spoken_for.insert(run.id);
                            Stage::Settled(respond(text))
                        }
                    };
                }
            }
        }
        self.settle_tools(cx)
    }

    pub(super) fn handle_tool(&mut self, cx: &mut Context, id: InvocationId, outcome: ToolOutcome) {
        if self.spoken_for.remove(&id) {
            return;
        }
        let Activity::CallingTools(runs) = &mut self.activity else { return };
        let running = runs.iter_mut().find(|run| run.id == id && matches!(run.stage, Stage::Running { .. }));
        let Some(run) = running else {
            let text = format!("a result came for {id} of the thread {:?}, which waits for none", self.id);
            cx.notice(Severity::Warning, notices::TOOL_RESULT_IGNORED, text);
            return;
        };
        if let ToolOutcome::Failed { detail, .. } = &outcome {
            let text = format!("tool {:?} failed in the thread {:?}: {detail}", run.call.name, self.id);
            cx.notice(Severity::Error, notices::TOOL_FAILED, text);
        }
        run.stage = Stage::Settled(outcome);
        self.settle_tools(cx);
    }

    pub(super) fn handle_tool_timeout(&mut self, cx: &mut Context) {
        let Activity::CallingTools(runs) = &mut self.activity else { return };
        for run in runs {
            let Stage::Running { deadline } = run.stage else { continue };
            if deadline > cx.now {
                continue;
            }
            let after = cx.now.since(run.began);
            cx.effect(Effect::Cancel(Work::Tool(run.id)));
            let text =
                format!("tool {:?} did not answer the thread {:?} within {after:?}", run.call.name, self.id);
            cx.notice(Severity::Error, notices::TOOL_TIMED_OUT, text);
            run.stage = Stage::Settled(ToolOutcome::Failed {
                text: Arc::from("The tool did not answer in time."),
                detail: Arc::from(format!("timed out after {after:?}")),
            });
        }
        self.settle_tools(cx);
    }

    /// Once all tools have answered, their results enter the history, and the strongest reaction decides. Returns whether they
    /// have.
    fn settle_tools(&mut self, cx: &mut Context) -> bool {
        let Activity::CallingTools(runs) = &self.activity else { return false };
        if !runs.iter().all(|run| matches!(run.stage, Stage::Settled(_))) {
            return false;
        }
        let Activity::CallingTools(runs) = std::mem::replace(&mut self.activity, Activity::Idle) else {
            return false;
        };
        let before = Fork {
            messages: self.messages[..self.messages.len() - runs.len()].to_vec(),
            state: Arc::clone(&self.state),
        };
        let spoke =
            matches!(before.messages.last().map(|message| &message.body), Some(MessageBody::Agent { .. }));
        let mut reaction = Reaction::Listens;
        for run in runs {
            let Stage::Settled(outcome) = run.stage else { continue };
            let (mut after, mut state) = (run.reaction, None);
            let (text, error) = match outcome {
                ToolOutcome::Failed { text, detail } => (text, Some(detail)),
                ToolOutcome::Answered(answer) => {
                    after = answer.reaction.unwrap_or(after);
                    if let Some(update) = answer.state_update {
                        state = merge(cx, &mut self.state, &update, &run.call.name);
                    }
                    match answer.action {
                        ToolAction::Respond(text) => (text, None),
                        ToolAction::HangUp(_) => refusal(cx, &self.id, "end the call"),
                        ToolAction::NewStage(_) => refusal(cx, &self.id, "begin a new stage of the call"),
                        ToolAction::PlayTones(_) => refusal(cx, &self.id, "press keys of a telephone"),
                        ToolAction::SendToThread { result, request } => {
                            self.dispatches.push_back(Dispatch { request: *request, fork: before.clone() });
                            (result, None)
                        }
                    }
                }
            };
            reaction = stronger(reaction, after);
            let body = MessageBody::ToolResult {
                invocation: run.id,
                given_id: run.call.given_id,
                tool: run.call.name,
                text,
                error,
                state,
            };
            self.append(cx, body, run.began);
        }
        if self.has_failed() {
            return true;
        }
        let speaks = match reaction {
            Reaction::Speaks => true,
            Reaction::SpeaksOnce => !spoke,
            Reaction::Listens => false,
        };
        if speaks {
            self.activity = Activity::Waiting(cx.now);
        } else {
            self.rest(cx);
        }
        true
    }

    /// Ends the thread for good, unless it has failed before.
    pub(super) fn stop(&mut self, cx: &mut Context, end: ThreadEnd, why: &str) {
        match std::mem::replace(&mut self.activity, Activity::Failed) {
            Activity::Failed => return,
            Activity::Idle | Activity::Waiting(_) => {}
            Activity::Generating(generation) => {
                cx.effect(Effect::Cancel(Work::Model(generation.id)));
                let usage = generation.usage();
                self.usage.output_tokens += usage.output_tokens;
                let event = ThreadEvent::GenerationCanceled { thread: Arc::clone(&self.id), usage };
                cx.event(Event::Thread(Box::new(event)));
            }
            Activity::CallingTools(runs) => {
                for run in runs.iter().filter(|run| matches!(run.stage, Stage::Running { .. })) {
                    cx.effect(Effect::Cancel(Work::Tool(run.id)));
                }
            }
        }
        for id in std::mem::take(&mut self.spoken_for) {
            cx.effect(Effect::Cancel(Work::Tool(id)));
        }
        cx.event(Event::Thread(Box::new(ThreadEvent::Terminated {
            thread: Arc::clone(&self.id),
            end,
            reason: Arc::from(why),
            usage: self.usage,
        })));
        self.messages = Vec::new();
        self.waiting.clear();
        self.dispatches.clear();
    }

    fn append(&mut self, cx: &mut Context, body: MessageBody, began: CallTime) {
        let message = Message { body, medium: Medium::Text, ordinal: None, span: Some((began, cx.now)) };
        self.bytes += text_bytes(&message) + OVERHEAD;
        self.messages.push(message);
        if self.bytes > cx.config.limits.history_bytes {
            self.stop(cx, ThreadEnd::LimitReached, "it holds as much text as a call may");
        }
    }
}

/// What a message counts besides its text.
const OVERHEAD: usize = 256;

impl Generation {
    fn wish(&mut self, cx: &mut Context, call: ModelToolCall) {
        if self.calls.len() < cx.config.limits.tool_calls {
            self.calls.push(call);
            return;
        }
        cx.notice(
            Severity::Warning,
            notices::TOO_MANY_TOOLS,
            "the model asked for more tools than one answer may use; the rest is ignored",
        );
    }

    fn usage(&self) -> ThreadUsage {
        let calls = self.calls.iter().map(|call| call.name.len() + call.arguments.len()).sum::<usize>();
        ThreadUsage {
            generations: 1,
            input_tokens: self.input_tokens,
            output_tokens: tokens(self.text.len() + calls),
        }
    }
}

fn respond(text: &str) -> ToolOutcome {
    ToolOutcome::Answered(ToolAnswer {
        action: ToolAction::Respond(Arc::from(text)),
        reaction: None,
        state_update: None,
    })
}

/// A side thread may neither end the call nor change its stage.
fn refuse(cx: &mut Context, thread: &str, what: &str) -> ToolOutcome {
    let (text, _) = refusal(cx, thread, what);
    respond(&text)
}

fn refusal(cx: &mut Context, thread: &str, what: &str) -> (Arc<str>, Option<Arc<str>>) {
    let told = format!(
        "a tool of the side thread {thread:?} wanted to {what}, which only the main conversation may"
    );
    cx.notice(Severity::Warning, notices::UNSUPPORTED_CALL_CHANGE, told.clone());
    (Arc::from(format!("A side thread cannot {what}.")), Some(Arc::from(told)))
}

/// Whether a count is past its limit, if there is one.
fn over(limit: Option<u32>, count: u64) -> bool {
    limit.is_some_and(|limit| count > u64::from(limit))
}

fn tokens(bytes: usize) -> u64 {
    bytes.div_ceil(BYTES_PER_TOKEN) as u64
}

fn prompt_bytes(cx: &Context) -> usize {
    let tools = cx.config.tools.iter().map(|tool| tool.face.name.len() + tool.face.description.len());
    cx.config.system_prompt.as_ref().map_or(0, |prompt| prompt.len()) + tools.sum::<usize>()
}

fn text_bytes(message: &Message) -> usize {
    match &message.body {
        MessageBody::Agent { heard, .. } => heard.len(),
        MessageBody::ToolCall { arguments, tool, .. } => tool.len() + arguments.len(),
        MessageBody::ToolResult { text, .. } => text.len(),
        MessageBody::User { text, .. } => text.len(),
    }
}
