//! What happened in a simulated call: the conversation as a list of moments, and the figures that expectations ask for.
//!
//! Owns the record that reports and expectations read. It does not judge.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use antiphon_engine::CallTime;
use antiphon_engine::ids::{InvocationId, Ordinal};
use antiphon_engine::message::{Medium, Message, MessageBody, Speaker};
use antiphon_engine::output::{AgentState, EndReason, Event, Notice, Severity, ThreadEvent, Transcript};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Moment {
    /// When, since the user joined. In seconds where it is serialized.
    #[serde(serialize_with = "seconds")]
    pub at: Duration,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What can happen in a call.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Happening {
    /// The agent said or wrote something.
    Agent {
        /// What the user heard of it.
        heard: String,
        /// What the agent wanted to say, as far as that was known.
        generated: String,
        /// Whether the user cut it off.
        interrupted: bool,
    },
    /// The call ended.
    Ended {
        /// Why.
        reason: End,
    },
    /// Something worth the developer's attention.
    Event {
        /// Its published name.
        kind: String,
        /// A sentence.
        text: String,
        /// Whether something is not as it should be.
        is_problem: bool,
    },
    /// The agent's state changed.
    State {
        /// To this.
        state: State,
    },
    /// A tool was called.
    Tool {
        /// Its name.
        name: String,
        /// All arguments that it got.
        arguments: Value,
        /// What came of it; nothing if the call ended before.
        result: Option<ToolEnd>,
    },
    /// What the agent took the user to have said or written.
    User {
        /// The words.
        text: String,
    },
    /// The user hung up.
    UserHungUp,
    /// The user made a sound that is no speech.
    UserNoise {
        /// For how long.
        #[serde(serialize_with = "seconds")]
        lasting: Duration,
    },
    /// The user pressed keys.
    UserPressed {
        /// Which.
        digits: String,
    },
    /// The client sent a data message.
    UserSent {
        /// Of this type.
        kind: String,
    },
    /// The user began to speak.
    UserSpoke {
        /// What.
        text: String,
        /// For how long.
        #[serde(serialize_with = "seconds")]
        lasting: Duration,
    },
    /// The user wrote something.
    UserWrote {
        /// What.
        text: String,
    },
}

/// What came of a tool's call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToolEnd {
    /// How long it took.
    #[serde(serialize_with = "seconds")]
    pub after: Duration,
    /// What the model was told.
    pub text: String,
    /// What the developer is told, for a call that failed.
    pub error: Option<String>,
}

/// What the agent is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waiting for the user.
    Listening,
    /// Its audio is playing.
    Speaking,
    /// Preparing an answer or running a tool.
    Thinking,
}

impl From<AgentState> for State {
    fn from(state: AgentState) -> Self {
        match state {
            AgentState::Listening => Self::Listening,
            AgentState::Speaking => Self::Speaking,
            AgentState::Thinking => Self::Thinking,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Listening => "listening",
            Self::Speaking => "speaking",
            Self::Thinking => "thinking",
        })
    }
}

/// Why a call ended, spelled as in the Call resource (protocol.md 1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The agent ended it.
    #[serde(rename = "agent_hangup")]
    AgentHangUp,
    /// The connection broke.
    ConnectionError,
    /// The user hung up.
    #[serde(rename = "hangup")]
    HangUp,
    /// The server failed, or the agent's model or voice did again and again.
    SystemError,
    /// It had lasted as long as it may.
    Timeout,
    /// Nobody joined.
    Unjoined,
}

impl From<EndReason> for End {
    fn from(reason: EndReason) -> Self {
        match reason {
            EndReason::AgentHangUp => Self::AgentHangUp,
            EndReason::ConnectionError => Self::ConnectionError,
            EndReason::HangUp => Self::HangUp,
            EndReason::SystemError => Self::SystemError,
            EndReason::Timeout => Self::Timeout,
            EndReason::Unjoined => Self::Unjoined,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AgentHangUp => "agent_hangup",
            Self::ConnectionError => "connection_error",
            Self::HangUp => "hangup",
            Self::SystemError => "system_error",
            Self::Timeout => "timeout",
            Self::Unjoined => "unjoined",
        })
    }
}

