//! Speech over the agent, while it is judged: the playout stands, and by a deadline it is clear whether it goes on.
//!
//! Owns the one pause that may be under way and the rules by which it ends. What an interruption does, and how a pause is
//! made, is decided elsewhere.

use crate::config::InterruptionPolicy;
use crate::context::Context;
use crate::listening::Listening;
use crate::output::Verdict;
use crate::time::CallTime;
use crate::timers::Timer;
use crate::wording::is_backchannel;

/// The pause that speech made in the playout.
#[derive(Debug, Default)]
pub(crate) struct Interruption {
    pause: Option<Pause>,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    since: CallTime,
    /// When it is judged by what there is.
    until: CallTime,
}

impl Interruption {
    /// Whether the playout stands, and why is not clear yet.
    pub(crate) fn is_open(&self) -> bool {
        self.pause.is_some()
    }

    /// When the pause began.
    pub(crate) fn since(&self) -> Option<CallTime> {
        self.pause.map(|pause| pause.since)
    }

    /// By when the pause is judged.
    pub(crate) fn until(&self) -> Option<CallTime> {
        self.pause.map(|pause| pause.until)
    }

    /// The playout stands from now on.
    pub(crate) fn open(&mut self, cx: &mut Context, listening: &Listening) {
        let until = cx.now + cx.config.turn_taking.interruption.longest_pause;
        self.pause = Some(Pause { since: cx.now, until });
        self.look_again(cx, listening);
    }

    /// Sets the deadline anew after the user began or ceased to speak: by certain speech, by silence, or by the end of patience.
    pub(crate) fn look_again(&self, cx: &mut Context, listening: &Listening) {
        let Some(Pause { until, .. }) = self.pause else { return };
        let InterruptionPolicy { certain_speech, settled, words, .. } = cx.config.turn_taking.interruption;
        let due = match listening.silent_since() {
            Some(_) if listening.spoken() >= certain_speech => cx.now,
            // The words of short speech are worth waiting for.
            Some(_) if words => until,
            Some(since) => since + settled,
            None => listening.speaks_from(cx.now).map_or(until, |from| from + certain_speech),
        };
        cx.timers.set(Timer::Verdict, until.min(due));
    }

    /// The pause is over, whatever it was.
    pub(crate) fn close(&mut self, cx: &mut Context) {
        if self.pause.take().is_some() {
            cx.timers.stop(Timer::Verdict);
        }
    }
}

/// Judges by length alone: somebody who still speaks, or has spoken for long, means it.
pub(crate) fn by_length(cx: &Context, listening: &Listening) -> Verdict {
    let long = listening.spoken() >= cx.config.turn_taking.interruption.certain_speech;
    if long || listening.silent_since().is_none() { Verdict::Interruption } else { Verdict::Nothing }
}

/// Judges short speech by what was said.
pub(crate) fn by_words(words: &str) -> Verdict {
    if is_backchannel(words) { Verdict::Nothing } else { Verdict::Interruption }
}
