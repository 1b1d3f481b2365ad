//! Stages of a call: what a tool may change for the rest of it, and how the conversation takes that on.
//!
//! A stage changes what the agent is and knows, never what happened: the record goes on, and so does whatever the user is in the
//! middle of. Knows nothing of how a stage is spelled on the wire, or of voices.

use std::sync::Arc;

use serde_json::Value;

use crate::config::{Config, Hearing, InactivityMessage, Tool, TurnTaking};
use crate::context::Context;
use crate::ids::StageNumber;
use crate::message::Message;
use crate::notices;
use crate::output::{Event, Severity};

/// What a call goes on with. Already checked, like the call's [`Config`]; what it leaves open stays as it was.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewStage {
    /// The stage that it was worked out for. It is refused in any other, since it may rest on what has changed meanwhile.
    pub after: StageNumber,
    /// What the model is told of the tool's result.
    pub result: Arc<str>,
    /// The system prompt.
    pub system_prompt: Option<Arc<str>>,
    /// Sampling temperature, 0 to 1.
    pub temperature: Option<f32>,
    /// The configured name of the model.
    pub model: Option<Arc<str>>,
    /// How the model takes the user's speech.
    pub hearing: Option<Hearing>,
    /// BCP-47 language of the conversation.
    pub language: Option<Arc<str>>,
    /// The tools the agent may use.
    pub tools: Option<Vec<Tool>>,
    /// When speech counts.
    pub turn_taking: Option<TurnTaking>,
    /// What the agent says when the user is silent. Where it differs from before, the user's silence counts anew.
    pub inactivity: Option<Vec<InactivityMessage>>,
    /// Spoken before the call ends at its maximum duration.
    pub time_exceeded_message: Option<Arc<str>>,
    /// The state that tools see from now on; always a JSON object.
    pub state: Option<Arc<Value>>,
    /// The history that the model sees instead of what was said so far. Only what the user said while the tool ran stays.
    pub messages: Option<Vec<Message>>,
}

impl NewStage {
    /// Why it cannot begin now, for the developer.
    pub(crate) fn refusal(&self, cx: &Context) -> Option<String> {
        let present = cx.history.stage();
        if self.after != present {
            return Some(format!(
                "the new stage was meant to follow {}, and the call is in {present} by now; answer again",
                self.after
            ));
        }
        let bytes = cx.history.bytes() + self.messages.iter().flatten().map(Message::bytes).sum::<usize>();
        let most = cx.config.limits.history_bytes;
        (bytes > most).then(|| format!("the call would hold more text than the {most} bytes that it may"))
    }

    fn apply(&self, config: &mut Config) {
        fn change<T: Clone>(value: &mut T, new: Option<&T>) {
            if let Some(new) = new {
                value.clone_from(new);
            }
        }
        let Self {
            after: _,
            result: _,
            system_prompt,
            temperature,
            model,
            hearing,
            language,
            tools,
            turn_taking,
            inactivity,
            time_exceeded_message,
            state: _,
            messages: _,
        } = self;
        change(&mut config.temperature, temperature.as_ref());
        change(&mut config.model, model.as_ref());
        change(&mut config.hearing, hearing.as_ref());
        change(&mut config.tools, tools.as_ref());
        change(&mut config.turn_taking, turn_taking.as_ref());
        change(&mut config.inactivity, inactivity.as_ref());
        for (value, new) in [
            (&mut config.system_prompt, system_prompt),
            (&mut config.language, language),
            (&mut config.time_exceeded_message, time_exceeded_message),
        ] {
            if new.is_some() {
                value.clone_from(new);
            }
        }
    }
}

/// Lets a stage begin: everything that happens from now on happens in it.
pub(crate) fn begin(cx: &mut Context, stage: Arc<NewStage>) {
    let silence_differs = stage.inactivity.as_ref().is_some_and(|new| *new != cx.config.inactivity);
    stage.apply(Arc::make_mut(&mut cx.config));
    cx.history.begin_stage(stage.messages.as_deref());
    let number = cx.history.stage();
    if silence_differs {
        cx.silence_since = number;
    }
    cx.event(Event::StageChanged { number, stage });
    cx.notice(Severity::Info, notices::STAGE_CHANGED, format!("{number} of the call begins"));
}
