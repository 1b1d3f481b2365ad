//! One call's conversation. Owns the parts, routes inputs to them, and lets them settle after each.
//!
//! Use it like any machine without IO: tell it what happened with [`Conversation::handle`], then call [`Conversation::poll`]
//! until it gives a [`Output::Timeout`], do what it asks for, and come back when something happens or the deadline is there.

mod closing;
mod opening;
mod pauses;
mod requests;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use crate::answering::{Answering, Ending, Script, Then};
use crate::config::{Config, InactivityEnd};
use crate::context::Context;
use crate::inactivity::Inactivity;
use crate::input::{Input, LegClosed, Request};
use crate::interruption::Interruption;
use crate::listening::{Listening, PendingTurn, Turn};
use crate::message::Prompt;
use crate::notices;
use crate::output::{AgentState, EndReason, Event, Output, Severity};
use crate::threads::Threads;
use crate::time::CallTime;
use crate::timers::Timer;

use pauses::Tentative;

/// A call's conversation as a state machine.
#[derive(Debug)]
pub struct Conversation {
    cx: Context,
    phase: Phase,
    listening: Listening,
    interruption: Interruption,
    answering: Answering,
    inactivity: Inactivity,
    threads: Threads,
    /// Turns that ended and whose words are not known yet, oldest first.
    pending: Vec<PendingTurn>,
    /// The turn that is over if the user stays silent.
    tentative: Option<Box<Tentative>>,
    /// The last turn that was let go as a sign of listening before its words were known.
    aside: Option<Box<Turn>>,
    /// What came before anybody joined.
    early: Vec<Request>,
}

/// Where a call is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Created; nobody has joined.
    Waiting,
    /// Somebody is there.
    Live,
    /// The agent says its last words; nobody is listened to.
    Closing(EndReason),
    /// The leg is closed; the user's last words are being found out.
    Flushing(EndReason),
    /// Over. Nothing happens any more.
    Ended,
}

impl Conversation {
    /// A conversation that begins now and waits for somebody to join.
    #[must_use]
    pub fn new(config: Config, now: CallTime) -> Self {
        let mut cx = Context::new(Arc::new(config), now);
        cx.timers.set(Timer::Join, now + cx.config.join_timeout);
        cx.commit();
        Self {
            phase: Phase::Waiting,
            listening: Listening::default(),
            interruption: Interruption::default(),
            answering: Answering::new(&cx),
            inactivity: Inactivity::new(&cx),
            threads: Threads::default(),
            pending: Vec::new(),
            tentative: None,
            aside: None,
            early: Vec::new(),
            cx,
        }
    }

    /// What the model would be given now: what its next prompt will begin with. Changes nothing.
    #[must_use]
    pub fn prospect(&self) -> Prompt {
        self.cx.prompt(self.cx.history.for_model(), None)
    }

    /// Whether the call is over: every input is ignored from now on.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// How many samples of the agent's audio were sent that the client has not played yet, at the call's output rate.
    #[must_use]
    pub fn unplayed(&self, now: CallTime) -> u64 {
        self.answering.unplayed(self.cx.now.max(now))
    }

    /// Takes an input. Time never goes back: an earlier `now` counts as the latest one.
    pub fn handle(&mut self, now: CallTime, input: Input) {
        self.cx.now = self.cx.now.max(now);
        match self.phase {
            Phase::Ended => return,
            Phase::Waiting => self.handle_waiting(input),
            Phase::Flushing(_) => self.handle_flushing(input),
            Phase::Live | Phase::Closing(_) => self.handle_live(input),
        }
        self.settle();
    }

    /// The next thing to do or to tell. After a [`Output::Timeout`] there is nothing more until the next input.
    pub fn poll(&mut self) -> Output {
        self.cx.poll().unwrap_or_else(|| Output::Timeout(self.cx.timers.next()))
    }

