//! How a call ends: perhaps with last words of the agent, then with the leg, then with the user's last words in the record.

use std::sync::Arc;

use super::{Conversation, Phase};
use crate::answering::{Script, Then};
use crate::input::{Input, LegClosed};
use crate::output::{Effect, EndReason, Work};
use crate::timers::Timer;

impl Conversation {
    /// Stops listening, says the farewell to its end, and ends the call.
    pub(super) fn close(&mut self, reason: EndReason, farewell: Option<Arc<str>>) {
        self.end_open_turn();
        self.answering.end(&mut self.cx);
        self.threads.cancel_all(&mut self.cx, "the call is over");
        let Some(farewell) = farewell else {
            self.end(reason);
            return;
        };
        self.phase = Phase::Closing(reason);
        self.cx.timers.stop(Timer::FirstWords);
        self.cx.timers.stop(Timer::Inactivity);
        self.answering.say(&mut self.cx, Script::new(farewell, true, Then::HangUp(reason)));
    }

    /// Ends the call: all work stops but the transcription of what the user said last.
    pub(super) fn end(&mut self, reason: EndReason) {
        let joined = match self.phase {
            Phase::Waiting => false,
            Phase::Live | Phase::Closing(_) => true,
            Phase::Flushing(_) | Phase::Ended => return,
        };
        self.end_open_turn();
        self.answering.end(&mut self.cx);
        self.threads.cancel_all(&mut self.cx, "the call is over");
        self.cx.timers.stop_all();
        if joined {
            self.cx.effect(Effect::CloseLeg(reason));
        }
        self.phase = Phase::Flushing(reason);
        self.cx.timers.set(Timer::LastWords, self.cx.now + self.cx.config.limits.last_words);
    }

    /// While the last words are being found out, nothing else counts.
    pub(super) fn handle_flushing(&mut self, input: Input) {
        match input {
            Input::Transcribed { turn, words, by: _ } => self.transcribed(turn, words),
            Input::Timeout => {
                if self.cx.timers.expire(self.cx.now) == Some(Timer::LastWords) {
                    self.give_up_last_words();
                }
            }
            Input::ShutDown | Input::LegClosed(LegClosed::OurFault) => self.give_up_last_words(),
            Input::ConnectionLost | Input::Rejoined { .. } => {}
            Input::LegClosed(_) | Input::Joined | Input::Model(..) | Input::Request(_) | Input::Tool(..) => {}
            Input::SpeechStarted { .. } | Input::SpeechStopped { .. } => {}
            Input::Overheard(_) | Input::TurnJudged(..) | Input::Voice(..) => {}
        }
        // Only the last words are waited for, and only for so long.
        self.cx.timers.stop(Timer::Transcript);
    }

    pub(super) fn give_up_last_words(&mut self) {
        for pending in std::mem::take(&mut self.pending) {
            self.cx.effect(Effect::Cancel(Work::Transcription(pending.turn.span.turn)));
        }
    }

    /// Takes what the user was saying as a turn: it was said, even if nobody will answer.
    fn end_open_turn(&mut self) {
        if self.phase != Phase::Live {
            return;
        }
        self.unspeculate();
        self.interruption.close(&mut self.cx);
        self.end_turn();
        self.revoke();
        self.forget_aside();
        self.listening.stop(&mut self.cx);
    }
}
