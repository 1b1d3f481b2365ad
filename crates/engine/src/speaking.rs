//! The agent's mouth: one message at a time, from streamed text to sentences, to a voice, to what the user has heard.
//!
//! Owns the message that is being said, the audio at hand for it (as counts of samples) and the ledger of what was heard.
//! Does not know why the message is said or what follows it.

mod utterance;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::context::Context;
use crate::history::EntryId;
use crate::ids::{Counter, Ordinal, UtteranceId};
use crate::input::{Tones, VoiceEvent};
use crate::message::{Medium, Message, MessageBody, Speaker};
use crate::notices;
use crate::output::{AgentState, Effect, Severity, TranscriptWords, Work};
use crate::playout::{Playout, samples_in};
use crate::sentences::Sentences;
use crate::time::CallTime;
use crate::timers::Timer;

use utterance::Utterance;

/// What saying a message led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// It goes on.
    Unfinished,
    /// All of it that could be said has been played.
    Finished {
        /// Whether the user heard any of it.
        heard: bool,
    },
}

#[derive(Debug, Default)]
pub(crate) struct Speaking {
    message: Option<AgentMessage>,
    utterances: Counter,
    /// Failed utterances in a row, over all messages.
    failures: u32,
}

/// The message that is being said.
#[derive(Debug)]
struct AgentMessage {
    entry: EntryId,
    medium: Medium,
    uninterruptible: bool,
    /// Whether nothing of it may reach the client for now. What was sent before is played and heard.
    held: bool,
    /// It was held, and nothing was sent since: silence before the next audio is no lack of audio.
    resumed: bool,
    ordinal: Option<Ordinal>,
    /// When the user could first hear or read it.
    began: Option<CallTime>,
    text: String,
    text_complete: bool,
    /// No more text goes to the voice: it failed.
    voice_lost: bool,
    sentences: Sentences,
    /// How much of the text the user has heard, in bytes.
    heard: usize,
    /// What the voice was given and has not been played to its end, in order.
    utterances: VecDeque<Utterance>,
    playout: Playout,
}

impl Speaking {
    pub(crate) fn is_idle(&self) -> bool {
        self.message.is_none()
    }

    /// Whether the message is on its way to the user: its audio plays, or its text was shown.
    pub(crate) fn has_begun(&self) -> bool {
        self.message.as_ref().is_some_and(|message| message.began.is_some())
    }

    /// Whether the message has any words so far.
    pub(crate) fn has_words(&self) -> bool {
        self.message.as_ref().is_some_and(|message| !message.text.trim().is_empty())
    }

    /// Whether the user has heard or read a word of the message.
    pub(crate) fn is_heard(&self) -> bool {
        self.message.as_ref().is_some_and(|message| message.ordinal.is_some())
    }

    pub(crate) fn is_uninterruptible(&self) -> bool {
        self.message.as_ref().is_some_and(|message| message.uninterruptible)
    }

    /// Failed utterances since one succeeded.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Begins a message. There must be none.
    pub(crate) fn begin(&mut self, cx: &mut Context, medium: Medium, uninterruptible: bool) {
        debug_assert!(self.message.is_none(), "one message at a time");
        let nothing: Arc<str> = Arc::from("");
        let entry = cx.history.open(Message {
            body: MessageBody::Agent { heard: Arc::clone(&nothing), generated: nothing },
            medium,
            ordinal: None,
            span: None,
        });
        self.message = Some(AgentMessage {
            entry,
            medium,
            uninterruptible,
            held: false,
            resumed: false,
            ordinal: None,
            began: None,
            text: String::new(),
            text_complete: false,
            voice_lost: false,
            sentences: Sentences::default(),
            heard: 0,
            utterances: VecDeque::new(),
            playout: Playout::new(cx.config.output_rate, cx.config.client_buffer),
        });
    }

    /// How long ago the message's audio began, if it did.
    pub(crate) fn playing_for(&self, now: CallTime) -> Option<Duration> {
        let message = self.message.as_ref().filter(|message| message.medium == Medium::Voice)?;
        message.began.map(|began| now.since(began))
    }

