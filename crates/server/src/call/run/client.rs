//! The driver's side of its client's connection: what is sent there, how it is closed, and a client that takes nothing.

use antiphon_engine::Input;
use antiphon_engine::input::LegClosed;
use antiphon_engine::output::{EndReason, Severity};
use tracing::warn;

use super::super::leg::{CallEnd, CloseCode, ToClient};
use super::Driver;

impl Driver {
    /// Whether a client is there.
    pub(super) fn is_connected(&self) -> bool {
        self.leg.is_some() && !self.closed
    }

    /// The client is at this leg from now on. Gives the one before.
    pub(super) fn connect(&mut self, leg: CallEnd) -> Option<CallEnd> {
        self.leg.replace(leg)
    }

    pub(super) fn close_leg(&mut self, reason: EndReason) {
        let code = self.close_code(reason);
        self.send(ToClient::Close(code));
        self.closed = true;
        self.expect_nobody();
        self.end_sound();
    }

    pub(super) fn close_code(&self, reason: EndReason) -> CloseCode {
        match reason {
            EndReason::AgentHangUp | EndReason::HangUp | EndReason::Timeout | EndReason::Unjoined => {
                CloseCode::Normal
            }
            EndReason::ConnectionError => CloseCode::MediaIdle,
            EndReason::SystemError if self.shutting_down => CloseCode::GoingAway,
            EndReason::SystemError => CloseCode::Internal,
        }
    }

    /// Sends something to the client, if there is one.
    pub(super) fn send(&mut self, what: ToClient) {
        if let (Some(rejoining), ToClient::Message(message)) = (&mut self.rejoining, &what) {
            rejoining.backlog.message(message.to_text());
        }
        let stuck = self.leg.as_mut().is_some_and(|leg| !self.closed && leg.send(what).is_err());
        if stuck {
            self.lose_client();
        }
    }

    /// The client does not take what it is sent: keeping it would mean to keep everything for it.
    pub(super) fn lose_client(&mut self) {
        if !self.closed {
            self.closed = true;
            warn!("the client does not take what it is sent");
            self.event(
                Severity::Error,
                "client.stuck",
                "the client does not take what it is sent".to_owned(),
            );
            self.inputs.push_back(Input::LegClosed(LegClosed::Unresponsive));
        }
    }
}
