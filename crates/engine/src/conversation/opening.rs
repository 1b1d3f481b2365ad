//! How a conversation opens: somebody joins, and somebody speaks first (protocol.md 5.5).

use std::sync::Arc;
use std::time::Duration;

use super::{Conversation, Phase};
use crate::answering::{Owed, Script, Then};
use crate::config::{FirstSpeaker, Greeting};
use crate::input::Request;
use crate::output::Event;
use crate::timers::Timer;

/// How soon the agent looks again whether it may greet, at the least: one detector frame.
const LOOK_AGAIN: Duration = Duration::from_millis(32);

impl Conversation {
    /// Somebody joined: the clock of the maximum duration starts, and the first speaker gets ready.
    pub(super) fn open(&mut self) {
        self.phase = Phase::Live;
        let now = self.cx.now;
        let config = Arc::clone(&self.cx.config);
        self.cx.timers.stop(Timer::Join);
        self.cx.timers.set(Timer::MaxDuration, now + config.max_duration);
        self.cx.event(Event::Started);
        // A medium asked for before the call began is the greeting's medium already.
        let (mediums, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.early)
            .into_iter()
            .partition(|request| matches!(request, Request::SetOutputMedium(_)));
        for request in mediums {
            self.handle_request(request);
        }
        match &config.first_speaker {
            FirstSpeaker::Agent { greeting, delay: Duration::ZERO, uninterruptible } => {
                self.greet(greeting, *uninterruptible);
            }
            FirstSpeaker::Agent { delay, .. } | FirstSpeaker::User { fallback: Some((delay, _)) } => {
                self.cx.timers.set(Timer::FirstWords, now + *delay);
            }
            FirstSpeaker::User { fallback: None } => {}
        }
        for request in others {
            self.handle_request(request);
        }
    }

    /// The agent's delay is over, or the user's patience is: greet, unless the user is speaking just now.
    pub(super) fn first_words(&mut self) {
        if !self.is_free() {
            // Whether this is a turn shows when it ends; a real one takes this deadline away.
            let later = self.cx.config.turn_taking.endpoint_delay.max(LOOK_AGAIN);
            self.cx.timers.set(Timer::FirstWords, self.cx.now + later);
            return;
        }
        let config = Arc::clone(&self.cx.config);
        match &config.first_speaker {
            FirstSpeaker::Agent { greeting, uninterruptible, .. } => self.greet(greeting, *uninterruptible),
            FirstSpeaker::User { fallback: Some((_, greeting)) } => self.greet(greeting, false),
            FirstSpeaker::User { fallback: None } => {}
        }
    }

    fn greet(&mut self, greeting: &Greeting, uninterruptible: bool) {
        let instruction = match greeting {
            Greeting::Text(text) => {
                let script = Script::new(Arc::clone(text), uninterruptible, Then::Listen);
                self.answering.say(&mut self.cx, script);
                return;
            }
            Greeting::Prompt(prompt) => Some(Arc::clone(prompt)),
            Greeting::Generated { .. } if self.cx.history.ends_with_something_to_answer() => None,
            Greeting::Generated { invitation } => invitation.clone(),
        };
        self.answering.owe(Owed { instruction, uninterruptible });
    }
}
