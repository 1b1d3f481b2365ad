//! The user's turn: from the first active sample to the silence that ends it.
//!
//! Owns the turn that is open and the last one that ended, as long as it can be taken up again. Turns speech and silence into
//! durations; whether speech interrupts anybody, and what a turn leads to, is decided above.

use std::time::Duration;

use crate::context::Context;
use crate::history::EntryId;
use crate::ids::{Counter, Ordinal, TurnId};
use crate::message::AudioSpan;
use crate::time::{AudioTime, CallTime};
use crate::timers::Timer;

#[derive(Debug, Default)]
pub(crate) struct Listening {
    open: Option<OpenTurn>,
    turns: Counter,
}

/// A turn that the user is in the middle of: speaking, or silent for less than the endpoint delay.
#[derive(Debug)]
struct OpenTurn {
    /// First sample, pre-roll included.
    from: AudioTime,
    /// Just behind the last active sample.
    to: AudioTime,
    /// When the first active sample was spoken.
    began: CallTime,
    /// When the last active sample was spoken.
    ended: CallTime,
    /// Since where on the audio clock the voice has been active without a pause. Speech is measured in audio, since a client
    /// may send seconds of it at once.
    active_since: Option<AudioTime>,
    /// Active speech before that.
    spoken: Duration,
    /// How much audio had been received when the detector last spoke, and when that was.
    heard: (AudioTime, CallTime),
    /// What the agent was doing when it began.
    beginning: Beginning,
    /// The agent was told to speak over this turn: it interrupts nobody.
    overridden: bool,
    /// The ordinal that a turn had before it was taken up again.
    ordinal: Option<Ordinal>,
}

/// What the agent was doing when the user began to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// Nothing that speech could interrupt.
    InSilence,
    /// Making or giving an answer that may be interrupted.
    OverAgent,
}

/// A turn that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) span: AudioSpan,
    pub(crate) began: CallTime,
    pub(crate) ended: CallTime,
    pub(crate) spoken: Duration,
    pub(crate) beginning: Beginning,
    /// Whether the agent was told to speak over it.
    pub(crate) overridden: bool,
    /// The ordinal it had before it was taken up again.
    pub(crate) ordinal: Option<Ordinal>,
}

/// A turn that has ended and whose words are not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PendingTurn {
    pub(crate) turn: Turn,
    pub(crate) entry: EntryId,
    pub(crate) ordinal: Ordinal,
    pub(crate) deadline: CallTime,
}

/// What the end of silence or of patience made of the open turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndOfTurn {
    /// It was too short to be one.
    Discarded,
    /// It is a turn.
    Ended(Turn),
}

impl Listening {
    /// Whether the user is in the middle of a turn.
    pub(crate) fn is_mid_turn(&self) -> bool {
        self.open.is_some()
    }

    /// Notes the beginning of speech, and sets the deadline at which the open turn interrupts the agent.
    pub(crate) fn speech_started(
        &mut self,
        cx: &mut Context,
        at: AudioTime,
        received: AudioTime,
        beginning: Beginning,
    ) {
        let onset = cx.now - received.since(at);
        let turn = self.open.get_or_insert_with(|| OpenTurn {
            from: at - cx.config.turn_taking.pre_roll,
            to: at,
            began: onset,
            ended: onset,
            active_since: None,
            spoken: Duration::ZERO,
            heard: (received, cx.now),
            beginning,
            overridden: false,
            ordinal: None,
        });
        turn.active_since.get_or_insert(at);
        turn.heard = (received, cx.now);
        cx.timers.stop(Timer::EndOfTurn);
        if !turn.overridden {
            let missing = cx.config.turn_taking.minimum_interruption.saturating_sub(turn.spoken);
            cx.timers.set(Timer::Interruption, onset + missing);
        }
    }

    /// Notes the end of speech, and sets the deadline at which the silence ends the turn. Returns whether the open turn is
    /// long enough to interrupt.
    pub(crate) fn speech_stopped(&mut self, cx: &mut Context, at: AudioTime, received: AudioTime) -> bool {
        let Some(turn) = &mut self.open else { return false };
        let Some(active_since) = turn.active_since.take() else { return false };
        turn.ended = (cx.now - received.since(at)).max(turn.began);
        turn.to = turn.to.max(at);
        turn.spoken += at.since(active_since);
        turn.heard = (received, cx.now);
        cx.timers.set(Timer::EndOfTurn, turn.ended + cx.config.turn_taking.endpoint_delay);
        let interrupts = cx.timers.is_set(Timer::Interruption)
            && turn.spoken >= cx.config.turn_taking.minimum_interruption;
        cx.timers.stop(Timer::Interruption);
        interrupts
    }

    /// The agent speaks over the user: the open turn goes on and interrupts nobody.
    pub(crate) fn override_turn(&mut self, cx: &mut Context) {
        if let Some(turn) = &mut self.open {
            turn.overridden = true;
            cx.timers.stop(Timer::Interruption);
        }
    }

    /// Ends the open turn: the silence was long enough, or there is no more time. In the middle of speech the audio is taken
    /// to have run with the clock since the detector last spoke.
    pub(crate) fn end_turn(&mut self, cx: &mut Context) -> Option<EndOfTurn> {
        cx.timers.stop(Timer::EndOfTurn);
        cx.timers.stop(Timer::Interruption);
        let turn = self.open.take()?;
        let (to, ended, spoken) = match turn.active_since {
            None => (turn.to, turn.ended, turn.spoken),
            Some(since) => {
                let (received, noted) = turn.heard;
                let to = received + cx.now.since(noted);
                (to, cx.now, turn.spoken + to.since(since))
            }
        };
        if spoken < cx.config.turn_taking.minimum_turn {
            return Some(EndOfTurn::Discarded);
        }
        let id = TurnId(self.turns.next());
        Some(EndOfTurn::Ended(Turn {
            span: AudioSpan { turn: id, from: turn.from, to: to.max(turn.from) },
            began: turn.began,
            ended,
            spoken,
            beginning: turn.beginning,
            overridden: turn.overridden,
            ordinal: turn.ordinal,
        }))
    }

    /// The user goes on with a turn that had ended: it becomes the beginning of the open one.
    pub(crate) fn take_up(&mut self, pending: PendingTurn) {
        if let Some(open) = &mut self.open {
            open.from = pending.turn.span.from;
            open.began = pending.turn.began;
            open.spoken += pending.turn.spoken;
            open.ordinal = Some(pending.ordinal);
        }
    }

    /// Forgets the open turn: nobody listens any more.
    pub(crate) fn stop(&mut self, cx: &mut Context) {
        self.open = None;
        cx.timers.stop(Timer::EndOfTurn);
        cx.timers.stop(Timer::Interruption);
    }
}
