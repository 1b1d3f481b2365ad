//! What the driver has to do with the call's data connection: what is told there, what is heard from there, and its end.

use antiphon_api::json::JsonObject;
use antiphon_api::realtime::ServerMessage;
use antiphon_engine::output::{EndReason, Invocation, Notice, Severity};
use antiphon_engine::{CallTime, Input};
use tokio::time::Instant;

use super::super::data_connection::{Caller, DataConnection, News};
use super::super::leg::ToClient;
use super::super::wire::{Meaning, Wire};
use super::Driver;
use crate::tools::outcome::failed;

impl Driver {
    /// Dials the data connection, if the call is to have one: it has been joined now.
    pub(super) fn dial_data_connection(&mut self, now: CallTime, at: Instant) {
        let Some(plan) = &self.setup.data_connection else { return };
        let caller = Caller {
            call: self.subject.id,
            joined: (now, at),
            input_rate: self.setup.input_rate,
            output_rate: self.setup.output_rate,
            outbound: &self.subject.outbound,
            tasks: &self.subject.tasks,
        };
        self.data = Some(Box::new(DataConnection::dial(plan, &caller)));
    }

    /// Tells the client and the data connection the same, each as far as it is sent such: `words` makes the message.
    pub(super) fn announce(&mut self, words: impl Fn(&Wire) -> Option<ServerMessage>) {
        if let Some(message) = words(&self.wire) {
            self.send(ToClient::Message(Box::new(message)));
        }
        if let Some(data) = &mut self.data {
            data.tell(words);
        }
    }

    pub(super) fn data_news(&mut self, news: News) {
        let Some(data) = &mut self.data else { return };
        for (id, outcome) in data.changed(&news) {
            self.inputs.push_back(Input::Tool(id, outcome));
        }
        match news {
            News::Message(message) => {
                let meaning = data.wire.read(*message);
                self.heed_data(meaning);
            }
            News::Malformed(why) => {
                let text = format!("a message of the data connection was ignored: {why}");
                self.event(Severity::Warning, "message.malformed", text);
            }
            News::Connected => {
                let text = "the data connection is there".to_owned();
                self.event(Severity::Info, "data_connection.connected", text);
            }
            News::Failed(why) => {
                let text =
                    format!("the data connection could not be made, and the call goes on without it: {why}");
                self.event(Severity::Warning, "data_connection.failed", text);
            }
            News::Lost(why) => {
                let text = format!("the data connection was lost and is dialled again: {why}");
                self.event(Severity::Warning, "data_connection.lost", text);
            }
            // What was dropped is told behind whatever happened.
            News::CaughtUp => {}
            News::Left => {
                let text = "the data connection was closed by the other end, which has left".to_owned();
                self.event(Severity::Info, "data_connection.left", text);
            }
        }
        self.follow_up();
    }

    fn heed_data(&mut self, meaning: Meaning) {
        match meaning {
            Meaning::Request(request) => self.tell(Input::Request(request)),
            Meaning::Tool(id, outcome) => {
                if let Some(data) = &mut self.data {
                    data.forget(id);
                }
                self.tell(Input::Tool(id, outcome));
            }
            Meaning::Staging(staging) => {
                if let (Some(id), Some(data)) = (staging.tool(), &mut self.data) {
                    data.forget(id);
                }
                self.stage(staging);
            }
            Meaning::Answer(message) => {
                if let Some(data) = &mut self.data {
                    data.send(&message);
                }
            }
            Meaning::Ignored(kind, text) => self.event(Severity::Warning, kind, text),
        }
    }

    pub(super) fn invoke_at_data_connection(&mut self, invocation: &Invocation, parameters: JsonObject) {
        let invoked = match &mut self.data {
            Some(data) => data.invoke(invocation, parameters),
            None => Err(failed("The tool failed.", "the call has no data connection")),
        };
        match invoked {
            Ok(message) => {
                if let Some(message) = self.wire.allow(message) {
                    self.send(ToClient::Message(Box::new(message)));
                }
            }
            Err(outcome) => self.inputs.push_back(Input::Tool(invocation.id, outcome)),
        }
    }

    /// Events for what the data connection could not be sent.
    pub(super) fn data_trouble(&mut self) {
        while let Some(Notice { severity, kind, text }) = self.data.as_mut().and_then(|data| data.trouble()) {
            self.event(severity, kind, text);
        }
    }

    /// Nothing more is heard in the call.
    pub(super) fn end_sound(&mut self) {
        let now = self.now();
        self.recording.end(now);
        if let Some(data) = &mut self.data {
            data.end_sound(now);
        }
    }

    /// The call is over, and everything is told.
    pub(super) fn close_data_connection(&mut self, reason: EndReason) {
        let code = self.close_code(reason);
        if let Some(data) = &mut self.data {
            data.close(code);
        }
        self.data_trouble();
    }
}
