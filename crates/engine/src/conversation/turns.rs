//! What the user's speech leads to: an interruption, a turn, an answer.
//!
//! A turn whose words are not known yet can be taken up again: a user who goes on before anything of the answer was heard
//! means one turn, not two (inference.md 5.5, rule 2).

use std::sync::Arc;
use std::time::Duration;

use super::pauses::Words;
use super::{Conversation, Phase};
use crate::answering::{Interrupted, Owed};
use crate::config::{Hearing, InterruptionPolicy, TurnTaking};
use crate::ids::TurnId;
use crate::input::Transcription;
use crate::interruption;
use crate::listening::{Beginning, EndOfTurn, PendingTurn, Turn};
use crate::message::{Medium, Message, MessageBody, Speaker};
use crate::notices;
use crate::output::{
    AgentState, Effect, Event, JudgedBy, Judgement, Severity, TranscriptWords, Verdict, Work,
};
use crate::time::{AudioTime, CallTime};
use crate::timers::Timer;

impl Conversation {
    pub(super) fn speech_started(&mut self, at: AudioTime, received: AudioTime) {
        if !self.listening.is_mid_turn() {
            self.cx.event(Event::UserStartedSpeaking);
        }
        self.revoke();
        let beginning =
            if self.answering.is_interruptible() { Beginning::OverAgent } else { Beginning::InSilence };
        let needed = self.speech_needed();
        self.listening.speech_started(&mut self.cx, at, received, beginning, needed);
        self.interruption.look_again(&mut self.cx, &self.listening);
        // The detector's delay may be longer than the speech that it takes to interrupt.
        self.handle_timeouts();
    }

    pub(super) fn speech_stopped(&mut self, at: AudioTime, received: AudioTime) {
        if !self.listening.is_mid_turn() {
            return;
        }
        if self.listening.speech_stopped(&mut self.cx, at, received) {
            self.user_cuts_in();
        }
        if self.interruption.is_open() {
            let InterruptionPolicy { certain_speech, words, .. } = self.cx.config.turn_taking.interruption;
            if words && self.listening.spoken() < certain_speech {
                self.anticipate();
            }
            self.interruption.look_again(&mut self.cx, &self.listening);
        }
        self.handle_timeouts();
    }

    /// How much speech it takes now to interrupt the agent.
    fn speech_needed(&self) -> Duration {
        let TurnTaking { minimum_interruption, interruption, .. } = self.cx.config.turn_taking;
        let at_first = self
            .answering
            .playing_for(self.cx.now)
            .is_some_and(|playing| playing < interruption.first_moments);
        if at_first { minimum_interruption.max(interruption.minimum_at_first) } else { minimum_interruption }
    }

    /// The user has spoken for long enough to interrupt whatever can be interrupted: the playout pauses until it is clear
    /// whether that is meant, or is cut at once.
    pub(super) fn user_cuts_in(&mut self) {
        let InterruptionPolicy { pause_below, certain_speech, .. } = self.cx.config.turn_taking.interruption;
        if self.interruption.is_open() {
            return;
        }
        if self.listening.is_meant() {
            self.cut_in(JudgedBy::Words);
            return;
        }
        let pauses = self.cx.config.client_buffer < pause_below && self.listening.spoken() < certain_speech;
        if pauses && self.answering.pause(&mut self.cx) {
            self.interruption.open(&mut self.cx, &self.listening);
        } else {
            self.cut_in(JudgedBy::Threshold);
        }
    }

    /// While somebody speaks over the agent and may pause it soon, the client gets no more than it needs: what it holds when the
    /// pause comes is heard all the same.
    pub(super) fn foresee_pause(&mut self) {
        let pause_below = self.cx.config.turn_taking.interruption.pause_below;
        let soon = self.cx.timers.is_set(Timer::Interruption)
            && self.cx.config.client_buffer < pause_below
            && self.answering.is_interruptible();
        self.answering.keep_short(&mut self.cx, soon);
    }

    /// Judges the pause by the length of the speech that caused it.
    pub(super) fn judge_length(&mut self) {
        let verdict = interruption::by_length(&self.cx, &self.listening);
        self.judged(verdict, JudgedBy::Length);
    }

    /// Judges the pause by the words that caused it.
    pub(super) fn judge_words(&mut self, words: &str) {
        self.judged(interruption::by_words(words), JudgedBy::Words);
    }

    /// Words of the user's speech came while it goes on. Those that want something need no more speech to be meant; others may yet
    /// be followed by such.
    pub(super) fn overheard(&mut self, words: &str) {
        let judges = self.cx.config.turn_taking.interruption.words;
        let meant = judges && interruption::by_words(words) == Verdict::Interruption;
        self.listening.overhear(meant);
        if meant && self.interruption.is_open() {
            self.cut_in(JudgedBy::Words);
        }
    }

