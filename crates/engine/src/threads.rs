//! Side threads: written conversations of the agent with itself and its tools, beside the one that the user hears
//! (protocol.md 7.11).
//!
//! Owns them all: which there are, who may begin one, whose turn it is to run the model, and to whom a message goes. What concerns
//! the main conversation is handed back; nothing here speaks, hears, or ends the call.

mod thread;

use std::sync::Arc;

use serde_json::Value;

use crate::context::Context;
use crate::ids::{Counter, GenerationId, InvocationId, StageNumber};
use crate::input::{ModelEvent, SpawnThread, ThreadMessage, ThreadRef, ThreadRequest, ToolOutcome};
use crate::message::Message;
use crate::notices;
use crate::output::{Event, Severity, ThreadEnd, ThreadEvent, ThreadState, ThreadStatus};
use crate::timers::Timer;

use thread::Thread;

/// What a thread begins with: what its parent knew when it forked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fork {
    pub(crate) messages: Vec<Message>,
    pub(crate) state: Arc<Value>,
}

/// Something that a tool of a conversation sends to another one, and what a thread that it begins would fork from it.
#[derive(Debug, PartialEq)]
pub(crate) struct Dispatch {
    pub(crate) request: ThreadRequest,
    pub(crate) fork: Fork,
}

/// All side threads of a call, those that failed included.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    all: Vec<Thread>,
    made: Counter,
    /// The stage of the call that they belong to.
    stage: StageNumber,
}

impl Threads {
    /// Whether a run of the model is one of theirs.
    pub(crate) fn runs(&self, id: GenerationId) -> bool {
        self.all.iter().any(|thread| thread.runs(id))
    }

    /// Whether an invocation of a tool is one of theirs.
    pub(crate) fn invoked(&self, id: InvocationId) -> bool {
        self.all.iter().any(|thread| thread.invoked(id))
    }

    /// Heeds a request of somebody outside. Gives it back if it is for the main conversation, whose fork `main` makes.
    pub(crate) fn request(
        &mut self,
        cx: &mut Context,
        request: ThreadRequest,
        main: impl FnOnce(&Context) -> Fork,
    ) -> Option<ThreadRequest> {
        let back = self.heed(cx, request, None, main);
        self.settle(cx);
        back
    }

    pub(crate) fn handle_model(&mut self, cx: &mut Context, id: GenerationId, event: ModelEvent) {
        if let Some(thread) = self.all.iter_mut().find(|thread| thread.runs(id)) {
            thread.handle_model(cx, event);
        }
        self.settle(cx);
    }

    pub(crate) fn handle_tool(&mut self, cx: &mut Context, id: InvocationId, outcome: ToolOutcome) {
        if let Some(thread) = self.all.iter_mut().find(|thread| thread.invoked(id)) {
            thread.handle_tool(cx, id, outcome);
        }
        self.settle(cx);
    }

    pub(crate) fn handle_tool_timeout(&mut self, cx: &mut Context) {
        self.all.iter_mut().for_each(|thread| thread.handle_tool_timeout(cx));
        self.settle(cx);
    }

    /// What their tools sent to the main conversation, once.
    pub(crate) fn take_for_main(&mut self, cx: &mut Context, main: &Fork) -> Vec<ThreadRequest> {
        let mut for_main = Vec::new();
        // A message to a thread may finish a tool there that sends another one; each goes through a generation or a tool of its
        // own, so that this ends.
        while let Some((from, Dispatch { request, fork })) = self.next_dispatch() {
            let parent = self.find(&from).and_then(|thread| thread.parent().cloned());
            let calling = Calling { id: Some(from), parent, fork };
            for_main.extend(self.heed(cx, request, Some(calling), |_| main.clone()));
            self.settle(cx);
        }
        for_main
    }

    /// Whether a tool of theirs has sent something that was not delivered yet.
    pub(crate) fn have_dispatches(&self) -> bool {
        self.all.iter().any(Thread::has_dispatch)
    }

    /// Heeds what a tool of the main conversation sent. Gives it back if it is for that conversation itself.
    pub(crate) fn deliver(&mut self, cx: &mut Context, dispatch: Dispatch) -> Option<ThreadRequest> {
        let Dispatch { request, fork } = dispatch;
        let main = fork.clone();
        let back = self.heed(cx, request, Some(Calling { id: None, parent: None, fork }), |_| main);
        self.settle(cx);
        back
    }

