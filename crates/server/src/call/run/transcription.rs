//! How the driver has the words of the user's speech found: by a recognizer that listens meanwhile, where there is one, or turn by
//! turn; and what it tells of that.

use std::sync::Arc;
use std::time::Duration;

use antiphon_backends::speech_to_text::{self, Heard, Overheard};
use antiphon_engine::Input;
use antiphon_engine::config::Hearing;
use antiphon_engine::ids::TurnId;
use antiphon_engine::input::Transcription;
use antiphon_engine::message::AudioSpan;
use antiphon_engine::output::{AgentState, Severity};
use serde_json::json;
use tokio::time::Instant;

use super::{Dictation, Driver, Promise};
use crate::call::dictation::{Connection, News};

/// A recognizer answered, and how long that took.
const TRANSCRIBED: &str = "transcription.finished";
/// A recognizer failed, and the one behind it answered.
const FALLBACK: &str = "transcription.fallback";
/// A recognizer that listened does not any more; it is dialled again.
const INTERRUPTED: &str = "transcription.interrupted";

impl Driver {
    /// Has a recognizer listen to the user from the first audio on, if there is one that can.
    pub(super) fn take_dictation(&mut self) {
        if let Some(recognizer) = &self.means.backends.speech_to_text {
            let language = self.setup.engine.language.clone();
            self.dictation = Some(Box::new(Dictation::new(Arc::clone(recognizer), language)));
        }
    }

    /// The conversation goes on in another language, perhaps. Whoever listens in the one before is not asked any more.
    pub(super) fn change_language(&mut self) {
        let language = self.setup.engine.language.clone();
        let missed = self.dictation.as_mut().map(|dictation| dictation.speak(language)).unwrap_or_default();
        for span in missed {
            self.transcribe_whole(span, None);
        }
    }

    /// Passes on what the user says.
    pub(super) fn dictate(&mut self) {
        let (Some(dictation), Some(ear)) = (&mut self.dictation, &self.ear) else { return };
        match dictation.connect(Instant::now()) {
            Connection::Unchanged => {}
            Connection::Made(session, listener) => {
                self.works.start_listening(session, listener, &self.subject.tasks);
            }
            Connection::Impossible => {
                self.dictation = None;
                return;
            }
        }
        dictation.hear(ear);
    }

    /// The user begins or ceases to speak.
    pub(super) fn follow_speech(&mut self, input: &Input) {
        let (Some(dictation), Some(ear)) = (&mut self.dictation, &self.ear) else { return };
        if let Input::SpeechStarted { at, .. } = input {
            let turn = (!self.user_mid_turn).then(|| *at - self.setup.engine.turn_taking.pre_roll);
            dictation.speech_started(turn);
        } else if let Input::SpeechStopped { .. } = input {
            dictation.speech_stopped(ear);
        }
    }

    /// Something came from the recognizer that listens.
    pub(super) fn overheard(&mut self, session: u32, overheard: Overheard) {
        let Some(dictation) = &mut self.dictation else { return };
        let News { heard, missed, words, failed } = dictation.told(session, overheard);
        if let Some(why) = failed {
            let text = format!("the recognizer does not listen any more, and is dialled again: {why}");
            self.event(Severity::Warning, INTERRUPTED, text);
        }
        // Over the agent, words may mean more than how long they take.
        if let Some(words) = words.filter(|words| !words.is_empty())
            && self.user_mid_turn
            && self.state == Some(AgentState::Speaking)
        {
            self.inputs.push_back(Input::Overheard(words));
        }
        for (turn, heard, took) in heard {
            self.words_found(turn, heard, took, true);
        }
        for (span, why) in missed {
            self.transcribe_whole(span, Some(why));
        }
        self.follow_up();
    }

    pub(super) fn transcribe(&mut self, span: AudioSpan) {
        if self.setup.engine.hearing == Hearing::Audio {
            let most = self.setup.model.capabilities().clips;
            self.clips.keep(most, span, self.clip(span));
        }
        let promise = match (&mut self.dictation, &self.ear) {
            (Some(dictation), Some(ear)) => dictation.ask(span, ear),
            _ => Promise::Refused(None),
        };
        match promise {
            Promise::Kept(heard) => self.words_found(span.turn, heard, Duration::ZERO, true),
            Promise::Given => {}
            Promise::Refused(why) => self.transcribe_whole(span, why),
        }
    }

    fn transcribe_whole(&mut self, span: AudioSpan, instead: Option<Arc<str>>) {
        match &self.means.backends.speech_to_text {
            Some(recognizer) => {
                let language = self.setup.engine.language.clone();
                let request = speech_to_text::Request { samples: self.clip(span), language };
                self.works.start_transcription(span.turn, recognizer, request, instead);
            }
            // A model that hears audio does without; there is just no transcript for people.
            None => {
                let words = Transcription::Words(Arc::from(""));
                self.inputs.push_back(Input::Transcribed { turn: span.turn, words, by: None });
            }
        }
    }

    /// A recognizer answered: tells who, how long that took, and the conversation the words.
    pub(super) fn transcribed(&mut self, turn: TurnId, heard: Heard, took: Duration, live: bool) {
        self.words_found(turn, heard, took, live);
        self.follow_up();
    }

    fn words_found(&mut self, turn: TurnId, heard: Heard, took: Duration, live: bool) {
        let Heard { transcription, by, instead, retry_after: _ } = heard;
        if let Some(why) = instead {
            let text = format!("the words of a turn were found by {by:?} instead: {why}");
            let extras = json!({"turn": turn.0, "to": *by, "reason": *why});
            self.event_with(Severity::Warning, FALLBACK, text, Some(extras));
        }
        let took_ms = (took.as_secs_f64() * 1e3).round();
        let how = if live { ", having listened" } else { "" };
        let text = format!("{by:?} took {took_ms} ms for the words of a turn{how}");
        let extras = json!({"turn": turn.0, "by": *by, "tookMs": took_ms, "live": live});
        self.event_with(Severity::Debug, TRANSCRIBED, text, Some(extras));
        self.inputs.push_back(Input::Transcribed { turn, words: transcription, by: Some(by) });
    }
}
