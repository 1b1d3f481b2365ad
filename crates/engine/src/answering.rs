//! The agent's turn: what it owes an answer to, the run of the model, the tools it uses, the message it says.
//!
//! Owns the one activity the agent may be in, its mouth and its tools. Decides what the agent does next when it is free; it
//! does not know why somebody wanted it interrupted or how the call ends.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::context::Context;
use crate::hygiene::Hygiene;
use crate::ids::{GenerationId, InvocationId, UtteranceId};
use crate::input::{ForcedMessage, ModelEvent, ModelToolCall, Reaction, Tones, ToolOutcome, VoiceEvent};
use crate::message::Medium;
use crate::notices;
use crate::output::{AgentState, Effect, EndReason, Severity, Work};
use crate::speaking::{Said, Speaking};
use crate::stage;
use crate::threads::Dispatch;
use crate::time::CallTime;
use crate::tools::{BatchResult, ToolLedger};

/// An answer that the conversation owes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Owed {
    /// Stands last in the prompt, as if the user had said it.
    pub(crate) instruction: Option<Arc<str>>,
    /// Whether the user's speech leaves the answer alone.
    pub(crate) uninterruptible: bool,
}

/// What the agent will do once it is free.
#[derive(Debug, Clone, PartialEq)]
enum Debt {
    /// Give an answer.
    Answer(Owed),
    /// Say something of which nothing was heard before it was stopped.
    Script(Script),
}

/// Something to say word for word.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Script {
    pub(crate) text: Arc<str>,
    pub(crate) uninterruptible: bool,
    pub(crate) then: Then,
    /// Tools to run after it was said.
    pub(crate) calls: Vec<ModelToolCall>,
    /// Results that are known already, by the id given to the call.
    pub(crate) known: Vec<(Arc<str>, ToolOutcome)>,
}

impl Script {
    pub(crate) fn new(text: Arc<str>, uninterruptible: bool, then: Then) -> Self {
        Self { text, uninterruptible, then, calls: Vec::new(), known: Vec::new() }
    }
}

/// What follows a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// The user's turn.
    Listen,
    /// The end of the call.
    HangUp(EndReason),
    /// The end of the call, unless the user says something before.
    HangUpUnlessAnswered(EndReason),
}

/// How the agent wants the call to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Now.
    Now(EndReason),
    /// Now, unless the user is saying something.
    UnlessAnswered(EndReason),
    /// Now, since the model fails; whoever waits for an answer is told so first.
    Apologetic,
}

/// What an interruption met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interrupted {
    /// An answer that the user had begun to hear.
    Heard,
    /// Nothing that can be interrupted.
    Nothing,
    /// An answer or a message of which nothing was heard; it is owed again.
    Unheard,
}

#[derive(Debug)]
pub(crate) struct Answering {
    activity: Activity,
    speaking: Speaking,
    tools: ToolLedger,
    owed: Option<Debt>,
    /// Forced messages that wait for their moment.
    waiting: VecDeque<ForcedMessage>,
    /// The medium of the next message.
    medium: Medium,
    /// What tools have sent to side threads.
    dispatches: Vec<Dispatch>,
    /// Generations that tools caused since the user last took part.
    tool_rounds: u32,
    /// Answers in a row that the model failed to give, and since when the first of them was asked for.
    model_failures: u32,
    failing_since: Option<CallTime>,
    /// The agent wants the call to end.
    ending: Option<Ending>,
}

/// What the agent is doing. Never two things at once.
#[derive(Debug)]
enum Activity {
    Idle,
    Answering(Answer),
    UsingTools {
        /// Whether the user heard the agent say something right before.
        spoke: bool,
        then: Then,
    },
}

#[derive(Debug)]
struct Answer {
    source: Source,
    /// When it was begun.
    since: CallTime,
    uninterruptible: bool,
    /// Whether it was begun before the user's turn was over, so that nothing of it may reach the client yet.
    tentative: bool,
    /// What this answer pays; owed again if it is dropped unheard.
    pays: Option<Debt>,
    /// What a model's words go through before they are said; what is to be said word for word does not.
    hygiene: Option<Box<Hygiene>>,
    calls: Vec<ModelToolCall>,
    known: Vec<(Arc<str>, ToolOutcome)>,
    spoke: bool,
    then: Then,
}