/// Something that took a while, and when it was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Delay {
    /// When it was over.
    #[serde(serialize_with = "seconds")]
    pub at: Duration,
    /// How long it took.
    #[serde(serialize_with = "seconds")]
    pub lasting: Duration,
}

/// What happened in a call.
#[derive(Debug, Default)]
pub(super) struct Story {
    pub(super) moments: Vec<Moment>,
    /// From the user's last sample, or written word, to the first sample of the agent's answer.
    pub(super) replies: Vec<Delay>,
    /// From the first sample of an interruption to the moment at which the agent fell silent.
    pub(super) clears: Vec<Delay>,
    pub(super) end: Option<(Duration, End)>,
    /// The message that an ordinal stands for, and the call that an invocation does, by their place among the moments.
    messages: HashMap<Ordinal, usize>,
    tools: HashMap<InvocationId, usize>,
    /// When tools answered; their results enter the record later, in the order of the calls.
    answered: HashMap<InvocationId, CallTime>,
    /// When the user last said or wrote something that wants an answer.
    owed: Option<CallTime>,
    /// When the user last began to speak or wrote.
    user_began: CallTime,
    spoke_from: CallTime,
    /// The call is ending: what is cut off now is not interrupted.
    closing: bool,
}

impl Story {
    /// Notes something that the user did. `until` is where words end that want an answer.
    pub(super) fn user(&mut self, at: CallTime, what: Happening, until: Option<CallTime>) {
        if until.is_some() {
            self.owed = until;
        }
        self.user_began = at;
        self.add(at, what);
    }

    /// The user is gone, or the call takes its leave.
    pub(super) fn closing(&mut self) {
        self.closing = true;
    }

    /// The agent fell silent before its audio was played.
    pub(super) fn cleared(&mut self, now: CallTime) {
        if !self.closing {
            self.clears.push(Delay { at: now.since_start(), lasting: now.since(self.user_began) });
        }
    }

    /// The agent had been silent for this long when it was cut off.
    pub(super) fn was_silent_for(&mut self, before: Duration) {
        if let Some(clear) = self.clears.last_mut() {
            clear.lasting = clear.lasting.saturating_sub(before);
        }
    }

    pub(super) fn tool_called(&mut self, now: CallTime, id: InvocationId, name: &str, arguments: Value) {
        self.tools.insert(id, self.moments.len());
        self.add(now, Happening::Tool { name: name.to_owned(), arguments, result: None });
    }

    pub(super) fn tool_answered(&mut self, now: CallTime, id: InvocationId) {
        self.answered.entry(id).or_insert(now);
    }

    pub(super) fn event(&mut self, now: CallTime, event: &Event) {
        match event {
            Event::StateChanged(state) => self.state(now, *state),
            Event::Transcript(words) => self.words(now, words),
            Event::MessageCommitted { message, .. } => self.message(now, message),
            Event::Notice(Notice { severity, kind, text }) => {
                let is_problem = *severity >= Severity::Warning;
                self.add(now, Happening::Event { kind: (*kind).to_owned(), text: text.clone(), is_problem });
            }
            Event::Ended(reason) => {
                let reason = (*reason).into();
                self.end = Some((now.since_start(), reason));
                self.add(now, Happening::Ended { reason });
            }
            Event::Thread(event) => self.thread(now, event),
            // What was judged is told by a notice.
            Event::Started
            | Event::UserStartedSpeaking
            | Event::UserStoppedSpeaking
            | Event::TurnTaken(_)
            | Event::StageChanged { .. }
            | Event::SpeechJudged(_) => {}
        }
    }