    fn handle_waiting(&mut self, input: Input) {
        match input {
            Input::Joined => self.open(),
            Input::Request(request) => {
                if self.early.len() < self.cx.config.limits.waiting_messages {
                    self.early.push(request);
                } else {
                    let text = "a request was dropped: too many came before anybody joined";
                    self.cx.notice(Severity::Warning, notices::REQUEST_DROPPED, text);
                }
            }
            Input::Timeout => {
                if self.cx.timers.expire(self.cx.now) == Some(Timer::Join) {
                    self.end(EndReason::Unjoined);
                }
            }
            Input::ShutDown => self.end(EndReason::SystemError),
            Input::ConnectionLost | Input::LegClosed(_) | Input::Rejoined { .. } => {}
            Input::Model(..) | Input::SpeechStarted { .. } => {}
            Input::SpeechStopped { .. } | Input::Tool(..) | Input::Transcribed { .. } => {}
            Input::Overheard(_) | Input::TurnJudged(..) | Input::Voice(..) => {}
        }
    }

    fn handle_live(&mut self, input: Input) {
        let listens = self.phase == Phase::Live;
        match input {
            Input::Joined => {}
            Input::ConnectionLost => {
                let text = "the connection was lost; the call waits for its client";
                self.cx.notice(Severity::Warning, notices::DROPPED, text);
            }
            Input::Rejoined { after, lost_audio } => self.rejoined(after, lost_audio),
            Input::LegClosed(how) => self.leg_closed(how),
            Input::Model(id, event) if self.threads.runs(id) => {
                self.threads.handle_model(&mut self.cx, id, event);
            }
            Input::Model(id, event) => self.answering.handle_model(&mut self.cx, id, event),
            Input::Overheard(words) if listens => self.overheard(&words),
            Input::Overheard(_) => {}
            Input::Request(Request::Thread(request)) if listens => self.thread_request(*request),
            Input::Request(request) if listens => {
                self.unspeculate();
                self.handle_request(request);
            }
            Input::Request(_) => {}
            Input::ShutDown => self.end(EndReason::SystemError),
            Input::SpeechStarted { at, received } if listens => self.speech_started(at, received),
            Input::SpeechStopped { at, received } if listens => self.speech_stopped(at, received),
            Input::SpeechStarted { .. } | Input::SpeechStopped { .. } => {}
            Input::Timeout => self.handle_timeouts(),
            Input::Tool(id, outcome) if self.threads.invoked(id) => {
                self.threads.handle_tool(&mut self.cx, id, outcome);
            }
            Input::Tool(id, outcome) => self.answering.handle_tool(&mut self.cx, id, outcome),
            Input::Transcribed { turn, words, by: _ } => self.words_came(turn, words),
            Input::TurnJudged(turn, probability) => self.turn_judged(turn, probability),
            Input::Voice(id, event) => self.answering.handle_voice(&mut self.cx, id, event),
        }
    }

    fn handle_timeouts(&mut self) {
        while let Some(timer) = self.cx.timers.expire(self.cx.now) {
            match timer {
                Timer::EndOfTurn => self.silence_ends_turn(),
                Timer::FirstWords => self.first_words(),
                Timer::Inactivity => self.user_inactive(),
                Timer::Interruption => self.user_cuts_in(),
                Timer::Join => {}
                Timer::LastWords => self.give_up_last_words(),
                Timer::Lull => self.look_at_pause(),
                Timer::MaxDuration => self.max_duration(),
                Timer::Overrun => self.end(EndReason::Timeout),
                Timer::Playout => self.answering.handle_playout_timeout(&mut self.cx),
                Timer::ThreadTools => self.threads.handle_tool_timeout(&mut self.cx),
                Timer::ToolTimeout => self.answering.handle_tool_timeout(&mut self.cx),
                Timer::Transcript => self.transcripts_overdue(),
                Timer::Verdict => self.judge_length(),
            }
            // What one deadline led to may take away or move the next.
            self.settle();
        }
    }

    fn rejoined(&mut self, after: Duration, lost_audio: Duration) {
        let mut text = format!("the client is back after {after:.1?}");
        if !lost_audio.is_zero() {
            text.push_str(&format!("; {lost_audio:.1?} of the agent's audio were lost on the way"));
        }
        self.cx.notice(Severity::Info, notices::REJOINED, text);
    }