/// Where an answer's words come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// A run of the model that goes on.
    Model(GenerationId),
    /// All words are there.
    Complete,
}

impl Answer {
    /// Keeps a tool call for the end of the words. One that may run beside them is started, but for a turn that may not be over,
    /// for which nothing goes out.
    fn wish(&mut self, cx: &mut Context, tools: &mut ToolLedger, call: ModelToolCall) {
        if self.calls.len() < cx.config.limits.tool_calls {
            if !self.tentative {
                tools.precompute(cx, &call);
            }
            self.calls.push(call);
            return;
        }
        cx.notice(
            Severity::Warning,
            notices::TOO_MANY_TOOLS,
            "the model asked for more tools than one answer may use; the rest is ignored",
        );
    }
}

impl Answering {
    pub(crate) fn new(cx: &Context) -> Self {
        Self {
            activity: Activity::Idle,
            speaking: Speaking::default(),
            tools: ToolLedger::new(Arc::clone(&cx.config.initial_state)),
            owed: None,
            waiting: VecDeque::new(),
            medium: cx.config.output_medium,
            dispatches: Vec::new(),
            tool_rounds: 0,
            model_failures: 0,
            failing_since: None,
            ending: None,
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.activity, Activity::Idle)
    }

    /// Whether the agent's words are on their way to the user right now.
    pub(crate) fn is_speaking(&self) -> bool {
        self.speaking.has_begun()
    }

    /// Whether an answer is being made of which nothing was said yet.
    pub(crate) fn is_in_the_making(&self) -> bool {
        matches!(&self.activity, Activity::Answering(answer) if matches!(answer.source, Source::Model(_)))
            && !self.speaking.has_begun()
    }

    /// Whether the answer under way would give way to the user.
    pub(crate) fn is_interruptible(&self) -> bool {
        match &self.activity {
            Activity::Answering(answer) => !answer.uninterruptible && !self.speaking.is_uninterruptible(),
            Activity::Idle | Activity::UsingTools { .. } => false,
        }
    }

    /// The state that tools share.
    pub(crate) fn state(&self) -> Arc<Value> {
        self.tools.state()
    }

    /// Whether tools have sent something to side threads.
    pub(crate) fn has_dispatches(&self) -> bool {
        !self.dispatches.is_empty()
    }

    /// What tools have sent to side threads, once.
    pub(crate) fn take_dispatches(&mut self) -> Vec<Dispatch> {
        std::mem::take(&mut self.dispatches)
    }

    /// The agent's wish to end the call, once.
    pub(crate) fn take_ending(&mut self) -> Option<Ending> {
        self.ending.take()
    }

    /// Sets the medium of messages that have no words yet.
    pub(crate) fn set_medium(&mut self, medium: Medium) {
        self.medium = medium;
        if self.speaking.prefer(medium)
            && let Activity::Answering(Answer { hygiene: Some(hygiene), .. }) = &mut self.activity
        {
            hygiene.prefer(medium);
        }
    }

    /// The user took part: tools may cause answers again, and a soft farewell is taken back.
    pub(crate) fn note_user(&mut self) {
        self.tool_rounds = 0;
        let then = match &mut self.activity {
            Activity::Answering(answer) => &mut answer.then,
            Activity::UsingTools { then, .. } => then,
            Activity::Idle => return,
        };
        if let Then::HangUpUnlessAnswered(_) = then {
            *then = Then::Listen;
        }
    }

    /// Notes that an answer is owed; it is given when the agent is free.
    pub(crate) fn owe(&mut self, owed: Owed) {
        self.owed = Some(Debt::Answer(owed));
    }

