//! The JavaScript of one session: an engine without files, modules or network, the prelude that makes it look like VoxEngine,
//! and the limits on time and memory. Knows no clock but that of the budget of a callback, and no calls: what the scenario asks
//! for goes to a [`Desk`], what happens comes as JSON.

mod natives;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use rquickjs::context::EvalOptions;
use rquickjs::{Context, Ctx, Error, Function, Object, Persistent, Runtime, Value};
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value as Json;

use crate::limits::Limits;

/// The parts of the prelude, in the order in which they build on each other.
const PRELUDE: [&str; 7] = [
    include_str!("prelude/foundation.js"),
    include_str!("prelude/texts.js"),
    include_str!("prelude/calls.js"),
    include_str!("prelude/engine.js"),
    include_str!("prelude/ultravox.js"),
    include_str!("prelude/net.js"),
    include_str!("prelude/entrance.js"),
];
/// How deep functions may call each other, in bytes of this thread's stack.
const STACK: usize = 512 * 1024;
/// Memory on top of the limit for a session that ends because it has used it up, so that it can end in order.
const LAST_MEMORY: usize = 2 * 1024 * 1024;

/// What takes the questions of the scenario. Everything here happens while JavaScript runs, so nothing may wait.
pub(crate) trait Desk {
    /// Does what the scenario asks for in JSON, or says why not, in words for its author.
    fn ask(&mut self, question: &str) -> Result<Option<Json>, String>;
    /// Takes a line for the log.
    fn log(&mut self, line: Line) -> Result<(), String>;
    /// Takes an error that nothing in the scenario has caught.
    fn fault(&mut self, fault: Fault);
    /// A value that the operator gives scenarios.
    fn secret(&self, name: &str) -> Option<String>;
}

/// Who writes to the log, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// The scenario, with `Logger.write`.
    Script(String),
    /// The runtime, about the scenario.
    Note(String),
}

/// What ended a piece of JavaScript before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An error that nothing caught, as the author is told.
    Thrown(String),
    /// A promise was rejected and nobody looked.
    Rejected(String),
    /// It ran for longer than a callback may.
    TooLong,
    /// It wanted more memory than a session has.
    OutOfMemory,
}

/// The time that one callback has: that of the processor, so that a busy machine ends nobody.
#[derive(Debug)]
struct Budget {
    length: Duration,
    ends: Cell<Duration>,
    spent: Cell<bool>,
}

/// The processor's time that this thread has used.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    // Neither part is negative.
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

impl Budget {
    fn begin(&self) {
        self.ends.set(used() + self.length);
    }

    /// Whether it is used up. Stays so until the next event.
    fn is_spent(&self) -> bool {
        if !self.spent.get() && used() >= self.ends.get() {
            self.spent.set(true);
        }
        self.spent.get()
    }
}

type Rejected = (Persistent<Value<'static>>, Persistent<Value<'static>>);

/// The JavaScript of a session. Belongs to one thread.
pub(crate) struct Script {
    // Dropped before the engine that they belong to; see `drop`.
    dispatch: Option<Persistent<Function<'static>>>,
    describe: Option<Persistent<Function<'static>>>,
    /// Promises that were rejected and not looked at so far, with the reason.
    rejected: Rc<RefCell<Vec<Rejected>>>,
    context: Context,
    runtime: Runtime,
    budget: Rc<Budget>,
    memory: usize,
}

impl Script {
    /// An engine with the prelude in it.
    pub(crate) fn new(
        limits: &Limits,
        custom_data: &str,
        desk: &Rc<RefCell<dyn Desk>>,
    ) -> Result<Self, Fault> {
        let unusable = |error: Error| Fault::Thrown(format!("the engine cannot be started: {error}"));
        let runtime = Runtime::new().map_err(unusable)?;
        runtime.set_memory_limit(limits.memory);
        runtime.set_max_stack_size(STACK);
        let budget = Rc::new(Budget {
            length: limits.callback,
            ends: Cell::new(used() + limits.callback),
            spent: Cell::new(false),
        });
        let watched = Rc::clone(&budget);
        runtime.set_interrupt_handler(Some(Box::new(move || watched.is_spent())));
        let rejected: Rc<RefCell<Vec<Rejected>>> = Rc::default();
        let list = Rc::clone(&rejected);
        runtime.set_host_promise_rejection_tracker(Some(Box::new(move |ctx, promise, reason, handled| {
            let promise = Persistent::save(&ctx, promise);
            if handled {
                list.borrow_mut().retain(|(known, _)| *known != promise);
            } else {
                list.borrow_mut().push((promise, Persistent::save(&ctx, reason)));
            }
        })));
        let context = Context::full(&runtime).map_err(unusable)?;
        let mut script = Self {
            dispatch: None,
            describe: None,
            rejected,
            context,
            runtime,
            budget: Rc::clone(&budget),
            memory: limits.memory,
        };
        let (dispatch, describe) = script.enter(|ctx| {
            let mut options = EvalOptions::default();
            options.filename = Some("<voxengine>".to_owned());
            let source = format!("(host) => {{\n{}\n}}", PRELUDE.concat());
            let prelude: Function<'_> = ctx.eval_with_options(source, options)?;
            let host = natives::host(ctx, custom_data, desk, &budget)?;
            let entrance: Object<'_> = prelude.call((host,))?;
            let dispatch: Function<'_> = entrance.get("dispatch")?;
            let describe: Function<'_> = entrance.get("describe")?;
            Ok((Persistent::save(ctx, dispatch), Persistent::save(ctx, describe)))
        })?;
        script.dispatch = Some(dispatch);
        script.describe = Some(describe);
        Ok(script)
    }