    fn judged(&mut self, verdict: Verdict, by: JudgedBy) {
        let Some(since) = self.interruption.since() else { return };
        match verdict {
            Verdict::Interruption => self.cut_in(by),
            Verdict::Nothing => {
                self.interruption.close(&mut self.cx);
                self.listening.dismiss();
                let judgement = self.judgement(verdict, by, since);
                self.cx.event(Event::SpeechJudged(judgement));
                let Judgement { spoken, paused, .. } = judgement;
                self.cx.notice(
                    Severity::Debug,
                    notices::RESUMED,
                    format!(
                        "{} ms of speech were no interruption {}; the agent goes on after {} ms",
                        spoken.as_millis(),
                        by,
                        paused.as_millis()
                    ),
                );
                self.answering.resume(&mut self.cx);
            }
        }
    }

    fn judgement(&self, verdict: Verdict, by: JudgedBy, paused_since: CallTime) -> Judgement {
        let now = self.cx.now;
        Judgement { verdict, by, spoken: self.listening.spoken_by(now), paused: now.since(paused_since) }
    }

    /// The user interrupts.
    pub(super) fn cut_in(&mut self, by: JudgedBy) {
        let paused_since = self.interruption.since().unwrap_or(self.cx.now);
        self.interruption.close(&mut self.cx);
        match self.answering.interrupt(&mut self.cx) {
            Interrupted::Heard => {
                self.cx.report(AgentState::Listening);
                let judgement = self.judgement(Verdict::Interruption, by, paused_since);
                self.cx.event(Event::SpeechJudged(judgement));
                self.cx.notice(
                    Severity::Debug,
                    notices::INTERRUPTED,
                    format!(
                        "the user interrupted the agent: {} ms of speech, judged {}",
                        judgement.spoken.as_millis(),
                        by
                    ),
                );
                self.user_took_part();
            }
            Interrupted::Unheard => {
                self.cx.notice(
                    Severity::Debug,
                    notices::ANSWER_DROPPED,
                    "the user went on before the answer was heard; it is owed again",
                );
                self.take_up_last_turn();
            }
            Interrupted::Nothing => {
                if self.answering.is_idle() {
                    self.take_up_last_turn();
                }
            }
        }
    }

    /// Makes the last turn the beginning of the open one, if nothing has come of it yet.
    fn take_up_last_turn(&mut self) {
        let Some(last) = self.pending.last().copied() else { return };
        if !self.cx.history.is_last(last.entry) {
            return;
        }
        self.pending.pop();
        self.set_transcript_timer();
        self.cx.history.take_out(last.entry);
        self.cx.effect(Effect::Cancel(Work::Transcription(last.turn.span.turn)));
        self.listening.take_up(last);
    }

    /// The user has been silent for long enough, unless it is still open whether that was speech at all.
    pub(super) fn silence_ends_turn(&mut self) {
        match self.interruption.until() {
            Some(until) => self.cx.timers.set(Timer::EndOfTurn, until),
            None => self.end_turn(),
        }
    }

    pub(super) fn end_turn(&mut self) {
        let Some(end) = self.listening.end_turn(&mut self.cx) else { return };
        self.cx.event(Event::UserStoppedSpeaking);
        match end {
            EndOfTurn::Discarded => self.revoke(),
            EndOfTurn::Ended(turn) if self.was_thrown_in(&turn) => self.set_aside(),
            EndOfTurn::Ended(turn) => self.take_turn(turn, None),
        }
    }

    /// Whether a turn is but a word thrown in while the agent speaks: too short to interrupt, or judged to be no interruption. Of
    /// the latter kind, an agent that has finished meanwhile may have been answered.
    pub(super) fn was_thrown_in(&self, turn: &Turn) -> bool {
        let short = turn.counted() < turn.needed;
        if turn.dismissed.is_zero() {
            short && turn.beginning == Beginning::OverAgent
        } else {
            short && !self.answering.is_idle()
        }
    }