    /// Keeps a forced message for its moment.
    pub(crate) fn wait(&mut self, cx: &mut Context, forced: ForcedMessage) {
        if self.waiting.len() >= cx.config.limits.waiting_messages {
            cx.notice(
                Severity::Warning,
                notices::FORCED_MESSAGE_DROPPED,
                "a forced message was dropped: too many wait for the agent or the user to finish",
            );
            return;
        }
        self.waiting.push_back(forced);
    }

    /// Does the next thing that waits, if the agent is free.
    pub(crate) fn next_move(&mut self, cx: &mut Context) {
        while self.is_idle() && self.ending.is_none() {
            if let Some(forced) = self.waiting.pop_front() {
                self.force(cx, forced);
                continue;
            }
            match self.owed.take() {
                Some(Debt::Answer(owed)) => self.generate(cx, owed),
                Some(Debt::Script(script)) => self.say(cx, script),
                None => return,
            }
        }
    }

    /// Says a forced message. The agent must be idle.
    pub(crate) fn force(&mut self, cx: &mut Context, forced: ForcedMessage) {
        let ForcedMessage { content, tool_calls, known_results, uninterruptible, urgency: _ } = forced;
        self.say(
            cx,
            Script {
                text: content,
                uninterruptible,
                then: Then::Listen,
                calls: tool_calls,
                known: known_results,
            },
        );
    }

    /// Says something word for word. The agent must be idle.
    pub(crate) fn say(&mut self, cx: &mut Context, script: Script) {
        debug_assert!(self.is_idle(), "one answer at a time");
        let pays = Some(Debt::Script(script.clone()));
        let silent = script.text.trim().is_empty();
        if !silent {
            cx.report(AgentState::Thinking);
        }
        self.activity = Activity::Answering(Answer {
            source: Source::Complete,
            since: cx.now,
            uninterruptible: script.uninterruptible,
            tentative: false,
            pays,
            hygiene: None,
            calls: script.calls,
            known: script.known,
            spoke: false,
            then: script.then,
        });
        if !silent {
            self.speaking.begin(cx, self.medium, script.uninterruptible);
            self.push_text(cx, &script.text);
            self.speaking.finish_text();
        }
        self.advance(cx);
    }

    /// Asks the model for an answer. The agent must be idle.
    pub(crate) fn generate(&mut self, cx: &mut Context, owed: Owed) {
        cx.report(AgentState::Thinking);
        self.begin_answer(cx, owed, false);
    }

    /// Whether an answer could be begun for a turn that may not be over: the agent is idle and owes nothing.
    pub(crate) fn may_speculate(&self) -> bool {
        self.is_idle() && self.owed.is_none() && self.waiting.is_empty() && self.ending.is_none()
    }

    /// Asks the model for an answer to a turn that may not be over. Nothing of it reaches the client until it is confirmed.
    pub(crate) fn speculate(&mut self, cx: &mut Context) {
        self.begin_answer(cx, Owed::default(), true);
        self.speaking.hold();
    }

    /// Whether the answer under way is for a turn that may not be over.
    pub(crate) fn is_tentative(&self) -> bool {
        matches!(&self.activity, Activity::Answering(answer) if answer.tentative)
    }

    /// The turn is over: a tentative answer becomes the answer. Returns whether there was one.
    pub(crate) fn confirm(&mut self, cx: &mut Context) -> bool {
        let Activity::Answering(answer) = &mut self.activity else { return false };
        if !std::mem::take(&mut answer.tentative) {
            return false;
        }
        cx.report(AgentState::Thinking);
        for call in &answer.calls {
            self.tools.precompute(cx, call);
        }
        self.speaking.release();
        self.advance(cx);
        true
    }

    /// Drops a tentative answer: the user went on, or something else came between.
    pub(crate) fn drop_tentative(&mut self, cx: &mut Context) {
        if let Activity::Answering(answer) = &mut self.activity
            && answer.tentative
        {
            answer.pays = None;
            self.stop(cx);
        }
    }

    /// Holds the playout of an answer that would give way to the user and of which a word was heard. Returns whether there is one.
    pub(crate) fn pause(&mut self, cx: &mut Context) -> bool {
        let pauses = self.is_interruptible()
            && self.speaking.is_heard()
            && self.speaking.playing_for(cx.now).is_some();
        if pauses {
            self.speaking.hold();
            self.advance(cx);
        }
        pauses
    }

