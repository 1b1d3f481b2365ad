//! What is begun while the user pauses, before it is clear that the turn is over: the judgement of a turn detector, the
//! transcription, the model's answer.
//!
//! All of it goes by the id that the turn will have if it ends with this pause. If the user goes on it is dropped, nothing of it
//! having reached the client or the record; if not, it becomes the turn's own.

use std::sync::Arc;

use super::{Conversation, Phase};
use crate::config::Hearing;
use crate::history::EntryId;
use crate::ids::TurnId;
use crate::input::Transcription;
use crate::listening::Turn;
use crate::message::{Medium, Message, MessageBody};
use crate::notices;
use crate::output::{Effect, JudgedBy, Severity, Verdict, Work};
use crate::wording::is_unfinished;

/// A turn that may not be over, and what was begun for it.
#[derive(Debug)]
pub(super) struct Tentative {
    pub(super) turn: Turn,
    pub(super) words: Words,
    /// Its place in the record while the model answers it.
    pub(super) entry: Option<EntryId>,
}

/// What is known of a turn's words.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Words {
    Awaited,
    Known(Transcription),
}

impl Conversation {
    /// The user has been silent for long enough that the pause is looked at.
    pub(super) fn look_at_pause(&mut self) {
        let pauses = self.cx.config.turn_taking.pauses;
        let Some(turn) = self.listening.candidate() else { return };
        if pauses.detector {
            self.cx.effect(Effect::JudgeTurn(turn.span));
        }
        if pauses.words || pauses.speculative {
            self.anticipate();
            self.speculate();
        }
    }

    /// A turn detector has judged a pause. The turn ends with as much silence as that is worth.
    pub(super) fn turn_judged(&mut self, id: TurnId, probability: f32) {
        if self.listening.is_candidate(id) {
            let turn_taking = self.cx.config.turn_taking;
            let silence = turn_taking.pauses.delay(turn_taking.endpoint_delay, probability);
            if silence > turn_taking.endpoint_delay {
                let text = format!(
                    "the turn detector gives it {probability:.2} to be over: it may hold {} ms of silence",
                    silence.as_millis()
                );
                self.cx.notice(Severity::Debug, notices::TURN_HELD, text);
            }
            self.listening.wait_for(&mut self.cx, silence);
        }
    }

    /// Asks for the words of the turn so far.
    pub(super) fn anticipate(&mut self) {
        if self.tentative.is_some() || self.cx.config.hearing == Hearing::Deaf {
            return;
        }
        let Some(turn) = self.listening.candidate() else { return };
        if turn.spoken < self.cx.config.turn_taking.minimum_turn {
            return;
        }
        // Words that came too late to be judged would now come too late to matter.
        self.forget_aside();
        self.cx.effect(Effect::Transcribe(turn.span));
        self.tentative = Some(Box::new(Tentative { turn, words: Words::Awaited, entry: None }));
    }

    /// Lets the model begin, if it can and nothing stands in the way.
    fn speculate(&mut self) {
        let Some(tentative) = &self.tentative else { return };
        let turn = tentative.turn;
        let text: Arc<str> = match (self.cx.config.hearing, &tentative.words) {
            (Hearing::Audio, _) => Arc::from(""),
            (Hearing::Transcript, Words::Known(Transcription::Words(words))) if !words.trim().is_empty() => {
                Arc::from(words.trim())
            }
            (Hearing::Transcript | Hearing::Deaf, _) => return,
        };
        let free = self.cx.config.turn_taking.pauses.speculative
            && self.phase == Phase::Live
            && tentative.entry.is_none()
            && !turn.overridden
            && !self.awaits_words()
            && self.answering.may_speculate();
        if !free || self.was_thrown_in(&turn) {
            return;
        }
        let entry = self.cx.history.open(Message {
            body: MessageBody::User { text, audio: Some(turn.span) },
            medium: Medium::Voice,
            ordinal: None,
            span: Some((turn.began, turn.ended)),
        });
        if let Some(tentative) = &mut self.tentative {
            tentative.entry = Some(entry);
        }
        self.answering.speculate(&mut self.cx);
    }

    /// The user went on: everything that was begun in the pause is dropped.
    pub(super) fn revoke(&mut self) {
        self.unspeculate();
        if let Some(tentative) = self.tentative.take()
            && tentative.words == Words::Awaited
        {
            self.cx.effect(Effect::Cancel(Work::Transcription(tentative.turn.span.turn)));
        }
    }

    /// Something came between: the model begins anew when the turn is over. The words are worth keeping.
    pub(super) fn unspeculate(&mut self) {
        self.answering.drop_tentative(&mut self.cx);
        if let Some(tentative) = &mut self.tentative
            && let Some(entry) = tentative.entry.take()
        {
            self.cx.history.take_out(entry);
        }
    }

    /// A turn that was nothing but a sign of listening is let go. Its words, if they come, may still tell otherwise.
    pub(super) fn set_aside(&mut self) {
        self.unspeculate();
        match self.tentative.take() {
            Some(tentative) if tentative.words == Words::Awaited => {
                self.aside = Some(Box::new(tentative.turn));
            }
            Some(_) | None => {}
        }
    }

    /// Gives up on the words of a turn that was let go.
    pub(super) fn forget_aside(&mut self) {
        if let Some(turn) = self.aside.take() {
            self.cx.effect(Effect::Cancel(Work::Transcription(turn.span.turn)));
        }
    }

    /// Takes words that were asked for before the turn was over. Returns them if they were not.
    pub(super) fn anticipated(&mut self, id: TurnId, words: Transcription) -> Option<Transcription> {
        if self.aside.as_ref().is_some_and(|turn| turn.span.turn == id) {
            self.words_of_aside(words);
            return None;
        }
        match &mut self.tentative {
            Some(tentative) if tentative.turn.span.turn == id => {
                if tentative.words == Words::Awaited {
                    tentative.words = Words::Known(words.clone());
                    self.words_in_pause(&words);
                }
                None
            }
            Some(_) | None => Some(words),
        }
    }

    fn words_in_pause(&mut self, words: &Transcription) {
        match words {
            Transcription::Words(words) => {
                if self.interruption.is_open() {
                    self.judge_words(words);
                } else if self.answering.is_interruptible() && self.interrupts(words) {
                    // They were judged without their words, wrongly.
                    if self.listening.reinstate() {
                        self.cut_in(JudgedBy::Words);
                    }
                }
                let pauses = self.cx.config.turn_taking.pauses;
                if pauses.words && !pauses.detector && is_unfinished(words) {
                    let longest = pauses.longest_delay.max(self.cx.config.turn_taking.endpoint_delay);
                    let text = format!(
                        "the words leave a sentence open: the turn may hold {} ms of silence",
                        longest.as_millis()
                    );
                    self.cx.notice(Severity::Debug, notices::TURN_HELD, text);
                    self.listening.wait_for(&mut self.cx, longest);
                }
                self.speculate();
            }
            Transcription::Failed(_) => {
                if self.interruption.is_open() {
                    self.judge_length();
                }
            }
        }
    }

    /// The words of a turn that was let go: if they are more than a sign of listening, the turn is taken after all.
    fn words_of_aside(&mut self, words: Transcription) {
        let Some(turn) = self.aside.take() else { return };
        let Transcription::Words(said) = &words else { return };
        if self.phase == Phase::Live && self.interrupts(said) {
            self.take_turn(*turn, Some(words));
        }
    }

    fn interrupts(&self, words: &str) -> bool {
        self.cx.config.turn_taking.interruption.words
            && crate::interruption::by_words(words) == Verdict::Interruption
    }
}