    fn thread(&mut self, now: CallTime, event: &ThreadEvent) {
        let (kind, text) = match event {
            ThreadEvent::Spawned { thread } => ("thread_spawned", thread.to_string()),
            ThreadEvent::Rejected { thread, reason } => ("thread_rejected", format!("{thread}: {reason}")),
            ThreadEvent::Terminated { thread, reason, .. } => {
                ("thread_terminated", format!("{thread}: {reason}"))
            }
            ThreadEvent::Completed { thread, text, .. } => {
                ("side_generation_completed", format!("{thread}: {text}"))
            }
            ThreadEvent::GenerationFailed { thread, reason, .. } => {
                ("side_generation.failed", format!("{thread}: {reason}"))
            }
            ThreadEvent::GenerationCanceled { thread, .. } => {
                ("side_generation.canceled", thread.to_string())
            }
            ThreadEvent::Delta { .. } => return,
        };
        self.add(now, Happening::Event { kind: kind.to_owned(), text, is_problem: false });
    }

    /// Brings the moments into the order of time.
    pub(super) fn finish(&mut self) {
        self.moments.sort_by_key(|moment| moment.at);
    }

    fn state(&mut self, now: CallTime, state: AgentState) {
        if state == AgentState::Speaking {
            self.spoke_from = now;
            self.replied(now);
        }
        self.add(now, Happening::State { state: state.into() });
    }

    fn replied(&mut self, now: CallTime) {
        if let Some(owed) = self.owed.take_if(|owed| *owed <= now) {
            self.replies.push(Delay { at: now.since_start(), lasting: now.since(owed) });
        }
    }

    /// The first words of a message give it its place; what they are is known for sure once it is committed.
    fn words(&mut self, now: CallTime, words: &Transcript) {
        if words.speaker == Speaker::User || self.messages.contains_key(&words.ordinal) {
            return;
        }
        let at = match words.medium {
            Medium::Text => {
                self.replied(now);
                now
            }
            Medium::Voice => self.spoke_from,
        };
        self.messages.insert(words.ordinal, self.moments.len());
        self.add(at, Happening::Agent { heard: String::new(), generated: String::new(), interrupted: false });
    }

    fn message(&mut self, now: CallTime, message: &Message) {
        let Some((began, _)) = message.span else { return };
        match &message.body {
            MessageBody::Agent { heard, generated } => {
                let what = Happening::Agent {
                    heard: heard.trim().to_owned(),
                    generated: generated.trim().to_owned(),
                    interrupted: heard.trim() != generated.trim() && !self.closing,
                };
                match message.ordinal.and_then(|ordinal| self.messages.get(&ordinal)) {
                    Some(index) => self.moments[*index].what = what,
                    None => self.add(began, what),
                }
            }
            MessageBody::ToolCall { invocation, tool, arguments, .. } => {
                if !self.tools.contains_key(invocation) {
                    let arguments = serde_json::from_str(arguments).unwrap_or_default();
                    self.tool_called(now, *invocation, tool, arguments);
                }
            }
            MessageBody::ToolResult { invocation, text, error, .. } => {
                let Some(index) = self.tools.get(invocation) else { return };
                let moment = &mut self.moments[*index];
                let now = self.answered.get(invocation).copied().unwrap_or(now);
                if let Happening::Tool { result, .. } = &mut moment.what {
                    *result = Some(ToolEnd {
                        after: now.since_start().saturating_sub(moment.at),
                        text: text.to_string(),
                        error: error.as_deref().map(String::from),
                    });
                }
            }
            MessageBody::User { text, .. } if text.trim().is_empty() => {}
            MessageBody::User { text, .. } => {
                self.add(began, Happening::User { text: text.trim().to_owned() })
            }
        }
    }

    fn add(&mut self, at: CallTime, what: Happening) {
        self.moments.push(Moment { at: at.since_start(), what });
    }
}

pub(super) fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_millis() as f64 / 1000.0)
}