    /// How many samples were sent and are not played yet.
    pub(crate) fn unplayed(&self, now: CallTime) -> u64 {
        self.speaking.unplayed(now)
    }

    /// Keeps little of what is said at the client while it may have to stand still at any moment, or as much as it has room for.
    pub(crate) fn keep_short(&mut self, cx: &mut Context, short: bool) {
        if self.speaking.keep_short(short) {
            self.advance(cx);
        }
    }

    /// Whether the playout is held in the middle of an answer.
    pub(crate) fn is_paused(&self) -> bool {
        self.speaking.is_held() && !self.is_tentative()
    }

    /// Goes on with the playout from the sample at which it was held.
    pub(crate) fn resume(&mut self, cx: &mut Context) {
        self.speaking.release();
        self.advance(cx);
    }

    /// How long the agent's voice has been audible in this message.
    pub(crate) fn playing_for(&self, now: CallTime) -> Option<Duration> {
        self.speaking.playing_for(now)
    }

    fn begin_answer(&mut self, cx: &mut Context, owed: Owed, tentative: bool) {
        debug_assert!(self.is_idle(), "one answer at a time");
        // One answer pays for all that came before it.
        self.owed = None;
        let generation = cx.next_generation();
        let prompt = cx.prompt(cx.history.for_model(), owed.instruction.clone());
        let hygiene = Hygiene::new(prompt.tools.iter().map(|tool| Arc::clone(&tool.name)), self.medium);
        cx.effect(Effect::StartModel { generation, thread: None, prompt: Box::new(prompt) });
        // The answer stands behind what it answers, whatever comes while it is made.
        self.speaking.begin(cx, self.medium, owed.uninterruptible);
        self.activity = Activity::Answering(Answer {
            source: Source::Model(generation),
            since: cx.now,
            uninterruptible: owed.uninterruptible,
            tentative,
            pays: Some(Debt::Answer(owed)),
            hygiene: Some(Box::new(hygiene)),
            calls: Vec::new(),
            known: Vec::new(),
            spoke: false,
            then: Then::Listen,
        });
    }

    /// Stops an answer that may be interrupted, wherever it is.
    pub(crate) fn interrupt(&mut self, cx: &mut Context) -> Interrupted {
        if self.is_interruptible() { self.stop(cx) } else { Interrupted::Nothing }
    }

    /// Stops an answer that may be interrupted, for good: it is not owed again even if none of it was heard.
    pub(crate) fn silence(&mut self, cx: &mut Context) -> Interrupted {
        if let Activity::Answering(answer) = &mut self.activity {
            answer.pays = None;
        }
        self.interrupt(cx)
    }

    /// Stops whatever the agent is saying, interruptible or not. Tools in flight go on (protocol.md 5.4).
    pub(crate) fn stop(&mut self, cx: &mut Context) -> Interrupted {
        let Activity::Answering(answer) = &mut self.activity else { return Interrupted::Nothing };
        if let Source::Model(generation) = answer.source {
            cx.effect(Effect::Cancel(Work::Model(generation)));
        }
        let spoke = answer.spoke;
        let pays = answer.pays.take();
        self.activity = Activity::Idle;
        self.tools.forget_early(cx);
        let heard = self.speaking.cut(cx);
        if heard || spoke {
            return Interrupted::Heard;
        }
        if self.owed.is_none() {
            self.owed = pays;
        }
        Interrupted::Unheard
    }

    /// Stops everything for good: the call is over.
    pub(crate) fn end(&mut self, cx: &mut Context) {
        self.stop(cx);
        self.tools.end(cx);
        self.activity = Activity::Idle;
        self.owed = None;
        self.waiting.clear();
        self.ending = None;
    }