    /// How many samples of the message were sent and are not played yet.
    pub(crate) fn unplayed(&self, now: CallTime) -> u64 {
        self.message.as_ref().map_or(0, |message| message.playout.sent() - message.playout.position(now))
    }

    /// Whether the message is held.
    pub(crate) fn is_held(&self) -> bool {
        self.message.as_ref().is_some_and(|message| message.held)
    }

    /// Sends and shows nothing more of the message, nor ends it, until it is released.
    pub(crate) fn hold(&mut self) {
        if let Some(message) = &mut self.message {
            message.held = true;
        }
    }

    /// Goes on where the message was held.
    pub(crate) fn release(&mut self) {
        if let Some(message) = &mut self.message {
            message.held = false;
            message.resumed = true;
        }
    }

    /// Keeps little of the message's audio at the client, or as much as it has room for. Returns whether that is a change.
    pub(crate) fn keep_short(&mut self, short: bool) -> bool {
        self.message.as_mut().is_some_and(|message| message.playout.keep_short(short))
    }

    /// Changes the medium of a message that has no words yet. Returns whether there is one.
    pub(crate) fn prefer(&mut self, medium: Medium) -> bool {
        let message = self.message.as_mut().filter(|message| message.text.is_empty());
        message.map(|message| message.medium = medium).is_some()
    }

    /// Adds text to the message. Returns whether there was room for all of it.
    pub(crate) fn push_text(&mut self, cx: &mut Context, text: &str) -> bool {
        let Some(message) = &mut self.message else { return true };
        let text = if message.text.is_empty() { text.trim_start() } else { text };
        let room = cx.config.limits.message_bytes.saturating_sub(message.text.len());
        let fits = text.len() <= room;
        message.text.push_str(&text[..text.floor_char_boundary(room)]);
        fits
    }

    /// Makes the message one of keys that are pressed: it has no words, and nothing of it enters the record.
    pub(crate) fn press(&mut self, cx: &mut Context, tones: Vec<Tones>) {
        let Some(message) = &mut self.message else { return };
        message.text_complete = true;
        for tones in tones {
            let id = UtteranceId(self.utterances.next());
            message.utterances.push_back(Utterance::new(id, "", 0..0, cx.config.output_rate));
            cx.effect(Effect::StartTones { utterance: id, tones });
        }
    }

    /// Says that no more text will come.
    pub(crate) fn finish_text(&mut self) {
        if let Some(message) = &mut self.message {
            message.text_complete = true;
        }
    }

    /// Takes what the voice produced. Events of utterances that are not known any more are ignored.
    pub(crate) fn handle_voice(&mut self, cx: &mut Context, id: UtteranceId, event: VoiceEvent) {
        let Some(message) = &mut self.message else { return };
        let Some(utterance) = message.utterances.iter_mut().find(|utterance| utterance.id() == id) else {
            return;
        };
        if utterance.is_complete() {
            return;
        }
        match event {
            VoiceEvent::Audio { samples } => utterance.add_audio(u64::from(samples)),
            VoiceEvent::Words(ends) => utterance.set_words(&message.text, &ends),
            VoiceEvent::Finished if utterance.is_empty() => {
                self.voice_failed(cx, id, "it made no audio of a text that has words");
            }
            VoiceEvent::Finished => {
                self.failures = 0;
                utterance.complete();
            }
            VoiceEvent::Failed(why) => self.voice_failed(cx, id, &why),
        }
    }

    /// What cannot be spoken cannot be heard: the message ends with the audio at hand.
    fn voice_failed(&mut self, cx: &mut Context, id: UtteranceId, why: &str) {
        self.failures += 1;
        if let Some(message) = &mut self.message {
            message.voice_lost = true;
            message.utterances.iter_mut().filter(|utterance| utterance.id() == id).for_each(Utterance::fail);
        }
        cx.notice(Severity::Error, notices::VOICE_FAILED, format!("the voice failed: {why}"));
    }

