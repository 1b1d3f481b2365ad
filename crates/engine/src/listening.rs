//! The user's turn: from the first active sample to the silence that ends it.
//!
//! Owns the turn that is open and the last one that ended, as long as it can be taken up again. Turns speech and silence into
//! durations; whether speech interrupts anybody, and what a turn leads to, is decided above.

use std::time::Duration;

use crate::config::TurnTaking;
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
    /// Active speech that was judged to be no interruption: it does not count towards one again.
    dismissed: Duration,
    /// Speech that it takes to interrupt.
    needed: Duration,
    /// The id under which the pause that the user makes now is looked into, and the turn's own if it ends with this pause.
    candidate: Option<TurnId>,
    /// How much audio had been received when the detector last spoke, and when that was.
    heard: (AudioTime, CallTime),
    /// What the agent was doing when it began.
    beginning: Beginning,
    /// The agent was told to speak over this turn: it interrupts nobody.
    overridden: bool,
    /// Words of it were overheard that are more than a sign of listening.
    meant: bool,
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
    /// Speech in it that was judged to be no interruption.
    pub(crate) dismissed: Duration,
    /// Speech that it takes to interrupt.
    pub(crate) needed: Duration,
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
    /// Whether an answer waits for the words: the model of the stage in which the turn ended reads them.
    pub(crate) read: bool,
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
        needed: Duration,
    ) {
        let onset = cx.now - received.since(at);
        let turn = self.open.get_or_insert_with(|| OpenTurn {
            from: at - cx.config.turn_taking.pre_roll,
            to: at,
            began: onset,
            ended: onset,
            active_since: None,
            spoken: Duration::ZERO,
            dismissed: Duration::ZERO,
            needed,
            candidate: None,
            heard: (received, cx.now),
            beginning,
            overridden: false,
            meant: false,
            ordinal: None,
        });
        turn.active_since.get_or_insert(at);
        turn.heard = (received, cx.now);
        turn.candidate = None;
        cx.timers.stop(Timer::EndOfTurn);
        cx.timers.stop(Timer::Lull);
        if !turn.overridden {
            let missing = turn.needed.saturating_sub(turn.counted());
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
        let TurnTaking { endpoint_delay, pauses, .. } = cx.config.turn_taking;
        cx.timers.set(Timer::EndOfTurn, turn.ended + endpoint_delay);
        if pauses.is_active() && pauses.lull < endpoint_delay {
            cx.timers.set(Timer::Lull, turn.ended + pauses.lull);
        }
        let interrupts = cx.timers.is_set(Timer::Interruption) && turn.counted() >= turn.needed;
        cx.timers.stop(Timer::Interruption);
        interrupts
    }

    /// Since when the user has been silent in the middle of a turn.
    pub(crate) fn silent_since(&self) -> Option<CallTime> {
        self.open.as_ref().filter(|turn| turn.active_since.is_none()).map(|turn| turn.ended)
    }

    /// All active speech in the open turn, the piece that goes on aside.
    pub(crate) fn spoken(&self) -> Duration {
        self.open.as_ref().map_or(Duration::ZERO, |turn| turn.spoken)
    }

    /// All active speech in the open turn, the piece that goes on included.
    pub(crate) fn spoken_by(&self, now: CallTime) -> Duration {
        self.speaks_from(now).map_or_else(|| self.spoken(), |from| now.since(from))
    }

    /// When the speech would have begun, had it been spoken without a pause. Only while the user speaks.
    pub(crate) fn speaks_from(&self, now: CallTime) -> Option<CallTime> {
        let turn = self.open.as_ref()?;
        let (received, noted) = turn.heard;
        let onset = noted.min(now) - received.since(turn.active_since?);
        Some(onset - turn.spoken)
    }

    /// Words of the open turn were overheard: whether they are more than a sign of listening.
    pub(crate) fn overhear(&mut self, meant: bool) {
        if let Some(turn) = &mut self.open {
            turn.meant = meant;
        }
    }

    /// Whether words of the open turn were overheard that are more than a sign of listening.
    pub(crate) fn is_meant(&self) -> bool {
        self.open.as_ref().is_some_and(|turn| turn.meant)
    }

    /// What was said so far was judged to be no interruption.
    pub(crate) fn dismiss(&mut self) {
        if let Some(turn) = &mut self.open {
            turn.dismissed = turn.spoken;
        }
    }

    /// What was said so far turned out to be an interruption after all. Returns whether it had been judged otherwise.
    pub(crate) fn reinstate(&mut self) -> bool {
        let dismissed = self.open.as_mut().map(|turn| std::mem::take(&mut turn.dismissed));
        dismissed.is_some_and(|dismissed| !dismissed.is_zero())
    }

    /// The turn as it would be if it ended with the pause that the user makes now.
    pub(crate) fn candidate(&mut self) -> Option<Turn> {
        let turn = self.open.as_mut().filter(|turn| turn.active_since.is_none())?;
        let id = *turn.candidate.get_or_insert_with(|| TurnId(self.turns.next()));
        Some(turn.ended_as(id, turn.to, turn.ended, turn.spoken))
    }

    /// Whether the pause that the user makes now is looked into under this id.
    pub(crate) fn is_candidate(&self, id: TurnId) -> bool {
        self.open.as_ref().is_some_and(|turn| turn.candidate == Some(id))
    }

    /// Lets the turn end after this much silence, instead of the endpoint delay.
    pub(crate) fn wait_for(&self, cx: &mut Context, silence: Duration) {
        if let Some(since) = self.silent_since() {
            cx.timers.set(Timer::EndOfTurn, since + silence);
        }
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
        stop_timers(cx);
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
        let id = turn.candidate.unwrap_or_else(|| TurnId(self.turns.next()));
        Some(EndOfTurn::Ended(turn.ended_as(id, to, ended, spoken)))
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
        stop_timers(cx);
    }
}

fn stop_timers(cx: &mut Context) {
    cx.timers.stop(Timer::Lull);
    cx.timers.stop(Timer::EndOfTurn);
    cx.timers.stop(Timer::Interruption);
}

impl OpenTurn {
    fn counted(&self) -> Duration {
        self.spoken.saturating_sub(self.dismissed)
    }

    fn ended_as(&self, id: TurnId, to: AudioTime, ended: CallTime, spoken: Duration) -> Turn {
        Turn {
            span: AudioSpan { turn: id, from: self.from, to: to.max(self.from) },
            began: self.began,
            ended,
            spoken,
            dismissed: self.dismissed,
            needed: self.needed,
            beginning: self.beginning,
            overridden: self.overridden,
            ordinal: self.ordinal,
        }
    }
}

impl Turn {
    /// Speech in it that counts towards an interruption.
    pub(crate) fn counted(&self) -> Duration {
        self.spoken.saturating_sub(self.dismissed)
    }
}
