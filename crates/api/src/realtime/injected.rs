//! The messages that may be sent into a call over REST (protocol.md 3.5).

use super::client_message::{ClientMessage, HangUp};
use super::tagged::messages;
use super::user_text::{ForcedAgentMessage, UserTextMessage};

messages! {
    /// A message that is sent into a call over REST.
    pub enum InjectedMessage {
        /// Has the agent say something or call tools.
        ForcedAgentMessage(ForcedAgentMessage) = "forced_agent_message",
        /// Ends the call.
        HangUp(HangUp) = "hang_up",
        /// Says something in writing.
        UserText(UserTextMessage) = "user_text_message",
    }
}

impl From<InjectedMessage> for ClientMessage {
    fn from(message: InjectedMessage) -> Self {
        match message {
            InjectedMessage::ForcedAgentMessage(message) => Self::ForcedAgentMessage(message),
            InjectedMessage::HangUp(message) => Self::HangUp(message),
            InjectedMessage::UserText(message) => Self::UserText(message),
        }
    }
}
