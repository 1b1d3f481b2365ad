//! Who opens the conversation, and how (protocol.md 5.5).

use crate::duration::WireDuration;
use crate::json::{Reader, choice, record, words};

words! {
    /// Who speaks first: the older, plainer form of [`FirstSpeakerSettings`].
    pub enum FirstSpeaker {
        /// The agent.
        Agent = "FIRST_SPEAKER_AGENT",
        /// The user.
        User = "FIRST_SPEAKER_USER",
    }
    unset "FIRST_SPEAKER_UNSPECIFIED"
}

choice! {
    /// Who speaks first.
    pub optional enum FirstSpeakerSettings {
        /// The agent does.
        agent: Agent(AgentGreeting),
        /// The user does.
        user: User(UserGreeting),
    }
}

record! {
    /// How the agent opens. Without `text` and `prompt` it says what the model makes of what is there.
    #[derive(Default)]
    pub struct AgentGreeting {
        /// Whether the user cannot interrupt the greeting.
        uninterruptible: Option<bool>,
        /// The greeting itself.
        text: Option<String>,
        /// An instruction to make a greeting from.
        prompt: Option<String>,
        /// How long to wait first.
        delay: Option<WireDuration>,
    }
    where |greeting, reader| text_or_prompt(&greeting.text, &greeting.prompt, reader)
}

record! {
    /// How it goes when the user is to open.
    #[derive(Default)]
    pub struct UserGreeting {
        /// What the agent does when the user does not; it waits if absent.
        fallback: Option<FallbackGreeting>,
    }
}

record! {
    /// How the agent opens when the user has not.
    pub struct FallbackGreeting {
        /// How long the user has.
        delay: WireDuration,
        /// The greeting itself.
        text: Option<String>,
        /// An instruction to make a greeting from.
        prompt: Option<String>,
    }
    where |greeting, reader| text_or_prompt(&greeting.text, &greeting.prompt, reader)
}

/// A greeting is either given or generated.
fn text_or_prompt(text: &Option<String>, prompt: &Option<String>, reader: &mut Reader) {
    if text.is_some() && prompt.is_some() {
        reader.refuse("has both \"text\" and \"prompt\"; keep one");
    }
}

impl FirstSpeakerSettings {
    /// The plainer form.
    #[must_use]
    pub fn first_speaker(&self) -> FirstSpeaker {
        match self {
            Self::Agent(_) => FirstSpeaker::Agent,
            Self::User(_) => FirstSpeaker::User,
        }
    }
}

impl Default for FirstSpeakerSettings {
    /// The agent opens with what the model makes of what is there.
    fn default() -> Self {
        FirstSpeaker::Agent.into()
    }
}

impl From<FirstSpeaker> for FirstSpeakerSettings {
    fn from(first_speaker: FirstSpeaker) -> Self {
        match first_speaker {
            FirstSpeaker::Agent => Self::Agent(AgentGreeting::default()),
            FirstSpeaker::User => Self::User(UserGreeting::default()),
        }
    }
}
