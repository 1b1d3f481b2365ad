//! What clients, data connections and REST callers ask of a conversation (protocol.md 3.2).

use std::sync::Arc;

use super::{Conversation, Phase};
use crate::answering::Owed;
use crate::context::Context;
use crate::input::{ForcedMessage, ForcedUrgency, Request, ThreadRequest, Urgency};
use crate::message::{Medium, Message, MessageBody, Speaker};
use crate::notices;
use crate::output::{EndReason, Severity, TranscriptWords};
use crate::threads::Fork;

impl Conversation {
    pub(super) fn handle_request(&mut self, request: Request) {
        match request {
            Request::ForcedMessage(forced) => self.forced_message(forced),
            Request::HangUp { message } => {
                let farewell = (!message.trim().is_empty()).then_some(message);
                self.close(EndReason::AgentHangUp, farewell);
            }
            Request::SetOutputMedium(medium) => self.answering.set_medium(medium),
            Request::Thread(request) => self.thread_request(*request),
            Request::UserText { text, urgency } if text.trim().is_empty() => self.empty_text(urgency),
            Request::UserText { text, urgency } => self.user_text(text, urgency),
        }
    }

    /// Something that is for a side thread, or for this conversation after all.
    pub(super) fn thread_request(&mut self, request: ThreadRequest) {
        let state = self.answering.state();
        let fork = |cx: &Context| Fork { messages: cx.history.for_model(), state };
        if let Some(back) = self.threads.request(&mut self.cx, request, fork) {
            self.request_for_main(back);
        }
    }

    /// What tools of one conversation sent to another gets there.
    pub(super) fn deliver_dispatches(&mut self) {
        if self.phase != Phase::Live {
            return;
        }
        for dispatch in self.answering.take_dispatches() {
            if let Some(back) = self.threads.deliver(&mut self.cx, dispatch) {
                self.request_for_main(back);
            }
        }
        if self.threads.have_dispatches() {
            let fork = Fork { messages: self.cx.history.for_model(), state: self.answering.state() };
            for back in self.threads.take_for_main(&mut self.cx, &fork) {
                self.request_for_main(back);
            }
        }
    }

    fn request_for_main(&mut self, request: ThreadRequest) {
        self.unspeculate();
        match request {
            ThreadRequest::UserText { text, urgency, .. } => {
                self.handle_request(Request::UserText { text, urgency });
            }
            ThreadRequest::Forced { message, .. } => self.handle_request(Request::ForcedMessage(message)),
            // A thread is begun beside the conversation, never in it.
            ThreadRequest::Spawn(_) => {}
        }
    }

    /// Text without content steers the agent and enters nothing into the record.
    fn empty_text(&mut self, urgency: Urgency) {
        match urgency {
            // Clients send this after every cleared buffer, so it must not disturb an answer in the making.
            Urgency::Immediate => {
                if self.answering.is_speaking() {
                    self.answering.silence(&mut self.cx);
                }
            }
            // Clients send this right behind a text to have it answered, which it already is.
            Urgency::Soon if self.answering.is_in_the_making() => {}
            Urgency::Soon => self.answering.owe(Owed::default()),
            Urgency::Later => {}
        }
    }

    fn user_text(&mut self, text: Arc<str>, urgency: Urgency) {
        if !self.has_room(text.len()) {
            return;
        }
        self.user_took_part();
        if urgency == Urgency::Immediate {
            self.answering.interrupt(&mut self.cx);
        }
        let ordinal = self.cx.history.next_ordinal();
        self.cx.transcript(Speaker::User, Medium::Text, ordinal, TranscriptWords::Final(Arc::clone(&text)));
        self.cx.history.append(Message {
            body: MessageBody::User { text, audio: None },
            medium: Medium::Text,
            ordinal: Some(ordinal),
            span: Some((self.cx.now, self.cx.now)),
        });
        match urgency {
            Urgency::Immediate => {
                if self.answering.is_idle() && !self.awaits_words() {
                    self.listening.override_turn(&mut self.cx);
                    self.answering.generate(&mut self.cx, Owed::default());
                } else {
                    self.answering.owe(Owed::default());
                }
            }
            Urgency::Soon => self.answering.owe(Owed::default()),
            Urgency::Later => {}
        }
    }

    fn forced_message(&mut self, mut forced: ForcedMessage) {
        let calls = forced.tool_calls.iter().map(|call| call.name.len() + call.arguments.len());
        if !self.has_room(forced.content.len() + calls.sum::<usize>()) {
            return;
        }
        if forced.tool_calls.len() > self.cx.config.limits.tool_calls {
            self.cx.notice(
                Severity::Warning,
                notices::TOO_MANY_TOOLS,
                "a forced message asked for more tools than one message may use; the rest is ignored",
            );
            forced.tool_calls.truncate(self.cx.config.limits.tool_calls);
        }
        match forced.urgency {
            ForcedUrgency::Immediate => {
                self.answering.interrupt(&mut self.cx);
                if self.answering.is_idle() {
                    self.listening.override_turn(&mut self.cx);
                    self.answering.force(&mut self.cx, forced);
                } else {
                    self.answering.wait(&mut self.cx, forced);
                }
            }
            ForcedUrgency::Soon => self.answering.wait(&mut self.cx, forced),
        }
    }

    /// Whether a request may add this many bytes to the record; if not, the developer is told.
    fn has_room(&mut self, bytes: usize) -> bool {
        let fits = self.cx.history.bytes() + bytes <= self.cx.config.limits.history_bytes;
        if !fits {
            self.cx.notice(
                Severity::Warning,
                notices::HISTORY_FULL,
                "a message was dropped: the call holds as much text as it may",
            );
        }
        fits
    }
}