    pub(crate) fn handle_model(&mut self, cx: &mut Context, id: GenerationId, event: ModelEvent) {
        let Activity::Answering(answer) = &mut self.activity else { return };
        if answer.source != Source::Model(id) {
            return;
        }
        match event {
            ModelEvent::Text(text) => {
                if let Some(hygiene) = &mut answer.hygiene {
                    let text = hygiene.push(&text);
                    self.push_text(cx, &text);
                }
            }
            ModelEvent::ToolCall(call) => answer.wish(cx, &mut self.tools, call),
            ModelEvent::Finished => {
                self.model_failures = 0;
                self.failing_since = None;
                self.complete_text(cx);
            }
            ModelEvent::Failed(why) => self.model_failed(cx, &why),
        }
        self.advance(cx);
    }

    /// What was said stays said. An answer without a word is asked for again, but not for ever.
    fn model_failed(&mut self, cx: &mut Context, why: &str) {
        let Activity::Answering(answer) = &self.activity else { return };
        let (since, tentative) = (answer.since, answer.tentative);
        self.model_failures += 1;
        let since = *self.failing_since.get_or_insert(since);
        self.complete_text(cx);
        cx.notice(Severity::Error, notices::MODEL_FAILED, format!("the language model failed: {why}"));
        let Activity::Answering(answer) = &mut self.activity else { return };
        let wordless = !answer.spoke && answer.calls.is_empty() && !self.speaking.has_words();
        let limits = &cx.config.limits;
        let in_vain = self.model_failures >= limits.failures;
        if in_vain || (wordless && !tentative && cx.now.since(since) >= limits.retrying) {
            self.give_up(cx, Ending::Apologetic);
        } else if wordless && !tentative && self.owed.is_none() {
            self.owed = answer.pays.take();
        }
    }

    pub(crate) fn handle_voice(&mut self, cx: &mut Context, id: UtteranceId, event: VoiceEvent) {
        self.speaking.handle_voice(cx, id, event);
        if self.speaking.failures() >= cx.config.limits.failures {
            self.give_up(cx, Ending::Now(EndReason::SystemError));
        }
        self.advance(cx);
    }

    pub(crate) fn handle_playout_timeout(&mut self, cx: &mut Context) {
        self.advance(cx);
    }

    pub(crate) fn handle_tool(&mut self, cx: &mut Context, id: InvocationId, outcome: ToolOutcome) {
        self.tools.handle_outcome(cx, id, outcome);
        self.finish_tools(cx);
    }

    pub(crate) fn handle_tool_timeout(&mut self, cx: &mut Context) {
        self.tools.handle_timeout(cx);
        self.finish_tools(cx);
    }

    /// The model says nothing more: what was held back of its words is said, and what was a call is one.
    fn complete_text(&mut self, cx: &mut Context) {
        let Activity::Answering(answer) = &mut self.activity else { return };
        answer.source = Source::Complete;
        if let Some(mut hygiene) = answer.hygiene.take() {
            let (rest, calls) = hygiene.end();
            for call in calls {
                answer.wish(cx, &mut self.tools, call);
            }
            self.push_text(cx, &rest);
        }
        self.speaking.finish_text();
    }

    fn push_text(&mut self, cx: &mut Context, text: &str) {
        if self.speaking.push_text(cx, text) {
            return;
        }
        cx.notice(
            Severity::Warning,
            notices::MODEL_TOO_LONG,
            "a message grew past the limit for one message; the rest is not said",
        );
        self.speaking.finish_text();
        if let Activity::Answering(answer) = &mut self.activity
            && let Source::Model(generation) = answer.source
        {
            answer.source = Source::Complete;
            cx.effect(Effect::Cancel(Work::Model(generation)));
        }
    }

    /// Lets the mouth go on, and the answer when the mouth is done.
    fn advance(&mut self, cx: &mut Context) {
        let said = self.speaking.advance(cx);
        let Activity::Answering(answer) = &mut self.activity else { return };
        match said {
            Said::Finished { heard } => answer.spoke |= heard,
            Said::Unfinished if self.speaking.is_heard() => answer.spoke = true,
            Said::Unfinished => {}
        }
        if answer.spoke {
            answer.pays = None;
        }
        if answer.source == Source::Complete && self.speaking.is_idle() {
            self.finish_answer(cx);
        }
    }