    fn leg_closed(&mut self, how: LegClosed) {
        let reason = match (self.phase, how) {
            // The agent was ending the call already.
            (Phase::Closing(reason), _) => reason,
            (_, LegClosed::ByPeer) => EndReason::HangUp,
            (_, LegClosed::MediaIdle | LegClosed::Unresponsive) => EndReason::ConnectionError,
            (_, LegClosed::OurFault) => EndReason::SystemError,
        };
        self.end(reason);
    }

    fn user_inactive(&mut self) {
        let Some(message) = self.inactivity.handle_timeout(&self.cx) else { return };
        let reason = EndReason::AgentHangUp;
        let (uninterruptible, then) = match message.end {
            InactivityEnd::KeepWaiting => (false, Then::Listen),
            InactivityEnd::HangUpSoft => (false, Then::HangUpUnlessAnswered(reason)),
            InactivityEnd::HangUpStrict => (true, Then::HangUp(reason)),
        };
        self.answering.say(&mut self.cx, Script::new(message.message, uninterruptible, then));
    }

    fn max_duration(&mut self) {
        self.cx.notice(Severity::Info, notices::MAX_DURATION, "the call reached its maximum duration");
        self.cx.timers.set(Timer::Overrun, self.cx.now + self.cx.config.limits.overrun);
        // An agent that is saying goodbye already may finish, within the same time.
        if self.phase == Phase::Live {
            let farewell = self.cx.config.time_exceeded_message.clone();
            self.close(EndReason::Timeout, farewell);
        }
    }

    /// After every input: follow up what it led to, and tell how things stand.
    fn settle(&mut self) {
        self.foresee_pause();
        self.threads.follow_stage(&mut self.cx);
        self.deliver_dispatches();
        self.heed_ending();
        while self.phase == Phase::Live && self.is_free() {
            self.answering.next_move(&mut self.cx);
            self.threads.follow_stage(&mut self.cx);
            // A message whose results are known may send something at once, and that may be for this conversation.
            let sends = self.answering.has_dispatches();
            self.deliver_dispatches();
            self.heed_ending();
            if !sends {
                break;
            }
        }
        if self.phase == Phase::Live {
            self.report_state();
        }
        if !self.answering.is_paused() {
            // Whatever was paused was ended by something else.
            self.interruption.close(&mut self.cx);
        }
        self.cx.commit();
        if let Phase::Flushing(reason) = self.phase
            && self.pending.is_empty()
        {
            self.finish(reason);
        }
    }

    fn heed_ending(&mut self) {
        match self.answering.take_ending() {
            Some(Ending::UnlessAnswered(_)) if self.listening.is_mid_turn() || self.awaits_words() => {}
            Some(Ending::Now(reason) | Ending::UnlessAnswered(reason)) => self.end(reason),
            Some(Ending::Apologetic) => {
                let apology = self.cx.config.apology.clone();
                self.close(EndReason::SystemError, apology);
            }
            None => {}
        }
    }

    /// Whether the agent may begin something of its own accord: nobody speaks, and nothing is being found out.
    fn is_free(&self) -> bool {
        self.answering.is_idle() && !self.listening.is_mid_turn() && !self.awaits_words()
    }

    fn report_state(&mut self) {
        let busy = (!self.answering.is_idle() && !self.answering.is_tentative()) || self.awaits_words();
        let mid_turn = self.listening.is_mid_turn();
        self.inactivity.set_quiet(&mut self.cx, !busy && !mid_turn);
        if !busy {
            self.cx.report(AgentState::Listening);
        } else if !self.answering.is_speaking() {
            self.cx.report(AgentState::Thinking);
        }
    }

    fn user_took_part(&mut self) {
        self.cx.timers.stop(Timer::FirstWords);
        self.inactivity.reset(&mut self.cx);
        self.answering.note_user();
    }

    fn finish(&mut self, reason: EndReason) {
        self.cx.timers.stop_all();
        self.cx.history.settle_all();
        self.cx.commit();
        self.cx.event(Event::Ended(reason));
        self.phase = Phase::Ended;
    }
}