    /// Does everything that is due: hands sentences to the voice, sends audio, shows words, ends the message.
    pub(crate) fn advance(&mut self, cx: &mut Context) -> Said {
        let Some(message) = &mut self.message else {
            cx.timers.stop(Timer::Playout);
            return Said::Unfinished;
        };
        match message.medium {
            Medium::Text if message.held => {}
            Medium::Text => message.show_written(cx),
            Medium::Voice => {
                message.request_speech(cx, &mut self.utterances);
                if !message.held {
                    message.send_audio(cx);
                }
                message.show_heard(cx);
            }
        }
        if message.is_over(cx.now) {
            cx.timers.stop(Timer::Playout);
            let message = self.message.take().expect("just looked at");
            return Said::Finished { heard: message.finish(cx) };
        }
        let deadline = message.next_deadline(cx.now);
        cx.timers.replace(Timer::Playout, deadline);
        Said::Unfinished
    }

    /// Cuts the message off where the user has heard it, or drops it if nothing was heard. Returns whether any of it was.
    ///
    /// The order on the wire is clear, then the final transcript; the state follows from whoever cut it off.
    pub(crate) fn cut(&mut self, cx: &mut Context) -> bool {
        cx.timers.stop(Timer::Playout);
        let Some(mut message) = self.message.take() else { return false };
        if message.medium == Medium::Voice {
            message.show_heard(cx);
        }
        for utterance in &message.utterances {
            cx.effect(Effect::Cancel(Work::Speech(utterance.id())));
        }
        if message.playout.has_begun() {
            cx.effect(Effect::ClearPlayback);
        }
        message.close(cx)
    }
}

impl AgentMessage {
    /// Gives the voice its next sentence when it has none to work on and little audio lies ready.
    fn request_speech(&mut self, cx: &mut Context, ids: &mut Counter) {
        loop {
            let working = self.utterances.iter().any(|utterance| !utterance.is_complete());
            let ready: u64 = self.utterances.iter().map(Utterance::unsent).sum();
            let enough = samples_in(cx.config.limits.voice_ahead, cx.config.output_rate);
            if self.voice_lost || working || ready >= enough {
                return;
            }
            let Some(range) = self.sentences.next(&self.text, self.text_complete) else { return };
            let id = UtteranceId(ids.next());
            let text: Arc<str> = Arc::from(&self.text[range.clone()]);
            self.utterances.push_back(Utterance::new(id, &self.text, range, cx.config.output_rate));
            cx.effect(Effect::StartSpeech { utterance: id, text });
        }
    }

    /// Sends what the client has room for, in whole frames and the ends of utterances.
    fn send_audio(&mut self, cx: &mut Context) {
        let frame = self.playout.frame();
        for utterance in &mut self.utterances {
            utterance.begin_at(self.playout.sent());
            let available = utterance.sendable(frame);
            if available > 0 {
                let allowance = self.playout.allowance(cx.now);
                let count = if available <= allowance { available } else { allowance - allowance % frame };
                if count == 0 {
                    return;
                }
                let resumed = std::mem::take(&mut self.resumed);
                if !resumed
                    && self.began.is_some()
                    && self.playout.has_begun()
                    && self.playout.is_dry(cx.now)
                    && utterance.note_gap()
                {
                    cx.notice(
                        Severity::Debug,
                        notices::PLAYOUT_UNDERRUN,
                        "the audio ran out before the voice gave more",
                    );
                }
                self.began.get_or_insert(cx.now);
                cx.report(AgentState::Speaking);
                cx.effect(Effect::Play {
                    utterance: utterance.id(),
                    samples: u32::try_from(count).unwrap_or(u32::MAX),
                });
                self.playout.note_sent(cx.now, count);
                utterance.note_sent(count);
            }
            if !utterance.is_sent() {
                return;
            }
        }
    }

