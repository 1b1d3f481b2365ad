//! The reasons for which a conversation wants to be woken, and the table of their deadlines.
//!
//! Every deadline has a name here; nothing else in the engine remembers a point in time to be woken at.

use crate::time::CallTime;

/// Why a conversation wants to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// Nobody joined.
    Join,
    /// The call reached its maximum duration.
    MaxDuration,
    /// The farewell after the maximum duration took too long.
    Overrun,
    /// The agent greets, or steps in because the user did not begin.
    FirstWords,
    /// The pause that the user's speech made in the playout has to be judged.
    Verdict,
    /// The user has been silent long enough for the pause to be looked at.
    Lull,
    /// The user has been silent long enough for the turn to be over.
    EndOfTurn,
    /// The user has spoken long enough to interrupt.
    Interruption,
    /// The user has been silent long enough to be spoken to.
    Inactivity,
    /// The next piece of audio is due, the next word is heard, or the last one ends.
    Playout,
    /// A tool has run for too long.
    ToolTimeout,
    /// A tool of a side thread has run for too long.
    ThreadTools,
    /// A transcript is overdue.
    Transcript,
    /// The call is over and the last words are still not known.
    LastWords,
}

impl Timer {
    const ALL: [Self; 14] = [
        Self::Join,
        Self::MaxDuration,
        Self::Overrun,
        Self::FirstWords,
        Self::Verdict,
        Self::Lull,
        Self::EndOfTurn,
        Self::Interruption,
        Self::Inactivity,
        Self::Playout,
        Self::ToolTimeout,
        Self::ThreadTools,
        Self::Transcript,
        Self::LastWords,
    ];
}

/// A deadline that never comes.
const NEVER: CallTime = CallTime::from_micros(u64::MAX);

/// The deadlines that are set. One that is not never comes: so they are half as large, and looked through for every frame.
#[derive(Debug)]
pub(crate) struct TimerTable {
    deadlines: [CallTime; Timer::ALL.len()],
}

impl Default for TimerTable {
    fn default() -> Self {
        Self { deadlines: [NEVER; Timer::ALL.len()] }
    }
}

impl TimerTable {
    pub(crate) fn set(&mut self, timer: Timer, at: CallTime) {
        self.deadlines[timer as usize] = at;
    }

    /// Sets the deadline, or removes it where there is none.
    pub(crate) fn replace(&mut self, timer: Timer, at: Option<CallTime>) {
        self.set(timer, at.unwrap_or(NEVER));
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        self.set(timer, NEVER);
    }

    /// Removes a deadline and says when it would have been.
    pub(crate) fn take(&mut self, timer: Timer) -> Option<CallTime> {
        let at = std::mem::replace(&mut self.deadlines[timer as usize], NEVER);
        (at != NEVER).then_some(at)
    }

    pub(crate) fn stop_all(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.deadlines[timer as usize] != NEVER
    }

    /// The earliest deadline; of equal ones the first in the order of the enum.
    pub(crate) fn next(&self) -> Option<(CallTime, Timer)> {
        let (at, timer) = self.deadlines.into_iter().zip(Timer::ALL).min_by_key(|(at, _)| *at)?;
        (at != NEVER).then_some((at, timer))
    }

    /// Takes the earliest deadline that has been reached.
    pub(crate) fn expire(&mut self, now: CallTime) -> Option<Timer> {
        let (at, timer) = self.next()?;
        if at > now {
            return None;
        }
        self.stop(timer);
        Some(timer)
    }
}
