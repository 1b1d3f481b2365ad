//! What the user's speech leads to: an interruption, a turn, an answer.
//!
//! A turn whose words are not known yet can be taken up again: a user who goes on before anything of the answer was heard
//! means one turn, not two (inference.md 5.5, rule 2).

use std::sync::Arc;

use super::{Conversation, Phase};
use crate::answering::{Interrupted, Owed};
use crate::config::Hearing;
use crate::ids::TurnId;
use crate::input::Transcription;
use crate::listening::{Beginning, EndOfTurn, PendingTurn, Turn};
use crate::message::{Medium, Message, MessageBody, Speaker};
use crate::notices;
use crate::output::{AgentState, Effect, Event, Severity, TranscriptWords, Work};
use crate::time::AudioTime;
use crate::timers::Timer;

impl Conversation {
    pub(super) fn speech_started(&mut self, at: AudioTime, received: AudioTime) {
        if !self.listening.is_mid_turn() {
            self.cx.event(Event::UserStartedSpeaking);
        }
        let beginning =
            if self.answering.is_interruptible() { Beginning::OverAgent } else { Beginning::InSilence };
        self.listening.speech_started(&mut self.cx, at, received, beginning);
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
        self.handle_timeouts();
    }

    /// The user has spoken for long enough to interrupt whatever can be interrupted.
    pub(super) fn user_cuts_in(&mut self) {
        match self.answering.interrupt(&mut self.cx) {
            Interrupted::Heard => {
                self.cx.report(AgentState::Listening);
                self.cx.notice(Severity::Debug, notices::INTERRUPTED, "the user interrupted the agent");
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

    /// The user has been silent for long enough.
    pub(super) fn end_turn(&mut self) {
        let Some(end) = self.listening.end_turn(&mut self.cx) else { return };
        self.cx.event(Event::UserStoppedSpeaking);
        match end {
            EndOfTurn::Discarded => {}
            // Too short to interrupt: a word thrown in while the agent speaks is not a turn.
            EndOfTurn::Ended(turn)
                if turn.beginning == Beginning::OverAgent
                    && turn.spoken < self.cx.config.turn_taking.minimum_interruption => {}
            EndOfTurn::Ended(turn) => self.take_turn(turn),
        }
    }

    /// Enters a turn into the record, asks for its words, and owes it an answer.
    fn take_turn(&mut self, turn: Turn) {
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
        if !turn.overridden {
            self.answering.interrupt(&mut self.cx);
        }
        let ordinal = turn.ordinal.unwrap_or_else(|| self.cx.history.next_ordinal());
        let entry = self.cx.history.open(Message {
            body: MessageBody::User { text: Arc::from(""), audio: Some(turn.span) },
            medium: Medium::Voice,
            ordinal: Some(ordinal),
            span: Some((turn.began, turn.ended)),
        });
        let deadline = self.cx.now + self.cx.config.limits.transcript;
        self.pending.push(PendingTurn { turn, entry, ordinal, deadline });
        self.set_transcript_timer();
        self.cx.effect(Effect::Transcribe(turn.span));
        if self.cx.config.hearing == Hearing::Audio {
            self.answering.owe(Owed::default());
        }
    }

    /// Whether the agent has to wait for a turn's words before it can answer.
    pub(super) fn awaits_words(&self) -> bool {
        self.cx.config.hearing == Hearing::Transcript && !self.pending.is_empty()
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
        let reads = self.cx.config.hearing == Hearing::Transcript;
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
            self.answering.owe(Owed::default());
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