    /// Shows the words that have been heard by now.
    fn show_heard(&mut self, cx: &mut Context) {
        let position = self.playout.position(cx.now);
        while let Some(utterance) = self.utterances.front() {
            if let Some(end) = utterance.heard_until(position, self.heard) {
                self.show(cx, end);
                continue;
            }
            let played = utterance.is_sent() && position >= utterance.end();
            if !played {
                return;
            }
            if utterance.is_good() {
                let end = utterance.text_end();
                self.show(cx, end);
            }
            self.utterances.pop_front();
        }
    }

    /// Shows everything that was written.
    fn show_written(&mut self, cx: &mut Context) {
        let end = if self.heard == 0 && self.text.trim().is_empty() { 0 } else { self.text.len() };
        self.show(cx, end);
    }

    /// Shows the text up to `end`: as the first words, or as an addition to them.
    fn show(&mut self, cx: &mut Context, end: usize) {
        if end <= self.heard {
            return;
        }
        let words: Arc<str> = Arc::from(&self.text[self.heard..end]);
        self.heard = end;
        self.began.get_or_insert(cx.now);
        match self.ordinal {
            None => {
                let ordinal = cx.history.next_ordinal();
                self.ordinal = Some(ordinal);
                cx.transcript(Speaker::Agent, self.medium, ordinal, TranscriptWords::First(words));
            }
            Some(ordinal) => {
                cx.transcript(Speaker::Agent, self.medium, ordinal, TranscriptWords::More(words))
            }
        }
    }

    /// Whether everything that can be said has been heard.
    fn is_over(&self, now: CallTime) -> bool {
        if !self.text_complete || self.held {
            return false;
        }
        match self.medium {
            Medium::Text => true,
            Medium::Voice => {
                let all_given = self.voice_lost || !self.sentences.has_more(&self.text);
                all_given && self.utterances.is_empty() && self.playout.is_dry(now)
            }
        }
    }

    /// When there is something to do next: audio to send, a word to show, or the end.
    fn next_deadline(&self, now: CallTime) -> Option<CallTime> {
        let frame = self.playout.frame();
        let unsent = self.utterances.iter().find(|utterance| !utterance.is_sent());
        let send = unsent
            .map(|utterance| utterance.sendable(frame).min(frame))
            .filter(|count| *count > 0 && !self.held)
            .and_then(|count| self.playout.time_for(count));
        let word = self
            .utterances
            .front()
            .and_then(|utterance| utterance.next_word(self.heard))
            .filter(|position| *position <= self.playout.sent())
            .and_then(|position| self.playout.time_of(position));
        let end = self.playout.end().filter(|end| unsent.is_none() && !self.held && *end > now);
        [send, word, end].into_iter().flatten().min()
    }

    /// Ends a message that was said to its end; what follows the last word (a full stop, a blank) counts as heard too.
    fn finish(mut self, cx: &mut Context) -> bool {
        if !self.voice_lost && self.heard > 0 {
            let heard = self.text.len();
            let rest = &self.text[self.heard..heard];
            if rest.trim().is_empty() {
                self.heard = heard;
            } else {
                self.show(cx, heard);
            }
        }
        self.close(cx)
    }

    /// Settles the record with what was heard, or takes the message out if nothing was.
    fn close(self, cx: &mut Context) -> bool {
        let Some(ordinal) = self.ordinal else {
            cx.history.take_out(self.entry);
            return false;
        };
        let heard: Arc<str> = Arc::from(&self.text[..self.heard]);
        cx.transcript(Speaker::Agent, self.medium, ordinal, TranscriptWords::Final(Arc::clone(&heard)));
        if self.medium == Medium::Text {
            // Clients take a written message as complete when a state follows its final transcript (protocol.md 5.3).
            cx.report(AgentState::Listening);
        }
        let span = self.began.map(|began| (began, cx.now));
        let medium = self.medium;
        cx.history.settle(self.entry, |message| {
            message.ordinal = Some(ordinal);
            message.span = span;
            message.medium = medium;
            message.body = MessageBody::Agent { heard, generated: Arc::from(self.text) };
        });
        true
    }
}