    /// Everything was said: run the tools, or be done.
    fn finish_answer(&mut self, cx: &mut Context) {
        let Activity::Answering(answer) = std::mem::replace(&mut self.activity, Activity::Idle) else {
            return;
        };
        if answer.calls.is_empty() {
            self.follow(answer.then);
            return;
        }
        self.activity = Activity::UsingTools { spoke: answer.spoke, then: answer.then };
        cx.report(AgentState::Thinking);
        let mut known = answer.known;
        for call in answer.calls {
            let result = call.given_id.as_ref().and_then(|id| {
                let index = known.iter().position(|(known_id, _)| known_id == id)?;
                Some(known.swap_remove(index).1)
            });
            self.tools.invoke(cx, &call, result);
        }
        self.finish_tools(cx);
    }

    /// All results are there: answer them, end the call, or listen.
    fn finish_tools(&mut self, cx: &mut Context) {
        let Activity::UsingTools { spoke, then } = self.activity else { return };
        let Some(result) = self.tools.deliver(cx) else { return };
        let BatchResult { reaction, hang_up, stage, tones, dispatches } = result;
        self.dispatches.extend(dispatches);
        self.activity = Activity::Idle;
        if let Some(stage) = stage {
            stage::begin(cx, stage);
        }
        // A soft farewell is taken back if the user said something while the tools ran.
        if let Some(request) = hang_up.filter(|request| request.strict || !self.owes_answer()) {
            let reason = EndReason::AgentHangUp;
            let then = if request.strict { Then::HangUp(reason) } else { Then::HangUpUnlessAnswered(reason) };
            let message = request.message.filter(|message| !message.trim().is_empty());
            if !tones.is_empty() {
                // The keys come first; the rest is owed.
                let farewell = Script::new(message.unwrap_or_default(), request.strict, then);
                self.owed = Some(Debt::Script(farewell));
                self.press(cx, tones, Then::Listen);
                return;
            }
            match message {
                Some(message) => self.say(cx, Script::new(message, request.strict, then)),
                None => self.follow(then),
            }
            return;
        }
        let speaks = match reaction {
            Reaction::Speaks => true,
            Reaction::SpeaksOnce => !spoke,
            Reaction::Listens => false,
        };
        if speaks && self.tool_rounds >= cx.config.limits.tool_rounds {
            cx.notice(
                Severity::Warning,
                notices::TOOL_ROUNDS,
                "tools have called for answers too often in a row; waiting for the user",
            );
        } else if speaks {
            self.tool_rounds += 1;
            self.owe(Owed::default());
        }
        if tones.is_empty() {
            self.follow(then);
        } else {
            self.press(cx, tones, then);
        }
    }

    /// Presses keys of a telephone. The agent must be idle. Nobody interrupts it: half a number is none.
    fn press(&mut self, cx: &mut Context, tones: Vec<Tones>, then: Then) {
        self.activity = Activity::Answering(Answer {
            source: Source::Complete,
            since: cx.now,
            uninterruptible: true,
            tentative: false,
            pays: None,
            calls: Vec::new(),
            known: Vec::new(),
            spoke: false,
            then,
            hygiene: None,
        });
        self.speaking.begin(cx, Medium::Voice, true);
        self.speaking.press(cx, tones);
        self.advance(cx);
    }

    fn follow(&mut self, then: Then) {
        match then {
            Then::Listen => {}
            Then::HangUp(reason) => self.ending = Some(Ending::Now(reason)),
            Then::HangUpUnlessAnswered(reason) => self.ending = Some(Ending::UnlessAnswered(reason)),
        }
    }

    fn owes_answer(&self) -> bool {
        matches!(self.owed, Some(Debt::Answer(_)))
    }

    fn give_up(&mut self, cx: &mut Context, ending: Ending) {
        if self.ending.is_none() {
            cx.notice(Severity::Error, notices::GAVE_UP, "the call ends: too many failures in a row");
            self.ending = Some(ending);
        }
    }
}