    /// Stops them all when a new stage of the call has begun (protocol.md 7.1): they were of the one before.
    pub(crate) fn follow_stage(&mut self, cx: &mut Context) {
        let present = cx.history.stage();
        if std::mem::replace(&mut self.stage, present) != present {
            self.cancel_all(cx, "their stage of the call is over");
        }
    }

    /// Stops them all: the stage or the call is over.
    pub(crate) fn cancel_all(&mut self, cx: &mut Context, why: &str) {
        for thread in &mut self.all {
            thread.stop(cx, ThreadEnd::Canceled, why);
        }
        self.all.clear();
        cx.threads.clear();
        cx.timers.stop(Timer::ThreadTools);
    }

    fn heed(
        &mut self,
        cx: &mut Context,
        request: ThreadRequest,
        calling: Option<Calling>,
        main: impl FnOnce(&Context) -> Fork,
    ) -> Option<ThreadRequest> {
        match request {
            ThreadRequest::Spawn(spawn) => {
                self.spawn(cx, *spawn, calling, main);
                None
            }
            ThreadRequest::UserText { to, text, urgency } => match resolve(&to, calling.as_ref()) {
                Target::Main => Some(ThreadRequest::UserText { to: ThreadRef::Main, text, urgency }),
                Target::Side(id) => {
                    self.send(cx, &id, ThreadMessage::UserText(text));
                    None
                }
            },
            ThreadRequest::Forced { to, message } => match resolve(&to, calling.as_ref()) {
                Target::Main => Some(ThreadRequest::Forced { to: ThreadRef::Main, message }),
                Target::Side(id) => {
                    self.send(cx, &id, ThreadMessage::Forced(message));
                    None
                }
            },
        }
    }

    fn spawn(
        &mut self,
        cx: &mut Context,
        spawn: SpawnThread,
        calling: Option<Calling>,
        main: impl FnOnce(&Context) -> Fork,
    ) {
        let id = spawn.id.clone().unwrap_or_else(|| self.new_id());
        let parent = resolve(&spawn.parent, calling.as_ref());
        if let Err(reason) = self.may_spawn(cx, &id, &spawn, &parent) {
            cx.event(Event::Thread(Box::new(ThreadEvent::Rejected {
                thread: id,
                reason: Arc::from(reason),
            })));
            return;
        }
        // What the calling conversation sends forks it as it was before the call.
        let fork = match (&parent, calling) {
            (Target::Main, Some(Calling { id: None, fork, .. })) => fork,
            (Target::Side(parent), Some(Calling { id: Some(from), fork, .. })) if *parent == from => fork,
            (Target::Main, _) => main(cx),
            (Target::Side(parent), _) => {
                self.find(parent).map(Thread::fork).expect("a parent that may have children is there")
            }
        };
        if let Some(old) = self.all.iter().position(|thread| *thread.id() == id) {
            self.all.remove(old).stop(cx, ThreadEnd::Canceled, "another thread took its place");
        }
        let parent = match parent {
            Target::Main => None,
            Target::Side(parent) => Some(parent),
        };
        cx.event(Event::Thread(Box::new(ThreadEvent::Spawned { thread: Arc::clone(&id) })));
        let mut thread = Thread::new(id, parent, fork, &spawn);
        thread.begin(cx, spawn.messages);
        self.all.push(thread);
    }

