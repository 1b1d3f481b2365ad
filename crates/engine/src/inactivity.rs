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
    /// The stage that brought the messages.
    stage: StageNumber,
}

impl Inactivity {
    pub(crate) fn new(cx: &Context) -> Self {
        Self { next: 0, missing: wait(cx, 0), running: false, stage: cx.silence_since }
    }

    /// The user took part.
    pub(crate) fn reset(&mut self, cx: &mut Context) {
        cx.timers.stop(Timer::Inactivity);
        *self = Self::new(cx);
    }

    /// Lets the clock run while it is quiet, and holds it while it is not.
    pub(crate) fn set_quiet(&mut self, cx: &mut Context, quiet: bool) {
        if self.stage != cx.silence_since {
            // A stage that has other messages begins with the first of them.
            self.reset(cx);
        }
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
    pub(crate) fn handle_timeout(&mut self, cx: &Context) -> Option<InactivityMessage> {
        let message = cx.config.inactivity.get(self.next)?.clone();
        self.next += 1;
        self.missing = wait(cx, self.next);
        self.running = false;
        Some(message)
    }
}

/// The silence before a message.
fn wait(cx: &Context, index: usize) -> Option<Duration> {
    cx.config.inactivity.get(index).map(|message| message.after)
}