    /// Enters a turn into the record, asks for its words unless they are known, and owes it an answer.
    pub(super) fn take_turn(&mut self, turn: Turn, words: Option<Transcription>) {
        if self.cx.config.hearing != Hearing::Transcript {
            self.user_took_part();
        }
        if self.cx.config.hearing == Hearing::Deaf {
            self.cx.notice(
                Severity::Warning,
                notices::SPEECH_NOT_UNDERSTOOD,
                "the user spoke, but the model does not hear audio and nothing is configured to transcribe it",
            );
            return;
        }
        if !turn.overridden && !self.answering.is_tentative() {
            self.answering.interrupt(&mut self.cx);
        }
        self.cx.event(Event::TurnTaken(turn.span.turn));
        let tentative = self.tentative.take();
        let ordinal = turn.ordinal.unwrap_or_else(|| self.cx.history.next_ordinal());
        let entry = tentative.as_ref().and_then(|tentative| tentative.entry);
        let entry = entry.unwrap_or_else(|| {
            self.cx.history.open(Message {
                body: MessageBody::User { text: Arc::from(""), audio: Some(turn.span) },
                medium: Medium::Voice,
                ordinal: None,
                span: Some((turn.began, turn.ended)),
            })
        });
        self.cx.history.amend(entry, |message| message.ordinal = Some(ordinal));
        let deadline = self.cx.now + self.cx.config.limits.transcript;
        let read = self.cx.config.hearing == Hearing::Transcript;
        self.pending.push(PendingTurn { turn, entry, ordinal, deadline, read });
        self.set_transcript_timer();
        let words = match tentative.map(|tentative| tentative.words) {
            Some(Words::Known(early)) => Some(early),
            Some(Words::Awaited) => None,
            None => {
                if words.is_none() {
                    self.cx.effect(Effect::Transcribe(turn.span));
                }
                words
            }
        };
        if let Some(words) = words {
            self.transcribed(turn.span.turn, words);
        }
        if self.cx.config.hearing == Hearing::Audio {
            self.owe_answer();
        }
    }

    /// The turn is over and wants an answer: the one that was begun in the pause, or a new one.
    fn owe_answer(&mut self) {
        if !self.answering.confirm(&mut self.cx) {
            self.answering.owe(Owed::default());
        }
    }

    /// Somebody found out the words of a turn.
    pub(super) fn words_came(&mut self, id: TurnId, words: Transcription) {
        if let Some(words) = self.anticipated(id, words) {
            self.transcribed(id, words);
        }
    }

    /// Whether the agent has to wait for a turn's words before it can answer.
    pub(super) fn awaits_words(&self) -> bool {
        self.pending.iter().any(|pending| self.reads(pending))
    }

    /// Whether a turn counts only with its words: it was said to a model that reads, or one that reads is to answer it.
    fn reads(&self, pending: &PendingTurn) -> bool {
        pending.read || self.cx.config.hearing == Hearing::Transcript
    }

    /// The words of a turn are known, or known not to be.
    pub(super) fn transcribed(&mut self, id: TurnId, transcription: Transcription) {
        let Some(index) = self.pending.iter().position(|pending| pending.turn.span.turn == id) else {
            return;
        };
        let pending = self.pending.remove(index);
        self.set_transcript_timer();
        let text = match transcription {
            Transcription::Words(words) => Arc::from(words.trim()),
            Transcription::Failed(why) => {
                self.cx.notice(
                    Severity::Warning,
                    notices::TRANSCRIPTION_FAILED,
                    format!("the user's words could not be transcribed: {why}"),
                );
                Arc::from("")
            }
        };
        self.words_known(pending, text);
    }

    fn words_known(&mut self, pending: PendingTurn, text: Arc<str>) {
        let reads = self.reads(&pending);
        if text.is_empty() && reads {
            // No speech, no turn; if this came while an answer was owed, that answer is still owed.
            self.cx.history.take_out(pending.entry);
            return;
        }
        if !text.is_empty() {
            let words = TranscriptWords::Final(Arc::clone(&text));
            self.cx.transcript(Speaker::User, Medium::Voice, pending.ordinal, words);
        }
        let audio = Some(pending.turn.span);
        self.cx.history.settle(pending.entry, |message| {
            message.body = MessageBody::User { text, audio };
        });
        if reads && self.phase == Phase::Live {
            // Only now it is certain that this was somebody, and not noise.
            self.user_took_part();
            self.owe_answer();
        }
    }

    /// Gives up on transcripts that took too long.
    pub(super) fn transcripts_overdue(&mut self) {
        while let Some(pending) = self.pending.first().copied() {
            if pending.deadline > self.cx.now {
                break;
            }
            self.cx.effect(Effect::Cancel(Work::Transcription(pending.turn.span.turn)));
            self.transcribed(pending.turn.span.turn, Transcription::Failed(Arc::from("it took too long")));
        }
        self.set_transcript_timer();
    }

    fn set_transcript_timer(&mut self) {
        let next = self.pending.first().map(|pending| pending.deadline);
        self.cx.timers.replace(Timer::Transcript, next);
    }
}