    fn may_spawn(
        &self,
        cx: &Context,
        id: &Arc<str>,
        spawn: &SpawnThread,
        parent: &Target,
    ) -> Result<(), String> {
        if **id == *MAIN || **id == *PARENT || id.trim().is_empty() {
            return Err(format!("{id:?} cannot be the name of a side thread"));
        }
        let exists = self.find(id).is_some();
        if exists && !spawn.replaces {
            return Err(format!("there is a thread {id:?} already"));
        }
        if let Target::Side(parent) = parent {
            match self.find(parent) {
                None => return Err(format!("there is no thread {parent:?} to fork")),
                Some(thread) if thread.has_failed() => {
                    return Err(format!("the thread {parent:?} has failed and cannot be forked"));
                }
                Some(_) => {}
            }
        }
        if self.all.len() >= cx.config.limits.threads && !exists {
            return Err(format!("there are {} threads already, as many as a call may have", self.all.len()));
        }
        let last = spawn.messages.len().saturating_sub(1);
        for message in &spawn.messages[..last] {
            let ThreadMessage::Forced(forced) = message else { continue };
            let known = |call: &crate::input::ModelToolCall| {
                forced.known_results.iter().any(|(id, _)| Some(id) == call.given_id.as_ref())
            };
            if !forced.tool_calls.iter().all(known) {
                return Err("only the last message may call tools whose results are not known".to_owned());
            }
        }
        Ok(())
    }

    fn send(&mut self, cx: &mut Context, id: &Arc<str>, message: ThreadMessage) {
        match self.all.iter_mut().find(|thread| thread.id() == id) {
            Some(thread) if thread.has_failed() => cx.notice(
                Severity::Warning,
                notices::FAILED_THREAD,
                format!("a message was sent to the thread {id:?}, which has failed"),
            ),
            Some(thread) => thread.take(cx, message),
            None => cx.notice(
                Severity::Warning,
                notices::NON_EXISTENT_THREAD,
                format!("a message was sent to the thread {id:?}, which does not exist"),
            ),
        }
    }

    /// Starts the tools that are wanted, lets as many threads run the model as may at a time, the oldest wish first, and sets the
    /// deadline of their tools.
    fn settle(&mut self, cx: &mut Context) {
        cx.threads = self.all.iter().map(Thread::status).collect();
        // Tools that have answered at once may make room for messages that call others.
        while self.all.iter_mut().any(|thread| thread.start_tools(cx)) {}
        let most = cx.config.limits.side_generations;
        let mut running = self.all.iter().filter(|thread| thread.is_generating()).count();
        while running < most {
            let waiting = self.all.iter_mut().filter(|thread| thread.waits().is_some());
            let Some(thread) = waiting.min_by_key(|thread| thread.waits()) else { break };
            running += usize::from(thread.generate(cx));
        }
        cx.threads = self.all.iter().map(Thread::status).collect();
        let soonest = self.all.iter().filter_map(Thread::tool_deadline).min();
        cx.timers.replace(Timer::ThreadTools, soonest);
    }

    fn find(&self, id: &str) -> Option<&Thread> {
        self.all.iter().find(|thread| **thread.id() == *id)
    }

    fn next_dispatch(&mut self) -> Option<(Arc<str>, Dispatch)> {
        self.all.iter_mut().find_map(|thread| Some((Arc::clone(thread.id()), thread.take_dispatch()?)))
    }

    fn new_id(&mut self) -> Arc<str> {
        loop {
            let id: Arc<str> = Arc::from(format!("thread-{}", self.made.next() + 1));
            if self.find(&id).is_none() {
                return id;
            }
        }
    }
}

/// The wire's name of the main conversation, which no thread may have.
const MAIN: &str = "UI";
/// The wire's name for the thread that began the calling one.
const PARENT: &str = "_PARENT";

/// The conversation whose tool sends something.
struct Calling {
    /// `None` for the main one.
    id: Option<Arc<str>>,
    parent: Option<Arc<str>>,
    fork: Fork,
}

enum Target {
    Main,
    Side(Arc<str>),
}

fn resolve(to: &ThreadRef, calling: Option<&Calling>) -> Target {
    match to {
        ThreadRef::Main => Target::Main,
        ThreadRef::Side(id) => Target::Side(Arc::clone(id)),
        ThreadRef::Parent => match calling.and_then(|calling| calling.parent.clone()) {
            Some(parent) => Target::Side(parent),
            None if calling.is_some() => Target::Main,
            // Only tools have a parent to speak to.
            None => Target::Side(Arc::from(PARENT)),
        },
    }
}

impl ThreadStatus {
    fn new(id: &Arc<str>, state: ThreadState, last_response: Option<&Arc<str>>) -> Self {
        let last_response = last_response.filter(|_| state == ThreadState::Idle).cloned();
        Self { id: Arc::clone(id), state, last_response }
    }
}