    /// Runs a file of the scenario, in the one context that all of them share.
    pub(crate) fn load(&mut self, name: &str, source: &str) -> Result<(), Fault> {
        if source.contains('\0') {
            return Err(Fault::Thrown(format!("{name} contains a NUL character; is it a script?")));
        }
        self.enter(|ctx| {
            let mut options = EvalOptions::default();
            options.strict = false;
            options.filename = Some(name.to_owned());
            ctx.eval_with_options::<Value<'_>, _>(source, options).map(drop)
        })
    }

    /// Tells the scenario what has happened.
    pub(crate) fn tell(&mut self, event: &Json) -> Result<(), Fault> {
        self.enter(|ctx| {
            let Some(dispatch) = self.dispatch.clone() else { return Ok(()) };
            dispatch.restore(ctx)?.call::<_, ()>((event.to_string(),))
        })
    }

    /// Runs what waits for its turn (promises, `await`), and gives the errors that nobody looked at.
    pub(crate) fn settle(&mut self) -> Vec<Fault> {
        let mut faults = Vec::new();
        self.context.with(|ctx| {
            loop {
                if self.budget.is_spent() {
                    faults.push(Fault::TooLong);
                    break;
                }
                if !ctx.execute_pending_job() {
                    break;
                }
            }
            let rejected = self.rejected.take();
            for (_, reason) in rejected {
                let fault = match reason.restore(&ctx).map(|reason| self.describe(&ctx, reason)) {
                    Ok(Fault::Thrown(text)) => Fault::Rejected(text),
                    Ok(other) => other,
                    Err(error) => Fault::Rejected(error.to_string()),
                };
                faults.push(fault);
            }
        });
        faults
    }

    /// Gives a session that has used up its memory a little more, to end in order.
    pub(crate) fn relax(&mut self) {
        self.runtime.run_gc();
        self.runtime.set_memory_limit(self.memory + LAST_MEMORY);
    }

    /// Runs something in the engine, on a budget of its own.
    fn enter<T>(&self, work: impl FnOnce(&Ctx<'_>) -> rquickjs::Result<T>) -> Result<T, Fault> {
        self.budget.spent.set(false);
        self.budget.begin();
        self.context.with(|ctx| work(&ctx).map_err(|error| self.fault(&ctx, &error)))
    }

    fn fault(&self, ctx: &Ctx<'_>, error: &Error) -> Fault {
        if error.is_exception() {
            let thrown = ctx.catch();
            if self.budget.is_spent() { Fault::TooLong } else { self.describe(ctx, thrown) }
        } else if matches!(error, Error::Allocation) {
            Fault::OutOfMemory
        } else {
            Fault::Thrown(error.to_string())
        }
    }

    /// An error in the words of the prelude.
    fn describe<'js>(&self, ctx: &Ctx<'js>, thrown: Value<'js>) -> Fault {
        let Some(describe) = self.describe.clone() else {
            // The prelude itself is broken.
            let text = rquickjs::CaughtError::from_error(ctx, ctx.throw(thrown)).to_string();
            return Fault::Thrown(text);
        };
        match describe.restore(ctx).and_then(|describe| describe.call((thrown,))) {
            Ok(text) => Fault::of_text(text),
            Err(_) => {
                ctx.catch();
                Fault::Thrown("an error that cannot be shown".to_owned())
            }
        }
    }
}

impl Fault {
    /// A description of an error, which for the engine's own are known texts. Where not even the error has room, it throws null.
    fn of_text(text: String) -> Self {
        let is_memory = text.starts_with("InternalError: out of memory") || text == "thrown: null";
        if is_memory { Self::OutOfMemory } else { Self::Thrown(text) }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // Nothing that belongs to the engine may outlive it.
        self.context.with(|_| {
            self.dispatch = None;
            self.describe = None;
            self.rejected.take();
        });
    }
}
