//! The user's silence: when the agent asks whether somebody is there, and when it gives up.
//!
//! A clock that runs only while nothing happens. It stands still while anybody speaks or works, and begins anew when
//! the user takes part.

use std::time::Duration;

use crate::config::InactivityMessage;
use crate::context::Context;
use crate::ids::StageNumber;
use crate::timers::Timer;

#[derive(Debug)]
pub(crate) struct Inactivity {
    /// The message that is said next.
    next: usize,
    /// Silence still to pass before it, while the clock stands still.
    missing: Option<Duration>,
    /// When the clock was started.
    running: bool,
    /// The stage whose messages these are.
    stage: StageNumber,
    messages: Vec<InactivityMessage>,
}

impl Inactivity {
    pub(crate) fn new(cx: &Context) -> Self {
        let (stage, messages) = (cx.history.stage(), cx.config.inactivity.clone());
        let mut inactivity = Self { next: 0, missing: None, running: false, stage, messages };
        inactivity.missing = inactivity.wait();
        inactivity
    }

    /// The user took part.
    pub(crate) fn reset(&mut self, cx: &mut Context) {
        cx.timers.stop(Timer::Inactivity);
        self.next = 0;
        self.missing = self.wait();
        self.running = false;
    }

    /// Lets the clock run while it is quiet, and holds it while it is not.
    pub(crate) fn set_quiet(&mut self, cx: &mut Context, quiet: bool) {
        self.follow_stage(cx);
        if quiet == self.running {
            return;
        }
        self.running = quiet;
        if quiet {
            cx.timers.replace(Timer::Inactivity, self.missing.map(|missing| cx.now + missing));
        } else if let Some(deadline) = cx.timers.take(Timer::Inactivity) {
            self.missing = Some(deadline.since(cx.now));
        }
    }

    /// The silence was long enough: what to say now.
    pub(crate) fn handle_timeout(&mut self) -> Option<InactivityMessage> {
        let message = self.messages.get(self.next)?.clone();
        self.next += 1;
        self.missing = self.wait();
        self.running = false;
        Some(message)
    }

    /// A stage that has other messages begins with the first of them; one that has the same changes nothing.
    fn follow_stage(&mut self, cx: &mut Context) {
        if self.stage == cx.history.stage() {
            return;
        }
        self.stage = cx.history.stage();
        if self.messages != cx.config.inactivity {
            self.messages.clone_from(&cx.config.inactivity);
            self.reset(cx);
        }
    }

    /// The silence before the next message.
    fn wait(&self) -> Option<Duration> {
        self.messages.get(self.next).map(|message| message.after)
    }
}
